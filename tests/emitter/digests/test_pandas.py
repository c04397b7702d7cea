import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.tables import to_arrow

NAN = math.nan
INSTANT = dt.datetime.fromisoformat("2024-05-06T07:08:09.123456")
DAY = dt.date(2024, 5, 6)


def version(data: object) -> str:
    return content_of(data).digests[0]


def objects(*values: object) -> pd.DataFrame:
    return pd.DataFrame({"o": pd.Series(values, dtype=object)})


def one(values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


def test_equal_frames_have_one_digest_however_they_were_built() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    frame["c"] = ["x", "y"]
    late = pd.DataFrame({"c": ["x", "y"], "a": [1, 2]})
    late.insert(1, "b", [0.5, 1.5])
    late = late[["a", "b", "c"]]
    late.columns.name = "columns"
    late.attrs["note"] = "n"
    late.flags.allows_duplicate_labels = False
    strings = pd.DataFrame(
        {"a": [1, 2], "b": [0.5, 1.5], "c": pd.Series(["".join(["x"]), "y"], dtype=object)}
    )
    assert frame.equals(late)
    assert version(frame) == version(late) == version(strings)


def test_the_index_is_data_unless_it_is_the_default_range() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]})
    other = frame.set_axis([2, 0, 1])
    assert version(frame) != version(other) != version(other.reset_index(drop=True))
    assert version(frame) == version(other.reset_index(drop=True)) == version(frame.set_axis([0, 1, 2]))
    assert version(frame) != version(frame[1:].set_axis([1, 2])) != version(frame[1:].reset_index(drop=True))
    assert version(frame[frame.a > 9]) == version(frame[:0])


def test_one_row_numbered_0_is_the_default_range_whatever_its_step() -> None:
    thinned = pd.DataFrame({"a": [1, 2]}).iloc[::2]
    assert thinned.index.step == 2
    assert version(thinned) == version(pd.DataFrame({"a": [1]}))
    assert version(pd.DataFrame({"a": [1, 2, 3]}).iloc[::2]) != version(pd.DataFrame({"a": [1, 3]}))


@pytest.mark.parametrize("dtype", ["int32", "Int64", "object", "int64[pyarrow]"])
def test_an_index_of_another_type_than_int64_is_data(dtype: str) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    numbered = frame.set_axis(pd.Index([0, 1], dtype=dtype))
    assert version(numbered) != version(frame)
    assert [column.name for column in content_of(numbered).columns] == ["a", "__index_level_0__"]


def test_rows_count_where_there_are_no_columns() -> None:
    table = pa.table({"a": [1] * 5}).select([])
    assert version(pd.DataFrame(index=range(5))) == version(table)
    assert version(pd.DataFrame(index=range(7))) != version(table)
    assert version(pd.DataFrame()) == version(pa.table({})) == version(pl.DataFrame())
    assert to_arrow(pd.DataFrame(index=range(5))).num_rows == 5


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([7, 8], name="id"),
        pd.Index(["u", "v"]),
        pd.RangeIndex(2, name="id"),
        pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["n", None]),
    ],
    ids=["named", "text", "named range", "levels"],
)
def test_an_index_is_the_column_that_parquet_makes_of_it(index: pd.Index, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=index)
    frame.to_parquet(tmp_path / "t.parquet", index=True)
    assert version(tmp_path / "t.parquet") == version(frame)
    assert version(frame) != version(frame.reset_index(drop=True))


def test_nan_of_a_numpy_column_is_the_missing_value() -> None:
    table = one([1.0, None])
    assert version(pd.DataFrame({"x": [1.0, NAN]})) == version(table)
    assert version(pd.DataFrame({"x": np.array([1.0, NAN])[::1]})) == version(table)
    assert version(pd.DataFrame({"x": pd.array([1.0, None], dtype="Float64")})) == version(table)
    assert version(pd.DataFrame({"x": [INSTANT, pd.NaT]}).astype("datetime64[us]")) == version(
        one([INSTANT, None], pa.timestamp("us"))
    )


def test_null_is_not_nan_where_the_carrier_can_say_both() -> None:
    both = one([1.0, NAN, None])
    masked = pd.arrays.FloatingArray(np.array([1.0, NAN, 0.0]), np.array([False, False, True]))
    assert version(pd.DataFrame({"x": masked})) == version(both)
    assert version(both.to_pandas(types_mapper=pd.ArrowDtype)) == version(both)
    assert version(both) != version(one([1.0, None, None]))


def test_object_columns_of_one_kind_are_taken() -> None:
    cases = {"s": ["a", None], "y": [b"a", None], "b": [True, None], "n": [1, None], "l": [[1.0, None], None]}
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in cases.items()})
    assert version(frame) == version(pa.table({name: pa.array(values) for name, values in cases.items()}))
    assert version(pd.DataFrame({"v": [np.array([1.0, 2.0]), None]})) == version(
        pa.table({"v": [[1.0, 2.0], None]})
    )


