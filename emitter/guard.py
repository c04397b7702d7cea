"""Lineage never hurts the job: what goes wrong in here stays in here, counted and logged, and its time is
measured.

Decides that an error of ours is logged once for each place and kind, with its traceback, and raised only if
strict.
"""

import logging
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time that the block takes."""
        if getattr(self._inside, "started", None) is not None:
            yield
            return
        self._inside.started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - self._inside.started
            self._inside.started = None


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

    @contextmanager
    def protecting(self, what: str, *, strict: bool | None = None) -> Iterator[None]:
        """Run a block whose errors must not reach the job.

        Args:
            what: What is being done, for the log.
            strict: Wins over the guard's own.
        """
        try:
            yield
        except RelineageWarning:  # raised only where the user's own warning filter says `error`
            raise
        except Exception as error:
            if self.strict if strict is None else strict:
                raise
            self.errors += 1
            if (what, type(error)) not in self._told:
                self._told.add((what, type(error)))
                log.exception(
                    "lineage: %s failed; the job goes on (further errors of this kind are only counted)", what
                )


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
