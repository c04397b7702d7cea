import math
import struct
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
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promised import INF, INSTANT, NAN, PROMISED

from relineage.emitter.digests import content_of
from relineage.emitter.digests.tables import table_digest


def version(data: object) -> str:
    return content_of(data).digests[0]


def one(values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


def through_parquet(table: pa.Table) -> pa.Table:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        pq.write_table(table, path, row_group_size=2, store_schema=False)
        return pq.ParquetFile(path).read()


def through_duckdb(table: pa.Table) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("t", table)
        return connection.sql("from t").to_arrow_table()


CARRIERS: dict[str, Callable[[pa.Table], object]] = {
    "arrow-backed pandas": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "parquet": through_parquet,
    "duckdb": through_duckdb,
    "record batch": lambda table: table.combine_chunks().to_batches()[0],
}


@pytest.mark.parametrize("name", PROMISED)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_promised_type_is_the_same_through_every_carrier(name: str, carrier: str) -> None:
    kind, values = PROMISED[name]
    table = one(values, kind)
    assert version(CARRIERS[carrier](table)) == version(table)


@pytest.mark.parametrize("name", ["bool", "int64", "float32", "float64", "utf8", "date32", "naive", "utc"])
def test_a_promised_type_is_the_same_in_numpy_backed_pandas(name: str) -> None:
    kind, values = PROMISED[name]
    whole = [value for value in values if value is not None and value == value]
    table = one(whole, kind)
    assert version(table.to_pandas()) == version(table)


def test_carriers_agree_on_all_promised_types_in_one_table_with_other_column_orders() -> None:
    columns = {name: pa.array((values * 6)[:6], kind) for name, (kind, values) in PROMISED.items()}
    table = pa.table(columns)
    turned = table.select(sorted(columns, reverse=True))
    assert {version(CARRIERS[carrier](turned)) for carrier in CARRIERS} == {version(table)}
    assert [column.name for column in content_of(turned).columns] == sorted(columns, reverse=True)


@pytest.mark.parametrize("name", PROMISED)
def test_chunks_slices_and_offsets_do_not_show(name: str) -> None:
    kind, values = PROMISED[name]
    plain = version(one(values, kind))
    padded = pa.array([*values[::-1], *values, *values], kind).slice(len(values), len(values))
    assert version(pa.table({"x": padded})) == plain
    pieces = [pa.array([value], kind) for value in values]
    assert version(pa.table({"x": pa.chunked_array([*pieces, pa.array([], kind)])})) == plain


TWINS: list[tuple[str, pa.DataType, list[pa.DataType]]] = [
    ("utf8", pa.string(), [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]),
    ("binary", pa.binary(), [pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())]),
    ("int64", pa.int64(), [pa.dictionary(pa.int16(), pa.int64())]),
    ("int64", pa.int64(), [pa.run_end_encoded(pa.int32(), pa.int64())]),
    ("decimal", pa.decimal128(20, 3), [pa.decimal256(20, 3)]),
    (
        "list",
        pa.list_(pa.float64()),
        [pa.large_list(pa.float64()), pa.list_view(pa.float64()), pa.large_list_view(pa.float64())],
    ),
]


def recoded(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_run_end_encoded(kind):
        return pc.run_end_encode(pa.array(values, kind.value_type), run_end_type=kind.run_end_type)
    return pa.array(values, kind)


@pytest.mark.parametrize(
    ("name", "plain", "other"), [(name, plain, other) for name, plain, others in TWINS for other in others]
)
def test_the_encoding_of_a_type_does_not_show(name: str, plain: pa.DataType, other: pa.DataType) -> None:
    values = PROMISED[name][1] * 3
    array = recoded(values, other)
    assert array.type == other
    expected = version(one(values, plain))
    assert version(pa.table({"x": array})) == expected
    assert version(pa.table({"x": pa.chunked_array([array.slice(0, 4), array.slice(4)])})) == expected


def test_fixed_sizes_are_lists_and_binaries() -> None:
    pairs = [[1.0, 2.0], None, [3.0, NAN]]
    assert version(one(pairs, pa.list_(pa.float64(), 2))) == version(one(pairs, pa.list_(pa.float64())))
    codes = [b"ab", None, b"cd"]
    assert version(one(codes, pa.binary(2))) == version(one(codes, pa.binary()))


def test_dictionaries_inside_lists_and_structs_are_their_values() -> None:
    words = pa.array(["b", "a", "b"]).dictionary_encode()
    coded = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), words)
    assert version(pa.table({"x": coded})) == version(one([["b", "a"], ["b"]]))
    coded = pa.StructArray.from_arrays([words], ["w"])
    assert version(pa.table({"x": coded})) == version(one([{"w": "b"}, {"w": "a"}, {"w": "b"}]))