NESTED: dict[str, tuple[list[Any], list[Any]]] = {
    "lists, tuples and arrays": ([[1, 2], [3], None], [(1, 2), np.array([3]), None]),
    "arrays of objects": ([["a", None]], [np.array(["a", None], dtype=object)]),
    "arrays of text": ([["a", "b"]], [np.array(["a", "b"])]),
    "dicts of lists": ([{"a": ["x"]}, {"a": None}], [{"a": ("x",)}, {}]),
    "missing values": ([[1, None], ["x"][:0], [None]], [[1, NAN], [], [pd.NaT]]),
    "numpy's numbers": ([[1, 2], [True][:0]], [[np.int64(1), np.uint8(2)], []]),
    "microseconds": ([[INSTANT]], [[pd.Timestamp(INSTANT)]]),
    "durations": ([[dt.timedelta(days=1)]], [[pd.Timedelta(days=1)]]),
}


@pytest.mark.parametrize("name", NESTED)
def test_equal_nested_values_have_one_digest(name: str) -> None:
    left, right = NESTED[name]
    assert version(objects(*left)) == version(objects(*right)) == version(pa.table({"o": left}))


def test_nanoseconds_of_numpy_in_lists_are_kept() -> None:
    late, early = ([np.datetime64(at, "ns")] for at in (1001, 1000))
    assert version(objects(late)) == version(one([late], pa.list_(pa.timestamp("ns"))).rename_columns(["o"]))
    assert version(objects(late)) != version(objects(early))
    assert version(objects(late)) == version(objects(np.array(late)))


def test_categories_are_their_values() -> None:
    plain = pd.DataFrame({"x": ["a", None, "b"]})
    few = plain.astype(pd.CategoricalDtype(["a", "b"]))
    many = plain.astype(pd.CategoricalDtype(["z", "b", "a"], ordered=True))
    assert version(plain) == version(few) == version(many)


def test_byte_order_and_strides_do_not_show() -> None:
    values = np.arange(6, dtype="<f8").reshape(3, 2)
    little = pd.DataFrame({"a": values[:, 0], "b": values[:, 1]})
    big = pd.DataFrame({name: little[name].to_numpy().astype(">f8") for name in "ab"})
    assert version(little) == version(big) == version(pd.DataFrame(values, columns=["a", "b"]))


def test_a_series_and_an_array_are_tables_of_one_column() -> None:
    series = pd.Series([1, 2], name="x")
    assert version(series) == version(series.to_frame()) == version(pl.Series("x", [1, 2]))
    assert version(pd.Series(["a", "b"])) == version(pa.array(["a", "b"])) == version(["a", "b"])


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)

