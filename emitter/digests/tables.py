"""Tables: one way into Arrow from every carrier.

Decides what of a pandas frame is data: the index unless it is the default range; NaN of numpy-backed columns
is the missing value. Decides which Python objects make a column, since Arrow quietly turns some into others:
bytes beside text into text, instants beside days into days, nanoseconds into microseconds. How a column
becomes bytes is `columns`' part, how columns become one table that of `appending`. Libraries are looked at
only when the caller has imported them.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from .appending import TableState, threads_for
from .framing import utf8
from .records import Refused, TableDigest

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

# What pandas infers after a look at every value; what it calls dates and times may hold instants and zones.
_PLAIN_OBJECTS = frozenset({"string", "bytes", "boolean", "integer", "floating", "decimal", "empty"})
_KINDS_OF_TYPES = {
    type(None): "",
    str: "text",
    bytes: "bytes",
    bool: "bool",
    int: "int",
    list: "list",
    tuple: "list",
    dict: "dict",
}
_KINDS_OF_ARRAYS = {"U": "text", "S": "bytes", "b": "bool", "i": "int", "u": "int", "f": "float"}
_DEEPEST = 100  # Arrow has no limit and overflows the stack


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
            if not isinstance(text, str | None):
                raise Refused(
                    f"a list that holds a {type(text).__name__} is no table",
                    where=f"text {i}",
                    advice="pass a frame, a series, an Arrow table or a list of texts",
                )
            utf8(text or "", where=f"text {i}")
        data = pa.array(data, pa.large_string())
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return pa.table([data], names=[""]), set()
    if (pandas := sys.modules.get("pandas")) is not None:
        if isinstance(data, pandas.DataFrame):
            return _gather(_of_frame(data), rows=len(data), nulls=nulls)
        if isinstance(data, pandas.Series):
            name = "" if data.name is None else data.name
            return _gather([(name, data), *_index_columns(data.index)], rows=len(data), nulls=nulls)
    if (polars := sys.modules.get("polars")) is not None:
        if isinstance(data, polars.DataFrame):
            _check_polars(data)
            return data.to_arrow() if data.width else _without_columns(data.height), set()
        if isinstance(data, polars.Series):
            _check_polars(data.to_frame())
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
    """The index levels that are data; none for the default range, as a `RangeIndex` or in numpy's int64."""
    import pandas as pd

    rows = len(index)
    if index.nlevels == 1 and index.name is None:
        if isinstance(index, pd.RangeIndex):
            default = range(index.start, index.stop, index.step) == range(rows)  # one row 0 has any step
        else:
            default = index.dtype == np.int64 and np.array_equal(index.to_numpy(), np.arange(rows))
        if default or rows == 0:
            return []
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    return [
        (f"__index_level_{i}__" if level.name is None else level.name, pd.Series(level, index=range(rows)))
        for i, level in enumerate(levels)
    ]


def _without_columns(rows: int) -> pa.Table:
    import pyarrow as pa

    return pa.table([pa.nulls(rows)], names=[""]).select([])  # `pa.table([])` has no rows


def _check_polars(frame: pl.DataFrame) -> None:
    """Refuse Python objects, of which polars hands out the addresses, and types that Arrow does not know."""
    import polars as pl
    import pyarrow as pa

    for series in frame.head(0).iter_columns():
        where = f"column {series.name!r}"
        if _holds_objects(series.dtype):
            raise Refused(
                "a polars column of Python objects",
                where=where,
                advice="give it a type of polars: frame.with_columns(column.map_elements(…, return_dtype=…))",
            )
        try:
            series.to_arrow()
        except (
            pa.ArrowException,
            pl.exceptions.PolarsError,
            NotImplementedError,
            TypeError,
            ValueError,
        ) as error:
            raise Refused(
                f"{series.dtype} without an Arrow form ({error})", where=where, advice="cast the column"
            ) from None


def _holds_objects(dtype: object) -> bool:
    import polars as pl

    if isinstance(dtype, pl.Struct):
        return any(_holds_objects(field.dtype) for field in dtype.fields)
    if isinstance(dtype, (pl.List, pl.Array)):
        return _holds_objects(dtype.inner)
    return dtype == pl.Object


def _gather(
    columns: list[tuple[Any, pd.Series[Any]]], *, rows: int, nulls: bool
) -> tuple[pa.Table, set[int]]:
    import pyarrow as pa

    if not columns:
        return _without_columns(rows), set()
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
    import pandas as pd
    import pyarrow as pa

    dtype = series.dtype
    values: Any = series
    missing = True  # NaN and NaT may stand for missing values
    if isinstance(dtype, pd.SparseDtype):
        raise Refused("a sparse column", where=where, advice="make it dense: series.sparse.to_dense()")
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == object:
        _check_objects(pd.Series(dtype.categories), where=where)
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
    import pandas as pd

    inferred = pd.api.types.infer_dtype(series, skipna=True)
    if inferred in _PLAIN_OBJECTS:
        return
    values = list(series[series.notna()])
    types = set(map(type, values))
    if inferred in ("date", "time") or types <= {list, tuple, np.ndarray} or types == {dict}:
        return _check_place(values, where=where)
    names = ", ".join(sorted(kind.__name__ for kind in types)[:4])
    raise Refused(
        f"an object column of {inferred} values ({names})",
        where=where,
        advice="give it one type, for example with astype or convert_dtypes",
    )


