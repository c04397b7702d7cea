"""Which process this is among all that one program consists of.

Decides what tells them apart, the same in each repetition: the number that `multiprocessing` gives its workers, however
they are started, and of a process that was forked otherwise, which of its parent's forks it is; in their order, from
the first process on.
"""

import os
import sys
from dataclasses import dataclass


@dataclass
class Forks:
    """The forks that led here.

    Attributes:
        path: Which fork of which fork this process is.
        workers: For each of them, the worker's numbers that `multiprocessing` had given to the process that forked.
        children: How many forks this process has had.
    """

    path: tuple[int, ...] = ()
    workers: tuple[tuple[int, ...], ...] = ()
    children: int = 0


FORKS = Forks()


def process_name() -> str:
    """What is put behind a step's job in the key of its seeds, such as ` in worker 2 in fork 0`; empty in the first
    process.
    """
    name, known = "", 0
    here = _worker()
    for ordinal, before, after in zip(FORKS.path, FORKS.workers, [*FORKS.workers, here][1:], strict=True):
        name += _workers(before[known:])
        known = len(before)
        if len(after) == known:  # else multiprocessing has forked, and has numbered it
            name += f" in fork {ordinal}"
    return name + _workers(here[known:])


def _workers(numbers: tuple[int, ...]) -> str:
    return "".join(f" in worker {number}" for number in numbers)


def _worker() -> tuple[int, ...]:
    """Which worker of which worker, as `multiprocessing` counts them."""
    module = sys.modules.get("multiprocessing.process")
    return tuple(module.current_process()._identity) if module is not None else ()


def _before_fork() -> None:
    FORKS.children += 1


def _after_fork() -> None:
    FORKS.path = (*FORKS.path, FORKS.children - 1)
    FORKS.workers = (*FORKS.workers, _worker())  # still the parent's
    FORKS.children = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
