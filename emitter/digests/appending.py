"""The table digest, of a table that comes in parts: whole leaves are kept, rows since the last one are not hashed yet.

Decides how the columns' leaves are bound into one table, and how the digest of an older version goes on with
the rows that were appended to it: only these, and those behind its last whole leaf, are read. What a leaf is,
is `columns`' part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from .columns import LEAF_BYTES, LEAF_ROWS, bytes_of, descriptor, plain_array
from .framing import (
    DISTINCTIVE_BYTES,
    THREADED_BYTES,
    cores,
    digest,
    frame,
    labelled,
    merkle_root,
    number,
    utf8,
)
from .leaves import cut, is_constant, leaf_head, leaves
from .records import Column, Refused, TableDigest

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNKS_JOINED = 64
_CHUNK_ROWS = 1024  # of a repeated row: however long it is, not a leaf of copies
_LEAVES_A_TASK = 16  # a million rows: enough that handing them to a thread costs nothing


class TableState:
    """What is known of a table while its rows come in: the digest is that of all rows at once.

    Args:
        schema: of the first rows; those that follow may be encoded otherwise, but not be of other types.
        nan_is_null: positions of the float columns whose NaN stands for the missing value.

    Raises:
        Refused: a column whose type the specification does not cover.
    """

    def __init__(self, schema: pa.Schema, *, nan_is_null: Collection[int] = ()) -> None:
        self.rows = 0
        self._schema = schema
        self._columns = [_Column(field, i in nan_is_null) for i, field in enumerate(schema)]
        self._varies = False

    def append(self, table: pa.Table, *, threads: int | None = None) -> None:
        """Add rows below the others. They are held on to until their leaf is whole, small parts as copies.

        Args:
            table: with the columns of the schema, in its order.
            threads: how many hash at once; by default all cores if there are 16 MiB or more, else one.

        Raises:
            Refused: another column or type.
        """
        self._check(table.schema)
        if table.num_rows == 0:
            return
        if not self._varies:
            self._varies = any(
                one.varies_with(data) for one, data in zip(self._columns, table.columns, strict=True)
            )
        waiting = self.rows % LEAF_ROWS
        self.rows += table.num_rows
        if waiting + table.num_rows < LEAF_ROWS:  # however small the parts are, each row is cut once
            for one, data in zip(self._columns, table.columns, strict=True):
                one.wait(data.chunks)
            return
        tasks: list[_Task] = []
        for one, data in zip(self._columns, table.columns, strict=True):
            pieces = cut([*one.pending, *data.chunks], leaves=_LEAVES_A_TASK)
            one.pending, one.joined = (pieces.pop() if self.rows % LEAF_ROWS else []), 0
            tasks += [(one, some) for some in _portions(pieces)]
        made = _spread(tasks, threads_for(table) if threads is None else threads)
        for (one, _), (whole, size) in zip(tasks, made, strict=True):
            one.leaves += whole
            one.bytes += size

    def digest(self, *, threads: int = 1) -> TableDigest:
        """The digest of the rows so far; more may be appended afterwards."""
        columns, size = [], 0
        if threads > 1 and sum(bytes_of(a) for one in self._columns for a in one.pending) < THREADED_BYTES:
            threads = 1
        last = _spread([(one, [one.pending] if one.pending else []) for one in self._columns], threads)
        for one, (partial, last_size) in zip(self._columns, last, strict=True):
            columns.append(column(one.name, one.type, bytes(one.leaves) + partial))
            size += one.bytes + last_size
        return bound(columns, rows=self.rows, size=size, varies=self._varies)

    def _check(self, schema: pa.Schema) -> None:
        if schema.equals(self._schema):
            return
        mine = [(one.name, one.type) for one in self._columns]
        others = [(field.name, descriptor(field.type, where=f"column {field.name!r}")) for field in schema]
        if mine != others:
            raise Refused(
                f"rows of the columns {others} below rows of the columns {mine}",
                advice="append rows of the same names and types in the same order",
            )


class _Column:
    """One column of a `TableState`."""

    def __init__(self, field: pa.Field, nan_is_null: bool) -> None:
        self.name = field.name
        self.nan_is_null = nan_is_null
        self.where = f"column {field.name!r}"
        self.type = descriptor(field.type, where=self.where)
        self.head = leaf_head(field.type, where=self.where)
        utf8(self.name, where=self.where)
        self.leaves = bytearray()
        self.bytes = 0
        self.pending: list[pa.Array] = []
        self.joined = 0  # how many of them are not to be joined again
        self.first: bytes | None = None  # the leaf of the first row alone

    def convertible(self) -> _Convertible:
        """Refuse what Arrow cannot convert: an old one lacks some conversions of new types."""
        return _Convertible(self)

    def leaves_of(self, pieces: Sequence[Sequence[pa.Array]]) -> tuple[bytes, int]:
        """The leaves of whole pieces, and the bytes of their values."""
        with self.convertible():
            return leaves(self.head, pieces, nan_is_null=self.nan_is_null)

    def wait(self, chunks: Sequence[pa.Array]) -> None:
        """Keep rows for later; of small chunks each 64 become one, so that none of the batches is held on to."""
        self.pending += [chunk for chunk in chunks if len(chunk)]
        if len(self.pending) - self.joined < _CHUNKS_JOINED:
            return
        import pyarrow as pa

        with self.convertible():
            small = [plain_array(chunk) for chunk in self.pending[self.joined :]]
        with suppress(pa.ArrowException):  # chunks of several encodings stay as they are
            self.pending[self.joined :] = [pa.concat_arrays(small)]
        self.joined = len(self.pending)

    def varies_with(self, data: pa.ChunkedArray) -> bool:
        """Whether some row of `data` is another than the first of this column."""
        if self.first is not None and self.first != self._first_of(data):
            return True
        with self.convertible():
            if not is_constant(self.head, data.chunks, nan_is_null=self.nan_is_null):
                return True
        self.first = self._first_of(data)
        return False

    def _first_of(self, data: pa.ChunkedArray) -> bytes:
        return self.leaves_of([data.slice(0, 1).chunks])[0]


class _Convertible:
    """Not by `contextlib`: small tables enter several of these a column."""

    def __init__(self, column: _Column) -> None:
        self._column = column

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            import pyarrow as pa

            if isinstance(error, pa.ArrowException):
                one = self._column
                raise Refused(f"{one.type}: {error}", where=one.where, advice="cast the column") from error


_Task = tuple[_Column, Sequence[Sequence["pa.Array"]]]


def threads_for(table: pa.Table) -> int:
    """All cores if there are 16 MiB or more, else one."""
    return cores() if table.get_total_buffer_size() >= THREADED_BYTES else 1


def _portions(pieces: Sequence[Sequence[pa.Array]]) -> Iterator[list[Sequence[pa.Array]]]:
    """The pieces in portions worth a task of their own."""
    portion: list[Sequence[pa.Array]] = []
    rows = 0
    for piece in pieces:
        portion.append(piece)
        rows += sum(map(len, piece))
        if rows >= _LEAVES_A_TASK * LEAF_ROWS:
            yield portion
            portion, rows = [], 0
    if portion:
        yield portion


def _spread(tasks: Sequence[_Task], threads: int) -> list[tuple[bytes, int]]:
    """The leaves of each task's pieces; BLAKE3 works without holding Python's lock."""
    if threads == 1:
        return [one.leaves_of(pieces) for one, pieces in tasks]
    made = [(b"", 0)] * len(tasks)
    waiting = iter(enumerate(tasks))

    def work() -> None:
        for i, (one, pieces) in waiting:
            made[i] = one.leaves_of(pieces)

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
    for other in others:
        other.result()
    return made


def column(name: str, type_: str, leaves: bytes) -> Column:
    """A column with the root over its leaves."""
    entries = [leaves[i : i + LEAF_BYTES] for i in range(0, len(leaves), LEAF_BYTES)]
    return Column(name=name, type=type_, digest=labelled("b3-column1", merkle_root(entries)), leaves=leaves)


def bound(columns: Sequence[Column], *, rows: int, size: int, varies: bool) -> TableDigest:
    """The digests of the table that has these columns."""
    seen: Counter[bytes] = Counter()
    entries: list[tuple[bytes, int, bytes, bytes]] = []
    for one in columns:
        name = utf8(one.name, where=f"column {one.name!r}")
        kind = frame(one.type.encode())
        entries.append((name, seen[name], kind, bytes.fromhex(one.digest.partition(":")[2])))
        seen[name] += 1
    entries.sort(key=lambda entry: entry[:2])
    signatures = [frame(name) + number(ordinal) + kind for name, ordinal, kind, _ in entries]
    roots = [entry[3] for entry in entries]
    head = number(rows) + number(len(entries))
    whole = [piece for pair in zip(signatures, roots, strict=True) for piece in pair]
    return TableDigest(
        digest=labelled("b3-table1", digest("b3-table1 root", head, *whole)),
        schema=labelled("b3-schema1", digest("b3-table1 schema", number(len(entries)), *signatures)),
        values=labelled("b3-values1", digest("b3-table1 values", head, *sorted(roots))),
        rows=rows,
        bytes=size,
        columns=tuple(columns),
        distinctive=size >= DISTINCTIVE_BYTES and varies,
    )


def first_row_of_tail(rows: int) -> int:
    """From which row on a table of so many rows has to be read again when rows are appended to it."""
    return rows // LEAF_ROWS * LEAF_ROWS


def extended(kept: TableDigest, tail: pa.Table, *, threads: int | None = None) -> TableDigest:
    """The digest of a table that grew, from that of an older version and its tail: the head is not read.

    The caller vouches that the rows before the tail are those of the older version. The older rows that the
    tail repeats are compared with what was kept of them.

    Args:
        kept: of the older version, with its leaves.
        tail: all rows from `first_row_of_tail(kept.rows)` on, older ones first.
        threads: as in `TableState.append`.

    Raises:
        Refused: leaves are missing, other columns or types, fewer rows than before, or other older rows.
    """
    whole, again = divmod(kept.rows, LEAF_ROWS)
    by_name = {one.name: one for one in kept.columns}
    state = TableState(tail.schema)
    names = [one.name for one in state._columns]
    if len(by_name) < len(kept.columns) or set(names) != by_name.keys() or len(names) != len(by_name):
        raise Refused("other columns than before, or two of one name", advice="digest the whole table")
    repeated = TableState(tail.schema)
    repeated.append(tail.slice(0, again), threads=threads)
    old_end = repeated.digest()
    for now, partial in zip(state._columns, old_end.columns, strict=True):
        before = by_name[now.name]
        if len(before.leaves) != LEAF_BYTES * (whole + (again > 0)):
            raise Refused("no leaves are kept", where=now.where, advice="digest the whole table")
        if now.type != before.type:
            raise Refused(f"{now.type} was {before.type}", where=now.where, advice="digest the whole table")
        if again and before.leaves[-LEAF_BYTES:] != partial.leaves:
            raise Refused(
                f"rows from {whole * LEAF_ROWS} on are not those that were digested",
                where=now.where,
                advice="digest the whole table",
            )
        now.leaves += before.leaves[: whole * LEAF_BYTES]
    state.append(tail, threads=threads)
    state.rows += whole * LEAF_ROWS
    made = state.digest()
    return bound(
        made.columns,
        rows=state.rows,
        size=made.bytes + kept.bytes - old_end.bytes,
        varies=kept.distinctive or state._varies or (whole > 0 and not _goes_on(by_name, tail)),
    )


def _goes_on(kept: dict[str, Column], tail: pa.Table) -> bool:
    """Whether a constant head has the same values as a constant tail: the leaf of the tail's first row, repeated."""
    if tail.num_rows == 0:
        return True
    for field, data in zip(tail.schema, tail.columns, strict=True):
        one = _Column(field, nan_is_null=False)
        with one.convertible():
            (first,) = (plain_array(chunk) for chunk in data.slice(0, 1).chunks if len(chunk))
            repeated = [first.take([0] * _CHUNK_ROWS)] * (LEAF_ROWS // _CHUNK_ROWS)
        if one.leaves_of([repeated])[0] != kept[field.name].leaves[:LEAF_BYTES]:
            return False
    return True
