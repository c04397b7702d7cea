"""Each line of the table of types in docs/digests.md is what the digest does."""

import datetime as dt
import re
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promised import PROMISED

from relineage.emitter.digests import Refused
from relineage.emitter.digests.tables import table_digest

PAGE = Path(__file__).parents[3] / "docs" / "digests.md"
INSTANT = dt.datetime.fromisoformat("2024-05-06T07:08:09.123456")
DAY = dt.date(1960, 2, 29)

# The first cell of a line → (types of it, values, descriptor; None where it is refused).
LINES: dict[str, list[tuple[pa.DataType, list[Any], str | None]]] = {
    "bool": [(pa.bool_(), [True, False, None], "bool")],
    "int8 … int64, uint8 … uint64": [
        (getattr(pa, name)(), [1, 0, None], name)
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    ],
    "float (32), double (64)": [
        (pa.float32(), [1.5, float("nan"), None], "float32"),
        (pa.float64(), [1.5, -0.0, None], "float64"),
    ],
    "string, large_string, string_view": [
        (kind, ["a", "", None], "utf8") for kind in (pa.string(), pa.large_string(), pa.string_view())
    ],
    "binary, large_binary, binary_view, fixed_size_binary": [
        *((kind, [b"a", b"", None], "binary") for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
        (pa.binary(2), [b"ab", None], "binary"),
    ],
    "date32": [(pa.date32(), [DAY, None], "date32")],
    "timestamp[us], naive": [(pa.timestamp("us"), [INSTANT, None], "timestamp[us]")],
    "timestamp[us] in UTC": [
        (pa.timestamp("us", zone), [INSTANT, None], 'timestamp[us,"UTC"]')
        for zone in ("UTC", "Etc/UTC", "UCT", "Zulu", "Universal", "Etc/Zulu", "Etc/UCT", "Etc/Universal")
    ],
    "decimal32, 64, 128, 256": [
        (pa.decimal128(9, 2), [Decimal("1.20"), None], "decimal128[9,2]"),
        (pa.decimal256(9, 2), [Decimal("1.20"), None], "decimal128[9,2]"),
        (pa.decimal256(39, 2), [Decimal("1.20"), None], "decimal256[39,2]"),
    ],
    "list, large_list, list_view, large_list_view, fixed_size_list": [
        *(
            (kind(pa.int64()), [[1, None], [], None], "list<int64>")
            for kind in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)
        ),
        (pa.list_(pa.int64(), 2), [[1, 2], None], "list<int64>"),
    ],
    "struct": [
        (
            pa.struct([("ż", pa.string()), ("n", pa.int8())]),
            [{"ż": "a", "n": 1}],
            'struct<"\\u017c":utf8,"n":int8>',
        )
    ],
    "dictionary, run_end_encoded": [(pa.dictionary(pa.int8(), pa.string()), ["a", None], "utf8")],
    "timestamp in s, ms, ns, or with another zone": [
        (pa.timestamp("s"), [INSTANT.replace(microsecond=0)], "timestamp[s]"),
        (pa.timestamp("ms"), [INSTANT.replace(microsecond=5000)], "timestamp[ms]"),
        (pa.timestamp("ns"), [INSTANT], "timestamp[ns]"),
        (pa.timestamp("us", "+00:00"), [INSTANT], 'timestamp[us,"+00:00"]'),
        (pa.timestamp("us", "Europe/Warsaw"), [INSTANT], 'timestamp[us,"Europe/Warsaw"]'),
    ],
    "date64, time32, time64, duration": [
        (pa.date64(), [DAY], "date64"),
        (pa.time32("s"), [dt.time(1, 2, 3)], "time32[s]"),
        (pa.time64("us"), [dt.time(1, 2, 3)], "time64[us]"),
        (pa.duration("ns"), [dt.timedelta(1), None], "duration[ns]"),
    ],
    "halffloat": [(pa.float16(), [np.float16(1.5), None], "float16")],
    "null": [(pa.null(), [None, None], "null")],
    "map, union, extension types, month_day_nano_interval": [
        (pa.map_(pa.string(), pa.int8()), [[("a", 1)]], None),
        (pa.month_day_nano_interval(), [None], None),
    ],
}
CASES = [(line, *case) for line, cases in LINES.items() for case in cases]


def through_parquet(table: pa.Table) -> pa.Table:
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(table, Path(folder) / "t.parquet", store_schema=False)
        return pq.ParquetFile(Path(folder) / "t.parquet").read()


def through_duckdb(table: pa.Table) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("t", table)
        return connection.sql("from t").to_arrow_table()


CARRIERS: dict[str, Callable[[pa.Table], Any]] = {
    "Arrow-backed pandas": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "Parquet": through_parquet,
    "DuckDB": through_duckdb,
}


def lines_of_the_page() -> dict[str, str]:
    text = PAGE.read_text().partition("### Types")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| ([^|]+) \|[^|]*\| (.+) \|$", text, re.MULTILINE)
    return {kind.strip(): rest for kind, rest in rows if kind.strip() not in ("Arrow type", "---")}


def test_every_line_of_the_page_has_its_test() -> None:
    assert lines_of_the_page().keys() == LINES.keys()


