"""What files of known formats hold: tables batch by batch, arrays piece by piece.

Decides by the end of its name which format a file has, and reads it in bounded memory: of a Parquet file a
leaf of each column, of an Arrow file the largest of its batches, of an array a piece of it. Nothing is
mapped, for the reason in `files`, and nothing is ever unpickled. How CSV becomes typed columns is
`separated`'s part, safetensors has a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .appending import TableState
from .columns import LEAF_ROWS
from .files import Progress
from .records import Refused, TableDigest
from .separated import csv_digest
from .tensors import Bits, TensorsDigest, array_bits, dtype_name, tensors_digest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Also = Callable[[pa.Table], object] | None

PARQUET = (".parquet", ".pq")
ARROW = (".feather", ".arrow", ".arrows", ".ipc")
CSV = (".csv",)
TABLES = PARQUET + ARROW + CSV
ARRAYS = (".npy", ".npz")
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")

_PIECE_BYTES = 2 << 20
_BUFFER_BYTES = 1 << 20


def file_table_digest(path: Path, *, progress: Progress | None = None, also: Also = None) -> TableDigest:
    """The `b3-table1` digest of a Parquet, Arrow IPC or CSV file, which is never held as a whole.

    Args:
        path: its end says which format is read; an Arrow file may be of the file or the stream format.
        progress: is told of what was read.
        also: is given all rows, part by part.

    Raises:
        Refused: a damaged file, or a column that the specification does not cover.
    """
    suffix = path.suffix.lower()
    with readable(path):
        if suffix in PARQUET:
            return _parquet(path, progress, also)
        if suffix in ARROW:
            return _arrow(path, progress, also)
        return csv_digest(path, progress, also)


def npy_bits(path: Path) -> Bits:
    """The array of a `.npy` file, read while it is hashed; in Fortran's or big-endian order it is loaded.

    Raises:
        Refused: a damaged file, or elements that the specification does not cover.
    """
    import numpy as np

    where = str(path)
    with readable(path), path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is not None:
            shape, fortran, dtype = read_header(file)
            if any(not 0 <= length < 1 << 63 for length in shape):
                raise Refused(f"an impossible shape {str(shape)[:100]}", where=where, advice="check it")
            name = dtype_name(dtype, where=where)
            if not fortran and dtype == dtype.newbyteorder("<"):
                pieces = _pieces(path, file.tell(), prod(shape) * dtype.itemsize, dtype.itemsize)
                return Bits(dtype=name, shape=shape, itemsize=dtype.itemsize, pieces=pieces)
        file.seek(0)
        return array_bits(np.load(file, allow_pickle=False), where=where)


def npz_digest(path: Path) -> TensorsDigest:
    """The digests of the arrays of a `.npz` archive, of which one is in memory at a time.

    Raises:
        Refused: as for `npy_bits`.
    """
    import numpy as np

    with readable(path), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:

        def bits(name: str) -> Bits:
            return replace(array_bits(archive[name], where=f"tensor {name!r}"), storage=None)

        return tensors_digest(archive.files, bits)


def kind_of(path: Path) -> str | None:
    """By which name the content of a known format is kept in the cache; None if it has none of its own.

    The index of a sharded checkpoint has none: what it stands for lies in other files.
    """
    suffix = path.suffix.lower()
    return suffix if suffix in (*TABLES, *ARRAYS, ".safetensors") else None


def never_loaded(path: Path) -> Refused:
    """Why there is no digest of what a pickle holds."""
    return Refused(
        "a pickle is never loaded, since that runs whatever code is in it, and its bytes change with the "
        "versions of Python and libraries",
        where=str(path),
        advice="record the object itself, run.output(model), or keep the weights as .safetensors",
    )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Refuse whatever the reader of a format makes of a damaged file."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refused(
            f"not readable as {path.suffix.lower()} ({first})", where=str(path), advice="check it"
        ) from error


def _parquet(path: Path, progress: Progress | None, also: Also) -> TableDigest:
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = path.stat().st_size
    # One file: no folder name becomes a column. Buffered: a row group may be as large as the file.
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as parquet:
        state = TableState(parquet.schema_arrow)
        for batch in parquet.iter_batches(batch_size=LEAF_ROWS):
            state.append(part := pa.Table.from_batches([batch]))
            if also is not None:
                also(part)
            if progress is not None:
                progress(size * state.rows // max(1, parquet.metadata.num_rows), size)
    return state.digest()


def _arrow(path: Path, progress: Progress | None, also: Also) -> TableDigest:
    import pyarrow as pa

    size = path.stat().st_size
    with pa.OSFile(str(path)) as source:
        schema, batches = arrow_batches(source, path)
        state = TableState(schema)
        for batch in batches:
            state.append(part := pa.Table.from_batches([batch]))
            if also is not None:
                also(part)
            if progress is not None:
                progress(min(source.tell(), size), size)
    return state.digest()


def arrow_batches(source: pa.NativeFile, path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of an open Arrow IPC file, of the file or the stream format, each batch checked.

    Arrow's reader takes offsets and indices as they stand, and whatever uses them would read memory that is not
    the batch's. So each batch is checked before anyone is given it.

    Raises:
        Refused: a batch, when it is asked for, that is not as Arrow's format says.
        pa.ArrowException: no such file.
    """
    import pyarrow as pa

    magic = source.read(6)
    source.seek(0)
    if magic == b"ARROW1":
        file = pa.ipc.open_file(source)
        schema, found = file.schema, map(file.get_batch, range(file.num_record_batches))
    else:
        stream = pa.ipc.open_stream(source)
        schema, found = stream.schema, iter(stream)

    def checked() -> Iterator[pa.RecordBatch]:
        for batch in found:
            try:
                batch.validate(full=True)
            except pa.ArrowInvalid as error:
                text = str(error).partition("\n")[0][:200]
                raise Refused(f"damaged ({text})", where=str(path), advice="write it again") from error
            yield batch

    return schema, checked()


def _pieces(path: Path, start: int, size: int, itemsize: int) -> Iterator[np.ndarray[Any, Any]]:
    """`size` bytes from `start` on, in pieces of whole elements, each good until the next is asked for."""
    import numpy as np

    if size == 0:
        return
    with readable(path), path.open("rb") as file:
        buffer = np.empty(min(size, max(1, _PIECE_BYTES // itemsize) * itemsize), np.uint8)
        file.seek(start)
        while size:
            piece = buffer[: min(size, len(buffer))]
            if file.readinto(piece.data) != len(piece):
                raise Refused("shorter than its header says", where=str(path), advice="check it")
            yield piece
            size -= len(piece)
