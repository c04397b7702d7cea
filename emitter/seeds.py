"""Chance, fixed for the time of a run: one entropy, a seed for each library, and the caller's state back
after.

Decides how seeds are derived (`numpy.random.SeedSequence` with stable keys, 128 bits each, never `hash()`,
which is salted anew in every process), and that a run neither inherits nor leaves behind a state of Python's
`random` or numpy's legacy generator. Generators that a library makes for itself are named as not covered.

Both generators belong to the process: two runs that are open at the same time in two threads share them. The
facet then says so; nothing can be done about it here.
"""

import os
import random
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DERIVATION = (
    "seedsequence1: words = numpy.random.SeedSequence(int(entropy, 16), spawn_key=tuple(library.encode()))"
    ".generate_state(4); seed = sum(int(word) << 32 * i for i, word in enumerate(words)); "
    "random.seed(seed); numpy.random.seed(words)"
)
_CHILD = (
    "; entropy = the same sum for SeedSequence(the outer run's entropy, "
    'spawn_key=(*b"run", n, *name.encode())), where n counts the outer run\'s inner runs of that name from 0'
)

# Nobody looks yet whether a run uses these; who judges a run must not take them for used.
_NOT_OBSERVED = (
    "not observed: generators made without a seed, such as numpy.random.default_rng()",
    "not observed: os.urandom and what is built on it, such as uuid.uuid4",
)
_NOT_YET_COVERED = ("torch", "tensorflow", "jax", "cupy", "mxnet")
_SWITCHES = (
    "PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG", "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Entropy:
    """Where a run's chance comes from.

    Attributes:
        value: Any non-negative integer.
        given: Whether somebody chose it: for this run, or for an outer run from which it was derived.
        inherited: Whether it was derived from an outer run's.
    """

    value: int
    given: bool
    inherited: bool = False


@dataclass(frozen=True, kw_only=True)
class LibrarySeed:
    """One generator: its seed as a decimal text, and digests of its state when the run began and ended."""

    library: str
    seed: str
    state_before: str
    state_after: str | None


@dataclass(frozen=True, kw_only=True)
class SeedRecord:
    """What is said about chance in one run."""

    entropy: str
    given: bool
    derivation: str
    libraries: tuple[LibrarySeed, ...]
    switches: Mapping[str, str]
    uncovered: tuple[str, ...]


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
    words = _words(outer.value, (*b"run", ordinal, *name.encode("utf-8", "surrogatepass")))
    return Entropy(value=_number(words), given=outer.given, inherited=True)


def library_seeds(entropy: int) -> tuple[int, list[int]]:
    """The seed for Python's `random` (128 bits) and the four 32-bit words for `numpy.random.seed`."""
    return _number(_words(entropy, tuple(b"random"))), _words(entropy, tuple(b"numpy"))


def _words(entropy: int, key: tuple[int, ...]) -> list[int]:
    import numpy

    return [int(word) for word in numpy.random.SeedSequence(entropy, spawn_key=key).generate_state(4)]


def _number(words: list[int]) -> int:
    return sum(word << 32 * position for position, word in enumerate(words))


@dataclass
class _State:
    """The states of the two generators of this process; numpy's is null where somebody put in another
    kind."""

    python: Any
    numpy: Any

    @classmethod
    def take(cls) -> "_State":
        import numpy

        state = numpy.random.get_state(legacy=False)
        return cls(random.getstate(), state if state["bit_generator"] == "MT19937" else None)

    def put_back(self) -> None:
        import numpy

        random.setstate(self.python)
        if self.numpy is not None:
            numpy.random.set_state(self.numpy)

    def digests(self) -> dict[str, str]:
        """b3-bytes1 of each generator's state, in a form that is the same in every process and version."""
        from array import array

        from blake3 import blake3

        version, words, gauss = self.python
        python = array("I", words).tobytes() + repr((version, gauss)).encode()
        digests = {"random": "b3-bytes1:" + blake3(python).hexdigest()}
        if self.numpy is not None:
            state, gauss = self.numpy["state"], (int(self.numpy["has_gauss"]), float(self.numpy["gauss"]))
            numpy = state["key"].astype("<u4").tobytes() + repr((int(state["pos"]), gauss)).encode()
            digests["numpy"] = "b3-bytes1:" + blake3(numpy).hexdigest()
        return digests


@dataclass(eq=False)
class Seeding:
    """The seeding of one run: set on `begin`, the caller's states back on `end`.

    Args:
        entropy: What the seeds are derived from.
        environ: Where the switches are read.
    """

    entropy: Entropy
    environ: Mapping[str, str]
    _seeds: dict[str, str] = field(default_factory=dict)
    _callers: _State | None = None
    _before: dict[str, str] = field(default_factory=dict)
    _after: dict[str, str] = field(default_factory=dict)
    _overlapped: bool = False
    _paused: _State | None = None

    def begin(self) -> None:
        """Keep the caller's states and seed both generators."""
        import numpy

        python, words = library_seeds(self.entropy.value)
        with _LOCK:
            self._callers = _State.take()
            random.seed(python)
            self._seeds = {"random": str(python)}
            if self._callers.numpy is not None:
                numpy.random.seed(words)
                self._seeds["numpy"] = str(_number(words))
            self._before = _State.take().digests()
            _OPEN.append(self)

    def end(self) -> None:
        """Note the states and give the caller's back; again: nothing happens."""
        with _LOCK:
            if self not in _OPEN or self._callers is None:
                return
            position = next(index for index, other in enumerate(_OPEN) if other is self)
            self._after = _State.take().digests()
            _OPEN.pop(position)
            if position == len(_OPEN):
                self._callers.put_back()
            else:
                # A run that began after this one is still open (another thread, or ends out of order): what
                # is to come back is what was before both.
                above = _OPEN[position]
                above._callers = self._callers
                above._overlapped = self._overlapped = True

    def pause(self) -> None:
        """Give the caller's states back for a while: a generator has yielded."""
        with _LOCK:
            if not _OPEN or _OPEN[-1] is not self or self._callers is None:
                return  # another run has begun since: they overlap, and `end` says so
            self._paused = _State.take()
            _OPEN.pop()
            self._callers.put_back()

    def resume(self) -> None:
        """Go on with its own states after `pause`, and keep what the caller's are now."""
        with _LOCK:
            if self._paused is None:
                return
            self._callers, paused = _State.take(), self._paused
            self._paused = None
            paused.put_back()
            _OPEN.append(self)

    def record(self) -> SeedRecord:
        """What there is to say now; the states at the end once it has ended."""
        libraries = tuple(
            LibrarySeed(
                library=name, seed=seed, state_before=self._before[name], state_after=self._after.get(name)
            )
            for name, seed in self._seeds.items()
        )
        uncovered = [f"{name} (imported, not seeded)" for name in _NOT_YET_COVERED if name in sys.modules]
        if self._seeds and "numpy" not in self._seeds:
            uncovered.append("numpy.random (another bit generator than MT19937 is set)")
        if self._overlapped:
            uncovered.append("runs overlapped in this process and shared its generators")
        switches = {name: self.environ[name] for name in _SWITCHES if name in self.environ}
        if sys.flags.hash_randomization:
            switches.setdefault("PYTHONHASHSEED", "random")  # the order of sets of texts
        return SeedRecord(
            entropy=f"{self.entropy.value:x}",
            given=self.entropy.given,
            derivation=DERIVATION + (_CHILD if self.entropy.inherited else ""),
            libraries=libraries,
            switches=switches,
            uncovered=(*uncovered, *_NOT_OBSERVED),
        )


# The generators are the process's own, so which runs hold them is the process's too.
_LOCK = threading.Lock()
_OPEN: list[Seeding] = []


def _after_fork() -> None:
    global _LOCK  # another thread may have held it when the process was forked
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
