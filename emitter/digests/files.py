"""Files and folders as bytes: BLAKE3 of a file, and the manifest of a folder.

Files are read in pieces of 2 MiB, the next one by a thread while the last one is hashed, and not mapped: a
mapped file that someone truncates meanwhile kills the process with SIGBUS, and reading is no slower
(docs/decisions/0007). A file or folder that changes while it is read is refused, because its digest would
belong to neither state. Links to files are followed, in a folder too: what counts is what a reader gets.
Formats are `formats`' part, what is remembered from one time to the next is `cache`'s.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .framing import THREADED_BYTES, cores, digest, frame, hasher, labelled, number
from .records import Refused

if TYPE_CHECKING:
    from .cache import DigestCache

Progress = Callable[[int, int], None]
"""Is told how many bytes of how many are done; from several threads, but one at a time."""

_PIECE_BYTES = 2 << 20
_FILES_A_TASK = 32


class State(NamedTuple):
    """By what a file is known to be as it was: `st_dev`, `st_ino`, bytes, and two instants in nanoseconds."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def state_of(path: Path) -> State:
    """The state of the regular file `path`, or of that which the link `path` leads to.

    Raises:
        Refused: there is none, or it may not be looked at.
    """
    return _state(path, _found(path))


def is_folder(path: Path) -> bool:
    """Whether the path, or what the link `path` leads to, is a folder.

    Raises:
        Refused: there is nothing, or it may not be looked at.
    """
    return stat.S_ISDIR(_found(path).st_mode)


@contextmanager
def unchanged(path: Path) -> Iterator[int]:
    """Give the size of the regular file `path`, and refuse on leaving if it is not as it was on entering."""
    before = state_of(path)
    yield before.size
    if state_of(path) != before:
        raise _changed(path)


def file_digest(
    path: Path, *, cache: DigestCache | None = None, progress: Progress | None = None
) -> tuple[str, int]:
    """`b3-bytes1` of a file's bytes, and its size in bytes.

    Args:
        path: of a file, or of a link to one.
        cache: what was digested before; None reads the file.
        progress: is told of what was read.

    Raises:
        Refused: it cannot be read, is no regular file, or changed meanwhile.
    """
    began = time.time_ns()
    state = state_of(path)
    raw = cache.bytes_digests([state]).get(state) if cache is not None else None
    if raw is None:
        raw = _bytes_of(str(path), state.size, _Told(progress, state.size))
        if state_of(path) != state:
            raise _changed(path)
        if cache is not None:
            cache.keep_bytes_digests({state: raw}, began)
    return labelled("b3-bytes1", raw), state.size


def folder_digest(
    folder: Path, *, cache: DigestCache | None = None, progress: Progress | None = None
) -> tuple[str, int]:
    """`b3-folder1` of a folder and the sum of its files' sizes in bytes; arguments and errors as below."""
    files = folder_manifest(folder, cache=cache, progress=progress)
    lines = [frame(name.encode()) + number(size) + raw for name, size, raw in files]
    root = digest("b3-folder1 manifest", number(len(lines)), *lines)
    return labelled("b3-folder1", root), sum(size for _, size, _ in files)


def folder_manifest(
    folder: Path, *, cache: DigestCache | None = None, progress: Progress | None = None
) -> list[tuple[str, int, bytes]]:
    """Relative path, size and BLAKE3 of each file below `folder`, sorted by the UTF-8 bytes of the path.

    Empty folders, modes and times are no part of it. Arguments as for `file_digest`.

    Raises:
        Refused: links to folders or to nothing, devices, unreadable files, names that are not UTF-8, changes
            meanwhile.
    """
    if cache is not None and cache.lies_in(folder):
        cache = None  # else keeping the digests would change what was digested
    began = time.time_ns()
    before = dict(_walk(folder))
    told = _Told(progress, sum(state.size for state in before.values()))
    known = cache.bytes_digests(before.values()) if cache is not None else {}
    told(sum(state.size for state in before.values() if state in known))
    missing = {state: f"{folder}/{name.decode()}" for name, state in before.items() if state not in known}
    made = _digests_of(missing, told)
    after = dict(_walk(folder))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            raise _changed(folder / name.decode())
    if cache is not None:
        cache.keep_bytes_digests(made, began)
    made.update(known)
    return [(name.decode(), state.size, made[state]) for name, state in sorted(before.items())]


def unreadable(path: Path | str, error: OSError) -> Refused:
    """That a file or folder cannot be read, and what to look at."""
    advice = "check the path" if isinstance(error, FileNotFoundError) else "check the path and its rights"
    return Refused(f"cannot be read ({error.strerror or error})", where=str(path), advice=advice)


