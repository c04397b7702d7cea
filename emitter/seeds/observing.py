"""Draws that no seed fixes: who is told of one, and how a function is wrapped so that it can be told.

Decides that a draw is noted, with the place it came from, for the run that is open in that thread or task and for
those around it; that a wrapper does what the function did, and goes when no run is open. Which functions are
wrapped is decided in `watched.py`, what counts as the job's in `callers.py`.
"""

import functools
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any, Protocol

from .callers import module_of, place_of_draw

UNSEEN = "not observed: "  # begins what may have happened and could not be looked at
_NAMED = frozenset({"uuid.", "secrets."})  # whose functions are better known than what they call


class Witness(Protocol):
    """Whoever is told of draws: the seeding of a run."""

    @property
    def outer(self) -> "Witness | None":
        """The one around it."""
        ...

    def saw(self, text: str, *, times: int = 1) -> None:
        """Something was drawn; a negative number takes it back."""
        ...


HERE: ContextVar[Witness | None] = ContextVar("relineage_seeding", default=None)

# What is wrapped is the process's own, so who looks is, too.
LOCK = threading.RLock()
OPEN: list[Witness] = []
# Owner, name, what was there and what is there instead: now, and when a run was open last.
_REPLACED: list[tuple[Any, str, Any, Any]] = []
_LAST: list[tuple[Any, str, Any, Any]] = []
_MODULES_LAST = 0  # how many were imported then

Seen = tuple[list[Witness], str]


def witnesses() -> list[Witness]:
    """The run that is open here and those around it; in a thread that knows none, all that are open."""
    witness = HERE.get()
    while witness is not None and witness not in OPEN:
        witness = witness.outer
    if witness is None:
        return list(OPEN)
    found = []
    while witness is not None:
        found.append(witness)
        witness = witness.outer
    return found


def tell(seen: Seen, times: int = 1) -> None:
    """Tell those who were there."""
    told, text = seen
    for witness in told:
        witness.saw(text, times=times)


def draw(
    what: str, frame: FrameType | None, source: tuple[str, ...], *, own_code_only: bool = False
) -> Seen | None:
    """A draw, as it is to be told; null if it was not the job's. Whatever goes wrong: the draw itself goes on.

    Args:
        what: Was drawn from.
        frame: Of the call.
        source: Modules that belong to what was drawn from, each with a dot behind it.
        own_code_only: Count the job's own code and no library.
    """
    try:
        place = place_of_draw(frame, source, own_code_only=own_code_only)
        if place is None:
            return None
        while frame is not None and (module := module_of(frame) + ".").startswith(source):
            if module in _NAMED:
                what = module + frame.f_code.co_name
            frame = frame.f_back
        return witnesses(), f"{what} ({place})"
    except Exception:  # what lineage does not understand must not stop a draw
        return None


def replace(owner: Any, name: str, wrapper: Any) -> None:
    """Set an attribute until no run is open; if somebody else has replaced it by then, theirs stays."""
    original = vars(owner)[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, wrapper)
    _REPLACED.append((owner, name, original, wrapper))


def replace_again() -> bool:
    """All that was replaced last time, at once; false, and nothing is done, if that may be something else now."""
    if len(sys.modules) != _MODULES_LAST or any(
        vars(owner).get(name) is not original for owner, name, original, _ in _LAST
    ):
        return False
    for owner, name, _, wrapper in _LAST:
        setattr(owner, name, wrapper)
    _REPLACED.extend(_LAST)
    return True


def put_all_back() -> None:
    """Undo every `replace`, the latest first."""
    global _MODULES_LAST
    _LAST[:] = _REPLACED
    _MODULES_LAST = len(sys.modules)
    while _REPLACED:
        owner, name, original, wrapper = _REPLACED.pop()
        present = vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)
        if present is wrapper:
            setattr(owner, name, original)


def always(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whatever the arguments."""
    return True


def lacks_first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the first argument is none."""
    return next(iter(args), next(iter(kwargs.values()), None)) is None


def note(
    owners: tuple[Any, ...],
    name: str,
    what: str,
    source: tuple[str, ...],
    unseeded: Callable[[tuple[Any, ...], dict[str, Any]], bool] = always,
    *,
    own_code_only: bool = False,
) -> None:
    """Wrap a function that draws, or that seeds from the system if it is given no seed.

    Args:
        owners: Modules or classes that have it; where it is another function, it is left alone.
        name: The function's, there.
        what: Was drawn from, as it is told.
        source: Modules that belong to what was drawn from, each with a dot behind it.
        unseeded: Whether a call with these arguments draws from the system.
        own_code_only: Count the job's own code and no library.
    """
    original = getattr(owners[0], name, None)
    if original is None:
        return
    noting = _noting(original, what, source, unseeded, own_code_only)
    for owner in owners:
        if getattr(owner, name, None) is original:
            replace(owner, name, noting)


@functools.cache  # made once: a run takes them on and off
def _noting(
    original: Callable[..., Any],
    what: str,
    source: tuple[str, ...],
    unseeded: Callable[[tuple[Any, ...], dict[str, Any]], bool],
    own_code_only: bool,
) -> Callable[..., Any]:
    @functools.wraps(original)
    def noting(*args: Any, **kwargs: Any) -> Any:
        if OPEN and unseeded(args, kwargs):
            seen = draw(what, sys._getframe(1), source, own_code_only=own_code_only)
            if seen is not None:
                tell(seen)
        return original(*args, **kwargs)

    return noting


def after_fork() -> None:
    """In a forked child: another thread of the parent may have held the lock."""
    global LOCK
    LOCK = threading.RLock()
