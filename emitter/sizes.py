"""How long it should take to digest something, told from its size without touching its values.

Decides only an estimate, for `digest="auto"`. The rates are those of a two-core machine, statistics included,
rounded down: whoever waits should wait for less than was said. A machine that is slower or faster is found
out: what a digest took is compared with what was expected, and corrects what is expected next, up to fourfold
either way. What cannot be estimated counts as quick.
"""

import os
import stat
import sys
import threading
import zipfile
from collections.abc import Iterable, Mapping
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

# What each kind of work does in a second.
_NUMBERS = 30e6  # cells of numbers: digest and statistics, whatever their width
_TEXTS = 5e6  # cells of text and other Arrow types
_OBJECTS = 2e6  # cells of Python objects, which have to be turned into one type first
_CELL_BYTES = 1e9  # of the cells of all columns, besides
_ARRAY_BYTES = 3e9  # hashed where they lie
_BYTES = 400e6  # of texts and bytes, which may have to be encoded or copied first
_VALUES = 7e5  # single values of JSON
_ATTRIBUTES = 5e4  # of estimators and what is inside them
_FILE_BYTES = 400e6  # read from a disk
_TABLE_FILE_BYTES = 200e6  # read, decoded and digested as a table
_FILE_CELLS = 30e6  # a small file may hold a large table
_CSV_BYTES = 60e6
_FILES = 5e3
_MOST_FILES = 20_000  # in a folder; more are not counted
_LOOKED_AT = 1000  # at each depth of a nested value
_FEWEST = 4  # of a list or mapping that are looked at, where there is very much of them
_DEEPEST = 30
_SAMPLED_TEXTS = 1000
_NUMBER_KINDS = "biufcmM"
_TREE_NODE_BYTES = 72  # of scikit-learn's trees, whose arrays cannot be asked for their size

CORRECTION = 4.0  # the most by which an estimate is corrected, either way
_LEARN_SECONDS = 0.1  # what takes less is mostly something else: imports, the first touch of memory

# Seconds by kind of work.
Work = Mapping[str, float]


class Pace:
    """What this process has found out about its own speed. Safe to use from several threads."""

    def __init__(self) -> None:
        """As the rates say."""
        self._factors: dict[str, float] = {}
        self._lock = threading.Lock()

    def seconds(self, work: Work) -> float:
        """How long it should take here."""
        return sum(seconds * self._factors.get(kind, 1.0) for kind, seconds in work.items())

    def took(self, work: Work, seconds: float) -> None:
        """Learn from a digest: half of the error goes to the kinds of work that it was made of, each by its share."""
        with self._lock:
            expected = self.seconds(work)
            if expected < _LEARN_SECONDS or seconds <= 0:
                return
            for kind, own in work.items():
                factor = self._factors.get(kind, 1.0)
                share = own * factor / expected
                corrected = factor * (seconds / expected) ** (share / 2)
                self._factors[kind] = min(CORRECTION, max(1 / CORRECTION, corrected))

    def let_go(self, work: Work) -> None:
        """Forget half of what made the estimate longer: who is never digested again would never be corrected."""
        with self._lock:
            for kind in work:
                self._factors[kind] = min(self._factors.get(kind, 1.0), self._factors.get(kind, 1.0) ** 0.5)


def work_to_digest(data: object) -> Work:
    """Estimated seconds for digest and statistics of a value, a file or a folder; never reads the values."""
    if isinstance(data, Path):
        return _path(data)
    if isinstance(data, str | bytes | bytearray | memoryview):
        return {"bytes": len(data) / _BYTES}
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame | pandas.Series):
        return _pandas(data, pandas)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(data, pyarrow.Table | pyarrow.RecordBatch):
        return _columns(map(_column, data.columns))
    if pyarrow is not None and isinstance(data, pyarrow.Array | pyarrow.ChunkedArray):
        return _columns([_column(data)])
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(data, polars.DataFrame | polars.Series):
        columns = [data] if isinstance(data, polars.Series) else data.get_columns()
        return _columns((one.estimated_size(), len(one), one.dtype.is_numeric()) for one in columns)
    if isinstance(data, list) and any(isinstance(one, str) for one in data[:_SAMPLED_TEXTS]):
        sample = data[:_SAMPLED_TEXTS]
        size = sum(len(one) for one in sample if isinstance(one, str)) * len(data) / len(sample)
        return {"objects": len(data) / _OBJECTS + size / _CELL_BYTES}
    return _nested(data)


