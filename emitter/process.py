"""What the runs of one process share: its id, its instants, the objects that its runs have returned, and the run
that is open in a context.

Decides what becomes of them in a forked child.
"""

import os
import threading
from collections.abc import Hashable
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Final
from uuid import UUID

from .clock import Clock, new_run_id
from .known import KnownObjects
from .members import Members

if TYPE_CHECKING:
    from .run import Run

CLOCK: Final = Clock()
KNOWN: Final = KnownObjects()
MEMBERS: Final = Members()
CURRENT: Final[ContextVar["Run | None"]] = ContextVar("relineage_run", default=None)
_CALLS: Final[dict[Hashable, int]] = {}
_COUNTING = threading.Lock()


def calls_before(of: Hashable) -> int:
    """How often this was asked before in this process: for the seeds of the calls of a step, whose keys say which
    process it is, since a fork goes on counting where its parent stood.
    """
    with _COUNTING:
        count = _CALLS.get(of, 0)
        _CALLS[of] = count + 1
    return count


@cache
def process_id() -> UUID:
    """One id for this process, from the operating system's randomness. A fork goes on as its parent: it is the same
    program, and is repeated with it.
    """
    return UUID(new_run_id())


def _after_fork() -> None:
    global _COUNTING  # another thread may have held it
    _COUNTING = threading.Lock()
    CLOCK.after_fork()
    KNOWN.after_fork()
    MEMBERS.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
