"""Which rows two tables share, told exactly from the digests of their rows.

Decides the object in which row digests are kept (sorted, so that two of them are compared in one pass over both)
and what sharing means when rows occur more than once. What a row digest is, is `rows`' part; where objects lie is
the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .formats import readable
from .framing import labelled
from .records import Refused
from .rows import SAME_COLUMNS, row_digests

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    _Batch = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]  # digests (S32), ascending; how often each

_BATCH_ROWS = 65_536
_VERSION = "b3-rows1"  # the key of the metadata that holds the digest of the schema
_ADVICE = "write it with write_row_digests"


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What two multisets of rows have in common; all numbers count rows, duplicates included.

    Attributes:
        left: Rows on the left.
        right: Rows on the right.
        common: Rows of the intersection: what occurs m times on the left and n on the right is in it min(m, n) times.
        left_found: Rows of the left whose like occurs on the right, however often.
        right_found: Rows of the right whose like occurs on the left.
        distinct: Different rows that occur on both sides.
    """

    left: int
    right: int
    common: int
    left_found: int
    right_found: int
    distinct: int

    @property
    def left_share(self) -> float | None:
        """Share of the left's rows that occur on the right; None without rows."""
        return self.left_found / self.left if self.left else None

    @property
    def right_share(self) -> float | None:
        """Share of the right's rows that occur on the left; None without rows."""
        return self.right_found / self.right if self.right else None


def write_row_digests(data: object, path: Path) -> None:
    """Write the row digests of a table as Parquet: `digest` (32 bytes), ascending, and `count` (uint64), how often.

    The digest of the schema is in the file's metadata, under `b3-rows1`. The same rows give the same bytes with one
    version of pyarrow, and the same content with another. Memory: about 150 bytes a row.

    Raises:
        Refused: as `rows.rows_state`.
        OSError: the file cannot be written; its folder is not made.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, (digests, counts) = _sorted(data)
    column = pa.Array.from_buffers(pa.binary(32), len(digests), [None, pa.py_buffer(digests)])
    with pq.ParquetWriter(
        path,
        _fields(),
        compression="none",  # digests have no pattern
        use_dictionary=["count"],  # which are mostly 1
        store_schema=False,
    ) as file:
        file.add_key_value_metadata({_VERSION: schema})
        file.write_table(pa.table([column, counts], schema=_fields()), row_group_size=_BATCH_ROWS)


def overlap(left: object, right: object) -> Overlap:
    """The exact overlap of two tables, or files of `write_row_digests`, or one of each.

    Files are read in batches of 65,536 digests, whatever their size; of a table all digests are held, 40 bytes a row.

    Raises:
        Refused: the schemas differ; a file is none of ours; a table as in `rows.rows_state`.
    """
    import numpy as np

    with ExitStack() as files:
        left_schema, left_batches = _opened(left, files)
        right_schema, right_batches = _opened(right, files)
        if left_schema != right_schema:
            raise Refused(
                f"the schemas differ: {left_schema} and {right_schema}",
                where="row digests",
                advice=SAME_COLUMNS,
            )
        a, b = _Side(left_batches), _Side(right_batches)
        common = left_found = right_found = distinct = 0
        while a.more() and b.more():
            limit = min(a.last(), b.last())
            (ours, times), (theirs, others) = a.take(limit), b.take(limit)
            _, i, j = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
            common += int(np.minimum(times[i], others[j]).sum())
            left_found += int(times[i].sum())
            right_found += int(others[j].sum())
            distinct += len(i)
        return Overlap(
            left=a.total(),
            right=b.total(),
            common=common,
            left_found=left_found,
            right_found=right_found,
            distinct=distinct,
        )


class _Side:
    """Batches of one side, taken piece by piece in ascending order."""

    def __init__(self, batches: Iterator[_Batch]) -> None:
        self._batches = batches
        self._batch: _Batch | None = None
        self._rows = 0

    def more(self) -> bool:
        """Whether something is left, which is then at hand."""
        while self._batch is None or len(self._batch[0]) == 0:
            self._batch = next(self._batches, None)
            if self._batch is None:
                return False
            self._rows += int(self._batch[1].sum())
        return True

    def last(self) -> bytes:
        assert self._batch is not None
        return bytes(self._batch[0][-1])

    def take(self, limit: bytes) -> _Batch:
        """What is at hand up to and including `limit`."""
        assert self._batch is not None
        digests, counts = self._batch
        end = int(digests.searchsorted(limit, side="right"))
        self._batch = digests[end:], counts[end:]
        return digests[:end], counts[:end]

    def total(self) -> int:
        """All rows, after the rest is read."""
        self._rows += sum(int(counts.sum()) for _, counts in self._batches)
        return self._rows


def _sorted(data: object) -> tuple[str, _Batch]:
    """The digest of the schema; the different row digests of a table, ascending; how often each occurs.

    numpy ignores zeros at the end of a text of bytes; since all have 32, that changes neither order nor equality.
    """
    import numpy as np

    schema, digests = row_digests(data)
    keys, counts = np.unique(digests.reshape(-1).view("S32"), return_counts=True)
    return labelled("b3-schema1", schema), (keys, counts.astype(np.uint64))


def _opened(data: object, files: ExitStack) -> tuple[str, Iterator[_Batch]]:
    import pyarrow.parquet as pq

    if not isinstance(data, Path):
        schema, batch = _sorted(data)
        return schema, iter([batch])
    with readable(data):
        file = files.enter_context(pq.ParquetFile(data))
    found: bytes | None = (file.metadata.metadata or {}).get(_VERSION.encode())
    if found is None or not file.schema_arrow.equals(_fields()):
        raise Refused("no file of row digests of this version", where=str(data), advice=_ADVICE)
    return found.decode(), _read(file, data)


def _fields() -> pa.Schema:
    import pyarrow as pa

    digest = pa.field("digest", pa.binary(32), nullable=False)
    return pa.schema([digest, pa.field("count", pa.uint64(), nullable=False)])


def _read(file: pa.parquet.ParquetFile, path: Path) -> Iterator[_Batch]:
    import numpy as np

    before = None
    with readable(path):
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            digests, counts = batch.columns
            start = 32 * digests.offset
            keys = np.frombuffer(digests.buffers()[1], "S32", count=len(digests), offset=start)
            if (keys[1:] <= keys[:-1]).any() or (before is not None and keys[0] <= before):
                raise Refused("row digests that do not ascend", where=str(path), advice=_ADVICE)
            before = bytes(keys[-1])
            yield keys, counts.to_numpy()
