"""Files and folders as bytes: BLAKE3 of a file, and the manifest of a folder.

Files are read in pieces of 4 MiB, not mapped: a mapped file that someone truncates meanwhile kills the
process with SIGBUS, and the quarter of the time that mapping saves is not worth a training job. A file or
folder that changes while it is read is refused, because its digest would belong to neither state. Links
inside a folder are refused: what they point at may lie outside and change on its own. Formats are
`content_of`'s part.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .framing import digest, frame, hasher, labelled, number
from .records import Refused

_PIECE_BYTES = 4 << 20
_Stat = tuple[int, int, int, int, int]


def file_digest(path: Path) -> tuple[str, int]:
    """`b3-bytes1` of a file's bytes, and its size in bytes.

    Raises:
        Refused: it cannot be read, is no regular file, or changed meanwhile.
    """
    with unchanged(path) as size:
        return labelled("b3-bytes1", _bytes_of(path, size)), size


@contextmanager
def unchanged(path: Path) -> Iterator[int]:
    """Give the size of the regular file `path`, and refuse on leaving if it is not as it was on entering."""
    before = _state(path)
    yield before[2]
    if _state(path) != before:
        raise _changed(path)


def folder_digest(folder: Path) -> tuple[str, int]:
    """`b3-folder1` of a folder and the sum of its files' sizes in bytes.

    The manifest has the relative path, size and digest of each file below `folder`, sorted by the UTF-8 bytes
    of the path. Empty folders, modes and times are no part of it.

    Raises:
        Refused: links, devices, unreadable files, names that are not UTF-8, changes meanwhile.
    """
    before = dict(_walk(folder, b""))
    lines = []
    for name in sorted(before):
        size = before[name][2]
        lines.append(frame(name) + number(size) + _bytes_of(folder / name.decode(), size))
    after = dict(_walk(folder, b""))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            raise _changed(folder / name.decode())
    root = digest("b3-folder1 manifest", number(len(lines)), *lines)
    return labelled("b3-folder1", root), sum(state[2] for state in before.values())


def _walk(folder: Path, prefix: bytes) -> Iterator[tuple[bytes, _Stat]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise _unreadable(folder, error) from None
    for entry in entries:
        path = Path(entry.path)
        try:
            name = prefix + entry.name.encode()
        except UnicodeEncodeError:
            raise Refused(
                "a file name that is not UTF-8", where=repr(entry.path), advice="rename it"
            ) from None
        if entry.is_symlink():
            raise Refused("a symbolic link", where=str(path), advice="replace it by what it points at")
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, name + b"/")
        else:
            yield name, _state(path)


def _state(path: Path) -> _Stat:
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise Refused("no regular file", where=str(path), advice="name a file or a folder of files")
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _bytes_of(path: Path, size: int) -> bytes:
    state = hasher(size=size)
    piece = memoryview(bytearray(min(size, _PIECE_BYTES) + 1))
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(piece):
                state.update(piece[:count])
    except OSError as error:
        raise _unreadable(path, error) from None
    return bytes(state.digest())


def _unreadable(path: Path, error: OSError) -> Refused:
    return Refused(
        f"cannot be read ({error.strerror or error})", where=str(path), advice="check the path and its rights"
    )


def _changed(path: Path) -> Refused:
    return Refused(
        "changed while it was read", where=str(path), advice="digest it when it is no longer written to"
    )
