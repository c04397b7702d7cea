"""Worker processes: each starts from a seed of its own, which repeats with the run's.

Decides what a worker's seed depends on: the run, the worker's number, and, for torch's loaders, the epoch, of
which torch's own draw tells (it comes from a generator that the run seeds). Which task a worker gets is decided by
the time it takes; what must not depend on that takes a seed by the task: `run.seed("fold 3")`. A run that begins in a
worker without one around it derives its entropy from the worker's, as an inner run does from an outer one's.
"""

import re
import sys
from contextlib import suppress
from dataclasses import dataclass

from ..process import calls_before
from . import processes
from .derivation import Entropy, child_entropy, library_words, worker_entropy
from .libraries import is_there, libraries
from .own import Own
from .reports import Reporter


@dataclass(frozen=True, kw_only=True)
class SeedWorker:
    """Called in a worker process, it seeds that process's generators. It may be pickled.

        DataLoader(dataset, num_workers=4, worker_init_fn=run.seed_workers())
        multiprocessing.Pool(4, initializer=run.seed_workers())

    Attributes:
        entropy: Of this group of workers.
        first: The number that `multiprocessing` gives to the first of them.
        reports: The folder in which they tell what they draw besides.
    """

    entropy: Entropy
    first: int = 0
    reports: str | None = None

    @classmethod
    def of_the_next(cls, entropy: Entropy, reports: str | None) -> "SeedWorker":
        """For the processes that this one starts from now on."""
        process = sys.modules.get("multiprocessing.process")
        shown = re.fullmatch(r"count\((\d+)\)", repr(getattr(process, "_process_counter", None)))
        return cls(entropy=entropy, first=int(shown[1]) if shown else 1, reports=reports)

    def __call__(self, worker: int | None = None) -> None:
        """Seed every generator of a library that is imported.

        Args:
            worker: The worker's number, from 0. Default: in the order in which they were started.
        """
        import multiprocessing

        epoch = 0
        info = _torch_worker()
        if info is not None:
            worker, epoch = info
        elif worker is None:
            identity: tuple[int, ...] = getattr(multiprocessing.current_process(), "_identity", ())
            worker = max(0, next(iter(identity[-1:]), self.first) - self.first)
        entropy = worker_entropy(self.entropy.value, int(worker), epoch)
        for _, library in libraries():
            if is_there(library.module):
                library.seed(lambda name: library_words(entropy, name))
        if multiprocessing.parent_process() is None:
            return
        _SEEDED.append(Own(self.entropy.derive(entropy)))
        _SEEDED[-1].forks = processes.FORKS.path
        if self.reports is not None:
            with suppress(OSError):  # the run has ended, or its folder is on another machine
                Reporter(self.reports)


def entropy_in_worker(job: str) -> Entropy | None:
    """The entropy of the next run of a job in this worker process; null if nobody has seeded it."""
    if not _SEEDED:
        return None
    here = _SEEDED[-1].here()
    return child_entropy(here, job, calls_before((here.value, job)))


_SEEDED: list[Own] = []  # as what this process was seeded, the last time last


def _torch_worker() -> tuple[int, int] | None:
    """Number and seed of torch's worker, if this is one: the seed differs from epoch to epoch."""
    data = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data is not None else None
    return None if info is None else (info.id, info.seed % 2**64)
