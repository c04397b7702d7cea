"""Lineage never hurts the job: what goes wrong in here stays in here, counted and logged, and its time is
measured.

Decides that an error of ours is logged once for each place and kind, with its traceback, and raised only if
strict. Where a file or folder cannot be written, its name and the reason say all: there is no traceback.
"""

import logging
import sys
import threading
import time
import warnings
from pathlib import Path

from .errors import RelineageWarning

log = logging.getLogger("relineage")

_HERE = str(Path(__file__).parent)


class Stopwatch:
    """Seconds that were spent in lineage instead of in the job; nested measurements count once per thread."""

    def __init__(self) -> None:
        """Start at zero."""
        self._seconds = 0.0
        self._inside = threading.local()

    @property
    def seconds(self) -> float:
        """So far, with what this thread is doing in here right now."""
        started = getattr(self._inside, "started", None)
        return self._seconds + (0.0 if started is None else time.perf_counter() - started)

    def running(self) -> "_Running":
        """A context: add the time that the block takes."""
        return _Running(self)

    def enter(self) -> bool:
        """Begin to count; false if this thread counts already."""
        if getattr(self._inside, "started", None) is not None:
            return False
        self._inside.started = time.perf_counter()
        return True

    def leave(self) -> None:
        """Add what was counted."""
        self._seconds += time.perf_counter() - self._inside.started
        self._inside.started = None


class _Running:
    """Not by `contextlib`: each run enters dozens of these, and a generator costs three times as much."""

    __slots__ = ("_counts", "_watch")

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._counts = self._watch.enter()

    def __exit__(self, *_: object) -> None:
        if self._counts:
            self._watch.leave()


class Guard:
    """Catches what goes wrong.

    Args:
        strict: Raise it instead.
    """

    def __init__(self, *, strict: bool) -> None:
        """Nothing has gone wrong yet."""
        self.strict = strict
        self.errors = 0
        self._told: set[tuple[str, type[Exception]]] = set()

    def protecting(self, what: str, *, strict: bool | None = None) -> "_Protecting":
        """A context: run a block whose errors must not reach the job.

        Args:
            what: What is being done, for the log.
            strict: Wins over the guard's own.
        """
        return _Protecting(self, what, self.strict if strict is None else strict)

    def meet(self, what: str, error: Exception) -> None:
        """The same for an error that was caught already: raise it again if it has to reach the job."""
        if self.strict or isinstance(error, RelineageWarning):
            raise error
        self.caught(what, error)

    def caught(self, what: str, error: Exception) -> None:
        """Count an error, and log it if it is the first of its kind."""
        self.errors += 1
        if (what, type(error)) not in self._told:
            self._told.add((what, type(error)))
            of_a_file = isinstance(error, OSError) and error.filename is not None
            log.error(
                "lineage: %s failed%s; the job goes on (further errors of this kind are only counted)",
                what,
                f": {error}" if of_a_file else "",
                exc_info=None if of_a_file else error,
            )


class _Protecting:
    __slots__ = ("_guard", "_strict", "_what")

    def __init__(self, guard: Guard, what: str, strict: bool) -> None:
        self._guard = guard
        self._what = what
        self._strict = strict

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        # A warning is raised only where the user's own warning filter says `error`.
        if self._strict or not isinstance(error, Exception) or isinstance(error, RelineageWarning):
            return False
        self._guard.caught(self._what, error)
        return True


def warn(text: str) -> None:
    """Issue a `RelineageWarning` at the line of the caller's own code."""
    depth = 1
    frame = sys._getframe()
    while frame.f_back is not None and (
        frame.f_code.co_filename.startswith(_HERE) or frame.f_code.co_filename.endswith("contextlib.py")
    ):
        frame = frame.f_back
        depth += 1
    warnings.warn(text, RelineageWarning, stacklevel=depth)
