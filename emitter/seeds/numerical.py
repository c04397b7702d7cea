"""Python's `random` and numpy's legacy generator (`numpy.random.random()` and its like).

Decides how their states are taken, seeded, digested and put back. Behind numpy's functions any bit generator may
stand: numpy knows how to seed its own, and the very object comes back.
"""

import random
from array import array
from collections.abc import Callable, Mapping
from typing import Any


class PythonRandom:
    """The functions of `random`, which share one generator."""

    module = "random"
    rule = ""

    def take(self) -> dict[str, Any]:
        """Its state."""
        return {"random": random.getstate()}

    def seed(self, words: Callable[[str], list[int]]) -> dict[str, int]:
        """With all 128 bits."""
        seed = sum(word << 32 * position for position, word in enumerate(words("random")))
        random.seed(seed)
        return {"random": seed}

    def put_back(self, states: Mapping[str, Any]) -> None:
        """Set the state."""
        random.setstate(states["random"])

    def plain(self, state: Any) -> bytes:
        """The words of the Mersenne Twister, then version and the pending normal."""
        version, words, gauss = state
        return array("I", words).tobytes() + repr((version, gauss)).encode()

    def may_be_seeded_after_fork(self) -> bool:
        """It has no lock."""
        return True


class NumpyLegacy:
    """The functions of `numpy.random`, which share one `RandomState`."""

    module = "numpy"
    rule = ""

    def take(self) -> dict[str, Any]:
        """The bit generator itself and its state, with the pending normal."""
        from numpy.random import mtrand

        return {"numpy": (mtrand.get_bit_generator(), mtrand.get_state(legacy=False))}

    def seed(self, words: Callable[[str], list[int]]) -> dict[str, int]:
        """With four words: a Mersenne Twister as `numpy.random.seed` always has, others through their class."""
        from numpy.random import MT19937, mtrand

        chosen = words("numpy")
        mtrand.seed(chosen)
        if not isinstance(mtrand.get_bit_generator(), MT19937):  # there numpy leaves a pending normal
            mtrand.set_state({**mtrand.get_state(legacy=False), "has_gauss": 0, "gauss": 0.0})
        return {"numpy": sum(word << 32 * position for position, word in enumerate(chosen))}

    def put_back(self, states: Mapping[str, Any]) -> None:
        """The same object, in the same state."""
        from numpy.random import mtrand

        generator, state = states["numpy"]
        if mtrand.get_bit_generator() is not generator:
            mtrand.set_bit_generator(generator)
        mtrand.set_state(state)

    def plain(self, state: Any) -> bytes:
        """The words of the Mersenne Twister, then position and the pending normal; others as text."""
        _, said = state
        gauss = (int(said["has_gauss"]), float(said["gauss"]))
        if said["bit_generator"] != "MT19937":
            return repr((said["bit_generator"], _plain(said["state"]), gauss)).encode()
        inner = said["state"]
        key: bytes = inner["key"].astype("<u4").tobytes()
        return key + repr((int(inner["pos"]), gauss)).encode()

    def may_be_seeded_after_fork(self) -> bool:
        """If no thread was drawing: then its lock is free, and nobody is left who might take it."""
        from numpy.random import mtrand

        lock = mtrand.get_bit_generator().lock
        if not lock.acquire(blocking=False):
            return False
        lock.release()
        return True


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((key, _plain(one)) for key, one in value.items())
    return value.tolist() if hasattr(value, "tolist") else value
