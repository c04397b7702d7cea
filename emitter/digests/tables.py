"""Tables: one way into Arrow from every carrier.

Decides what of a pandas frame is data: the index unless it is the default range; NaN of numpy-backed columns
is the missing value. How a column becomes bytes is `columns`' part, how columns become one table that of
`appending`. Libraries are looked at only when the caller has imported them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .appending import TableState, threads_for
from .framing import utf8
from .records import Refused, TableDigest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_PLAIN_OBJECTS = frozenset(
    {"string", "bytes", "boolean", "integer", "floating", "decimal", "date", "time", "empty"}
)


def is_table(data: object) -> bool:
    """Whether `to_arrow` takes `data`: a frame, series, Arrow table or array, or a list of texts."""
    if isinstance(data, list):
        texts = sum(isinstance(value, str) for value in data)
        return 0 < texts == len(data) - sum(value is None for value in data)
    return any(
        isinstance(data, getattr(module, name))
        for library, names in (
            ("pyarrow", ("Table", "RecordBatch", "ChunkedArray", "Array")),
            ("pandas", ("DataFrame", "Series")),
            ("polars", ("DataFrame", "Series")),
        )
        if (module := sys.modules.get(library)) is not None
        for name in names
        if hasattr(module, name)  # false while the library is half imported
    )


def to_arrow(data: object) -> pa.Table:
    """The same table in Arrow, without copying numpy-backed columns.

    One array, one series and a list of texts become a table of one column, with the empty name if they have
    none. A pandas index that is data is appended as Arrow and Parquet do it: under its own name, else as
    `__index_level_<i>__`.

    Raises:
        Refused: a label that is not text, an object column of mixed values, a type Arrow does not know.
    """
    return _to_arrow(data, nulls=True)[0]


def table_digest(data: object, *, threads: int | None = None) -> TableDigest:
    """The `b3-table1` digest of a table, as `docs/digests.md` defines it.

    Args:
        data: whatever `to_arrow` takes.
        threads: over which columns are spread; all cores by default where a table is large.

    Raises:
        Refused: as `to_arrow`, and a column whose type the specification does not cover.
    """
    table, nan_is_null = _to_arrow(data, nulls=False)
    state = TableState(table.schema, nan_is_null=nan_is_null)
    threads = threads_for(table) if threads is None else threads
    state.append(table, threads=threads)
    return state.digest(threads=threads)


def _to_arrow(data: object, *, nulls: bool) -> tuple[pa.Table, set[int]]:
    """The table, and the positions of the float columns in which NaN stands for null still, unless `nulls`."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data, set()
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data]), set()
    if isinstance(data, list):
        for i, text in enumerate(data):
            utf8(text or "", where=f"text {i}")
        data = pa.array(data, pa.large_string())
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return pa.table([data], names=[""]), set()
    if (pandas := sys.modules.get("pandas")) is not None:
        if isinstance(data, pandas.DataFrame):
            return _gather(_of_frame(data), nulls=nulls)
        if isinstance(data, pandas.Series):
            name = "" if data.name is None else data.name
            return _gather([(name, data), *_index_columns(data.index)], nulls=nulls)
    if (polars := sys.modules.get("polars")) is not None:
        if isinstance(data, polars.DataFrame):
            return data.to_arrow(), set()
        if isinstance(data, polars.Series):
            return pa.table([data.to_arrow()], names=[data.name]), set()
    raise Refused(f"a {type(data).__name__} is no table", advice="pass a frame, a series or an Arrow table")


def _of_frame(frame: pd.DataFrame) -> list[tuple[Any, pd.Series[Any]]]:
    if frame.columns.nlevels > 1:
        raise Refused(
            "column labels of several levels",
            where="columns",
            advice="join them to one text each: frame.columns = ['_'.join(label) for label in frame.columns]",
        )
    return [*frame.items(), *_index_columns(frame.index)]


def _index_columns(index: pd.Index[Any]) -> list[tuple[Any, pd.Series[Any]]]:
    """The index levels that are data; none for the default range, whichever class of index holds it."""
    import numpy as np
    import pandas as pd

    rows = len(index)
    if index.nlevels == 1 and index.name is None:
        if isinstance(index, pd.RangeIndex):
            default = index.start == 0 and index.step == 1
        else:
            default = index.dtype == np.int64 and np.array_equal(index.to_numpy(), np.arange(rows))
        if default or rows == 0:
            return []
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    return [
        (f"__index_level_{i}__" if level.name is None else level.name, pd.Series(level, index=range(rows)))
        for i, level in enumerate(levels)
    ]


def _gather(columns: list[tuple[Any, pd.Series[Any]]], *, nulls: bool) -> tuple[pa.Table, set[int]]:
    import numpy as np
    import pyarrow as pa

    for label, _ in columns:
        if not isinstance(label, str):
            raise Refused(
                f"the label {label!r} is {type(label).__name__}, not text",
                where="columns",
                advice="rename it: frame.columns = frame.columns.map(str) (or the same for the index's name)",
            )
        utf8(label, where=f"column {label!r}")
    floats = {
        i
        for i, (_, values) in enumerate(columns)
        if isinstance(values.dtype, np.dtype) and values.dtype.kind == "f"
    }
    kept = set() if nulls else floats
    arrays = [
        _column(values, where=f"column {label!r}", nan=i in kept) for i, (label, values) in enumerate(columns)
    ]
    return pa.table(arrays, names=[label for label, _ in columns]), kept


def _column(series: pd.Series[Any], *, where: str, nan: bool) -> pa.Array | pa.ChunkedArray:
    """The column in Arrow; floats keep NaN as it is if `nan`, which saves a look at all of them."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    dtype = series.dtype
    values: Any = series
    missing = True  # NaN and NaT may stand for missing values
    if isinstance(dtype, pd.SparseDtype):
        raise Refused("a sparse column", where=where, advice="make it dense: series.sparse.to_dense()")
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            _check_objects(series, where=where)
        else:  # Arrow takes native byte order only, and the order is no part of the values
            values = series.to_numpy().astype(dtype.newbyteorder("="), copy=False)
            missing = dtype.kind in "mM" or (dtype.kind == "f" and not nan and bool(np.isnan(values).any()))
    try:
        return pa.array(
            values, from_pandas=missing
        )  # without missing values numpy's memory is taken as it is
    except (pa.ArrowException, TypeError, ValueError, OverflowError, UnicodeError) as error:
        raise Refused(
            f"{dtype} values without an Arrow form ({error})",
            where=where,
            advice="give the column one listed type",
        ) from None


def _check_objects(series: pd.Series[Any], *, where: str) -> None:
    """Refuse what Arrow would quietly turn into another value, like text beside bytes or 1 beside 1.5."""
    import numpy as np
    import pandas as pd

    inferred = pd.api.types.infer_dtype(series, skipna=True)
    if inferred in _PLAIN_OBJECTS:
        return
    kinds = {type(value) for value in series[series.notna()]}
    if kinds <= {list, tuple, np.ndarray} or kinds == {dict}:
        return
    names = ", ".join(sorted(kind.__name__ for kind in kinds)[:4])
    raise Refused(
        f"an object column of {inferred} values ({names})",
        where=where,
        advice="give it one type, for example with astype or convert_dtypes",
    )
