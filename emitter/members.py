"""The arrays within the states that runs of this process have returned: a dict of nothing but arrays is one output, and
what is taken out of it is an array of its own, of which no run has told.

Decides which run made such an array: the first that returned it, the very object, within a state, with the content that
it has now. One that has changed since is other data. What is told of it then is decided in `entries.py`.
"""

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .naming import DatasetName
from .settings import RunReference

if TYPE_CHECKING:
    from .digests.records import Tensor

_SWEPT_AT_LEAST = 20_000


@dataclass(frozen=True, kw_only=True)
class Returned:
    """A state that a run has returned.

    Attributes:
        name: The dataset.
        role: Of the output.
        instant: When it was returned.
        run: The run.
        outer_runs: Run ids of the runs around it.
        send: Takes an event of that run.
    """

    name: DatasetName
    role: str
    instant: datetime
    run: RunReference
    outer_runs: frozenset[str]
    send: Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One array of a state, which is used by itself.

    Attributes:
        key: Its key in the state.
        of: The state.
    """

    key: str
    of: Returned

    @property
    def name(self) -> DatasetName:
        """The dataset that it is by itself."""
        return DatasetName(namespace=self.of.name.namespace, name=f"{self.of.name.name}.{self.key}")

    @property
    def role(self) -> str:
        """Of the output that it is by itself."""
        return f"{self.of.role}.{self.key}"


class Members:
    """A memory of returned states. It keeps no array alive. Safe for threads."""

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[int, tuple[weakref.ref[object], Tensor, Returned]] = {}
        self._sweep_at = _SWEPT_AT_LEAST
        self._lock = threading.RLock()  # a finalizer may come in while it is held

    def remember(self, state: Mapping[str, object], members: Sequence["Tensor"], returned: Returned) -> None:
        """Note a state.

        Args:
            state: Its arrays by their keys.
            members: Their digests now.
            returned: Whose it is.
        """
        with self._lock:
            for tensor in members:
                data = state[tensor.name]
                before = self._known.get(id(data))
                # Who returns it once more as it was has not made it.
                if before is None or before[0]() is not data or before[1].digest != tensor.digest:
                    self._known[id(data)] = (weakref.ref(data), tensor, returned)
            if len(self._known) > self._sweep_at:
                self._known = {key: one for key, one in self._known.items() if one[0]() is not None}
                self._sweep_at = max(_SWEPT_AT_LEAST, 2 * len(self._known))

    def find(self, data: object, digest: str) -> Member | None:
        """Whose member an array is; null unless a run of this process returned it within a state, as it is now.

        Args:
            data: The array.
            digest: The strongest, of the array by itself.
        """
        with self._lock:
            found = self._known.get(id(data))
        if found is None:
            return None
        reference, tensor, returned = found
        if reference() is not data:  # the address has a new tenant
            return None
        from .digests.tensors import by_itself

        return Member(key=tensor.name, of=returned) if by_itself(tensor.digest) == digest else None

    def after_fork(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.RLock()
