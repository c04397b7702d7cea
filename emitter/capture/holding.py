"""Looking again at what was seen before, without keeping it alive.

Decides that functions and objects, which may hold any amount of data, are held weakly where Python allows it; small
built-in values and containers, which it does not, are held as they are.
"""

import weakref
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any


def weakly(value: Any) -> Callable[[], Any]:
    """Gives the value as long as somebody else holds it; for ever where it cannot be held weakly."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


def is_still(value: Any) -> Callable[[Any], bool]:
    """Whether something else is this very object."""
    if isinstance(value, MethodType):  # made anew each time it is asked for
        function, owner = is_still(value.__func__), is_still(value.__self__)
        return lambda other: (
            isinstance(other, MethodType) and function(other.__func__) and owner(other.__self__)
        )
    if value is None:
        return lambda other: other is None
    held = weakly(value)
    return lambda other: other is not None and held() is other


class Attributes:
    """What a function or an object holds under its attributes."""

    def __init__(self, thing: Any) -> None:
        """Of any object."""
        self._thing = weakly(thing)

    def count(self) -> int:
        """How many there are."""
        return len(getattr(self._thing(), "__dict__", ()))

    def get(self, name: str, default: Any) -> Any:
        """As of a mapping."""
        return getattr(self._thing(), "__dict__", {}).get(name, default)


class Closure:
    """What a function holds in its closure."""

    def __init__(self, function: FunctionType) -> None:
        """Of a function."""
        self._function = weakref.ref(function)
        self._places = {name: place for place, name in enumerate(function.__code__.co_freevars)}

    def get(self, name: str, default: Any) -> Any:
        """As of a mapping."""
        function = self._function()
        try:
            return function.__closure__[self._places[name]].cell_contents  # type: ignore[union-attr,index]
        except (ValueError, AttributeError):  # not assigned yet; the function has gone
            return default


Holder = Mapping[str, Any] | Attributes | Closure
