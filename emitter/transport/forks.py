"""What lives in an object and does not survive a fork is made anew in the child."""

import os
import weakref
from collections.abc import Callable


def call_in_children(method: Callable[[], None]) -> None:
    """Call a bound method in every process forked from this one, for as long as its object lives.

    The hook itself can never be taken back, so it does not keep the object alive.
    """
    if not hasattr(os, "register_at_fork"):
        return  # Windows has no fork
    reference = weakref.WeakMethod(method)

    def call() -> None:
        if (alive := reference()) is not None:
            alive()

    os.register_at_fork(after_in_child=call)
