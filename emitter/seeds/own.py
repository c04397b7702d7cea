"""What is a run's own of chance: generators and seeds that it shares with no other thread, task or run.

Decides that what is asked for under one name is told apart by its order, and that a forked process goes on with another
entropy than the run's, by its number among the forks. Safe for threads without a lock, which a fork could meet held.
"""

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import processes
from .derivation import Entropy, generator_seed, other_seed, process_entropy, workers_entropy

if TYPE_CHECKING:
    import numpy


@dataclass(eq=False)
class Own:
    """What follows from a run's entropy besides the seeds of the process's generators.

    Attributes:
        entropy: The run's.
        handed_out: What was asked for → the first seed that was given.
        forks: The forks that led to the process in which the run began.
    """

    entropy: Entropy
    handed_out: dict[str, int] = field(init=False, default_factory=dict)
    forks: tuple[int, ...] = field(init=False, default=())
    _asked: dict[tuple[str, str], "itertools.count[int]"] = field(init=False, default_factory=dict)

    def here(self) -> Entropy:
        """The entropy in this process: in a forked one another than in the run's, so that workers differ."""
        forks = processes.FORKS.path[len(self.forks) :]
        if not forks:
            return self.entropy
        return self.entropy.derive(process_entropy(self.entropy.value, forks))

    def generator(self, name: str) -> "numpy.random.Generator":
        """A generator of the run's own: the next of that name."""
        import numpy

        seed = generator_seed(self.here().value, name, self._next("generator", name))
        self.handed_out.setdefault(f"generator:{name}", seed)
        return numpy.random.Generator(numpy.random.PCG64(seed))

    def seed(self, name: str, bits: int) -> int:
        """A seed of the run's own: the next of that name."""
        seed = other_seed(self.here().value, name, self._next("seed", name), bits)
        self.handed_out.setdefault(f"seed:{name}", seed)
        return seed

    def entropy_of_workers(self, name: str) -> int:
        """The entropy of worker processes of this run: of the next group of that name."""
        entropy = workers_entropy(self.here().value, name, self._next("workers", name))
        self.handed_out.setdefault(f"workers:{name}", entropy)
        return entropy

    def drew_within(self, job: str, entropy: Entropy) -> None:
        """An inner run has drawn: if its entropy came from this one's, what came out depends on this one's."""
        if entropy.source is not None:
            self.handed_out.setdefault(f"run:{job}", entropy.value)

    def _next(self, kind: str, name: str) -> int:
        return next(self._asked.setdefault((kind, name), itertools.count()))
