"""Python's `random` and numpy's legacy generator (`numpy.random.random()` and its like).

Decides how their states are taken, seeded, digested and put back. Behind numpy's functions any bit generator may
stand: numpy knows how to seed its own, and the very object comes back.

Both give and take a state of 624 words word by word, which takes longer than all else that a run does with
generators. So it is copied at once from where it lies in memory: numpy tells the address, of Python's it is known.
Before that is relied on, the memory is compared with what the generator itself says of its state.
"""

import random
import sys
from array import array
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any


class PythonRandom:
    """The functions of `random`, which share one generator."""

    module = "random"
    rule = ""

    def __init__(self) -> None:
        """Nothing is known of its memory yet."""
        self._trusted = False  # whether that is what Python says its state is

    def take(self) -> dict[str, Any]:
        """Its state: version, words or their bytes, pending normal."""
        generator: Any = getattr(random.getstate, "__self__", None)
        memory = _memory_of_python(generator)
        if memory is not None and self._trusted:
            return {"random": (generator.VERSION, memory.raw, generator.gauss_next)}
        state = random.getstate()
        self._trusted = memory is not None and _words_of(memory.raw) == state[1]
        return {"random": state}

    def seed(self, words: Callable[[str], list[int]]) -> dict[str, int]:
        """With all 128 bits."""
        seed = sum(word << 32 * position for position, word in enumerate(words("random")))
        random.seed(seed)
        return {"random": seed}

    def put_back(self, states: Mapping[str, Any]) -> None:
        """Set the state."""
        version, words, gauss = states["random"]
        generator: Any = getattr(random.setstate, "__self__", None)
        memory = _memory_of_python(generator)
        if isinstance(words, bytes) and memory is not None:
            memory.raw, generator.gauss_next = words, gauss
        else:
            random.setstate((version, _words_of(words) if isinstance(words, bytes) else words, gauss))

    def plain(self, state: Any) -> bytes:
        """The words of the Mersenne Twister, then version and the pending normal."""
        version, words, gauss = state
        if isinstance(words, bytes):
            plain = words[_POSITION_BYTES:] + words[:_POSITION_BYTES]
        else:
            plain = array("I", words).tobytes()
        return plain + repr((version, gauss)).encode()

    def may_be_seeded_after_fork(self) -> bool:
        """It has no lock."""
        return True


class NumpyLegacy:
    """The functions of `numpy.random`, which share one `RandomState`."""

    module = "numpy"
    rule = ""

    def __init__(self) -> None:
        """Nothing is seeded yet."""
        self._trusted = False  # whether the memory of a twister is what numpy says its state is
        self._seeded: bytes | None = None  # that memory when it was seeded last: no normal is pending then

    def take(self) -> dict[str, Any]:
        """The bit generator itself and its state, with the pending normal."""
        mtrand, _ = _numpy_random()
        generator = mtrand.get_bit_generator()
        memory = _memory_of(generator)
        if memory is not None and (raw := memory.raw) == self._seeded:
            return {"numpy": (generator, _state_of(raw))}
        state = mtrand.get_state(legacy=False)
        self._trusted = memory is not None and memory.raw == _raw_of(state)
        return {"numpy": (generator, state)}

    def seed(self, words: Callable[[str], list[int]]) -> dict[str, int]:
        """With four words: a Mersenne Twister as `numpy.random.seed` always has, others through their class."""
        mtrand, twister = _numpy_random()
        chosen = words("numpy")
        mtrand.seed(chosen)
        generator = mtrand.get_bit_generator()
        if not isinstance(generator, twister):  # there numpy leaves a pending normal
            mtrand.set_state({**mtrand.get_state(legacy=False), "has_gauss": 0, "gauss": 0.0})
        memory = _memory_of(generator)
        self._seeded = memory.raw if memory is not None and self._trusted else None
        return {"numpy": sum(word << 32 * position for position, word in enumerate(chosen))}

    def put_back(self, states: Mapping[str, Any]) -> None:
        """The same object, in the same state."""
        mtrand, _ = _numpy_random()
        generator, state = states["numpy"]
        memory = _memory_of(generator)
        if memory is not None and self._trusted and not state["has_gauss"]:
            mtrand.set_bit_generator(generator)  # forgets the pending normal, also where it is there already
            memory.raw = _raw_of(state)
            return
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


_KEY_BYTES = 624 * 4
_POSITION_BYTES = 4
_MEMORY_BYTES = _KEY_BYTES + _POSITION_BYTES


def _memory_of_python(generator: Any) -> Any:
    """Where the state of a generator of CPython lies: behind the head of the object the position, then the words."""
    if type(generator) is not random.Random or (head := _head_bytes()) is None:
        return None
    return _memory_type().from_address(id(generator) + head)


@cache
def _head_bytes() -> int | None:
    """Null where the object is too small for that, where another thread may draw meanwhile, or without ctypes."""
    head, size = object.__basicsize__, random.Random.__basicsize__
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    if sys.implementation.name != "cpython" or size < head + _MEMORY_BYTES or not locked:
        return None
    try:
        _memory_type()
    except ImportError:
        return None
    return head


def _words_of(raw: bytes) -> tuple[int, ...]:
    """As Python gives them: the position comes last."""
    position, *words = array("I", raw)
    return (*words, position)


def _memory_of(generator: Any) -> Any:
    """Where the state of a twister lies; null for any other bit generator, or where numpy does not tell."""
    if type(generator) is not _numpy_random()[1]:
        return None
    try:
        return _memory_type().from_address(generator.ctypes.state_address)
    except Exception:  # a Python without ctypes
        return None


@cache
def _numpy_random() -> tuple[Any, Any]:
    """numpy's legacy functions, and its Mersenne Twister; once, as an import takes time also where it is there."""
    from numpy.random import MT19937, mtrand

    return mtrand, MT19937


@cache
def _memory_type() -> Any:
    from ctypes import c_char

    return c_char * _MEMORY_BYTES


def _state_of(raw: bytes) -> dict[str, Any]:
    """As numpy gives it, without a pending normal."""
    import numpy

    key = numpy.frombuffer(raw, numpy.uint32, 624)
    state = {"key": key, "pos": int.from_bytes(raw[_KEY_BYTES:], sys.byteorder)}
    return {"bit_generator": "MT19937", "state": state, "has_gauss": 0, "gauss": 0.0}


def _raw_of(state: Mapping[str, Any]) -> bytes:
    inner = state["state"]
    return bytes(inner["key"].tobytes()) + int(inner["pos"]).to_bytes(4, sys.byteorder)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((key, _plain(one)) for key, one in value.items())
    return value.tolist() if hasattr(value, "tolist") else value
