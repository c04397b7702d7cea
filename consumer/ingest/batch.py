"""A batch of messages, and what must be kept from the JSON parser.

Decides what is no JSON text that DuckDB may safely look at: nothing at all, no UTF-8, too large, nested too deeply
(some of DuckDB's JSON functions end the process on a depth bomb). These become dead letters here. An array of
messages is split into its elements, each with its own bytes. Leaves everything that needs JSON to parse.sql.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # else a tenth of a second for each question, where nothing is new
    import numpy as np
    import pyarrow as pa

MAX_BYTES = 32 << 20
MAX_DEPTH = 200

# Strings of a JSON text, also one that does not end: possessive, so that nothing is tried twice.
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# Of a text without escapes and most characters, see `_depth`.
MARKED_STRING = re.compile(rb'"[^"]*"?')
BESIDE_MARKS = bytes(set(range(256)) - set(b'"[]{}'))
BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r\n"

MESSAGE = {
    "source": "string",
    "topic": "string",
    "partition": "int32",
    "offset": "int64",
    "body": "binary",
}
TEXT = {**MESSAGE, "body": "string"}  # of what is known to be UTF-8
MOVED = {
    "source": "string",
    "partition": "int32",
    "topic": "string",
    "next_offset": "int64",
    "fingerprint": "string",
}
NUMBERS = {"int32": "i", "int64": "q"}


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Where to go on reading a source once a batch is stored.

    Attributes:
        source: Kafka cluster and topic id, or the absolute path of a file.
        next_offset: Next Kafka offset, or next byte of the file.
        partition: Kafka partition; 0 for files.
        topic: Kafka topic, for people.
        fingerprint: SHA-256 of a file's first KiB.
    """

    source: str
    next_offset: int
    partition: int = 0
    topic: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as it came.

    Attributes:
        body: The bytes; None for a Kafka record without a value.
        source: As in `Moved`.
        offset: Kafka offset, or the byte in the file where it begins.
    """

    body: bytes | None
    source: str
    offset: int
    topic: str | None = None
    partition: int | None = None


@dataclass(frozen=True)
class Batch:
    """Messages to be stored in one transaction, and the offsets that are then reached."""

    messages: Sequence[Message]
    moved: Sequence[Moved] = ()

    @property
    def bytes(self) -> int:
        """Size of all bodies."""
        return sum(len(message.body or b"") for message in self.messages)

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches; only the second moves the offsets."""
        middle = len(self.messages) // 2
        return Batch(self.messages[:middle]), Batch(self.messages[middle:], self.moved)

    def as_letter(self, reason: str) -> Staged:
        """The messages of this batch as dead letters."""
        return Staged(_table([], TEXT), _letters(self.messages, [reason] * len(self.messages)), self._moved())

    def staged(self) -> Staged:
        """The relations that parse.sql and merge.sql read."""
        messages = _split_arrays(self.messages)
        reasons = [_reason(message.body) for message in messages]
        good = [message for message, reason in zip(messages, reasons, strict=True) if reason is None]
        bad = [message for message, reason in zip(messages, reasons, strict=True) if reason is not None]
        return Staged(
            _table(good, TEXT), _letters(bad, [reason for reason in reasons if reason]), self._moved()
        )

    def _moved(self) -> pa.Table:
        return _columns(
            {name: (kind, [getattr(m, name) for m in self.moved]) for name, kind in MOVED.items()}
        )


@dataclass(frozen=True)
class Staged:
    """Arrow tables: `message`, `letter` and `moved`."""

    message: pa.Table
    letter: pa.Table
    moved: pa.Table


def _table(messages: Sequence[Message], kind: Mapping[str, str], **more: list[str]) -> pa.Table:
    columns: dict[str, tuple[str, list[Any]]] = {
        name: (one, [getattr(m, name) for m in messages]) for name, one in kind.items()
    }
    columns["digest"] = ("string", [sha256(m.body or b"").hexdigest()[:32] for m in messages])
    return _columns(columns | {name: ("string", values) for name, values in more.items()})


def _letters(messages: Sequence[Message], reasons: list[str]) -> pa.Table:
    return _table(messages, MESSAGE, reason=reasons)


def _columns(columns: Mapping[str, tuple[str, list[Any]]]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: _column(*column) for name, column in columns.items()})


def _column(kind: str, values: list[Any]) -> pa.Array:
    """What `pyarrow.array` gives; that one imports pandas first, which takes as long as a small question.

    Raises:
        OverflowError: texts of more than 2 GiB, or a number beyond its type.
    """
    import pyarrow as pa

    known = "".join("0" if value is None else "1" for value in reversed(values))
    valid = None if "0" not in known else int(known, 2).to_bytes(-(-len(known) // 8), "little")
    buffers = [None if valid is None else pa.py_buffer(valid)]
    if kind in NUMBERS:
        buffers.append(pa.py_buffer(array(NUMBERS[kind], [value or 0 for value in values])))
    else:
        pieces = [value.encode() if isinstance(value, str) else value or b"" for value in values]
        buffers.append(pa.py_buffer(array("i", accumulate(map(len, pieces), initial=0))))
        buffers.append(pa.py_buffer(b"".join(pieces)))
    return pa.Array.from_buffers(pa.type_for_alias(kind), len(values), buffers)


def _reason(body: bytes | None) -> str | None:
    if not body or body.isspace():
        return "no value"
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            return f"not UTF-8 at byte {error.start}"
    if len(body) > MAX_BYTES:
        return f"larger than {MAX_BYTES >> 20} MB"
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and (depth := _depth(body)) > MAX_DEPTH:
        return f"nested {depth} deep, more than {MAX_DEPTH}"
    return None


def _depth(body: bytes) -> int:
    """How deep a JSON text is nested; brackets within its strings do not count."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # What is left of a string without brackets is two quotes.
    marks = body.translate(None, BESIDE_MARKS).replace(b'""', b"")
    return int(_depths(MARKED_STRING.sub(b"", marks)).max(initial=0))


def _depths(text: bytes) -> np.ndarray:
    """How deep in brackets each byte of a JSON text without strings stands; an opening bracket counts itself."""
    import numpy as np

    byte = np.frombuffer(text, np.uint8)
    opens = (byte == ord("[")) | (byte == ord("{"))
    closes = (byte == ord("]")) | (byte == ord("}"))
    return np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32)


def _split_arrays(messages: Sequence[Message]) -> list[Message]:
    """Each message that is a JSON array as its elements."""
    result: list[Message] = []
    for message in messages:
        body = message.body
        if body and body[:1] != b"{" and (elements := _elements(body)) is not None:
            result.extend(
                Message(
                    body=element,
                    source=message.source,
                    offset=message.offset,
                    topic=message.topic,
                    partition=message.partition,
                )
                for element in elements
            )
        else:
            result.append(message)
    return result


def _elements(body: bytes) -> list[bytes] | None:
    """The elements of a JSON array as they stand there; None where it is no array, or not a whole one."""
    text = body.removeprefix(BOM).strip(SPACE)
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return None
    import numpy as np

    plain = STRING.sub(lambda string: b" " * len(string[0]), text)
    depths = _depths(plain)
    if depths[-1] != 0 or (depths[:-1] < 1).any():
        return None
    commas = np.flatnonzero((np.frombuffer(plain, np.uint8) == ord(",")) & (depths == 1)).tolist()
    bounds = zip([0, *commas], [*commas, len(text) - 1], strict=True)
    elements = [text[begin + 1 : end].strip(SPACE) for begin, end in bounds]
    return elements if elements[-1] else elements[:-1]  # DuckDB's reader allows a comma after the last one
