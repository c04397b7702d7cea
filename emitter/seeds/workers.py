"""Worker processes: each starts from a seed of its own, which repeats with the run's.

Decides what a worker's seed depends on: the run, the worker's number, and, for torch's loaders, the epoch, of
which torch's own draw tells (it comes from a generator that the run seeds). Which task a worker gets is decided by
the time it takes; what must not depend on that takes a seed by the task: `run.seed("fold 3")`.
"""

import sys
from dataclasses import dataclass

from .derivation import library_words, worker_entropy
from .libraries import is_there, libraries


@dataclass(frozen=True, kw_only=True)
class SeedWorker:
    """Called in a worker process, it seeds that process's generators. It may be pickled.

        DataLoader(dataset, num_workers=4, worker_init_fn=run.seed_worker)
        multiprocessing.Pool(4, initializer=run.seed_worker)

    Attributes:
        entropy: Of the run, in the process that made this.
    """

    entropy: int

    def __call__(self, worker: int | None = None) -> None:
        """Seed every generator of a library that is imported.

        Args:
            worker: The worker's number. Default: as `multiprocessing` counts the processes that one has started.
        """
        epoch = 0
        info = _torch_worker()
        if info is not None:
            worker, epoch = info
        elif worker is None:
            from multiprocessing import current_process

            worker = next(iter(current_process()._identity[-1:]), 0)
        entropy = worker_entropy(self.entropy, int(worker), epoch)
        for _, library in libraries():
            if is_there(library.module):
                library.seed(lambda name: library_words(entropy, name))


def _torch_worker() -> tuple[int, int] | None:
    """Number and seed of torch's worker, if this is one: the seed differs from epoch to epoch."""
    data = sys.modules.get("torch.utils.data")
    info = data.get_worker_info() if data is not None else None
    return None if info is None else (info.id, info.seed % 2**64)
