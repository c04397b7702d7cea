"""Frames and Arrow tables: what of them the digest leaves out, and how they are made again from an Arrow table.

Decides what two frames must have in common beside their digest to be taken for the same: the order and types of
columns, kinds of missing values in columns of objects, index, and names of axes. Libraries that are not imported are
not looked at.
"""

import sys
from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any

Form = dict[str, Any]


def form_of(value: Any) -> Form | None:
    """The form of a frame, series or Arrow table; null for anything else, and for what cannot come back the same."""
    pandas, polars, arrow = (sys.modules.get(name) for name in ("pandas", "polars", "pyarrow"))
    if arrow is not None and type(value) is arrow.Table:
        schema = b64encode(value.schema.serialize().to_pybytes()).decode()
        return {"is": "frame", "of": "pyarrow.Table", "schema": schema}
    if polars is not None and type(value) in (polars.DataFrame, polars.Series):
        frame = value if isinstance(value, polars.DataFrame) else value.to_frame()
        columns = [[name, str(dtype)] for name, dtype in frame.schema.items()]
        return {"is": "frame", "of": f"polars.{type(value).__name__}", "columns": columns}
    if pandas is not None and type(value) is pandas.DataFrame:
        if value.attrs or not value.flags.allows_duplicate_labels:
            return None
        if type(value.columns) is not pandas.Index or not value.columns.is_unique:
            return None
        columns = [[name, *_pandas_type(column)] for name, column in value.items()]
        labels = [str(value.columns.dtype), value.columns.name]
        return _pandas(value, "pandas.DataFrame", columns, labels)
    if pandas is not None and type(value) is pandas.Series:
        return _pandas(value, "pandas.Series", [[value.name, *_pandas_type(value)]], None)
    return None


def seen_of(value: Any) -> list[Any] | None:
    """What a function can tell of a frame, series or Arrow table beside its content; null for anything else."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.DataFrame | pandas.Series):
        form = form_of(value)
        return [form] if form is not None else None
    columns = value.items() if isinstance(value, pandas.DataFrame) else [(value.name, value)]
    labels = getattr(value, "columns", None)
    axes = [
        [type(one).__name__, list(one.names), str(one.dtype)]
        for one in (value.index, labels)
        if one is not None
    ]
    index = value.index
    rows = repr(index) if type(index) is pandas.RangeIndex else getattr(index, "freqstr", None)
    return [
        axes,
        rows,
        [[name, *_pandas_type(column)] for name, column in columns],
        value.attrs,
        str(value.flags),
    ]


def made_again(form: Form, table: Any) -> Any:
    """The frame of a form.

    Args:
        form: As `form_of` said.
        table: The Arrow table from the store.
    """
    library, _, kind = form["of"].partition(".")
    if library == "pandas":
        return _made_pandas(form, kind, table)
    if library == "polars":
        import polars

        frame = polars.from_arrow(table.select([name for name, _ in form["columns"]]))
        assert isinstance(frame, polars.DataFrame)
        return frame if kind == "DataFrame" else frame.to_series()
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.py_buffer(b64decode(form["schema"])))
    return table.select(schema.names).cast(schema)


def _pandas(value: Any, of: str, columns: list[Any], labels: list[Any] | None) -> Form | None:
    index = _index(value.index)
    texts = [label[0] for label in columns]
    if index is None or any(one is None for one in columns):
        return None
    if any(not isinstance(name, str) for name in texts) and not (of == "pandas.Series" and texts == [None]):
        return None
    return {"is": "frame", "of": of, "columns": columns, "index": index, "labels": labels}


def _pandas_type(column: Any) -> list[Any]:
    """Its dtype, and what the dtype's name does not say: categories, or the missing values among objects."""
    dtype = str(column.dtype)
    if dtype == "category":
        categories = column.cat.categories
        return [dtype, [str(categories.dtype), [str(one) for one in categories], bool(column.cat.ordered)]]
    if dtype == "object":
        missing = {type(one).__name__ for one in column[column.isna()]}
        return [dtype, [sorted(missing), sorted({_cell(one) for one in column})]]
    return [dtype, None]


def _cell(value: Any) -> str:
    """The kind of one object in a column, as far as an Arrow table does not keep it: it has one for all of them."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, dict):
        return f"{kind}({', '.join(f'{key!r}: {_cell(one)}' for key, one in value.items())})"
    if isinstance(value, list | tuple):
        return f"{kind}({', '.join(sorted({_cell(one) for one in value}))})"
    if isinstance(value, Decimal):
        return f"{kind}({value.as_tuple().exponent})"
    return kind


def _index(index: Any) -> Form | None:
    import pandas

    if index.nlevels > 1 or not (index.name is None or isinstance(index.name, str)):
        return None
    if type(index) is pandas.RangeIndex:
        return {"range": [index.start, index.stop, index.step], "name": index.name}
    if type(index) in (pandas.DatetimeIndex, pandas.TimedeltaIndex) and index.freq is not None:
        return None
    return {"of": type(index).__name__, "name": index.name, "type": _pandas_type(index.to_series())}


def _made_pandas(form: Form, kind: str, table: Any) -> Any:
    import pandas

    index = form["index"]
    rows: Any
    if "range" in index:
        start, stop, step = index["range"]
        rows = pandas.RangeIndex(start, stop, step, name=index["name"])
    else:
        name = index["name"] if index["name"] is not None else "__index_level_0__"
        values = _made_column(table.column(name), *index["type"])
        rows = pandas.Index(values.array, dtype=values.dtype, name=index["name"])
    columns = {}
    for name, dtype, more in form["columns"]:
        values = _made_column(table.column("" if name is None else name), dtype, more)
        columns[name] = pandas.Series(values.array, index=rows, dtype=values.dtype, name=name)
    if kind == "Series":
        return next(iter(columns.values()))
    frame = pandas.DataFrame(columns, index=rows)
    if form["labels"] is not None:
        frame.columns = pandas.Index(list(columns), dtype=form["labels"][0], name=form["labels"][1])
    return frame


def _made_column(chunked: Any, dtype: str, more: Any) -> Any:
    import pandas
    import pyarrow as pa

    if dtype == "category":
        if pa.types.is_dictionary(chunked.type):
            chunked = chunked.cast(chunked.type.value_type)
        categories = pandas.Index(more[1]).astype(more[0])
        return pandas.Series(pandas.Categorical(chunked.to_pandas(), categories=categories, ordered=more[2]))
    if dtype == "object":
        kinds = more[0]
        missing = None if kinds in ([], ["NoneType"]) else pandas.NA if kinds == ["NAType"] else float("nan")
        values = [missing if one is None else one for one in chunked.to_pylist()]
        return pandas.Series(values, dtype="object")
    target = pandas.api.types.pandas_dtype(dtype)
    if hasattr(target, "__from_arrow__"):
        return pandas.Series(target.__from_arrow__(chunked))
    return chunked.to_pandas().astype(target)
