"""The rows of a table as a multiset: the digest that neither order nor partitions change.

Each row is expanded to 1,024 numbers of 16 bits, and these are added up (LtHash16-1024: Bellare and Micciancio
1997, "A new paradigm for collision-free hashing: incrementality at reduced cost"; Lewi, Kim, Maykov and Weis
2019, "Securing update propagation with homomorphic hashing"), but not reduced modulo 65,536 as there: a row that
occurs 65,536 times would leave no trace. The sums are the *state*: states of parts add up to the state of the
whole, and rows can be taken away again. The bytes of a row are `cells`' part, the rows that two tables share are
`overlap`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from .cells import encoded_rows
from .framing import digest, hasher, labelled, number
from .records import Refused
from .tables import table_digest, to_arrow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_LABEL = b"b3-rows1"
_LANES = 1024
_EXPANDED_BYTES = 2 * _LANES
_SUMS_BYTES = 8 * _LANES
_STATE_BYTES = len(_LABEL) + 32 + 8 + _SUMS_BYTES
_MOST_ROWS = (1 << 48) - 1  # whose sums still fit into 64 bits
SAME_COLUMNS = (
    "give both the same column names and types; the index of a pandas frame is a column too, unless it is the default "
    "one: frame.reset_index(drop=True)"
)
_PIECE_ROWS = 64  # their 128 kB of expanded rows stay in a core's cache


@dataclass(frozen=True, kw_only=True)
class RowsState:
    """The sums over a multiset of rows, 8 kB whatever their number; `+` and `-` add and take away rows.

    Attributes:
        schema: The 32 bytes of the `b3-schema1` digest that the rows have in common.
        rows: How many rows, duplicates counted; below 2^48.
        sums: 8,192 bytes: 1,024 sums, each eight bytes, little-endian.
    """

    schema: bytes
    rows: int
    sums: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what no rows can give."""
        if len(self.schema) != 32 or len(self.sums) != _SUMS_BYTES or not 0 <= self.rows <= _MOST_ROWS:
            raise Refused(
                f"{len(self.schema)} bytes of schema, {self.rows} rows, {len(self.sums)} bytes of sums",
                where="state of rows",
                advice=f"32 bytes, 0 to {_MOST_ROWS} rows and {_SUMS_BYTES} bytes belong there",
            )
        if self._numbers().max() > 65_535 * self.rows:
            raise Refused(
                f"sums that {self.rows} rows cannot have",
                where="state of rows",
                advice="take away only rows that are there",
            )

    @classmethod
    def without_rows(cls, schema: str) -> RowsState:
        """The state of no rows, for a `b3-schema1:…` digest."""
        return cls(schema=_raw(schema), rows=0, sums=bytes(_SUMS_BYTES))

    @property
    def digest(self) -> str:
        """The `b3-rows1` digest."""
        return labelled("b3-rows1", digest("b3-rows1 root", self.schema, number(self.rows), self.sums))

    def __add__(self, other: RowsState) -> RowsState:
        """All rows of both, as if their tables were one below the other.

        Raises:
            Refused: the schemas differ.
        """
        if not isinstance(other, RowsState):
            return NotImplemented
        self._check(other)
        sums = self._numbers() + other._numbers()
        return RowsState(schema=self.schema, rows=self.rows + other.rows, sums=sums.tobytes())

    def __sub__(self, other: RowsState) -> RowsState:
        """What remains without the rows of `other`.

        Whether those rows are there cannot be seen for certain. If some are not, what remains is the state of no
        table, until they are added again.

        Raises:
            Refused: the schemas differ; more rows are taken away than there are; sums remain that the remaining
            number of rows cannot have.
        """
        if not isinstance(other, RowsState):
            return NotImplemented
        self._check(other)
        if other.rows > self.rows:
            raise Refused(
                f"{other.rows} rows cannot be taken away from {self.rows}",
                where="state of rows",
                advice="take away only rows that are there",
            )
        sums = self._numbers() - other._numbers()  # below zero they wrap, to more than any rows can have
        return RowsState(schema=self.schema, rows=self.rows - other.rows, sums=sums.tobytes())

    def to_bytes(self) -> bytes:
        """8,240 bytes: the label `b3-rows1`, then what the digest is over (schema, rows, sums)."""
        return _LABEL + self.schema + number(self.rows) + self.sums

    @classmethod
    def from_bytes(cls, data: bytes) -> RowsState:
        """The state that `to_bytes` wrote.

        Raises:
            Refused: other bytes, or the state of another version.
        """
        if len(data) != _STATE_BYTES or not data.startswith(_LABEL):
            raise Refused(
                f"{len(data)} bytes that begin with {data[:8]!r} are no state of this version",
                where="state of rows",
                advice=f"{_STATE_BYTES} bytes that begin with {_LABEL!r} belong there",
            )
        return cls(schema=data[8:40], rows=int.from_bytes(data[40:48], "little"), sums=data[48:])

    def _numbers(self) -> np.ndarray:
        import numpy as np

        return np.frombuffer(self.sums, "<u8")

    def _check(self, other: RowsState) -> None:
        if self.schema != other.schema:
            raise Refused(
                f"the schemas differ: {self.schema.hex()[:12]}… and {other.schema.hex()[:12]}…",
                where="state of rows",
                advice=SAME_COLUMNS,
            )


