"""Messages from files, folders and standard input (rule R9 of docs/data-model.md).

Decides what in a file is one message and what of a file is new: next byte and a fingerprint of its beginning are
kept with the rows. Leaves what a message means to ingest/.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import IO, Literal

from ..errors import SourceError
from ..ingest.batch import Batch, Message, Moved

SUFFIXES = {".json", ".jsonl", ".ndjson"}
BATCH_BYTES = 16 << 20
FINGERPRINT_BYTES = 1024

Pipe = Literal["-"]


@dataclass(frozen=True)
class Reached:
    """How far a file was read: next byte, and the fingerprint of what stood at its beginning then."""

    next_offset: int
    fingerprint: str | None


@dataclass(frozen=True)
class Unfinished:
    """A last line without its newline that is not whole JSON: it is left until the file goes on."""

    path: Path
    bytes: int


def expand(paths: Sequence[Path | Pipe]) -> list[Path | Pipe]:
    """Folders as the event files below them, sorted; files and `-` as they are.

    Raises:
        SourceError: One does not exist, or cannot be looked at.
    """
    result: list[Path | Pipe] = []
    for path in paths:
        if path == "-":
            result.append("-")
            continue
        try:
            if path.is_dir():
                result += sorted(
                    found for found in path.rglob("*") if found.suffix in SUFFIXES and found.is_file()
                )
                continue
            exists = path.exists()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
        if not exists:
            raise SourceError(
                f"{path} does not exist; name a file of events, a folder with some, or - for standard input"
            )
        result.append(path)
    return result


def new_bytes(paths: Sequence[Path | Pipe], reached: Callable[[str], Reached | None]) -> int:
    """About how much of these files was not read before."""
    total = 0
    for path in paths:
        if path != "-":
            before = reached(_source(path))
            size = path.stat().st_size
            total += size - before.next_offset if before and before.next_offset <= size else size
    return total


def batches(
    paths: Sequence[Path | Pipe],
    reached: Callable[[str], Reached | None],
    stdin: IO[bytes],
    unfinished: list[Unfinished],
) -> Iterator[Batch]:
    """What is new in these files, in batches of about 16 MB; small files share one.

    Args:
        paths: As `expand` gives them.
        reached: How far a source was read before.
        stdin: What `-` means.
        unfinished: Gets the last lines that were left.

    Raises:
        SourceError: A file cannot be read.
    """
    messages: list[Message] = []
    moved: dict[str, Moved] = {}
    size = 0
    for path in paths:
        for batch in _pieces(path, reached, stdin, unfinished):
            messages += batch.messages
            moved |= {m.source: m for m in batch.moved}
            size += batch.bytes
            if (
                size >= BATCH_BYTES or path == "-"
            ):  # who writes into a pipe may be slow, and is not kept waiting
                yield Batch(messages, list(moved.values()))
                messages, moved, size = [], {}, 0
    if messages or moved:
        yield Batch(messages, list(moved.values()))


def _pieces(
    path: Path | Pipe,
    reached: Callable[[str], Reached | None],
    stdin: IO[bytes],
    unfinished: list[Unfinished],
) -> Iterator[Batch]:
    if path == "-":
        for messages, _ in _lines(stdin, "stdin", 0, None):
            yield Batch(messages)
        return
    source = _source(path)
    try:
        with path.open("rb") as file:
            if not file.seekable():  # a named pipe
                for messages, _ in _lines(file, source, 0, None):
                    yield Batch(messages)
                return
            begin = _begin(file, reached(source))
            if path.suffix == ".json":
                yield from _document(file, source, begin)
                return
            for messages, end in _lines(file, source, begin, unfinished):
                yield Batch(
                    messages, [Moved(source=source, next_offset=end, fingerprint=_fingerprint(file, end))]
                )
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


def _source(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - symlinks are kept: the name is what people know it by


def _begin(file: IO[bytes], before: Reached | None) -> int:
    """The next byte to read: 0 for a file that is new, or that became another one."""
    if before is None or os.fstat(file.fileno()).st_size < before.next_offset:
        return 0
    return before.next_offset if _fingerprint(file, before.next_offset) == before.fingerprint else 0


def _fingerprint(file: IO[bytes], end: int) -> str:
    """Of the first KiB, or of what was read if that is less: a file that grows keeps it."""
    place = file.tell()
    file.seek(0)
    digest = sha256(file.read(min(FINGERPRINT_BYTES, end))).hexdigest()
    file.seek(place)
    return digest


def _document(file: IO[bytes], source: str, begin: int) -> Iterator[Batch]:
    """A whole file as one message; one that changed its length is another document."""
    if begin and begin == os.fstat(file.fileno()).st_size:
        return
    file.seek(0)
    body = file.read()
    if not body.strip():
        return  # nobody has written it yet
    moved = Moved(source=source, next_offset=len(body), fingerprint=_fingerprint(file, len(body)))
    yield Batch([Message(body=body, source=source, offset=0)], [moved])


def _lines(
    file: IO[bytes], source: str, begin: int, unfinished: list[Unfinished] | None
) -> Iterator[tuple[list[Message], int]]:
    """Messages of some 16 MB of lines, and the byte after them. A pipe has no `unfinished`: it ends for good."""
    if begin:
        file.seek(begin)
    rest = b""
    # A pipe gives what it has; a file all that is asked for.
    read = file.read1 if unfinished is None and isinstance(file, BufferedReader) else file.read
    while chunk := read(BATCH_BYTES):
        whole, newline, left = chunk.rpartition(b"\n")
        if not newline:
            rest += chunk
            continue
        text = rest + whole
        end = begin + len(text) + 1
        yield _messages(text, source, begin), end
        begin, rest = end, left
    if rest.strip():
        if unfinished is None or _is_json(rest):
            yield _messages(rest, source, begin), begin + len(rest)
        else:
            unfinished.append(Unfinished(Path(source), len(rest)))


def _messages(text: bytes, source: str, begin: int) -> list[Message]:
    messages = []
    for line in text.split(b"\n"):
        if body := line.strip():
            messages.append(Message(body=body, source=source, offset=begin))
        begin += len(line) + 1
    return messages


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