def _pandas(data: Any, pandas: Any) -> Work:
    rows = len(data)
    work = {"numbers": 0.0, "texts": 0.0, "objects": 0.0}
    # Asking pandas for the types of columns takes longer than all else here; frames of numbers tell them by the block.
    blocks = [(block.dtype, block.shape) for block in getattr(getattr(data, "_mgr", None), "blocks", ())]
    if blocks and all(getattr(dtype, "kind", "O") in _NUMBER_KINDS for dtype, _ in blocks):
        for dtype, shape in blocks:
            work["numbers"] += prod(shape) * (1 / _NUMBERS + getattr(dtype, "itemsize", 8) / _CELL_BYTES)
        return work
    series = isinstance(data, pandas.Series)
    for i, dtype in enumerate([data.dtype] if series else data.dtypes.array):
        if getattr(dtype, "kind", "O") in _NUMBER_KINDS:
            work["numbers"] += rows / _NUMBERS + rows * getattr(dtype, "itemsize", 8) / _CELL_BYTES
            continue
        column = data if series else data.iloc[:, i]
        if isinstance(dtype, pandas.api.extensions.ExtensionDtype):  # Arrow's texts, categories, …
            work["texts"] += rows / _TEXTS + column.array.nbytes / _CELL_BYTES
        else:
            sample = column.iloc[:: max(1, rows // _SAMPLED_TEXTS)]
            size = sum(len(one) for one in sample if isinstance(one, str | bytes))
            work["objects"] += rows / _OBJECTS + size * rows / max(1, len(sample)) / _CELL_BYTES
    return work


def _columns(columns: Iterable[tuple[int, int, bool]]) -> Work:
    """Of (bytes, rows, whether they are numbers) of each."""
    work = {"numbers": 0.0, "texts": 0.0}
    for size, rows, numbers in columns:
        kind, rate = ("numbers", _NUMBERS) if numbers else ("texts", _TEXTS)
        work[kind] += rows / rate + size / _CELL_BYTES
    return work


def _column(column: Any) -> tuple[int, int, bool]:
    import pyarrow.types as t

    from .digests.columns import bytes_of

    return bytes_of(column), len(column), bool(t.is_primitive(column.type))


def _nested(data: object) -> Work:
    """Arrays, states of tensors, modules, estimators, JSON: bytes of arrays, and values one by one.

    Of what is at one depth, a thousand stand for the others.
    """
    arrays = texts = values = 0.0
    level: list[tuple[Any, float]] = [(data, 1.0)]
    for _ in range(_DEEPEST):
        below: list[tuple[Any, float]] = []
        some = level[:: -(-len(level) // _LOOKED_AT) or 1]
        for value, weight in some:
            weight *= len(level) / len(some)
            values += weight
            if isinstance(own := getattr(value, "nbytes", None), int):
                arrays += weight * own
            elif isinstance(value, str | bytes):
                texts += weight * len(value)
            elif isinstance(nodes := getattr(value, "node_count", None), int):
                arrays += weight * nodes * _TREE_NODE_BYTES
            else:
                inside = _inside(value)
                parts = list(islice(inside, max(_FEWEST, 3 * _LOOKED_AT // len(some))))
                below += [(part, weight * len(inside) / len(parts)) for part in parts]
        level = below
    each = _VALUES if isinstance(data, Mapping | list) else _ATTRIBUTES
    return {"arrays": arrays / _ARRAY_BYTES, "bytes": texts / _BYTES, "values": values / each}


def _inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    attributes = getattr(value, "__dict__", None)
    return attributes.values() if isinstance(attributes, dict) else ()


def _path(path: Path) -> Work:
    from .digests import formats
    from .digests.safetensors import INDEX_SUFFIX

    try:
        state = path.stat()
        if not stat.S_ISDIR(state.st_mode):
            kind = formats.kind_of(path) or ""
            if kind in formats.PARQUET + formats.ARROW:
                return {"table files": _cells(path, kind) / _FILE_CELLS + state.st_size / _TABLE_FILE_BYTES}
            if kind == ".npz":
                return {"table files": max(state.st_size, _unpacked_bytes(path)) / _TABLE_FILE_BYTES}
            if kind in formats.CSV:
                return {"csv": state.st_size / _CSV_BYTES}
            if path.name.lower().endswith(INDEX_SUFFIX):
                return {"files": (state.st_size + _shards_bytes(path)) / _FILE_BYTES}
            return {"files": state.st_size / _FILE_BYTES}
        size = count = 0
        for folder, _, names in os.walk(path):
            for name in names:
                count += 1
                size += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - a hot loop
                if count == _MOST_FILES:
                    return {"files": float("inf")}
        return {"files": size / _FILE_BYTES + count / _FILES}
    except (OSError, RecursionError):  # nested deeper than os.walk of Python 3.11 goes
        return {}  # reading it will say what is wrong


def _shards_bytes(index: Path) -> int:
    """Of the files of a checkpoint; 0 where the index is none, as its digest will say."""
    from .digests.records import Refused
    from .digests.safetensors import shards_of

    try:
        shards = set(shards_of(index).values())
    except Refused:
        return 0
    return sum(index.with_name(shard).stat().st_size for shard in shards)


def _cells(path: Path, kind: str) -> int:
    """Rows times columns, from the end of a Parquet file or the heads of an Arrow file's batches. None where they
    cannot be read, as the digest will say, and none of Arrow's streams, which would have to be read as a whole.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    from .digests.formats import PARQUET

    try:
        if kind in PARQUET:
            known = pq.read_metadata(path)
            return int(known.num_rows * known.num_columns)
        file = ds.dataset(path, format="ipc")
        return int(file.count_rows() * len(file.schema))
    except pa.ArrowException:
        return 0


def _unpacked_bytes(path: Path) -> int:
    """Of what a zip archive holds; 0 where it is none, as its digest will say."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(one.file_size for one in archive.infolist())
    except zipfile.BadZipFile:
        return 0
