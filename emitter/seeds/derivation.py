"""From one entropy, everything else: which seed a library gets, and which entropy an inner run, a generator, a
worker process.

Decides the derivation `seedsequence1`, which docs/seeds.md writes down with values to check another
implementation against. `numpy.random.SeedSequence` with spawn keys does all of it: 128 bits wide, the same in
every process and on every machine, and never Python's `hash()`, which is salted anew in every process. Pure, but
for `entropy_of(None)`, which asks the operating system.
"""

import os
from dataclasses import dataclass

DERIVATION = (
    "seedsequence1: words = numpy.random.SeedSequence(int(entropy, 16), spawn_key=tuple(library.encode()))"
    ".generate_state(4); seed = sum(int(word) << 32 * i for i, word in enumerate(words)); "
    "random.seed(seed); numpy.random.seed(words)"
)
OF_INNER_RUN = (
    "; entropy = the same sum for SeedSequence(the outer run's entropy, "
    'spawn_key=(*b"run", n, *name.encode())), where n counts the outer run\'s inner runs of that name from 0'
)


@dataclass(frozen=True, kw_only=True)
class Entropy:
    """Where a run's chance comes from.

    Attributes:
        value: Any non-negative integer.
        given: Whether somebody chose it: for this run, or for an outer run from which it was derived.
        source: What it was derived from in the first place, of an outer run or a step; null if it was not.
    """

    value: int
    given: bool
    source: int | None = None

    def derive(self, value: int) -> "Entropy":
        """Another one, that follows from this one."""
        return Entropy(
            value=value, given=self.given, source=self.value if self.source is None else self.source
        )


def entropy_of(seed: int | None) -> Entropy:
    """The caller's seed, or 128 bits from the operating system where there is none.

    Raises:
        TypeError: `seed` is no integer.
        ValueError: `seed` is negative.
    """
    if seed is None:
        return Entropy(value=int.from_bytes(os.urandom(16)), given=False)
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"seed must be an integer ≥ 0 or None, not {type(seed).__name__}")
    value = seed.__index__()  # numpy's integers too
    if value < 0:
        raise ValueError(f"seed must be an integer ≥ 0 or None, not {value}")
    return Entropy(value=value, given=True)


def child_entropy(outer: Entropy, name: str, ordinal: int) -> Entropy:
    """The entropy of an inner run that was given no seed: the outer's seed decides it, so it repeats with it.

    Args:
        outer: The outer run's.
        name: Of the inner run.
        ordinal: How many inner runs of that name the outer run had before.
    """
    return outer.derive(number(_child(outer.value, b"run", ordinal, name)))


def library_seeds(entropy: int) -> tuple[int, list[int]]:
    """The seed for Python's `random` (128 bits) and the four 32-bit words for `numpy.random.seed`."""
    return number(library_words(entropy, "random")), library_words(entropy, "numpy")


def library_words(entropy: int, library: str) -> list[int]:
    """Four 32-bit words for one library, by its name such as `torch`."""
    return _words(entropy, tuple(library.encode("utf-8", "surrogatepass")))


def generator_seed(entropy: int, name: str, ordinal: int) -> int:
    """128 bits for `numpy.random.PCG64`: of the generator that is asked for as the `ordinal`-th of that name."""
    return number(_child(entropy, b"generator", ordinal, name))


def other_seed(entropy: int, name: str, ordinal: int, bits: int) -> int:
    """A seed of up to 128 bits for anything else, of the `ordinal`-th request under that name."""
    return number(_child(entropy, b"seed", ordinal, name)) % (1 << bits)


def process_entropy(entropy: int, forks: tuple[int, ...]) -> int:
    """The entropy in a forked process, of which `forks` says: the how-manieth fork of the how-manieth fork of …
    the process that holds the run. Without any, the run's own.
    """
    for ordinal in forks:
        entropy = number(_child(entropy, b"fork", ordinal, ""))
    return entropy


def workers_entropy(entropy: int, name: str, ordinal: int) -> int:
    """The entropy of a group of worker processes: of the `ordinal`-th of that name."""
    return number(_child(entropy, b"workers", ordinal, name))


def worker_entropy(entropy: int, worker: int, epoch: int) -> int:
    """The entropy of one worker process.

    Args:
        entropy: The group's.
        worker: Its number among its like, from 0.
        epoch: What tells apart the workers of that number that come one after another; below 2**64.
    """
    return number(_words(entropy, (*b"worker", worker, epoch & 0xFFFF_FFFF, epoch >> 32)))


def number(words: list[int]) -> int:
    """128 bits from four words, the first the lowest."""
    return sum(word << 32 * position for position, word in enumerate(words))


def _child(entropy: int, kind: bytes, ordinal: int, name: str) -> list[int]:
    return _words(entropy, (*kind, ordinal, *name.encode("utf-8", "surrogatepass")))


def _words(entropy: int, key: tuple[int, ...]) -> list[int]:
    """`SeedSequence(entropy, spawn_key=key).generate_state(4)`."""
    import numpy

    if entropy >> 128 or any(one >> 32 for one in key):
        sequence = numpy.random.SeedSequence(entropy, spawn_key=key)
    else:
        # What numpy makes of the two, one number after another: given as words, it takes a quarter of the time.
        words = [entropy >> shift & 0xFFFF_FFFF for shift in (0, 32, 64, 96)]
        sequence = numpy.random.SeedSequence(numpy.array([*words, *key], numpy.uint32))
    state: list[int] = sequence.generate_state(4).tolist()
    return state
