"""Contents for a bundle: from the store of contents, or from where runs have read them.

Decides where a content is looked for, the store first, and that it is digested before it goes into a bundle: what is
there now and is not what was read is told, not taken. How objects are named and checked is decided by the emitter's
store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from ...emitter.digests import Refused, content_of
from ...emitter.errors import Damaged, StoreError
from ...emitter.store import Object, Store, open_store
from ...emitter.store.forms import bytes_digest
from ...emitter.store.names import label_of, name_of
from ..bundle.closure import Wanted
from ..bundle.making import Gathered
from ..bundle.manifest import Missing
from ..errors import BundleError
from .output import dataset_name

# A file is bundled as it was, rather than as the table that it held.
_PREFERRED = ("b3-folder1", "b3-bytes1", "b3-table1", "b3-tensors1")

_Opening = Callable[[], AbstractContextManager[Path]]


class KnownContents:
    """The contents that can be had here."""

    def __init__(self, store: Store | None, aside: Path, *, paths: bool) -> None:
        """Remember where to look.

        Args:
            store: The store of contents, if there is one.
            aside: A folder for what is copied on the way.
            paths: Whether the paths in events are those of this machine.
        """
        self._store = store
        self._paths = paths
        self._copies = open_store(aside / "copies", aside)
        self._members: dict[str, _Opening] = {}
        self._missing: list[Missing] = []

    def gather(self, wanted: Sequence[Wanted], folders: Mapping[str, str]) -> Gathered:
        """Find contents; see `Contents.gather`."""
        for one in wanted:
            reason = self._take(one)
            if reason is not None:
                name = dataset_name(one.namespace, one.name, one.version)
                self._missing.append(Missing(what=one.what, name=name, reason=reason))
        for digest, name in folders.items():
            reason = self._from_store([digest])
            if reason is not None:
                self._missing.append(Missing(what="code", name=name, reason=reason))
        return Gathered(members=self._members, missing=self._missing)

    def _take(self, wanted: Wanted) -> str | None:
        """Null, or why it cannot be had."""
        digests = [digest for digest in wanted.digests if label_of(digest) is not None]
        if not wanted.digests:
            return "no digest of it was recorded"
        stored = self._from_store(sorted(digests, key=lambda one: _PREFERRED.index(one.partition(":")[0])))
        if stored is None:
            return None
        reasons = [stored]
        for path in wanted.paths if self._paths else ():
            found = self._from_path(Path(path), wanted.digests)
            if found is None:
                return None
            reasons.append(found)
        return "; ".join(reasons)

    def _from_store(self, digests: Sequence[str]) -> str | None:
        if self._store is None:
            return "there is no store of contents"
        for digest in digests:
            found = self._store.find(digest)
            if found is None:
                continue
            try:
                self._store.check(found)
                self._add(self._store, found)
            except (Damaged, StoreError, OSError) as error:
                return str(error)
            return None
        return "it is not in the store of contents"

    def _from_path(self, path: Path, digests: Sequence[str]) -> str | None:
        if not path.is_absolute() or not os.path.exists(path):  # noqa: PTH110 - the name may be too long to be one
            return f"{path} is not there"
        try:
            content = content_of(path)
            if not set(digests) & set(content.digests):
                return f"{path} is not what it was"
            if content.kind == "folder":
                self._copies.put(content, path)
                found = self._copies.find(
                    next(one for one in content.digests if one.startswith("b3-folder1:"))
                )
                assert found is not None
                self._add(self._copies, found)
            else:
                digest = bytes_digest(path)
                if digest not in content.digests:
                    return f"{path} is being written to"
                self._members[name_of(digest, "")] = partial(_unchanged, path)
        except (Refused, StoreError, OSError) as error:
            return f"{path} cannot be read: {error}"
        return None

    def _add(self, store: Store, found: Object) -> None:
        for one in [found, *(store.parts(found) if found.kind == "folder" else [])]:
            self._members[one.name] = partial(store.opened, one)


@contextmanager
def _unchanged(path: Path) -> Iterator[Path]:
    """The path, if nobody writes to it meanwhile."""
    before = path.stat()
    yield path
    after = path.stat()
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    ):
        raise BundleError(f"{path} was changed while it was read: make the bundle again")