def _check_place(values: list[Any], of_arrays: Iterable[str] = (), *, where: str, depth: int = 0) -> None:
    """Refuse several kinds of values at one place, and so at every place inside them.

    Args:
        values: all that stand at this place, in whichever row: the column's own values, the items of all its
            lists, what its dicts have under one key.
        of_arrays: kinds of the items of arrays at this place, which are told by their dtype.
        where: the place, like `column 'x'[].key`.
        depth: of the place.
    """
    kinds = set(of_arrays)
    for type_ in set(map(type, values)):
        if type_ in _KINDS_OF_TYPES:  # spares a look at each value
            kinds.add(_KINDS_OF_TYPES[type_])
            continue
        typed = (value for value in values if type(value) is type_)
        if type_ is float:
            kinds.add("float" if any(value == value for value in typed) else "")
        else:
            kinds.update(_kind(value, where=where) for value in typed)
    kinds.discard("")
    if len(kinds) > 1:
        raise Refused(
            f"values of several kinds at one place ({', '.join(sorted(kinds))})",
            where=where,
            advice="give them one type before they are put into the column",
        )
    if depth > _DEEPEST:
        raise Refused("nested too deeply", where=f"{where[:40]}…", advice="keep such values as JSON texts")
    if kinds == {"list"}:
        items: list[Any] = []
        arrays: set[str] = set()
        for value in values:
            if isinstance(value, np.ndarray) and value.dtype.kind != "O":
                arrays.add(_kind_of_items(value.dtype, where=where))
            elif isinstance(value, (list, tuple, np.ndarray)):
                items.extend(value)
        _check_place(items, arrays, where=f"{where}[]", depth=depth + 1)
    if kinds == {"dict"}:
        places: dict[str, list[Any]] = {}
        for value in values:
            for key, item in value.items() if isinstance(value, dict) else ():
                if not isinstance(key, str):
                    raise Refused(
                        f"the key {key!r} is {type(key).__name__}, not text",
                        where=where,
                        advice="use texts as keys, or two lists: of keys and of values",
                    )
                places.setdefault(key, []).append(item)
        for key, inside in places.items():
            _check_place(inside, where=f"{where}.{key}", depth=depth + 1)


def _kind(value: Any, *, where: str) -> str:
    """What one value is beside others, without the width of numbers; nothing if it is a missing one."""
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, (float, np.floating)):
        return "float" if value == value else ""
    if isinstance(value, Decimal):
        return "" if value.is_nan() else "decimal"
    if isinstance(value, (np.datetime64, np.timedelta64)):  # before int: numpy's durations are its integers
        return str(value.dtype)
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, np.integer)):
        return "int"
    if isinstance(value, (str, bytes, bytearray)):
        return "text" if isinstance(value, str) else "bytes"
    if isinstance(value, (dt.datetime, dt.timedelta)):
        _check_precision(value, where=where)
        if isinstance(value, dt.timedelta):
            return "timedelta"
        return "datetime" if value.tzinfo is None else f"datetime in {value.tzinfo}"
    if isinstance(value, dt.date):
        return "date"
    if isinstance(value, dt.time):
        if value.tzinfo is None:
            return "time"
        raise Refused("a time of day with a zone", where=where, advice="store instants, or zones beside them")
    if isinstance(value, dict):
        return "dict"
    if isinstance(value, (list, tuple)):
        return "list"
    if type(value) is np.ndarray:  # what derives from it may hide a mask
        if value.ndim == 1:
            return "list"
        raise Refused(f"an array of {value.ndim} axes", where=where, advice="make it lists: array.tolist()")
    raise Refused(
        f"a value of type {type(value).__name__}",
        where=where,
        advice="put in text, bytes, numbers, dates, lists or dicts",
    )


def _kind_of_items(dtype: Any, *, where: str) -> str:
    if dtype.kind in "mM":
        return str(dtype.newbyteorder("="))
    if dtype.kind in _KINDS_OF_ARRAYS:
        return _KINDS_OF_ARRAYS[dtype.kind]
    raise Refused(f"an array of {dtype}", where=where, advice="give it a type that Arrow knows")


def _check_precision(value: dt.datetime | dt.timedelta, *, where: str) -> None:
    """Refuse instants and durations of pandas of which Arrow sees Python's part only, without the rest."""
    import pandas as pd

    if not isinstance(value, (pd.Timestamp, pd.Timedelta)):
        return
    if value.nanosecond if isinstance(value, pd.Timestamp) else value.nanoseconds:
        raise Refused(
            "nanoseconds among Python objects, which would be cut off",
            where=where,
            advice="use numpy's datetime64[ns] and timedelta64[ns], or round to microseconds",
        )
    inside = 1 <= value.year <= 9999 if isinstance(value, pd.Timestamp) else abs(value.days) <= 999_999_999
    if not inside:
        raise Refused(
            "an instant or a duration beyond those of Python's datetime",
            where=where,
            advice="use numpy's datetime64[s] and timedelta64[s]",
        )