def rows_state(data: object) -> RowsState:
    """The state of the rows of a frame, series, Arrow table or batch, or list of texts.

    Partitions are digested where they are, and their states added.

    Raises:
        Refused: no table, or one with a column whose type the specification does not cover.
    """
    import numpy as np

    table, schema = _ordered(data)
    sums = np.zeros(_LANES, "<u8")
    for expanded in _expanded(table, schema, _EXPANDED_BYTES):
        lanes = np.frombuffer(b"".join(expanded), "<u2").reshape(-1, _LANES)
        sums += lanes.astype("<u4").sum(axis=0, dtype="<u4")  # faster than widening while adding
    return RowsState(schema=schema, rows=table.num_rows, sums=sums.tobytes())


def row_digests(data: object) -> tuple[bytes, np.ndarray]:
    """The 32 bytes of `b3-schema1`, and 32 bytes a row, in the rows' order, as an array (rows, 32) of uint8.

    Two rows have the same digest if, and only if (BLAKE3 having no collisions), values and schemas are the same.

    Raises:
        Refused: as `rows_state`.
    """
    import numpy as np

    table, schema = _ordered(data)
    found = [b"".join(expanded) for expanded in _expanded(table, schema, 32)]
    return schema, np.frombuffer(b"".join(found), np.uint8).reshape(table.num_rows, 32)


def _ordered(data: object) -> tuple[pa.Table, bytes]:
    """The table with its columns in the order of their names' bytes, and the 32 bytes of its schema digest."""
    table = to_arrow(data)
    schema = _raw(table_digest(table.slice(0, 0)).schema)
    names = [name.encode() for name in table.schema.names]
    return table.select(sorted(range(len(names)), key=names.__getitem__)), schema


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.partition(":")[2])


def _expanded(table: pa.Table, schema: bytes, length: int) -> Iterator[list[bytes]]:
    """`length` bytes of BLAKE3's output a row, for at most 64 rows at a time.

    The only work that is done row by row in Python, and nine tenths of the whole. Taking one hasher back to its
    beginning costs a fifth of what a new one costs.
    """
    state = hasher("b3-rows1 row")
    reset, update, output = state.reset, state.update, state.digest
    for raw, bounds in encoded_rows(table, schema):
        for first in range(0, len(bounds) - 1, _PIECE_ROWS):
            found = []
            for start, end in pairwise(bounds[first : first + _PIECE_ROWS + 1]):
                reset()
                update(raw[start:end])
                found.append(output(length))
            yield found
