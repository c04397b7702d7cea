"""The objects that runs of this process have returned: the frame that one step hands to the next keeps its
name.

Decides when two calls speak of the same thing: the same object, by its address as long as it lives; a path by
its name; what cannot be watched (texts, lists, dicts) by its digest, if that is distinctive. Whether an
object has changed in between is told by its digest alone. A file is what an inner run has made, too, if it has
the digest of that: the frame was saved.
"""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import TypeVar

from .naming import DatasetName, of_path

_REMEMBERED_KEYS = 10_000  # by path or digest; objects are forgotten when they die
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One read or write of an object.

    Attributes:
        direction: `input` or `output`.
        run_id: The run that did it.
        outer_runs: Run ids of the runs around it.
        instant: When.
    """

    direction: str
    run_id: str
    outer_runs: frozenset[str]
    instant: datetime


@dataclass(frozen=True, kw_only=True)
class Known:
    """What was said of an object when it was last returned.

    Attributes:
        name: The dataset.
        version: As declared; null if it had none.
        digest: The strongest, at that time; null if there was none.
        written: Whether a run has returned it with that digest, and not only read it.
        occurrences: Its reads and writes with that digest, oldest first.
    """

    name: DatasetName
    version: str | None
    digest: str | None
    written: bool = False
    occurrences: tuple[Occurrence, ...]

    def handed_on(self, direction: str, run_id: str) -> datetime | None:
        """When a run inside of `run_id` first read (or wrote) this; null if none did."""
        inner = (one for one in self.occurrences if one.direction == direction and run_id in one.outer_runs)
        return next((one.instant for one in inner), None)


class KnownObjects:
    """A memory of returned objects. It keeps none of them alive. Safe for threads."""

    def __init__(self) -> None:
        """Know none."""
        self._objects: dict[int, tuple[weakref.ref[object], Known]] = {}
        self._keys: OrderedDict[Hashable, Known] = OrderedDict()
        self._made: OrderedDict[str, Known] = OrderedDict()  # by runs within others, by digest
        self._lock = threading.RLock()  # a weak reference may be cleared, and call back, while it is held

    def find(self, data: object, digest: str | None) -> Known | None:
        """What is known of the object, if a run of this process returned it.

        Args:
            data: The object.
            digest: Its distinctive digest now, for what can only be recognised by it; null without one.
        """
        with self._lock:
            entry = self._objects.get(id(data))
            if entry is not None and entry[0]() is data:
                return entry[1]
            key = _key(data, digest)
            return self._keys.get(key) if key is not None else None

    def made(self, digest: str | None) -> Known | None:
        """What a run within another one has made last, of this distinctive digest."""
        with self._lock:
            return self._made.get(digest) if digest is not None else None

    def remember_made(self, digest: str, known: Known) -> None:
        """Note what a run within another one has made."""
        with self._lock:
            _put(self._made, digest, known)

    def remember(self, data: object, digest: str | None, known: Known) -> None:
        """Note what was said of an object that is returned now."""
        with self._lock:
            key = _key(data, digest)
            if key is not None:
                _put(self._keys, key, known)
                return
            if isinstance(data, _BY_DIGEST):
                return
            address = id(data)
            try:
                reference = weakref.ref(data, lambda dead: self._forget(address, dead))
            except TypeError:
                return
            self._objects[address] = (reference, known)

    def after_fork(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.RLock()

    def _forget(self, address: int, dead: "weakref.ref[object]") -> None:
        with self._lock:
            entry = self._objects.get(address)
            if entry is not None and entry[0] is dead:  # else the address has a new tenant already
                del self._objects[address]


# Interned, cached or not to be watched: two equal ones may be one object by chance.
_BY_DIGEST = (str, bytes, bytearray, int, float, complex, tuple, list, dict, set, frozenset, type(None))


def _put(memory: OrderedDict[_Key, Known], key: _Key, known: Known) -> None:
    memory[key] = known
    memory.move_to_end(key)
    if len(memory) > _REMEMBERED_KEYS:
        memory.popitem(last=False)


def _key(data: object, digest: str | None) -> Hashable | None:
    if isinstance(data, PurePath):
        name = of_path(data)
        return ("path", name.namespace, name.name)
    if isinstance(data, _BY_DIGEST) and digest is not None:
        return ("digest", digest)
    return None
