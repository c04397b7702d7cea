"""What is said of what a generator yields.

Decides that the first 16 items are outputs of their own, `output[0]` to `output[15]`, which later steps are bound to;
and that of a generator that yields more, all items together are one more output, `output`: a table with a row for each
thing yielded, in order (item, role, digest), so that the outcome covers all of them and the run stays small: ten
thousand batches are 16 datasets and a table.
"""

from typing import TYPE_CHECKING, Any

from ..datasets import undigested
from .results import as_state, parts

if TYPE_CHECKING:
    from .calls import StepCall

FIRST_ITEMS = 16


class Items:
    """The items of one call of a generator."""

    def __init__(self, call: "StepCall") -> None:
        """None yet."""
        self._call = call
        self._count = 0
        self._rows: list[tuple[int, str, str]] = []
        self._missing: str | None = None

    def yielded(self, item: Any) -> None:
        """Note one item."""
        position, run = self._count, self._call.run
        self._count += 1
        guard = self._call.step.lineage.guard
        for role, one in parts(item, f"output[{position}]"):
            if position < FIRST_ITEMS:
                self._call.declare("output", role, one)
            with run.measured(), guard.protecting("digesting what a generator yields"):
                self._note(position, role, one)

    def finished(self, returned: Any) -> None:
        """Declare all items as one, where there are more than 16, and what the generator returned; end the run."""
        run = self._call.run
        with run.measured(), self._call.step.lineage.guard.protecting("recording what a generator yielded"):
            run.settle_chance()
            if self._count > FIRST_ITEMS and not run.ended:
                self._declare_all()
        for role, one in self._call.arguments.outputs:
            self._call.declare("output", role, one)
        for role, one in parts(returned, "return"):
            self._call.declare("output", role, one)
        if not run.ended:
            self._call.not_kept()
            run.end()

    def _note(self, position: int, role: str, one: Any) -> None:
        from ..digests import Refused, content_of

        if self._missing is not None or self._call.step.lineage.settings.disabled:
            return
        if self._call.step.lineage.settings.digest == "none":
            self._missing = 'not asked for (digest="none")'
            return
        try:
            version = content_of(as_state(one) or one).version
        except Refused as refused:
            version, self._missing = None, f"{role} has no digest: {refused}"
        if version is not None:
            self._rows.append((position, role, version))

    def _declare_all(self) -> None:
        import pyarrow as pa

        lineage = self._call.step.lineage
        if self._missing is not None:
            name = self._call.step.names.get("output", f"{self._call.step.job}/output")
            description = undigested(self._missing, lineage.producer)
            self._call.run.output_described(None, name, "output", description)
            return
        columns = list(zip(*self._rows, strict=True))
        table = pa.table(
            {
                "item": pa.array(columns[0], pa.int64()),
                "role": pa.array(columns[1], pa.string()),
                "digest": pa.array(columns[2], pa.string()),
            }
        )
        self._call.run.output(table, role="output", name=self._call.step.names.get("output"))
