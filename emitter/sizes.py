"""How long it should take to digest something, told from its size without touching its values.

Decides only an estimate, for `digest="auto"`. The rates are those of a two-core machine, statistics included,
rounded down: whoever waits should wait for less than was said. What cannot be estimated counts as quick.
"""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NUMBERS_BYTES_PER_SECOND = 250e6  # columns of numbers: digest and statistics
_TEXTS_PER_SECOND = 1.5e6  # cells of text: Arrow's form, digest, distinct count
_OBJECTS_PER_SECOND = 1e6  # cells of Python objects, which have to be turned into one type first
_RAW_BYTES_PER_SECOND = 1.5e9  # bytes that are hashed as they lie
_FILE_BYTES_PER_SECOND = 400e6  # read from a disk
_PARQUET_BYTES_PER_SECOND = 50e6  # read, decoded and digested as a table
_FILES_PER_SECOND = 5e3
_MOST_FILES = 20_000  # in a folder; more are not counted
_DEEPEST = 4  # of an estimator's attributes
_TABLE_FILES = (".parquet", ".pq", ".feather", ".arrow", ".csv", ".csv.gz")


def seconds_to_digest(data: object) -> float:
    """Estimated seconds for digest and statistics of a value, a file or a folder; never reads the values."""
    if isinstance(data, Path):
        return _path(data)
    if isinstance(data, str | bytes | bytearray | memoryview):
        return float(len(data)) / _RAW_BYTES_PER_SECOND
    if isinstance(data, list):
        return len(data) / _TEXTS_PER_SECOND + sum(map(_length, data[:1000])) / 1000 * len(data) / 1e9
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame | pandas.Series):
        return _pandas(data, pandas)
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None and isinstance(data, pyarrow.Table | pyarrow.RecordBatch):
        return float(sum(_arrow(column) for column in data.columns))
    return _nested_bytes(data, 0) / _RAW_BYTES_PER_SECOND


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | bytes) else 8


def _pandas(data: Any, pandas: Any) -> float:
    rows = len(data)
    seconds = 0.0
    for dtype in [data.dtype] if isinstance(data, pandas.Series) else data.dtypes.array:
        if getattr(dtype, "kind", "O") in "biufcmM":
            seconds += rows * getattr(dtype, "itemsize", 8) / _NUMBERS_BYTES_PER_SECOND
        elif isinstance(dtype, pandas.api.extensions.ExtensionDtype):  # Arrow's texts, categories, …
            seconds += rows / _TEXTS_PER_SECOND
        else:
            seconds += rows / _OBJECTS_PER_SECOND
    return seconds


def _arrow(column: Any) -> float:
    import pyarrow.types as t

    if t.is_primitive(column.type):
        return float(column.nbytes) / _NUMBERS_BYTES_PER_SECOND
    return float(len(column) / _TEXTS_PER_SECOND + column.nbytes / 1e9)


def _nested_bytes(value: object, depth: int) -> int:
    """Bytes of the arrays in a value: an array, a tensor, a state of tensors, an estimator's attributes."""
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    if depth == _DEEPEST:
        return 0
    if isinstance(value, Mapping):
        return sum(_nested_bytes(part, depth + 1) for part in list(value.values())[:10_000])
    if isinstance(value, list | tuple):
        return sum(_nested_bytes(part, depth + 1) for part in value[:10_000])
    attributes = getattr(value, "__dict__", None)
    return _nested_bytes(attributes, depth + 1) if isinstance(attributes, dict) else 0


def _path(path: Path) -> float:
    try:
        state = path.stat()
        if not stat.S_ISDIR(state.st_mode):
            rate = _PARQUET_BYTES_PER_SECOND if path.name.endswith(_TABLE_FILES) else _FILE_BYTES_PER_SECOND
            return state.st_size / rate
        size = count = 0
        for folder, _, names in os.walk(path):
            for name in names:
                count += 1
                size += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - a hot loop
                if count == _MOST_FILES:
                    return float("inf")
        return size / _FILE_BYTES_PER_SECOND + count / _FILES_PER_SECOND
    except OSError:
        return 0.0  # reading it will say what is wrong
