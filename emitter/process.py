"""What the runs of one process share: its id, its instants, the objects that its runs have returned, and the run
that is open in a context.

Decides what becomes of them in a forked child.
"""

import os
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Final
from uuid import UUID

from .clock import Clock, new_run_id
from .known import KnownObjects

if TYPE_CHECKING:
    from .run import Run

CLOCK: Final = Clock()
KNOWN: Final = KnownObjects()
CURRENT: Final[ContextVar["Run | None"]] = ContextVar("relineage_run", default=None)


@cache
def process_id() -> UUID:
    """One id for this process, from the operating system's randomness. A fork goes on as its parent: it is the same
    program, and is repeated with it.
    """
    return UUID(new_run_id())


def _after_fork() -> None:
    CLOCK.after_fork()
    KNOWN.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
