"""The run that a call of a step is: a run that can say more of itself.

Decides what a run of a step can do besides: tell what it could not read, declare what is described already, say what
the cache did, know what it would be called by (task and recipe) before it has ended, and let go of the process's
generators for a while.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..datasets import Description
from ..events import Call, Entry, identity_of
from ..identity import Identity
from ..naming import DatasetName
from ..run import Run
from ..seeds import Entropy

if TYPE_CHECKING:
    from ..capture.code import Repository
    from ..lineage import Lineage
    from ..ours import Measured
    from ..parameters import Shown


class StepRun(Run):
    """A run made for one call. As safe for threads as any run."""

    def __init__(
        self,
        lineage: "Lineage",
        job: str,
        *,
        operation: str,
        seed: Entropy | None,
        params: Mapping[str, object],
        caller: Path | None,
        deterministic: bool,
        call: Call,
        gaps: Sequence[str] = (),
    ) -> None:
        """Prepare; `gaps` is what could not be read of the call, which keeps its task from being told."""
        super().__init__(
            lineage,
            job,
            operation=operation,
            seed=seed,
            params=params,
            caller=caller,
            deterministic=deterministic,
        )
        self._call: Call = call
        self._gaps += gaps

    @property
    def ended(self) -> bool:
        """Whether it has ended, by the function itself perhaps."""
        return self._state == "ended"

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was declared so far."""
        with self._lock:
            return tuple(self._entries.values())

    @property
    def metrics(self) -> tuple["Measured", ...]:
        """The figures so far."""
        with self._lock:
            return tuple(self._metrics)

    @property
    def parameters(self) -> tuple["Shown", ...]:
        """As people see them."""
        return self._parameters.shown

    @property
    def parameter_forms(self) -> Mapping[str, bytes]:
        """As the task has them."""
        return self._parameters.forms

    @property
    def code(self) -> str | None:
        """The digest of the code of its call, as it was when it began."""
        return self._call.code

    @property
    def repository(self) -> "Repository | None":
        """The work tree of the code; null where there is none."""
        return self._surroundings.repository if self._surroundings is not None else None

    @property
    def given_seed(self) -> int | None:
        """The seed that counts for the recipe."""
        return self._chance.given

    def identity(self) -> Identity:
        """Task and recipe if it ended now."""
        with self._lock:
            return identity_of(
                operation=self._operation,
                parameters=self._parameters,
                entries=tuple(self._entries.values()),
                gaps=tuple(self._gaps),
                code=self._call.code,
                code_missing=self._call.code_missing,
                given_seed=self.given_seed,
            )

    def call_is(self, *, cache: str, served_from: str | None = None) -> None:
        """Say what the cache did."""
        self._call = replace(self._call, cache=cache, served_from=served_from)

    def declare(
        self,
        direction: Literal["input", "output"],
        data: object,
        name: str | None,
        role: str,
        *,
        store: bool | None,
        modality: str | None,
        tell: bool,
    ) -> None:
        """`input` or `output`; `tell` is false where the run ends at once."""
        self._declare(direction, data, name, None, role, None, store, modality, tell=tell)

    def output_described(
        self,
        data: object,
        name: DatasetName | str,
        role: str,
        description: Description,
        version: str | None = None,
    ) -> None:
        """Declare an output of which all is known, without looking at it."""
        self._declare("output", data, name, version, role, None, None, known=description, tell=False)

    def settle_chance(self) -> None:
        """Give the caller's generators back: the function has returned."""
        self._chance.settle()

    def chance_used(self) -> set[str]:
        """What it has used of chance, once it is settled."""
        return self._chance.used()

    def chance_was(self, used: set[str]) -> None:
        """Take over what the run that is handed out had used."""
        self._chance.also_used(used)

    def pause(self) -> None:
        """The caller's generators are in use for a while."""
        with self.measured(), self._lineage.guard.protecting("pausing a generator's seeds"):
            self._chance.pause()

    def resume(self) -> None:
        """Its own again, as they were."""
        with self.measured(), self._lineage.guard.protecting("resuming a generator's seeds"):
            self._chance.resume()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Time that is ours and not the job's."""
        with self._stopwatch.running():
            yield


def given_text(seed: int | None) -> str | None:
    """A seed as events have it: hexadecimal."""
    return None if seed is None else f"{seed:x}"


def plain_metrics(metrics: Sequence["Measured"]) -> list[list[Any]]:
    """Metrics as JSON has them."""
    return [[name, value, step] for name, value, step in metrics]
