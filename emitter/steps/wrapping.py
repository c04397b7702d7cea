"""The decorator: what a function of each kind becomes.

Decides that a step stays what it was (a function, a coroutine function, a generator or an asynchronous one, a method)
with its name, signature and documentation, and can be pickled by its name; and that a generator's run is open from its
first item to its last, while whoever iterates over it has his own generators and his own current run in between. A
generator that is left early is aborted: how far somebody iterated is no outcome of it.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..process import CURRENT
from ..seeds import entropy_of
from .arguments import Said
from .calls import ANY, Cache, Step, StepCall
from .items import Items

if TYPE_CHECKING:
    from ..lineage import Lineage

F = TypeVar("F", bound=Callable[..., Any])


def step(
    lineage: "Lineage",
    function: F,
    *,
    job: str | None,
    operation: str | None,
    seed: int | None,
    deterministic: bool,
    cache: Cache,
    inputs: Iterable[str],
    params: Iterable[str],
    outputs: Iterable[str],
    names: Mapping[str, str] | None,
    modality: str | Mapping[str, str] | None,
) -> F:
    """The function as a step; arguments as for `Lineage.step`."""
    if isinstance(function, classmethod | staticmethod):
        kind = type(function)
        return kind(
            step(
                lineage, function.__func__, job=job, operation=operation, seed=seed, deterministic=deterministic,
                cache=cache, inputs=inputs, params=params, outputs=outputs, names=names, modality=modality,
            )
        )  # fmt: skip
    if not callable(function):
        raise TypeError(f"a step is made of a function, not of a {type(function).__name__}: @lineage.step(…)")
    if cache not in (False, True, "dirty"):
        raise ValueError(f'cache={cache!r} is unknown; it can be False, True or "dirty"')
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C tell nothing
        signature = ANY
    inner: Any = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    path = str(getattr(inner, "__qualname__", type(inner).__qualname__)).rpartition("<locals>.")[2]
    said = Said(inputs=_named(inputs), params=_named(params), outputs=_named(outputs))
    _check(said, signature)
    generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    why_not_cached = "it yields its results one by one" if generator else None
    made = Step(
        lineage=lineage,
        function=function,
        signature=signature,
        job=job or path,
        operation=operation or job or path,
        callable=f"{getattr(function, '__module__', None) or '__main__'}:"
        f"{getattr(function, '__qualname__', path)}",
        method="." in path and next(iter(signature.parameters), None) in ("self", "cls"),
        seed=entropy_of(seed) if seed is not None else None,
        deterministic=deterministic,
        cache=cache,
        said=said,
        names=dict(names or {}),
        modality=modality,
        caller=_file_of(function),
        why_not_cached="it writes files itself" if said.outputs else why_not_cached,
    )
    return functools.wraps(function)(_wrapper(made))  # type: ignore[return-value]


def _wrapper(made: Step) -> Callable[..., Any]:
    function = made.function
    if inspect.iscoroutinefunction(function):
        return _coroutine(made)
    if inspect.isasyncgenfunction(function):
        return _async_generator(made)
    if inspect.isgeneratorfunction(function):
        return _generator(made)
    return _plain(made)


def _plain(made: Step) -> Callable[..., Any]:
    function = made.function

    def called(*args: Any, **kwargs: Any) -> Any:
        with StepCall(made, args, kwargs) as call:
            return call.served() if call.hit else call.returned(function(*args, **kwargs))

    return called


def _coroutine(made: Step) -> Callable[..., Any]:
    function = made.function

    async def called(*args: Any, **kwargs: Any) -> Any:
        with StepCall(made, args, kwargs) as call:
            return call.served() if call.hit else call.returned(await function(*args, **kwargs))

    return called


def _generator(made: Step) -> Callable[..., Any]:
    function = made.function

    def called(*args: Any, **kwargs: Any) -> Any:
        with _Turns(StepCall(made, args, kwargs)) as turns:
            generator = function(*args, **kwargs)
            advance: Callable[[], Any] = functools.partial(next, generator)
            while True:
                try:
                    item = advance()
                except StopIteration as stop:
                    turns.items.finished(stop.value)
                    return stop.value
                turns.give(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    turns.take()
                    generator.close()
                    raise
                except BaseException as error:
                    advance = functools.partial(generator.throw, error)
                else:
                    advance = functools.partial(generator.send, sent)
                turns.take()

    return called


def _async_generator(made: Step) -> Callable[..., Any]:
    function = made.function

    async def called(*args: Any, **kwargs: Any) -> Any:
        with _Turns(StepCall(made, args, kwargs)) as turns:
            generator = function(*args, **kwargs)
            advance: Callable[[], Any] = functools.partial(generator.asend, None)
            while True:
                try:
                    item = await advance()
                except StopAsyncIteration:
                    turns.items.finished(None)
                    return
                turns.give(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    turns.take()
                    await generator.aclose()
                    raise
                except BaseException as error:
                    advance = functools.partial(generator.athrow, error)
                else:
                    advance = functools.partial(generator.asend, sent)
                turns.take()

    return called


class _Turns:
    """The call of a generator, and whose turn it is: its own, or that of whoever iterates over it, who may do so within
    another run.
    """

    def __init__(self, call: StepCall) -> None:
        self._call = call
        self.items = Items(call)

    def __enter__(self) -> Self:
        """The generator's turn begins with its run."""
        self._theirs = CURRENT.get()
        self._call.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """The run ends, and whoever iterates has his current one again."""
        try:
            self._call.__exit__(*error)
        finally:
            CURRENT.set(self._theirs)

    def give(self, item: Any) -> None:
        """To whoever iterates, with what was yielded."""
        self.items.yielded(item)
        self._call.run.pause()
        CURRENT.set(self._theirs)

    def take(self) -> None:
        """To the generator."""
        self._theirs = CURRENT.get()
        CURRENT.set(self._call.run)
        self._call.run.resume()


def _named(names: Iterable[str]) -> frozenset[str]:
    return frozenset({names} if isinstance(names, str) else names)


def _check(said: Said, signature: inspect.Signature) -> None:
    every = [*said.inputs, *said.params, *said.outputs]
    if unknown := sorted(set(every) - set(signature.parameters)):
        there = ", ".join(signature.parameters) or "none"
        raise TypeError(f"the function has no parameter {unknown[0]!r}; it has: {there}")
    if twice := sorted(name for name in every if every.count(name) > 1):
        raise TypeError(f"the parameter {twice[0]!r} can be one of inputs, params and outputs, not two")


def _file_of(function: Callable[..., Any]) -> Path | None:
    from ..capture.code import own_file

    code = getattr(inspect.unwrap(function), "__code__", None)
    return own_file(code.co_filename) if code is not None else None
