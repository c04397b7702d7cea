"""The runs of one `Lineage` that are open, and their end with the interpreter at the latest.

Decides that a run which is still open then is aborted, or fails if an uncaught exception has ended the program; inner
runs before outer ones; and that a forked child ends nothing. Safe for threads without a lock, which a fork could meet
held.
"""

import atexit
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Run


class OpenRuns:
    """The open runs, in the order in which they began.

    Args:
        close: Called when the interpreter ends, after the last run has.
    """

    def __init__(self, close: Callable[[], object]) -> None:
        """None yet."""
        self._runs: dict[str, Run] = {}
        self._close = close
        self._process = os.getpid()
        self._registered = False

    def add(self, run: "Run") -> None:
        """One that has begun."""
        self._runs[run.id] = run

    def remove(self, run: "Run") -> None:
        """One that has ended."""
        self._runs.pop(run.id, None)

    def abort(self, reason: str) -> None:
        """End them all."""
        for run in reversed(list(self._runs.values())):
            run.abort(reason)

    def end_at_exit(self) -> None:
        """Have them ended with the interpreter; again: nothing happens.

        To be called after the transport was made, so that its own end, if it has one, comes after ours.
        """
        if not self._registered:
            self._registered = True
            atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        if os.getpid() != self._process:
            return
        interactive = hasattr(sys, "ps1") or "ipykernel" in sys.modules
        error = None if interactive else getattr(sys, "last_value", None)
        if error is not None:
            for run in reversed(list(self._runs.values())):
                run.fail(error)
        self.abort("the interpreter ended while the run was open")
        self._close()
