"""A bundle on somebody's machine: a database of its events, its code and its contents, in a temporary folder.

Decides that nothing in a bundle is run or loaded by opening it: events go through the ordinary ingest, code is unpacked
by git into a bare repository and contents into files named by their digests, both only when they are asked for. All of
it goes when the bundle is closed.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from ..consume import take_in
from ..errors import BundleError
from ..home import DATABASE
from ..store import Store
from .archive import Reader
from .code import unpack as unpack_code
from .manifest import Manifest

log = logging.getLogger("relineage")

_DETAILS = "objects"  # beside the database, where they are in a `.relineage` too
_EVENTS = "events"


class Bundle:
    """An open bundle.

    Attributes:
        manifest: What it says of itself.
        store: A database of its events, and of those of bundles opened with it.
        folder: Where the database and what lies beside it are, until the bundle is closed.
    """

    def __init__(self, reader: Reader, store: Store, folder: Path) -> None:
        self.manifest = reader.manifest
        self.store = store
        self.folder = folder
        self._reader = reader

    @cached_property
    def repositories(self) -> Sequence[Path]:
        """Bare git repositories with the commits of the bundle; unpacked when they are first asked for.

        Raises:
            BundleError: git is not installed, or refuses what is there.
        """
        made = []
        for member in self._reader.members("code"):
            form = Path(member.name).stem
            packed = self._scratch() / Path(member.name).name
            self._reader.extract(member, packed)
            repository = packed.with_suffix(".git")
            unpack_code(packed, form, self.manifest.commits, repository)
            packed.unlink()
            made.append(repository)
        return tuple(made)

    @cached_property
    def objects(self) -> Path | None:
        """The folder of a store of contents; null if the bundle has none. Unpacked when it is first asked for.

        Each object is what the manifest says; whoever reads it digests it once more, as in every store.
        """
        members = self._reader.members("objects")
        if not members:
            return None
        folder = self._scratch() / "store"
        for member in members:
            target = folder / member.name  # of a form that leads nowhere else: archive.py
            target.parent.mkdir(parents=True, exist_ok=True)
            self._reader.extract(member, target)
            target.chmod(0o400)
        return folder

    def _scratch(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))


@contextmanager
def opened(file: Path) -> Iterator[Bundle]:
    """The bundle, opened until the end of the block.

    Raises:
        BundleError: It is none, or not what it says.
    """
    with Reader(file) as reader, tempfile.TemporaryDirectory(prefix="relineage-") as name:
        folder = Path(name)
        with Store.open(folder / DATABASE) as store:
            yield _taken_in(reader, store, folder)


@contextmanager
def unpack(file: Path, store: Store, folder: Path) -> Iterator[Bundle]:
    """The bundle, its events taken into a store, which may hold those of others already.

    Args:
        file: The bundle.
        store: The store.
        folder: That of its database, for what did not fit into events, and for temporary files.

    Raises:
        BundleError: It is no bundle, or not what it says.
    """
    with Reader(file) as reader:
        yield _taken_in(reader, store, folder)


def _taken_in(reader: Reader, store: Store, folder: Path) -> Bundle:
    _check_room(reader, folder)
    events = Path(tempfile.mkdtemp(dir=folder, prefix=_EVENTS))
    for member in reader.members("events"):
        reader.extract(member, events / Path(member.name).name)
    (folder / _DETAILS).mkdir(exist_ok=True)
    for member in reader.members("details"):
        target = folder / _DETAILS / f"b3-bytes1:{Path(member.name).stem}.json"
        if not target.exists():
            reader.extract(member, target)
    summary = take_in(store, [events])
    shutil.rmtree(events)
    letters = summary.letters + len(summary.unfinished)
    if letters:
        log.warning(
            "%s message%s in %s could not be read as events", letters, "s"[: letters > 1], reader.path
        )
    return Bundle(reader, store, folder)


def manifest_of(file: Path) -> Manifest:
    """What a bundle says of itself, without opening the rest.

    Raises:
        BundleError: It is none, or one that cannot be honest.
    """
    with Reader(file) as reader:
        return reader.manifest


def _check_room(reader: Reader, folder: Path) -> None:
    """Refuse what would fill the disk: text can be much larger than the file."""
    size = sum(member.size for kind in ("events", "details") for member in reader.members(kind))
    free = shutil.disk_usage(folder).free
    if 2 * size > free:  # as files, and in the database
        raise BundleError(f"{reader.path} holds {size} bytes of events, and {folder} has room for {free}")
