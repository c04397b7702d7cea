"""The code that comes with the arguments of a call: functions, and the classes of objects, of the user's own.

What a function calls on its arguments (`model.fit(frame)`) is named nowhere in its source, so it counts with the step's
own code, under the argument's name. Decides how deep is looked: into containers and into what objects hold. What such
code reaches in turn is decided in `capture/reached.py`; what the objects hold as data is an input or a parameter.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from inspect import BoundArguments
from types import FunctionType, MethodType
from typing import Any

from ..capture.code import Code, framed_digest
from ..capture.local import is_own_class
from ..capture.reached import callable_code
from ..values import canonical
from .arguments import PLAIN_TYPES, attributes

_DEEPEST = 4


def with_arguments(code: Code, bound: BoundArguments) -> Code:
    """The code of a function with that of the arguments of one call; the same where these bring none. Never raises.

    Args:
        code: Of the function.
        bound: The arguments, as the function gets them.
    """
    try:
        found = {name: codes for name, value in bound.arguments.items() if (codes := _codes(value))}
    except Exception as error:  # objects of any kind are looked at, which may run any code
        reason = f"the code of the arguments could not be looked at: {type(error).__name__}: {error}"
        return replace(code, digest=None, missing=reason)
    if not found:
        return code
    every = [code, *(one for codes in found.values() for one in codes)]
    digests = {name: sorted({one.digest or "" for one in codes}) for name, codes in found.items()}
    missing = "; ".join(dict.fromkeys(one.missing for one in every if one.missing is not None)) or None
    return replace(
        code,
        digest=None if missing else framed_digest([b"call", canonical((code.digest, digests))]),
        missing=missing,
        not_covered=tuple(dict.fromkeys(gap for one in every for gap in one.not_covered)),
    )


def _codes(value: object) -> list[Code]:
    return list(_found(value, _DEEPEST, set())) if type(value) not in PLAIN_TYPES else []


def _found(value: Any, depth: int, seen: set[int]) -> Iterator[Code]:
    if isinstance(value, FunctionType | MethodType | partial):
        yield callable_code(value)
        return
    if isinstance(value, type):
        if is_own_class(value):
            yield callable_code(value)
        return
    own = is_own_class(type(value))
    if own:
        yield callable_code(type(value))
    if depth == 0 or id(value) in seen:
        return
    seen.add(id(value))
    held: list[Any] = []
    if isinstance(value, dict):
        held += value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        held += value
    if own:
        held += attributes(value).values()
    if PLAIN_TYPES.issuperset(map(type, held)):
        return
    for one in held:
        if type(one) not in PLAIN_TYPES:
            yield from _found(one, depth - 1, seen)
