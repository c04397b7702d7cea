"""Tables: one way into Arrow from every carrier, and the table digest over it.

Decides what of a pandas frame is data (the index unless it is the default range; NaN of numpy-backed columns
is the missing value) and how the column roots are bound into one table. How a column becomes bytes is
`columns`' part. Libraries are looked at only when the caller has imported them.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .columns import column_root, descriptor
from .framing import DISTINCTIVE_BYTES, digest, frame, labelled, number, utf8
from .records import Column, Refused

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_PLAIN_OBJECTS = frozenset(
    {"string", "bytes", "boolean", "integer", "floating", "decimal", "date", "time", "empty"}
)


@dataclass(frozen=True, kw_only=True)
class TableDigest:
    """The digest of a table and its two halves, which tell a changed schema from changed values.

    `schema` binds names and types, `values` the column roots without names; `bytes` is the size of the values
    as encoded. `columns` are in the table's own order, which no digest binds.
    """

    digest: str
    schema: str
    values: str
    rows: int
    bytes: int
    columns: tuple[Column, ...]
    distinctive: bool


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
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, list):
        for i, text in enumerate(data):
            utf8(text or "", where=f"text {i}")
        data = pa.array(data, pa.large_string())
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return pa.table([data], names=[""])
    if (pandas := sys.modules.get("pandas")) is not None:
        if isinstance(data, pandas.DataFrame):
            return _from_pandas(data)
        if isinstance(data, pandas.Series):
            name = "" if data.name is None else data.name
            columns = [(name, data)]
            return _gather(columns + _index_columns(data.index))
    if (polars := sys.modules.get("polars")) is not None:
        if isinstance(data, polars.DataFrame):
            return data.to_arrow()
        if isinstance(data, polars.Series):
            return pa.table([data.to_arrow()], names=[data.name])
    raise Refused(f"a {type(data).__name__} is no table", advice="pass a frame, a series or an Arrow table")


def table_digest(table: pa.Table) -> TableDigest:
    """The `b3-table1` digest of an Arrow table, as `docs/digests.md` defines it.

    Raises:
        Refused: a column whose type the specification does not cover.
    """
    import pyarrow as pa

    seen: Counter[bytes] = Counter()
    columns: list[Column] = []
    entries: list[tuple[bytes, int, str, bytes]] = []
    size = 0
    for field, data in zip(table.schema, table.columns, strict=True):
        where = f"column {field.name!r}"
        name = utf8(field.name, where=where)
        kind = descriptor(field.type, where=where)
        try:
            root, column_bytes = column_root(data, where=where)
        except pa.ArrowException as error:  # an old Arrow lacks some conversions of new types
            raise Refused(f"type {field.type}: {error}", where=where, advice="cast the column") from error
        entries.append((name, seen[name], kind, root))
        seen[name] += 1
        size += column_bytes
        columns.append(Column(name=field.name, type=kind, digest=labelled("b3-column1", root)))
    entries.sort(key=lambda entry: entry[:2])
    signatures = [frame(name) + number(ordinal) + frame(kind.encode()) for name, ordinal, kind, _ in entries]
    roots = [entry[3] for entry in entries]
    count, rows = number(len(entries)), number(table.num_rows)
    whole = [piece for pair in zip(signatures, roots, strict=True) for piece in pair]
    return TableDigest(
        digest=labelled("b3-table1", digest("b3-table1 root", rows, count, *whole)),
        schema=labelled("b3-schema1", digest("b3-table1 schema", count, *signatures)),
        values=labelled("b3-values1", digest("b3-table1 values", rows, count, *sorted(roots))),
        rows=table.num_rows,
        bytes=size,
        columns=tuple(columns),
        distinctive=size >= DISTINCTIVE_BYTES and not all(_constant(data) for data in table.columns),
    )


def _constant(column: pa.ChunkedArray) -> bool:
    """Whether all rows are equal; mostly settled by the first few."""
    import pyarrow as pa

    try:
        if len(column.slice(0, 1024).unique()) > 1:
            return False
        return len(column.unique()) <= 1
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # nested types, views: compare row by row
        first = column[0].as_py() if len(column) else None
        return all(value.as_py() == first for value in column)


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    if frame.columns.nlevels > 1:
        raise Refused(
            "column labels of several levels",
            where="columns",
            advice="join them to one text each: frame.columns = ['_'.join(label) for label in frame.columns]",
        )
    return _gather([*frame.items(), *_index_columns(frame.index)])


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


def _gather(columns: list[tuple[Any, pd.Series[Any]]]) -> pa.Table:
    import pyarrow as pa

    for label, _ in columns:
        if not isinstance(label, str):
            raise Refused(
                f"the label {label!r} is {type(label).__name__}, not text",
                where="columns",
                advice="rename it: frame.columns = frame.columns.map(str) (or the same for the index's name)",
            )
        utf8(label, where=f"column {label!r}")
    arrays = [_column(values, where=f"column {label!r}") for label, values in columns]
    return pa.table(arrays, names=[label for label, _ in columns])


def _column(series: pd.Series[Any], *, where: str) -> pa.Array | pa.ChunkedArray:
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
            missing = dtype.kind in "mM" or (dtype.kind == "f" and bool(np.isnan(values).any()))
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