class _Told:
    """Adds up what is done, for whoever wants to know, from any thread."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        if self._progress is not None:
            with self._lock:
                self._done += count
                self._progress(min(self._done, self._total), self._total)


def _walk(folder: Path) -> Iterator[tuple[bytes, State]]:
    """The files below a folder, in any order; folders may be nested deeper than calls."""
    folders = [(str(folder), b"")]
    while folders:
        path, prefix = folders.pop()
        try:
            with os.scandir(path) as found:
                entries = list(found)
        except OSError as error:
            raise unreadable(path, error) from None
        for entry in entries:
            path = entry.path
            try:
                name = prefix + entry.name.encode()
            except UnicodeEncodeError:
                raise Refused("a file name that is not UTF-8", where=repr(path), advice="rename it") from None
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append((path, name + b"/"))
                    continue
                state = entry.stat()
            except FileNotFoundError as error:
                if not entry.is_symlink():
                    raise unreadable(path, error) from None
                raise Refused("a link to nothing", where=path, advice="remove it") from None
            except OSError as error:
                raise unreadable(path, error) from None
            if stat.S_ISDIR(state.st_mode):
                raise Refused(
                    "a link to a folder", where=path, advice="replace it by the folder it points at"
                )
            yield name, _state(path, state)


def _found(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:  # a name that no file can have: with a null byte, or not to be encoded
        raise Refused(f"cannot be read ({error})", where=repr(str(path)), advice="check the path") from None


def _state(path: Path | str, found: os.stat_result) -> State:
    if not stat.S_ISREG(found.st_mode):
        raise Refused("no regular file", where=str(path), advice="name a file or a folder of files")
    return State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _digests_of(files: dict[State, str], told: _Told) -> dict[State, bytes]:
    """The digests of many files: of small ones several at once, of each large one with several threads."""
    items = list(files.items())
    small = [item for item in items if item[0].size < THREADED_BYTES]
    tasks = [small[i : i + _FILES_A_TASK] for i in range(0, len(small), _FILES_A_TASK)]

    def task(part: Sequence[tuple[State, str]]) -> list[tuple[State, bytes]]:
        # One buffer for all: memory that is new costs more than the reading.
        buffer = memoryview(bytearray(min(_PIECE_BYTES, max(state.size for state, _ in part) + 1)))
        return [(state, _bytes_of(path, state.size, told, buffer)) for state, path in part]

    made = [(one, _bytes_of(path, one.size, told)) for one, path in items if one.size >= THREADED_BYTES]
    if len(tasks) > 1 and cores() > 1:
        with ThreadPoolExecutor(cores()) as pool:
            for found in pool.map(task, tasks):
                made += found
    else:
        for part in tasks:
            made += task(part)
    return dict(made)


def _bytes_of(path: str, size: int, told: _Told, buffer: memoryview | None = None) -> bytes:
    state, seen = hasher(size=size), 0
    if buffer is None:
        buffer = memoryview(bytearray(min(_PIECE_BYTES, size + 1)))
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # no waiting, if it has become a pipe meanwhile
        try:
            # Closed before the file is: a thread may be reading from it.
            with closing((_ahead if size > _PIECE_BYTES else _in_turn)(file, buffer)) as pieces:
                for piece in pieces:
                    state.update(piece)
                    seen += len(piece)
                    told(len(piece))
        finally:
            os.close(file)
    except OSError as error:
        raise unreadable(path, error) from None
    if seen != size:
        raise _changed(path)
    return bytes(state.digest())


def _in_turn(file: int, buffer: memoryview) -> Generator[memoryview]:
    """The pieces of a file, each good until the next is asked for."""
    while count := os.readv(file, [buffer]):
        yield buffer[:count]


def _ahead(file: int, buffer: memoryview) -> Generator[memoryview]:
    """The pieces of a file, each read while the one before is used; it is good until the next is asked for."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    piece, following = buffer, memoryview(bytearray(len(buffer)))
    try:
        reader = ThreadPoolExecutor(1)
        coming = reader.submit(os.readv, file, [piece])
    except RuntimeError:  # no thread is to be had: too many, or the interpreter is ending
        yield from _in_turn(file, buffer)
        return
    with reader:
        while count := coming.result():
            coming = reader.submit(os.readv, file, [following])
            yield piece[:count]
            piece, following = following, piece


def _changed(path: Path | str) -> Refused:
    return Refused(
        "changed while it was read", where=str(path), advice="digest it when it is no longer written to"
    )
