"""Python's `random` and numpy's legacy generator (`numpy.random.random()` and its like).

Decides how their states are taken, seeded, digested and put back. Behind numpy's functions any bit generator may
stand: numpy knows how to seed its own, and the very object comes back.

Both give and take a state of 624 words word by word, which takes longer than all else that a run does with
generators. So it is copied at once from where it lies in memory: numpy tells the address, of Python's it is known, and
of numpy's pending normal it is found out. Before that is relied on, the memory is compared with what the generator
itself says of its state.
"""

import random
import sys
from array import array
from collections.abc import Callable, Mapping
from functools import cache
from struct import Struct
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
        """Nothing is known of its memory yet."""
        self._trusted = False  # whether that is what numpy says its state is

    def take(self) -> dict[str, Any]:
        """The bit generator itself and its state, with the pending normal; as bytes where it lies in known memory."""
        mtrand, _ = _numpy_random()
        generator = mtrand.get_bit_generator()
        memory = _memory_of_numpy(generator)
        raw = memory[0].raw + memory[1].raw if memory is not None else None
        if self._trusted and raw is not None:
            return {"numpy": (generator, raw)}
        state = mtrand.get_state(legacy=False)
        self._trusted = raw is not None and raw == _raw_of(state)
        return {"numpy": (generator, state)}

    def seed(self, words: Callable[[str], list[int]]) -> dict[str, int]:
        """With four words: a Mersenne Twister as `numpy.random.seed` always has, others through their class."""
        import numpy

        mtrand, twister = _numpy_random()
        chosen = words("numpy")
        mtrand.seed(numpy.array(chosen, numpy.uint32))  # of a list numpy would look at each number
        generator = mtrand.get_bit_generator()
        if not isinstance(generator, twister):  # there numpy leaves a pending normal
            mtrand.set_state({**mtrand.get_state(legacy=False), "has_gauss": 0, "gauss": 0.0})
        return {"numpy": sum(word << 32 * position for position, word in enumerate(chosen))}

    def put_back(self, states: Mapping[str, Any]) -> None:
        """The same object, in the same state."""
        mtrand, _ = _numpy_random()
        generator, state = states["numpy"]
        if mtrand.get_bit_generator() is not generator:
            mtrand.set_bit_generator(generator)
        if isinstance(state, bytes):
            twister, pending = _memory_of_numpy(generator)
            twister.raw, pending.raw = state[:_MEMORY_BYTES], state[_MEMORY_BYTES:]
        else:
            mtrand.set_state(state)

    def plain(self, state: Any) -> bytes:
        """The words of the Mersenne Twister, then position and the pending normal; others as text."""
        _, said = state
        if isinstance(said, bytes):
            position = int.from_bytes(said[_KEY_BYTES:_MEMORY_BYTES], "little")
            return said[:_KEY_BYTES] + repr((position, _PENDING.unpack(said[_MEMORY_BYTES:]))).encode()
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
_PENDING = Struct("id")  # whether a normal is pending, and which


def _memory_of_python(generator: Any) -> Any:
    """Where the state of a generator of CPython lies: behind the head of the object the position, then the words."""
    head, size = object.__basicsize__, random.Random.__basicsize__
    if type(generator) is not random.Random or size < head + _MEMORY_BYTES or not _may_look():
        return None
    return _memory_type().from_address(id(generator) + head)


@cache
def _may_look() -> bool:
    """Whether memory can be looked at: not where another thread may draw meanwhile, nor without ctypes."""
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    if sys.implementation.name != "cpython" or sys.byteorder != "little" or not locked:
        return False
    try:
        _memory_type()
    except ImportError:
        return False
    return True


def _words_of(raw: bytes) -> tuple[int, ...]:
    """As Python gives them: the position comes last."""
    position, *words = array("I", raw)
    return (*words, position)


def _memory_of_numpy(generator: Any) -> Any:
    """Where the state of a twister lies, and where the pending normal does; null for any other bit generator, or where
    that is not known.
    """
    if type(generator) is not _numpy_random()[1] or (pending := _pending()) is None:
        return None
    return _memory_type().from_address(generator.ctypes.state_address), pending


@cache
def _pending() -> Any:
    """Where the pending normal of numpy's functions lies: numpy does not tell, so known ones are looked for in another
    `RandomState`. Null where they are not found.
    """
    from numpy.random import RandomState

    mtrand, twister = _numpy_random()
    functions_of = getattr(mtrand.get_state, "__self__", None)
    if type(functions_of) is not RandomState or not _may_look():
        return None
    from ctypes import c_char, string_at

    other, size = RandomState(twister(0)), RandomState.__basicsize__
    places = set(range(0, size - _PENDING.size + 1, 4))
    for pending in ((1, 0.1), (0, 0.2), (1, -0.3)):
        has_gauss, gauss = pending
        other.set_state({**other.get_state(legacy=False), "has_gauss": has_gauss, "gauss": gauss})
        memory = string_at(id(other), size)
        places = {place for place in places if memory.startswith(_PENDING.pack(*pending), place)}
    if len(places) != 1:
        return None
    return (c_char * _PENDING.size).from_address(id(functions_of) + places.pop())


@cache
def _numpy_random() -> tuple[Any, Any]:
    """numpy's legacy functions, and its Mersenne Twister; once, as an import takes time also where it is there."""
    from numpy.random import MT19937, mtrand

    return mtrand, MT19937


@cache
def _memory_type() -> Any:
    from ctypes import c_char

    return c_char * _MEMORY_BYTES


def _raw_of(state: Mapping[str, Any]) -> bytes:
    inner = state["state"]
    position = int(inner["pos"]).to_bytes(_POSITION_BYTES, "little")
    return bytes(inner["key"].tobytes()) + position + _PENDING.pack(state["has_gauss"], state["gauss"])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((key, _plain(one)) for key, one in value.items())
    return value.tolist() if hasattr(value, "tolist") else value
