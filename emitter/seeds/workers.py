"""Worker processes: each starts from a seed of its own, which repeats with the run's.

Decides what a worker's seed depends on: the run, the worker's number, and, for torch's loaders, the epoch, of
which torch's own draw tells (it comes from a generator that the run seeds). Which task a worker gets is decided by
the time it takes; what must not depend on that takes a seed by the task: `run.seed("fold 3")`.
"""

import re
import sys
from contextlib import suppress
from dataclasses import dataclass

from .derivation import library_words, worker_entropy
from .libraries import is_there, libraries
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

    entropy: int
    first: int = 0
    reports: str | None = None

    @classmethod
    def of_the_next(cls, entropy: int, reports: str | None) -> "SeedWorker":
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
        entropy = worker_entropy(self.entropy, int(worker), epoch)
        for _, library in libraries():
            if is_there(library.module):
                library.seed(lambda name: library_words(entropy, name))
        if self.reports is not None and multiprocessing.parent_process() is not None:
            with suppress(OSError):  # the run has ended, or its folder is on another machine
                Reporter(self.reports)


def _torch_worker() -> tuple[int, int] | None:
    """Number and seed of torch's worker, if this is one: the seed differs from epoch to epoch."""
    data = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data is not None else None
    return None if info is None else (info.id, info.seed % 2**64)