def test_chunks_with_different_dictionaries_are_one_column() -> None:
    parts = [pa.array(part).dictionary_encode() for part in (["a", "b"], ["b", None], ["c"])]
    assert version(pa.table({"x": pa.chunked_array(parts)})) == version(one(["a", "b", "b", None, "c"]))


def test_what_lies_behind_a_null_does_not_show() -> None:
    mask = pa.py_buffer(b"\x05")
    numbers = pa.Array.from_buffers(pa.int64(), 3, [mask, pa.py_buffer(struct.pack("<3q", 1, 99, 3))])
    assert version(pa.table({"x": numbers})) == version(one([1, None, 3]))
    offsets = pa.py_buffer(struct.pack("<4i", 0, 1, 3, 4))
    texts = pa.Array.from_buffers(pa.string(), 3, [mask, offsets, pa.py_buffer(b"a??b")])
    assert version(pa.table({"x": texts})) == version(one(["a", None, "b"]))
    lists = pa.Array.from_buffers(pa.list_(pa.int64()), 3, [mask, offsets], children=[pa.array([1, 9, 9, 2])])
    assert version(pa.table({"x": lists})) == version(one([[1], None, [2]]))
    fields = pa.array([{"a": 1}, {"a": 99}, {"a": 3}], pa.struct([("a", pa.int64())]))
    struct_ = pa.Array.from_buffers(fields.type, 3, [mask], children=[fields.field(0)])
    assert version(pa.table({"x": struct_})) == version(one([{"a": 1}, None, {"a": 3}]))


DIFFERENT: dict[str, tuple[pa.Table, pa.Table]] = {
    "zero and null": (one([0], pa.int64()), one([None], pa.int64())),
    "empty text and null": (one([""]), one([None], pa.string())),
    "NaN and null": (one([NAN]), one([None], pa.float64())),
    "the two zeros": (one([0.0]), one([-0.0])),
    "int32 and int64": (one([5], pa.int32()), one([5], pa.int64())),
    "signed and unsigned": (one([5], pa.int64()), one([5], pa.uint64())),
    "a number and its bits": (one([1.5]), one([4609434218613702656], pa.int64())),
    "text and bytes": (one(["a"]), one([b"a"])),
    "where texts end": (one(["a", "bX"]), one(["ab", "X"])),
    "where lists end": (one([[1], [2]]), one([[1, 2], []])),
    "an empty list and null": (one([[]], pa.list_(pa.int64())), one([None], pa.list_(pa.int64()))),
    "a null struct and a struct of nulls": (
        one([None], pa.struct([("a", pa.int64())])),
        one([{"a": None}], pa.struct([("a", pa.int64())])),
    ),
    "names": (pa.table({"ab": [1]}), pa.table({"a": [1]})),
    "a name and the next value": (pa.table({"a": ["bX"]}), pa.table({"ab": ["X"]})),
    "field names": (one([{"a": 1}]), one([{"b": 1}])),
    "one column and two": (pa.table({"a": [1]}), pa.table({"a": [1], "b": [1]})),
    "swapped columns": (pa.table({"a": [1], "b": [2]}), pa.table({"a": [2], "b": [1]})),
    "row order": (one([1, 2]), one([2, 1])),
    "no rows and one null": (one([], pa.int64()), one([None], pa.int64())),
    "types without rows": (one([], pa.int64()), one([], pa.string())),
    "units": (one([INSTANT], pa.timestamp("us")), one([INSTANT], pa.timestamp("ns"))),
    "zones": (one([INSTANT], pa.timestamp("us", "UTC")), one([INSTANT], pa.timestamp("us"))),
    "scales": (one([Decimal("1.0")], pa.decimal128(5, 1)), one([Decimal("1.00")], pa.decimal128(5, 2))),
    "duplicate names": (
        pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]),
        pa.table([pa.array([2]), pa.array([1])], names=["a", "a"]),
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_different_things_differ(name: str) -> None:
    left, right = DIFFERENT[name]
    assert version(left) != version(right)


