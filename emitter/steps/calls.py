"""One call of a step: which run it is, what is declared before the function runs and after it has returned.

Decides the seed of each call, and that nothing that goes wrong in here keeps the function from running. The order is:
inputs, the function, the caller's generators back, outputs, the end. How functions of different kinds are wrapped is
decided in `wrapping.py`, what may be answered without running it in `cached.py`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import BoundArguments, Parameter, Signature
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from ..capture.reached import callable_code
from ..events import Call
from ..naming import is_url
from ..process import calls_before
from ..seeds import Entropy, child_entropy, process_name
from .arguments import Arguments, Said, sort_out
from .results import as_state, parts
from .runs import StepRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..capture.code import Code
    from ..lineage import Lineage
    from .cached import Hit, Kept

T = TypeVar("T")
Cache = Literal[False, True, "dirty"]
ANY = Signature([Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)])


@dataclass(frozen=True, kw_only=True)
class Step:
    """A decorated function, and what was said of it.

    Attributes:
        lineage: Whose runs its calls are.
        function: As it was defined.
        signature: Of the function.
        job: Name of its runs' job.
        operation: What is done.
        callable: `module:qualified.name`.
        method: Whether the first argument is an object or class whose method it is.
        seed: The seed of the step; null without one.
        deterministic: Whether the switches are set for the time of each call.
        cache: Whether calls may be answered from earlier ones.
        said: What is data and what is not, by the names of parameters.
        names: Role → name of the dataset.
        modality: Of every output, or role → modality.
        caller: The file that defines it, if it is the user's own.
        why_not_cached: Why no call of it is ever answered from an earlier one; null if some may.
    """

    lineage: "Lineage"
    function: "Callable[..., Any]"
    signature: Signature
    job: str
    operation: str
    callable: str
    method: bool
    seed: Entropy | None
    deterministic: bool
    cache: Cache
    said: Said
    names: Mapping[str, str]
    modality: str | Mapping[str, str] | None
    caller: Path | None
    why_not_cached: str | None = None

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BoundArguments:
        """The arguments by name, defaults included; as they came where they do not fit."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError:
            bound = ANY.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def code(self) -> "Code":
        """The code as it is now."""
        return callable_code(self.function)

    def entropy(self) -> Entropy | None:
        """The seed of the next call: of the step's seed, the job and how many calls there were; null without a seed."""
        if self.seed is None:
            return None
        name = self.job + process_name()
        ordinal = calls_before((self.lineage.namespace, name, self.seed.value))
        return child_entropy(self.seed, name, ordinal)


class StepCall:
    """One call, and the run that it is: a context manager, within which the function runs."""

    def __init__(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Sort the arguments and make the run, which has not begun."""
        lineage = step.lineage
        self.step = step
        self.arguments = Arguments()
        self.bound: BoundArguments | None = None
        self.likeness: Mapping[str, str] | str = (
            "asking the cache failed"  # it looks before the function runs
        )
        gap: list[str] = ["the arguments could not be read"]
        with lineage.guard.protecting("sorting the arguments of a step"):
            self.bound = step.bind(args, kwargs)
            self.arguments = sort_out(self.bound, step.said, method=step.method)
            gap = []
        code = self.code()
        self.run = StepRun(
            lineage,
            step.job,
            operation=step.operation,
            seed=step.entropy(),
            params=self.arguments.parameters,
            caller=step.caller,
            deterministic=step.deterministic,
            call=Call(
                callable=step.callable,
                code=code.digest,
                code_missing=code.missing,
                code_not_covered=code.not_covered,
            ),
            gaps=gap,
        )
        self.hit: Hit | None = None
        self._why = ""

    def code(self) -> "Code":
        """The code of the function and of its arguments, as it is now."""
        from .handed import with_arguments

        code = self.step.code()
        return code if self.bound is None else with_arguments(code, self.bound)

    def __enter__(self) -> Self:
        """Begin the run and declare its inputs; `hit` is what an earlier call has returned, where the cache has it."""
        self.run.begin()
        try:
            for role, data in self.arguments.inputs:
                self.declare("input", role, data)
            if self.step.cache:
                with self._ours("asking the cache of steps"):
                    from .cached import Hit, ask

                    found = ask(self)
                    if isinstance(found, Hit):
                        self.hit = found
                    else:
                        self._why = found
        except BaseException as error:  # strict, or an interrupt: there will be no __exit__
            self.run.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run, if it is not: as the function ended."""
        self.run.__exit__(kind, error, trace)

    def returned(self, result: T) -> T:
        """Declare what the function has returned and written, end the run, unless the function has, and hand it on."""
        run = self.run
        if run.ended:
            return result
        with self._ours("restoring generators"):
            run.settle_chance()
        kept: Kept | None = None
        if self.step.cache:
            kept = self._outputs_to_keep(result)
        else:
            self._outputs(result, store=None)
        run.end()
        if kept is not None:
            with self._ours("keeping a result in the cache of steps"):
                kept.publish()
        return result

    def served(self) -> Any:
        """Declare what an earlier run wrote, end the run, and give back what that run returned."""
        hit = self.hit
        assert hit is not None
        with self._ours("handing out a kept result"):
            hit.declare(self.run)
        self.run.call_is(served_from=hit.run_id, cache="served")
        self.run.end()
        with self._ours("noting that a kept result was used"):
            hit.used()
        return hit.value

    def not_kept(self) -> None:
        """Say what the cache did for a call whose result is never kept."""
        if self.step.cache:
            self.run.call_is(cache=said_of_cache(self._why, self._why))

    def declare(
        self,
        direction: Literal["input", "output"],
        role: str,
        data: object,
        *,
        store: bool | None = None,
        tell: bool = True,
    ) -> None:
        """One input or output of the run; `tell` is false where the run ends at once."""
        modality = None
        if direction == "output" and self.step.modality is not None:
            said = self.step.modality
            modality = said if isinstance(said, str) else said.get(role)
        held = as_state(data)
        name = self.step.names.get(role)
        if isinstance(data, str) and role in self.step.said.outputs:  # the place of something
            data, name = (None, data) if is_url(data) else (Path(data), name)
        self.run.declare(
            direction, data if held is None else held, name, role, store=store, modality=modality, tell=tell
        )

    def _outputs(self, result: Any, *, store: bool | None) -> None:
        for role, one in self.arguments.outputs:
            self.declare("output", role, one, store=store, tell=False)
        for role, one in parts(result, "output"):
            self.declare("output", role, one, store=store, tell=False)

    def _outputs_to_keep(self, result: Any) -> "Kept | None":
        from .cached import Kept, prepare, why_not

        reason: str | None = "looking whether it can be kept failed"
        with self._ours("looking whether a result can be kept"):
            reason = why_not(self, result)
        self._outputs(result, store=True if reason is None else None)
        kept: Kept | None = None
        if reason is None:
            reason = "making its entry failed"
            with self._ours("keeping a result in the cache of steps"):
                made = prepare(self, result)
                kept, reason = (made, None) if isinstance(made, Kept) else (None, made)
        self.run.call_is(cache=said_of_cache(self._why, reason))
        return kept

    @contextmanager
    def _ours(self, what: str) -> Iterator[None]:
        with self.run.measured(), self.step.lineage.guard.protecting(what):
            yield


def said_of_cache(why: str, not_kept: str | None) -> str:
    """`relineage_step.cache` of a call that was computed."""
    why = why or "asking the cache failed"
    if not_kept is None:
        return f"computed: {why}; kept"
    return f"computed and not kept: {why}" if why == not_kept else f"computed: {why}; not kept: {not_kept}"
