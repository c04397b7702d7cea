"""Frames and Arrow tables: what of them the digest leaves out, and how they are made again from an Arrow table.

Decides what two frames must have in common beside their digest to be taken for the same: the order and types of
columns, kinds of missing values in columns of objects, index, and names of axes. Libraries that are not imported are
not looked at.
"""

import sys
from typing import Any

Form = dict[str, Any]


def form_of(value: Any) -> Form | None:
    """The form of a frame, series or Arrow table; null for anything else, and for what cannot come back the same."""
    pandas, polars, arrow = (sys.modules.get(name) for name in ("pandas", "polars", "pyarrow"))
    if arrow is not None and type(value) is arrow.Table:
        if value.schema.metadata:
            return None
        fields = [[field.name, str(field.type), field.nullable] for field in value.schema]
        return {"is": "frame", "of": "pyarrow.Table", "columns": fields}
    if polars is not None and type(value) in (polars.DataFrame, polars.Series):
        frame = value if isinstance(value, polars.DataFrame) else value.to_frame()
        columns = [[name, str(dtype)] for name, dtype in frame.schema.items()]
        return {"is": "frame", "of": f"polars.{type(value).__name__}", "columns": columns}
    if pandas is not None and type(value) is pandas.DataFrame:
        if value.attrs or not value.columns.is_unique or value.columns.nlevels > 1:
            return None
        columns = [[name, *_pandas_type(column)] for name, column in value.items()]
        labels = [str(value.columns.dtype), value.columns.name]
        return _pandas(value, "pandas.DataFrame", columns, labels)
    if pandas is not None and type(value) is pandas.Series:
        return _pandas(value, "pandas.Series", [[value.name, *_pandas_type(value)]], None)
    return None


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

    chosen = table.select([name for name, _, _ in form["columns"]]).replace_schema_metadata(None)
    fields = [
        pa.field(name, chosen.schema.field(name).type, nullable) for name, _, nullable in form["columns"]
    ]
    return chosen.cast(pa.schema(fields))


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
        return [dtype, sorted(missing)]
    return [dtype, None]


def _index(index: Any) -> Form | None:
    import pandas

    if type(index) is pandas.RangeIndex and index.start == 0 and index.step == 1:
        return {"range": len(index), "name": index.name} if index.name is None else None
    if index.nlevels > 1 or not (index.name is None or isinstance(index.name, str)):
        return None
    if type(index) is pandas.DatetimeIndex and index.freq is not None:
        return None
    return {"of": type(index).__name__, "name": index.name, "type": _pandas_type(index.to_series())}


def _made_pandas(form: Form, kind: str, table: Any) -> Any:
    import pandas

    index = form["index"]
    made_index = None
    if "range" not in index:
        name = index["name"] if index["name"] is not None else "__index_level_0__"
        made_index = pandas.Index(_made_column(table.column(name), *index["type"]), name=index["name"])
    if kind == "Series":
        [[name, dtype, more]] = form["columns"]
        values = _made_column(table.column("" if name is None else name), dtype, more)
        return pandas.Series(values.array, index=made_index, name=name)
    columns = {
        name: pandas.Series(_made_column(table.column(name), dtype, more).array, index=made_index)
        for name, dtype, more in form["columns"]
    }
    rows = pandas.RangeIndex(table.num_rows) if made_index is None else made_index
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
        missing = None if more in ([], ["NoneType"]) else pandas.NA if more == ["NAType"] else float("nan")
        values = [missing if one is None else one for one in chunked.to_pylist()]
        return pandas.Series(values, dtype="object")
    target = pandas.api.types.pandas_dtype(dtype)
    if hasattr(target, "__from_arrow__"):
        return pandas.Series(target.__from_arrow__(chunked))
    return chunked.to_pandas().astype(target)
