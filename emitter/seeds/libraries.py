"""Which generators a run seeds: those that belong to the whole process, by library.

Decides what a library has to be able to do to be covered (its state taken, seeded, and put back), the list of
those that are, and that a user may add to it. A library is touched only once the job has imported it, and whole:
one that is just being imported is left until it has been.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .numerical import NumpyLegacy, PythonRandom
from .tensorflow import TensorFlow
from .torch import Torch

Words = Callable[[str], list[int]]  # four 32-bit words for a name


class Library(Protocol):
    """A library's generators. A state is whatever it takes to put one back."""

    @property
    def module(self) -> str:
        """It is touched if this is imported."""
        ...

    @property
    def rule(self) -> str:
        """Its part of the derivation; empty where the base text says it."""
        ...

    def take(self) -> dict[str, Any]:
        """The states of its generators as they are, by name."""
        ...

    def seed(self, words: Words) -> dict[str, int]:
        """Seed all of them; which seed each got, by name."""
        ...

    def put_back(self, states: Mapping[str, Any]) -> None:
        """Make them as they were when `states` was taken."""
        ...

    def plain(self, state: Any) -> bytes | None:
        """The state in a form that is the same in every process; null where it has none."""
        ...

    def may_be_seeded_after_fork(self) -> bool:
        """Whether seeding it waits for no lock, which a thread that was not forked along may hold."""
        ...


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A generator that a user registered."""

    module: str
    name: str
    set_seed: Callable[[int], object]
    get_state: Callable[[], Any]
    set_state: Callable[[Any], object]
    bits: int

    @property
    def rule(self) -> str:
        """Its part of the derivation."""
        return f"{self.name}: seed % 2**{self.bits}"

    def take(self) -> dict[str, Any]:
        """Its state."""
        return {self.name: self.get_state()}

    def seed(self, words: Words) -> dict[str, int]:
        """Seed it."""
        seed = sum(word << 32 * position for position, word in enumerate(words(self.name))) % (1 << self.bits)
        self.set_seed(seed)
        return {self.name: seed}

    def put_back(self, states: Mapping[str, Any]) -> None:
        """Put the state back."""
        self.set_state(states[self.name])

    def plain(self, state: Any) -> bytes | None:
        """Of bytes and arrays their bytes, of plain values their text."""
        if isinstance(state, bytes | bytearray | memoryview):
            return bytes(state)
        if hasattr(state, "tobytes"):
            return bytes(state.tobytes())
        text = repr(state)
        return None if " at 0x" in text else text.encode("utf-8", "surrogatepass")

    def may_be_seeded_after_fork(self) -> bool:
        """Nobody knows."""
        return False


# The registry is the process's, as the generators in it are.
_LIBRARIES: dict[str, Library] = {
    library.module: library for library in (PythonRandom(), NumpyLegacy(), Torch(), TensorFlow())
}


def register_generator(
    name: str,
    *,
    seed: Callable[[int], object],
    get_state: Callable[[], Any],
    set_state: Callable[[Any], object],
    bits: int = 32,
) -> None:
    """Have every run that begins from now on seed one more generator of the process, and put it back after.

        register_generator("faker", seed=shared.seed, get_state=shared.getstate, set_state=shared.setstate)

    For a generator whose state cannot be taken there is `run.seed(name)`.

    Args:
        name: The library's import name, or a generator of it: `mylib`, `mylib.sampler`. It is part of what the
            seed is derived from. The same name again replaces the generator.
        seed: Called with an integer ≥ 0 below `2**bits` when a run begins.
        get_state: Gives what `set_state` takes. Bytes, an array or plain values can be digested.
        set_state: Puts a state back.
        bits: How large a seed may be: 1 to 128.

    Raises:
        ValueError: `bits` is not from 1 to 128, or the library is covered already.
    """
    if not 1 <= bits <= 128:
        raise ValueError(f"register_generator({name!r}): bits must be from 1 to 128, not {bits}")
    module = name.partition(".")[0]
    if name in _LIBRARIES and not isinstance(_LIBRARIES[name], Registered):
        raise ValueError(f"register_generator({name!r}): relineage covers this library itself")
    _LIBRARIES[name] = Registered(
        module=module, name=name, set_seed=seed, get_state=get_state, set_state=set_state, bits=bits
    )


def libraries() -> list[tuple[str, Library]]:
    """All that are known, by name, in the order in which they are seeded."""
    return list(_LIBRARIES.items())


def is_there(module: str) -> bool:
    """Whether the job has imported it, and the import is over."""
    found = sys.modules.get(module)
    return found is not None and not getattr(getattr(found, "__spec__", None), "_initializing", False)