def test_nan_has_one_form_in_a_table() -> None:
    for width, payloads in (
        ("f8", [0x7FF8000000000000, 0xFFF8000000000001]),
        ("f4", [0x7FC00000, 0xFFC00001]),
    ):
        digests = {
            version(pa.table({"x": np.array([bits], f"u{width[1]}").view(width)})) for bits in payloads
        }
        assert len(digests) == 1


def test_the_label_of_a_zone_is_schema_and_the_instants_are_values() -> None:
    utc, offset, naive = (
        table_digest(one([INSTANT], pa.timestamp("us", tz))) for tz in ("UTC", "+00:00", None)
    )
    assert utc.values == offset.values == naive.values
    assert len({utc.schema, offset.schema, naive.schema}) == 3
    assert table_digest(one([INSTANT], pa.timestamp("us", "Etc/UTC"))) == utc


def test_schema_and_values_tell_what_changed() -> None:
    base, renamed, changed = (
        table_digest(table) for table in (one([1, 2]), pa.table({"y": [1, 2]}), one([1, 3]))
    )
    assert base.values == renamed.values
    assert base.schema != renamed.schema
    assert base.schema == changed.schema
    assert base.values != changed.values


@pytest.mark.parametrize("rows", [65_535, 65_536, 65_537, 140_000])
def test_leaves_are_cut_at_absolute_rows(rows: int) -> None:
    numbers = pa.array(np.arange(rows))
    whole = version(pa.table({"x": numbers}))
    chunks = [numbers.slice(0, 10), numbers.slice(10, 65_530), numbers.slice(65_540)]
    assert version(pa.table({"x": pa.chunked_array(chunks)})) == whole


@pytest.mark.parametrize(
    ("table", "distinctive"),
    [
        (one(list(range(8))), True),
        (one(list(range(7))), False),
        (one([], pa.int64()), False),
        (one([5] * 1000), False),
        (one([[1]] * 1000), False),
        (one([None] * 1000, pa.int64()), False),
        (one([5] * 2000 + [6]), True),
        (one([[1]] * 99 + [[2]]), True),
        (pa.table({"a": [5] * 100, "b": range(100)}), True),
        (pa.table({}), False),
    ],
)
def test_a_table_is_distinctive_if_it_has_64_bytes_and_something_varies(
    table: pa.Table, distinctive: bool
) -> None:
    assert content_of(table).distinctive is distinctive


CELLS = st.one_of(st.none(), st.floats(width=64), st.sampled_from([0.0, -0.0, NAN, INF]))
TEXTS = st.one_of(st.none(), st.text(max_size=4))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, TEXTS, st.integers(-3, 3)), min_size=1, max_size=12),
    data=st.data(),
)
def test_a_change_of_any_one_cell_changes_the_digest(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 2))
    other = data.draw((CELLS, TEXTS, st.integers(-3, 3))[column])
    changed = [list(cells) for cells in rows]
    changed[row][column] = other

    def table(lines: list[Any]) -> pa.Table:
        kinds = (pa.float64(), pa.string(), pa.int64())
        columns = [
            pa.array(list(cells), kind) for cells, kind in zip(zip(*lines, strict=True), kinds, strict=True)
        ]
        return pa.table(columns, names=["x", "t", "n"])

    def form(value: Any) -> Any:
        if isinstance(value, float):
            return "nan" if math.isnan(value) else struct.pack("<d", value)
        return value

    same = form(rows[row][column]) == form(other)
    assert (version(table(rows)) == version(table(changed))) is same


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(CELLS, TEXTS, st.none() | st.booleans(), st.none() | st.lists(CELLS, max_size=3)),
        min_size=1,
        max_size=9,
    )
)
def test_equal_tables_have_one_digest_through_all_carriers(rows: list[tuple[Any, ...]]) -> None:
    kinds = (pa.float64(), pa.string(), pa.bool_(), pa.list_(pa.float64()))
    columns = [
        pa.array(list(cells), kind) for cells, kind in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
    table = pa.table(columns, names=list("abcd"))
    assert {version(CARRIERS[carrier](table)) for carrier in CARRIERS} == {version(table)}
