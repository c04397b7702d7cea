"""Where objects lie: a folder of this machine, or whatever fsspec reaches by a URL.

Decides how a file becomes visible under its name in one step, how its age is told, and how it goes. What the
files hold, and that they hold what their names say, is decided in `objects.py`.

A folder: the file is written beside the objects, flushed to the disk, made read-only and renamed; who may
not read the scratch file may not read the object. A root that is made here is its owner's alone. Elsewhere: it
is put under a temporary name and moved. Where a move is a rename (SFTP, HDFS, network drives), that is one
step; on object stores it is a copy and a deletion, and there a copy appears as a whole or not at all. Should a
file system break this promise, reading still finds it out: every object is digested again when it is read.
"""

import os
import re
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from ..errors import StoreError
from ..home import make_folder
from ..naming import without_credentials
from .names import OBJECTS, ending_of

_UNFINISHED = "tmp"
_WORD = re.compile(r"[^/:@?&=#]+")
# Where file systems say when a file was written last; `modified()` of most asks the server once more.
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file in a store: its name, its size in bytes, and when it was put there or asked for last (Unix time)."""

    name: str
    bytes: int
    modified: float


class Place(Protocol):
    """What the store needs of a place. Names are relative, with forward slashes, and have been checked."""

    def url(self, name: str) -> str:
        """Where a file lies, without credentials."""

    def there(self) -> bool:
        """Whether there is such a place; true where only trying would tell."""

    def find(self, name: str) -> Found | None:
        """One file; null if it is not there."""

    def scan(self) -> Iterator[Found]:
        """All files among the objects."""

    def scratch(self, ending: str) -> Any:
        """A context with the path of a new file to write to, with that ending; what is left of it goes."""

    def put(self, file: Path, name: str) -> None:
        """Make a finished scratch file visible under a name, in one step."""

    def renew(self, name: str) -> bool:
        """Make a file young again; false if it has gone or that cannot be done: put it anew."""

    def local(self, name: str) -> Any:
        """A context with the path of a local file that holds what lies there."""

    def remove(self, name: str, before: float) -> bool:
        """Remove a file unless it was put or renewed at or after `before` (Unix time)."""

    def sweep(self, before: float) -> None:
        """Remove what writers that were killed before then have left behind."""


class Folder:
    """A folder of this machine, made when something is put there."""

    def __init__(self, root: Path) -> None:
        """Keep the path."""
        self._root = root

    def url(self, name: str) -> str:
        """`file:///…`."""
        return (self._root / name).absolute().as_uri()

    def there(self) -> bool:
        """Whether it is a folder."""
        return self._root.is_dir()

    def find(self, name: str) -> Found | None:
        """One file; a link or a folder of that name is none."""
        try:
            state = os.lstat(self._root / name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _found(name, state) if stat.S_ISREG(state.st_mode) else None

    def scan(self) -> Iterator[Found]:
        """All files below `objects`, links left out.

        Raises:
            OSError: A folder may not be read, say: what lies there would be taken for lost.
        """

        def told(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # nothing was put yet
                raise error

        for folder, _, names in os.walk(self._root / OBJECTS, onerror=told):
            inside = Path(folder).relative_to(self._root).as_posix()
            for name in names:
                if (found := self.find(f"{inside}/{name}")) is not None:
                    yield found

    @contextmanager
    def scratch(self, ending: str) -> Iterator[Path]:
        """A file in the same file system, so that renaming it is one step."""
        make_folder(self._root, 0o700)
        unfinished = self._root / _UNFINISHED
        self._make(unfinished)
        file = unfinished / f"{uuid.uuid4().hex}{ending}"
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    def put(self, file: Path, name: str) -> None:
        """Flush, make read-only, rename. Power loss after that loses nothing; before it, the object is not there."""
        target = self._root / name
        self._make(target.parent)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        file.chmod(file.stat().st_mode & 0o444)
        file.replace(target)

    def _make(self, folder: Path) -> None:
        """Make a folder below the root, for whom the root is."""
        if not folder.is_dir():
            if folder.parent != self._root:
                self._make(folder.parent)
            folder.mkdir(self._root.stat().st_mode & 0o777, exist_ok=True)

    def renew(self, name: str) -> bool:
        """Set its time; false where another user owns it."""
        try:
            os.utime(self._root / name)
        except OSError:
            return False
        return True

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file itself."""
        yield self._root / name

    def remove(self, name: str, before: float) -> bool:
        """Take it out of sight first and look at its time then: whoever renews it meanwhile finds it gone, and
        puts it anew, or is seen here, and it comes back.
        """
        with self.scratch("") as aside:
            try:
                (self._root / name).rename(aside)
            except FileNotFoundError:
                return False
            if aside.stat().st_mtime >= before:
                aside.replace(self._root / name)
                return False
        return True

    def sweep(self, before: float) -> None:
        """Old files in `tmp`."""
        for file in (self._root / _UNFINISHED).glob("*"):
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < before:
                    file.unlink()


