"""The store: what is put under which digest, what is given back, and what may go.

Decides that an object is written once and never changed, that what it says of itself is not believed (it is
digested again whenever it is read), and that a folder is a list of files which are objects of their own. How
files are written and where they lie is decided in `forms.py` and `places.py`.

Data in memory is kept under its strongest digest, a file as it is under that of its bytes. An object that is
referred to again is made young again, so that whoever removes old ones (`unused`) leaves it to the run that
has just said its name.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..digests import Content, Refused
from ..errors import Damaged, StoreError
from .forms import bytes_digest, folder_digest, holds, mode_of, write
from .names import FORMS, KINDS, digest_of, ending_of, label_of, name_of, names_of
from .places import Folder, Found, Place, Remote

_LABELS = {
    "table": "b3-table1",
    "tensors": "b3-tensors1",
    "bytes": "b3-bytes1",
    "text": "b3-bytes1",
    "json": "b3-bytes1",
}
_WRITERS = 8
_Files = list[tuple[str, int, str]]  # path, size in bytes, digest


@dataclass(frozen=True, kw_only=True)
class Object:
    """One object: its digest, what kind of thing it is, bytes in the store, and when it was put there or referred
    to last (Unix time). `name` is where it lies in the store.
    """

    digest: str
    kind: str
    bytes: int
    modified: float
    name: str


def open_store(location: str | Path, folder: Path) -> "Store":
    """The store at a path, relative to `folder`, or at a URL that fsspec understands. Nothing is made yet.

    A text with `://` or `::` in it is a URL.

    Raises:
        StoreError: A `file:` URL leads to another machine.
    """
    if isinstance(location, str):
        if location[:7].lower() == "file://":
            from urllib.request import url2pathname  # here, since it brings http and ssl

            path = Path(url2pathname(location[7:].removeprefix("localhost")))
            if not path.is_absolute():
                raise StoreError(f"{location} is no folder of this machine: file:///… has three slashes")
            return Store(Folder(path))
        if is_url(location):
            return Store(Remote(location))
    return Store(Folder(folder / Path(location).expanduser()))


def is_url(location: str) -> bool:
    """Whether a location leads to fsspec, that is perhaps over a network; `file://…` is a folder of this machine."""
    return ("://" in location or "::" in location) and location[:7].lower() != "file://"


class Store:
    """Objects by their digests. Safe under concurrent writers, in this process and in others."""

    def __init__(self, place: Place) -> None:
        """Keep the place; it is not looked at yet."""
        self._place = place

    def there(self) -> bool:
        """Whether the folder of the store is there; a URL always is, since object stores have no folders."""
        return self._place.there()

    def put(self, content: Content, data: object) -> str:
        """Keep what was digested, unless it is there already.

        Args:
            content: What `content_of(data)` said.
            data: The data; a `Path` is a file or folder.

        Returns:
            URL of the object.

        Raises:
            Refused: It has no form here, or is no longer what was digested.
            StoreError, OSError: It cannot be written.
        """
        try:
            return self._put(content, data)
        except (StoreError, OSError):
            # Of a store that may only be read, or is full: what is there is there.
            if (known := self._whole(_digest_as(content, data))) is None:
                raise
            return self._place.url(known.name)

    def _put(self, content: Content, data: object) -> str:
        if isinstance(data, Path):
            digest = _digest_as(content, data)
            if content.kind == "folder":
                return self._put_folder(data, digest)
            if self._renewed(digest) is None and self._put_file(data) != digest:
                raise _changed(str(data))
            return self._place.url(name_of(digest, ""))
        digest = _digest_as(content, data)
        if (known := self._renewed(digest)) is not None:
            return self._place.url(known)
        for ending in FORMS[str(label_of(digest))]:
            with self._place.scratch(ending) as file:
                if write(data, content.kind, digest, ending, file):
                    name = name_of(digest, ending)
                    self._place.put(file, name)
                    return self._place.url(name)
        raise _changed("")

    def find(self, digest: str) -> Object | None:
        """The object of a digest; null if there is none, or if this is no digest that names objects."""
        found = (self._place.find(name) for name in names_of(digest))
        return next((_object(one, digest) for one in found if one is not None), None)

    def scan(self) -> Iterator[Object]:
        """Every object. What else lies there, such as what a killed writer has left, is none."""
        for found in self._place.scan():
            if (digest := digest_of(found.name)) is not None:
                yield _object(found, digest)

    def fetch(self, digest: str, target: Path) -> None:
        """Write an object to a path where nothing is: a file, or a folder with its files.

        It appears there as a whole, and only after the very bytes that are written have been digested again.

        Raises:
            Damaged: It is not what its name says; nothing is written.
            StoreError: There is no such object, or something is at the path already.
            OSError: The path cannot be written.
        """
        if os.path.lexists(target):
            raise StoreError(f"{target} is there already: name another path")
        found = self._known(digest)
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".relineage-") as aside:
            made = Path(aside) / f"object{ending_of(found.name)}"
            if found.kind == "folder":
                for path, one in self._members(found):
                    file = made / path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    self._copy(one, file)
                made.mkdir(exist_ok=True)
            else:
                self._copy(found, made)
            made.rename(target)

    def check(self, found: Object, *, files: bool = True) -> None:
        """Digest an object again; of a folder also its files, or else see only that they are there.

        Raises:
            Damaged: It is not what its name says.
        """
        if found.kind == "folder":
            for _, one in self._members(found):
                if files:
                    self.check(one)
            return
        with self._place.local(found.name) as file:
            if not holds(file, found.digest):
                raise self._damaged(found)

    @contextmanager
    def opened(self, found: Object) -> Iterator[Path]:
        """A local file with the bytes of an object as they lie there, not digested: of a folder the list of its files.

        Raises:
            StoreError, OSError: It cannot be read.
        """
        with self._place.local(found.name) as file:
            yield file

    def parts(self, folder: Object) -> list[Object]:
        """The files of a folder, as objects.

        Raises:
            Damaged: The list of its files is not what its name says, or one of them is not there.
        """
        return [one for _, one in self._members(folder)]

    def unused(self, referred: Collection[str], before: float) -> list[Object]:
        """The objects that no digest of a collection refers to, and that were put or referred to before a time.

        Raises:
            Damaged: A folder that stays cannot be read: nobody knows which files belong to it.
        """
        objects = list(self.scan())
        kept = {one.digest for one in objects if one.digest in referred or one.modified >= before}
        for one in objects:
            if one.kind == "folder" and one.digest in kept:
                kept.update(digest for _, _, digest in self._files(one))
        return [one for one in objects if one.digest not in kept]

    def remove(self, found: Object, before: float) -> bool:
        """Remove an object unless it was put or referred to since `before`; whether it has gone."""
        return self._place.remove(found.name, before)

    def sweep(self, before: float) -> None:
        """Remove what writers that were killed before that time have left behind; no objects."""
        self._place.sweep(before)

    def _renewed(self, digest: str) -> str | None:
        """The name of an object that is there and young from now on; null if it is to be written."""
        found = self.find(digest)
        return found.name if found is not None and self._place.renew(found.name) else None

    def _whole(self, digest: str) -> Object | None:
        """An object that is there, of a folder with all of its files."""
        found = self.find(digest)
        if found is not None and found.kind == "folder":
            with suppress(Damaged):
                self.parts(found)
                return found
            return None
        return found

    def _put_file(self, path: Path) -> str:
        """Keep a file as it is, under the digest of the bytes that were copied."""
        with self._place.scratch("") as file:
            digest = bytes_digest(path, file)
            self._place.put(file, name_of(digest, ""))
        return digest

    def _put_folder(self, folder: Path, digest: str) -> str:
        def kept(path: Path) -> tuple[str, int, str]:
            one = bytes_digest(path)
            one = one if self._renewed(one) is not None else self._put_file(path)
            return path.relative_to(folder).as_posix(), self._known(one).bytes, one

        # Small files wait for the disk, not for the processor.
        with ThreadPoolExecutor(_WRITERS) as pool:
            files: _Files = list(pool.map(kept, filter(Path.is_file, folder.rglob("*"))))
        if folder_digest(files) != digest:
            raise _changed(str(folder))
        name = name_of(digest, ".json")
        with self._place.scratch(".json") as file:
            listed = [{"path": path, "size": size, "digest": one} for path, size, one in files]
            file.touch(mode_of(folder))
            file.write_text(json.dumps({"files": listed}, ensure_ascii=False, indent=1), encoding="utf-8")
            self._place.put(file, name)
        return self._place.url(name)

    def _known(self, digest: str) -> Object:
        found = self.find(digest)
        if found is None:
            raise StoreError(f"{digest} is not in the store")
        return found

    def _files(self, folder: Object) -> _Files:
        """The files of a folder, whose list has been digested again."""
        with self._place.local(folder.name) as file:
            try:
                listed: Any = json.loads(file.read_bytes())["files"]
                files = [(str(one["path"]), int(one["size"]), str(one["digest"])) for one in listed]
                same = folder_digest(files) == folder.digest
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
                same = False
        if not same:
            raise self._damaged(folder)
        return files

    def _members(self, folder: Object) -> Iterator[tuple[str, Object]]:
        """The files of a folder with their paths, which lead nowhere else, whoever has made the list."""
        where = self._place.url(folder.name)
        for path, _, digest in self._files(folder):
            outside = any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path
            if outside or (os.name == "nt" and any(sign in path for sign in "\\:")):
                raise Damaged(f"{where}: {path!r} is no path of a file in a folder")
            found = self.find(digest)
            if found is None:
                raise Damaged(f"{where}: its file {path!r}, {digest}, is not in the store")
            yield path, found

    def _copy(self, found: Object, target: Path) -> None:
        """The bytes of an object to a new file, which is digested after it was written."""
        with self._place.local(found.name) as source, source.open("rb") as read, target.open("xb") as written:
            shutil.copyfileobj(read, written, 4 << 20)
        if not holds(target, found.digest):
            raise self._damaged(found)

    def _damaged(self, found: Object) -> Damaged:
        return Damaged(
            f"{found.digest} is not what {self._place.url(found.name)} holds: remove that; "
            "the next run that stores this content puts it there anew"
        )


def _object(found: Found, digest: str) -> Object:
    kind = KINDS[digest.partition(":")[0]]
    return Object(digest=digest, kind=kind, bytes=found.bytes, modified=found.modified, name=found.name)


def _digest_as(content: Content, data: object) -> str:
    """The digest under which data is kept."""
    if isinstance(data, Path):
        label = "b3-folder1" if content.kind == "folder" else "b3-bytes1"
    else:
        label = _LABELS.get(content.kind, "")
    found = next((one for one in content.digests if one.startswith(f"{label}:")), None)
    if found is None or label_of(found) is None:
        raise Refused(
            f"content of the kind {content.kind} has no form in the store",
            advice="save it to a file and pass its path: files are kept as they are",
        )
    return found


def _changed(where: str) -> Refused:
    return Refused(
        "what was written is not what was digested: it has changed meanwhile, or has values that no form here holds",
        where=where,
        advice="record it when nothing writes to it any more, or save it to a file and pass the path",
    )
