"""What a file of a known format holds, as a whole in memory: for comparing values, which digests do not need.

Decides that what is loaded is what was digested: its content must have one of the digests that are known of
the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import formats
from .records import Content, Refused
from .safetensors import INDEX_SUFFIX, checkpoint_entries, checkpoint_in
from .separated import csv_parts, csv_schema
from .tables import table_digest
from .tensors import array_bits, numpy_dtype, tensors_digest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Arrays = dict[str, "np.ndarray[Any, Any]"]


def load(path: Path, content: Content) -> pa.Table | Arrays:
    """The table or the arrays in a file.

    Args:
        path: a Parquet, Arrow, CSV, npy, npz or safetensors file, an index of shards, or a folder that holds one
            checkpoint.
        content: as `content_of` has found it.

    Raises:
        Refused: another format, damaged, or no longer what was digested.
    """
    if path.is_dir():
        path = checkpoint_in(path) or path
    suffix = path.suffix.lower()
    checkpoint = path.name.lower().endswith((".safetensors", INDEX_SUFFIX))
    with formats.readable(path):
        if suffix in formats.TABLES:
            table = _table(path, suffix, content)
            made = table_digest(table).digest
            found: pa.Table | Arrays = table
        elif suffix in formats.ARRAYS or checkpoint:
            arrays = found = _checkpoint(path) if checkpoint else _arrays(path)
            made = tensors_digest(arrays, lambda name: array_bits(arrays[name], where=name)).tensors
        else:
            raise Refused("no format that is known by its name", where=str(path), advice="name a data file")
    if made not in content.digests:
        raise Refused("changed since it was digested", where=str(path), advice="compare it again")
    return found


def _table(path: Path, suffix: str, content: Content) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if suffix in formats.PARQUET:
        with pq.ParquetFile(path) as parquet:
            return parquet.read()
    if suffix in formats.CSV:
        schema = csv_schema((one.name, one.type) for one in content.columns)
        return pa.Table.from_batches(csv_parts(path, schema), schema=schema)
    with pa.OSFile(str(path)) as source:
        schema, batches = formats.arrow_batches(source, path)
        return pa.Table.from_batches(batches, schema=schema)


def _arrays(path: Path) -> Arrays:
    import numpy as np

    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        return {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)


def _checkpoint(path: Path) -> Arrays:
    import numpy as np

    found: Arrays = {}
    with checkpoint_entries(path) as entries:
        for name, entry in entries.items():
            count = (entry.stop - entry.start) // entry.itemsize
            dtype = numpy_dtype(entry.dtype, where=f"tensor {name!r}")
            found[name] = np.fromfile(entry.path, dtype, count, offset=entry.start).reshape(entry.shape)
    return found