class Remote:
    """A URL, through fsspec. Opened anew for each step: connections must not be shared with a forked child.

    Every error of a file system is a `StoreError` here, since each has kinds of its own.
    """

    def __init__(self, url: str) -> None:
        """Keep the URL."""
        self._url = url.rstrip("/")

    def url(self, name: str) -> str:
        """As given, and the name."""
        return f"{without_credentials(self._url)}/{name}"

    @contextmanager
    def _reached(self) -> Iterator[tuple[Any, str]]:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise StoreError(f"{self.url('')} needs fsspec: pip install 'relineage[store]'") from None
        try:
            system, root = url_to_fs(self._url)
            system.invalidate_cache()
            yield system, str(root).rstrip("/")
        except StoreError:
            raise
        except Exception as error:
            said = f"{self.url('')}: {type(error).__name__}"
            if any(secret in str(error) for secret in self._secrets()):
                raise StoreError(f"{said}; what it says has credentials in it") from None
            raise StoreError(f"{said}: {error}") from error

    def _secrets(self) -> set[str]:
        """Whatever is in the URL and not in what is told of it, as it is there and decoded."""
        whole, told = (set(_WORD.findall(one)) for one in (self._url, without_credentials(self._url)))
        return {form for word in whole - told for form in (word, unquote(word))}

    def there(self) -> bool:
        """Object stores have no folders: what nobody has put anything to yet is as empty as any other."""
        return True

    def find(self, name: str) -> Found | None:
        """One file."""
        with self._reached() as (system, root):
            try:
                known = system.info(f"{root}/{name}")
            except FileNotFoundError:
                return None
            if known["type"] != "file":
                return None
            return Found(name=name, bytes=known["size"], modified=_modified(system, known))

    def scan(self) -> Iterator[Found]:
        """All files below `objects`."""
        with self._reached() as (system, root):
            listed = system.find(f"{root}/{OBJECTS}", detail=True)
            found = [
                Found(
                    name=path.removeprefix(f"{root}/"),
                    bytes=known["size"],
                    modified=_modified(system, known),
                )
                for path, known in listed.items()
            ]
        yield from found

    @contextmanager
    def scratch(self, ending: str) -> Iterator[Path]:
        """A file on this machine."""
        with tempfile.TemporaryDirectory(prefix="relineage-") as folder:
            yield Path(folder) / f"object{ending}"

    def put(self, file: Path, name: str) -> None:
        """Put under another name, then move."""
        with self._reached() as (system, root):
            unfinished = f"{root}/{_UNFINISHED}/{uuid.uuid4().hex}"
            system.makedirs(f"{root}/{_UNFINISHED}", exist_ok=True)
            system.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            try:
                system.put_file(str(file), unfinished)
                system.mv(unfinished, f"{root}/{name}")
            finally:
                with suppress(FileNotFoundError):
                    system.rm_file(unfinished)

    def renew(self, name: str) -> bool:
        """Nothing that all file systems can do."""
        return False

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A copy that goes afterwards."""
        with self.scratch(ending_of(name)) as copy:
            with self._reached() as (system, root):
                system.get_file(f"{root}/{name}", str(copy))
            yield copy

    def remove(self, name: str, before: float) -> bool:
        """Look at its time once more, and remove it."""
        found = self.find(name)
        if found is None or found.modified >= before:
            return False
        with self._reached() as (system, root):
            system.rm_file(f"{root}/{name}")
        return True

    def sweep(self, before: float) -> None:
        """Old files in `tmp`."""
        with self._reached() as (system, root):
            for path, known in system.find(f"{root}/{_UNFINISHED}", detail=True).items():
                if _modified(system, known) < before:
                    system.rm_file(path)


def _found(name: str, state: os.stat_result) -> Found:
    return Found(name=name, bytes=state.st_size, modified=state.st_mtime)


def _modified(system: Any, known: dict[str, Any]) -> float:
    """Unix time; now where nobody says: what may be young is not removed."""
    value = next((known[key] for key in _MODIFIED if known.get(key) is not None), None)
    if value is None:
        with suppress(NotImplementedError):
            value = system.modified(known["name"])
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else time.time()