REFUSED: dict[str, tuple[object, str]] = {
    "numbered labels": (pd.DataFrame([[1, 2]]), "the label 0 is int, not text"),
    "mixed labels": (pd.DataFrame({"a": [1], 2: [3]}), "the label 2 is int, not text"),
    "label levels": (pd.DataFrame({("a", "b"): [1]}), "column labels of several levels"),
    "an index with a number as its name": (
        pd.DataFrame({"a": [1]}, index=pd.Index([5], name=3)),
        "the label 3",
    ),
    "mixed objects": (objects(1, "a"), "column .o.: an object column of"),
    "text and bytes": (objects("a", b"a"), "column 'o'.*bytes, str"),
    "ints and floats": (objects(1, 1.5), "column 'o'.*float, int"),
    "dates and instants": (objects(DAY, INSTANT), r"column 'o': .*\(date, datetime\)"),
    "times with a zone": (objects(dt.time(1, tzinfo=dt.UTC)), "column 'o': a time of day with a zone"),
    "nested text and bytes": (objects(["a"], [b"a"]), r"column 'o'\[\]: .*\(bytes, text\)"),
    "text and bytes in one list": (objects(("a", b"a")), r"column 'o'\[\]: .*\(bytes, text\)"),
    "text beside arrays of bytes": (
        objects(["a"], np.array([b"a"])),
        r"column 'o'\[\]: .*\(bytes, text\)",
    ),
    "text and bytes deep inside": (
        objects([{"k": ["a"]}], [{"k": [b"a"]}]),
        r"column 'o'\[\]\.k\[\]: .*\(bytes, text\)",
    ),
    "text and bytes in arrays of objects": (
        objects(np.array(["a", b"a"], dtype=object)),
        r"column 'o'\[\]: .*\(bytes, text\)",
    ),
    "text and bytes in dicts": (objects({"a": "x"}, {"a": b"x"}), r"column 'o'\.a: .*\(bytes, text\)"),
    "keys of bytes": (objects({b"a": 2}), "column 'o': the key b'a' is bytes, not text"),
    "keys of bytes inside": (objects([{b"a": 2}]), r"column 'o'\[\]: the key b'a' is bytes, not text"),
    "keys of numbers": (objects({1: 2}), "column 'o': the key 1 is int, not text"),
    "nested truths and numbers": (objects([True], [1]), r"\(bool, int\)"),
    "nested ints and floats": (objects([1], [1.5]), r"\(float, int\)"),
    "arrays of ints and of floats": (objects(np.array([1]), np.array([1.5])), r"\(float, int\)"),
    "nested ints and decimals": (objects([1], [Decimal("1.5")]), r"\(decimal, int\)"),
    "nested dates and instants": (objects([DAY], [INSTANT]), r"\(date, datetime\)"),
    "nested instants with and without zone": (
        objects([INSTANT], [INSTANT.replace(tzinfo=dt.UTC)]),
        r"\(datetime, datetime in UTC\)",
    ),
    "nested instants of two zones": (
        objects([INSTANT.replace(tzinfo=ZoneInfo("Europe/Warsaw"))], [INSTANT.replace(tzinfo=dt.UTC)]),
        r"\(datetime in Europe/Warsaw, datetime in UTC\)",
    ),
    "nested durations of numpy and numbers": (
        objects([np.timedelta64(5, "ns")], [1]),
        r"\(int, timedelta64\[ns\]\)",
    ),
    "nested times with a zone": (objects([dt.time(1, tzinfo=dt.UTC)]), "a time of day with a zone"),
    "nested nanoseconds": (objects([pd.Timestamp(1)]), r"column 'o'\[\]: .*nanoseconds"),
    "nested durations with nanoseconds": (objects({"a": pd.Timedelta(1)}), r"column 'o'\.a: .*nanoseconds"),
    "nested years beyond 9999": (objects([pd.Timestamp(np.datetime64(10**12, "s"))]), "beyond"),
    "nested durations beyond Python's": (objects([pd.Timedelta(np.timedelta64(10**17, "s"))]), "beyond"),
    "nested masks": (
        objects([np.ma.masked_array([1, 2], [0, 1])]),
        "MaskedArray",
    ),
    "nested sets": (objects([{"a"}]), r"column 'o'\[\]: a value of type set"),
    "nested arrays of two axes": (objects([np.zeros((2, 2))]), "an array of 2 axes"),
    "lists that hold themselves": (objects(CIRCLE), r"column 'o'\[\]\[\].*: nested too deeply"),
    "categories of text and bytes": (
        pd.DataFrame({"c": pd.Categorical(["a", b"b"])}),
        "column 'c': .*bytes, str",
    ),
    "an index of text and bytes": (pd.DataFrame({"a": [1, 2]}, index=["a", b"a"]), "bytes, str"),
    "polars objects": (
        pl.DataFrame({"n": [1], "o": pl.Series([object()], dtype=pl.Object)}),
        "column 'o': a polars column of Python objects",
    ),
    "a polars series of objects": (pl.Series("o", [object()], dtype=pl.Object), "column 'o'"),
    "own objects": (pd.DataFrame({"o": [object()]}), "column 'o'"),
    "sparse": (pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])}), "column 's': a sparse column"),
    "complex": (pd.DataFrame({"c": [1j]}), "column 'c': complex128 values without an Arrow form"),
    "periods": (
        pd.DataFrame({"p": pd.period_range("2024", periods=2, freq="M")}),
        "column 'p': type extension",
    ),
    "maps": (one([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "column 'x': type map"),
    "maps inside": (one([[[("k", 1)]]], pa.list_(pa.map_(pa.string(), pa.int64()))), "column 'x': type map"),
    "unions": (
        pa.table(
            {"u": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1]), pa.array(["a"])])}
        ),
        "column 'u': type sparse_union",
    ),
    "calendar intervals": (one([None], pa.month_day_nano_interval()), "column 'x'"),
    "surrogates in a list": (["\ud800"], "text 0: text without a UTF-8 form"),
    "surrogates in a label": (
        pd.DataFrame({"a": [1]}).set_axis(pd.Index(["\ud800"], dtype=object), axis=1),
        "text without a UTF-8 form",
    ),
    "lazy frames": (pl.LazyFrame({"a": [1]}), "LazyFrame has no digest"),
}
if hasattr(pl, "Int128"):  # since polars 1.18
    REFUSED |= {
        "polars types without an Arrow form": (
            pl.DataFrame({"n": [1], "i": pl.Series([1], dtype=pl.Int128)}),
            "column 'i': Int128 without an Arrow form",
        ),
        "a polars series without an Arrow form": (
            pl.Series("l", [[1]], dtype=pl.List(pl.Int128)),
            "column 'l'",
        ),
    }


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_specification_does_not_cover_is_refused_with_its_place(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(Refused, match=message):
        content_of(data)


def test_a_zero_copy_column_stays_where_it_is() -> None:
    values = np.arange(10.0)
    array = to_arrow(pd.DataFrame({"x": values}, copy=False)).column("x").chunk(0)
    assert array.buffers()[1].address == values.ctypes.data