@pytest.mark.parametrize(("line", "kind", "values", "descriptor"), CASES, ids=lambda part: str(part)[:40])
def test_a_type_is_bound_as_the_page_says(
    line: str, kind: pa.DataType, values: list[Any], descriptor: str | None
) -> None:
    table = pa.table({"x": pa.array(values, kind)})
    if descriptor is None:
        assert lines_of_the_page()[line] == "refused"
        with pytest.raises(Refused, match="column 'x'"):
            table_digest(table)
        return
    found = table_digest(table)
    assert [one.type for one in found.columns] == [descriptor]
    assert (
        table_digest(
            pa.table({"x": pa.chunked_array([table["x"].chunk(0).slice(0, 1), *table["x"].slice(1).chunks])})
        )
        == found
    )


def test_the_types_that_are_tested_through_all_carriers_are_those_promised() -> None:
    page = lines_of_the_page()
    promised = {head(found) for line, _, _, found in CASES if page[line].startswith("promised")}
    tables = (pa.table({"x": pa.array(values, kind)}) for kind, values in PROMISED.values())
    assert {head(table_digest(table).columns[0].type) for table in tables} == promised - {"decimal256"}


def head(descriptor: str | None) -> str:
    return re.split(r"[\[<]", descriptor or "")[0]


@pytest.mark.parametrize(
    ("dtype", "arrow", "values"),
    [
        ("Int8", pa.int8(), [1, None]),
        ("Int64", pa.int64(), [2**63 - 1, None]),
        ("UInt64", pa.uint64(), [2**64 - 1, None]),
        ("Float32", pa.float32(), [1.5, None]),
        ("Float64", pa.float64(), [1.5, None]),
        ("boolean", pa.bool_(), [True, None]),
        ("string", pa.string(), ["a", None]),
        ("str", pa.string(), ["a", None]),
        ("category", pa.string(), ["a", None]),
        ("datetime64[us]", pa.timestamp("us"), [INSTANT, None]),
        ("datetime64[us, UTC]", pa.timestamp("us", "UTC"), [INSTANT, None]),
        ("timedelta64[us]", pa.duration("us"), [dt.timedelta(1), None]),
        ("int32[pyarrow]", pa.int32(), [1, None]),
    ],
)
def test_nullable_and_other_pandas_types_are_those_of_arrow(
    dtype: str, arrow: pa.DataType, values: list[Any]
) -> None:
    expected = table_digest(pa.table({"x": pa.array(values, arrow)}))
    if dtype.endswith("UTC]"):
        series = pd.Series(values, dtype="datetime64[us]").dt.tz_localize("UTC")
    else:
        series = pd.Series(values, dtype=dtype)
    assert table_digest(series.rename("x").to_frame()) == expected


def test_the_levels_of_an_index_are_columns() -> None:
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["k", "n"])
    frame = pd.DataFrame({"x": [1.0, 2.0, np.nan, 4.0]}, index=index)
    plain = pa.table({"x": [1.0, 2.0, None, 4.0], "k": ["a", "a", "b", "b"], "n": [1, 2, 1, 2]})
    assert table_digest(frame) == table_digest(plain)


COLUMNS = {
    "int64": (pa.int64(), st.none() | st.integers(-2, 2)),
    "int8": (pa.int8(), st.none() | st.integers(-2, 2)),
    "float64": (pa.float64(), st.none() | st.sampled_from([0.0, -0.0, 1.0, float("nan"), float("inf")])),
    "utf8": (pa.string(), st.none() | st.sampled_from(["", "a", "b", "ab", "\0"])),
    "binary": (pa.binary(), st.none() | st.sampled_from([b"", b"a", b"b", b"ab", b"\0"])),
    "bool": (pa.bool_(), st.none() | st.booleans()),
    "list": (pa.list_(pa.int64()), st.none() | st.lists(st.none() | st.integers(0, 1), max_size=2)),
    "struct": (
        pa.struct([("a", pa.int8())]),
        st.none() | st.fixed_dictionaries({"a": st.none() | st.integers(0, 1)}),
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 3))
    names = draw(st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=2, unique=True))
    made = {}
    for name in names:
        kind, cells = COLUMNS[draw(st.sampled_from(sorted(COLUMNS)))]
        made[name] = pa.array(draw(st.lists(cells, min_size=rows, max_size=rows)), kind)
    return pa.table(made)


def meaning(table: pa.Table) -> Any:
    """What the table is, in Python's values: its columns by name, each with its type and cells."""

    def cell(value: Any) -> Any:
        if isinstance(value, float):
            return "NaN" if value != value else value.hex()
        if isinstance(value, list):
            return [cell(one) for one in value]
        return value

    rows = table.num_rows if table.num_columns else 0
    return rows, {
        name: (str(table[name].type), [cell(v) for v in table[name].to_pylist()])
        for name in table.column_names
    }


@settings(max_examples=400, deadline=None)
@given(tables(), tables())
def test_two_tables_have_one_digest_if_and_only_if_they_are_equal(a: pa.Table, b: pa.Table) -> None:
    one, two = table_digest(a), table_digest(b)
    assert (one.digest == two.digest) is (meaning(a) == meaning(b))
    assert (one.digest == two.digest) <= (one.schema == two.schema and one.values == two.values)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_equal_tables_have_one_digest_through_every_carrier(table: pa.Table) -> None:
    if table.num_columns == 0 or "" in table.column_names:  # which DuckDB cannot have
        return
    expected = table_digest(table)
    for carrier in CARRIERS.values():
        assert table_digest(carrier(table)).digest == expected.digest
