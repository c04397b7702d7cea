"""A batch of messages, and what must be kept from the JSON parser.

Decides what is no JSON text that DuckDB may safely look at: nothing at all, no UTF-8, too large, nested too deeply
(some of DuckDB's JSON functions end the process on a depth bomb). These become dead letters here. An array of
messages is split into its elements, each with its own bytes. Leaves everything that needs JSON to parse.sql.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

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
MOVED = {
    "source": "string",
    "partition": "int32",
    "topic": "string",
    "next_offset": "int64",
    "fingerprint": "string",
}


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
        import pyarrow as pa

        letters = _table(self.messages).append_column("reason", pa.array([reason] * len(self.messages)))
        return Staged(_texts(_table([])), letters, self._moved())

    def staged(self) -> Staged:
        """The relations that parse.sql and merge.sql read."""
        import pyarrow.compute as pc

        messages = _split_arrays(self.messages)
        table = _table(messages)
        reasons = _reasons([message.body for message in messages])
        good = reasons.is_null()
        letters = table.append_column("reason", reasons).filter(pc.invert(good))
        return Staged(_texts(table.filter(good)), letters, self._moved())

    def _moved(self) -> pa.Table:
        import pyarrow as pa

        return pa.table(
            {name: pa.array([getattr(m, name) for m in self.moved], kind) for name, kind in MOVED.items()}
        )


@dataclass(frozen=True)
class Staged:
    """Arrow tables: `message`, `letter` and `moved`."""

    message: pa.Table
    letter: pa.Table
    moved: pa.Table


def _table(messages: Sequence[Message]) -> pa.Table:
    import pyarrow as pa

    columns = {name: pa.array([getattr(m, name) for m in messages], kind) for name, kind in MESSAGE.items()}
    digests = [sha256(m.body or b"").hexdigest()[:32] for m in messages]
    return pa.table({**columns, "digest": pa.array(digests, "string")})


def _texts(table: pa.Table) -> pa.Table:
    """The same with bodies as text; they are known to be UTF-8."""
    return table.set_column(table.column_names.index("body"), "body", table["body"].cast("string"))


def _reasons(bodies: Sequence[bytes | None]) -> pa.Array:
    """Why each body is kept from the JSON parser; null where it is not."""
    import pyarrow as pa

    reasons = [_reason(body) for body in bodies]
    try:
        pa.array(bodies, "binary").cast("string")
    except pa.ArrowInvalid:
        for i, body in enumerate(bodies):
            try:
                (body or b"").decode()
            except UnicodeDecodeError as error:
                reasons[i] = f"not UTF-8 at byte {error.start}"
    return pa.array(reasons, "string")


def _reason(body: bytes | None) -> str | None:
    if not body or body.isspace():
        return "no value"
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
