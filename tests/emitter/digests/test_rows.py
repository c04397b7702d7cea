import datetime as dt
import json
import math
import operator
import os
import struct
import time
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.digests import Content, Refused, cache_in, content_of
from relineage.emitter.digests.cells import encoded_rows
from relineage.emitter.digests.rows import RowsState, row_digests, rows_state
from relineage.emitter.digests.tables import table_digest

NAN, INF = math.nan, math.inf
INSTANT = dt.datetime.fromisoformat("2024-05-06T07:08:09.123456")
GOLDEN: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("golden_rows.json").read_text())

# Each line of the table of types in docs/digests.md; True where equality between carriers is promised.
TYPES: dict[str, tuple[bool, pa.DataType, list[Any]]] = {
    "bool": (True, pa.bool_(), [True, None, False, True]),
    "int8": (True, pa.int8(), [-128, None, 0, 127]),
    "int16": (True, pa.int16(), [-(2**15), None, 0, 1]),
    "int32": (True, pa.int32(), [-(2**31), None, 0, 1]),
    "int64": (True, pa.int64(), [-(2**63), None, 0, 2**63 - 1]),
    "uint8": (True, pa.uint8(), [255, None, 0, 1]),
    "uint16": (True, pa.uint16(), [2**16 - 1, None, 0, 1]),
    "uint32": (True, pa.uint32(), [2**32 - 1, None, 0, 1]),
    "uint64": (True, pa.uint64(), [2**64 - 1, None, 0, 1]),
    "float16": (False, pa.float16(), [np.float16(1.5), None, np.float16(NAN), np.float16(-0.0)]),
    "float32": (True, pa.float32(), [1.5, None, -0.0, INF, -INF, NAN]),
    "float64": (True, pa.float64(), [0.1, None, -0.0, INF, -INF, NAN]),
    "utf8": (True, pa.string(), ["a", None, "", "żółw 🐢", "nul\0", "a" * 40]),
    "binary": (True, pa.binary(), [b"a", None, b"", b"\0\xff", b"a" * 40]),
    "date32": (True, pa.date32(), [dt.date(1960, 2, 29), None, dt.date(2024, 1, 1)]),
    "date64": (False, pa.date64(), [dt.date(1960, 2, 29), None, dt.date(2024, 1, 1)]),
    "time": (False, pa.time64("us"), [dt.time(1, 2, 3), None, dt.time(0)]),
    "duration": (False, pa.duration("ms"), [1, None, -1]),
    "naive": (True, pa.timestamp("us"), [INSTANT, None, dt.datetime.fromisoformat("1960-01-01")]),
    "utc": (True, pa.timestamp("us", "UTC"), [INSTANT, None, dt.datetime.fromisoformat("1960-01-01")]),
    "zoned": (False, pa.timestamp("ns", "Europe/Warsaw"), [INSTANT, None]),
    "decimal128": (True, pa.decimal128(20, 3), [Decimal("1.200"), None, Decimal("-12345678901234567.891")]),
    "decimal256": (False, pa.decimal256(50, 2), [Decimal("1.20"), None, Decimal("-3.00")]),
    "null": (False, pa.null(), [None, None]),
    "list": (True, pa.list_(pa.float64()), [[1.0, None, NAN], None, [], [-0.0]]),
    "texts": (True, pa.list_(pa.string()), [["a", None, ""], None, [], ["b"]]),
    "struct": (
        True,
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        [{"a": 1, "b": "x"}, None, {"a": None, "b": None}],
    ),
    "structs": (True, pa.list_(pa.struct([("a", pa.int64())])), [[{"a": 1}, None], None, []]),
}


def version(data: object) -> str:
    return rows_state(data).digest


def one(values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


def everything() -> pa.Table:
    return pa.table({name: pa.array((values * 6)[:6], kind) for name, (_, kind, values) in TYPES.items()})


def promised() -> pa.Table:
    return everything().select([name for name, (promise, _, _) in TYPES.items() if promise])


# The same table under names that `golden_rows.json` has: the digest and the first row digest of each.
CASES: dict[str, pa.Table] = {
    **{name: one(values, kind) for name, (_, kind, values) in TYPES.items()},
    "no rows": one([], pa.int64()),
    "rows without columns": pa.table({"x": [1, 2]}).select([]),
    "two columns of one name": pa.table(
        [pa.array([1]), pa.array(["a"]), pa.array([2])], names=["b", "a", "b"]
    ),
    "the row of the page": pa.table({"b": ["é"], "a": pa.array([None], pa.int16())}),
    "70,000 numbers": pa.table({"x": np.arange(70_000)}),
    "65,536 times the same": one([True] * 65_536),
    "all types": everything(),
}


@pytest.mark.parametrize("name", CASES)
def test_a_golden_digest_of_rows_stays(name: str) -> None:
    _, digests = row_digests(CASES[name])
    assert GOLDEN[name] == {
        "digest": version(CASES[name]),
        "rows": [digest.tobytes().hex() for digest in digests[:6]],
    }


def test_every_golden_digest_of_rows_is_checked() -> None:
    assert GOLDEN.keys() == CASES.keys()


@pytest.mark.parametrize("name", TYPES)
def test_order_chunks_and_partitions_do_not_show(name: str) -> None:
    _, kind, values = TYPES[name]
    plain = version(one(values, kind))
    assert version(one(values[::-1], kind)) == plain
    padded = pa.array([*values[::-1], *values, *values], kind).slice(len(values), len(values))
    assert version(pa.table({"x": padded})) == plain
    pieces = [pa.array([value], kind) for value in values]
    assert version(pa.table({"x": pa.chunked_array([*pieces, pa.array([], kind)])})) == plain
    states = [rows_state(pa.table({"x": piece})) for piece in reversed(pieces)]
    assert reduce(operator.add, states).digest == plain


@pytest.mark.parametrize("name", TYPES)
def test_each_value_of_a_type_has_a_row_digest_of_its_own(name: str) -> None:
    _, kind, values = TYPES[name]
    different = one(values, kind).slice(0, 3)
    _, digests = row_digests(different)
    assert len({digest.tobytes() for digest in digests}) == (1 if name == "null" else len(different))


def test_blocks_do_not_show() -> None:
    random = np.random.default_rng(7)
    rows = 30_001
    texts = [None if i % 7 == 0 else f"text {i}" for i in range(rows)]
    lists = [None if i % 11 == 0 else [i] * (i % 4) for i in range(rows)]
    table = pa.table({"n": random.random(rows), "t": texts, "l": lists})
    plain = rows_state(table)
    assert rows_state(table.take(random.permutation(rows))) == plain
    parts = [rows_state(table.slice(start, 4_999)) for start in range(0, rows, 4_999)]
    assert reduce(operator.add, parts) == plain
    chunks = pa.concat_tables([table.slice(0, 8_190), table.slice(8_190, 4), table.slice(8_194)])
    assert rows_state(chunks) == plain


def test_blocks_grow_to_8192_rows_or_16_mib() -> None:
    def sizes(table: pa.Table) -> list[int]:
        return [len(bounds) - 1 for _, bounds in encoded_rows(table, b"head")]

    growing = [16 << i for i in range(10)]
    assert sizes(pa.table({"n": np.arange(25_000)})) == [*growing, 8192, 25_000 - sum(growing) - 8192]
    words = pa.array([letter * 1_000_000 for letter in "abc"]).dictionary_encode()
    long = pa.table({"t": words.take(pa.array([0, 1, 2] * 17))})
    assert sizes(long) == [16, 16, 16, 3]
    assert rows_state(long) == rows_state(long.take(np.arange(51)[::-1]))


CARRIERS: dict[str, Callable[[pa.Table], Any]] = {
    "arrow-backed pandas": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "record batch": lambda table: table.combine_chunks().to_batches()[0],
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_carriers_agree_on_all_promised_types(carrier: str) -> None:
    table = promised()
    turned = table.select(sorted(table.column_names, reverse=True))
    assert rows_state(CARRIERS[carrier](turned)) == rows_state(table)


def test_a_table_that_went_through_duckdb_and_parquet_has_the_same_rows(tmp_path: Path) -> None:
    table, path = promised(), tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=2, store_schema=False)
    assert rows_state(pq.ParquetFile(path).read()) == rows_state(table)
    with duckdb.connect() as connection:
        connection.register("t", table)
        shuffled = connection.sql("from t order by random()").to_arrow_table()
    assert rows_state(shuffled) == rows_state(table)


def test_numpy_backed_pandas_agrees_and_its_index_is_data() -> None:
    frame = pd.DataFrame({"x": [0.5, NAN, -0.0], "t": ["a", None, "b"], "n": [1, 2, 3]})
    table = pa.table({"x": [0.5, None, -0.0], "t": ["a", None, "b"], "n": [1, 2, 3]})
    assert rows_state(frame) == rows_state(table)
    shuffled = frame.iloc[[2, 0, 1]]
    assert rows_state(shuffled.reset_index(drop=True)) == rows_state(table)
    assert rows_state(shuffled).schema != rows_state(table).schema


ENCODINGS: list[tuple[str, pa.DataType]] = [
    ("utf8", pa.large_string()),
    ("utf8", pa.string_view()),
    ("utf8", pa.dictionary(pa.int8(), pa.string())),
    ("binary", pa.large_binary()),
    ("binary", pa.binary_view()),
    ("int64", pa.dictionary(pa.int16(), pa.int64())),
    ("int64", pa.run_end_encoded(pa.int32(), pa.int64())),
    ("decimal128", pa.decimal256(20, 3)),
    ("list", pa.large_list(pa.float64())),
    ("list", pa.list_view(pa.float64())),
    ("list", pa.large_list_view(pa.float64())),
]


@pytest.mark.parametrize(("name", "other"), ENCODINGS, ids=str)
def test_the_encoding_of_a_column_does_not_show_in_its_rows(name: str, other: pa.DataType) -> None:
    _, plain, values = TYPES[name]
    if pa.types.is_run_end_encoded(other):
        array = pc.run_end_encode(pa.array(values * 3, other.value_type), run_end_type=other.run_end_type)
    else:
        array = pa.array(values * 3, other)
    assert array.type == other
    expected = rows_state(one(values * 3, plain))
    assert rows_state(array.slice(0)).rows == expected.rows
    assert rows_state(pa.table({"x": array})) == expected
    assert rows_state(pa.table({"x": pa.chunked_array([array.slice(4), array.slice(0, 4)])})) == expected


def test_fixed_sizes_are_lists_and_binaries_in_rows() -> None:
    pairs = [[1.0, 2.0], None, [3.0, NAN]]
    assert version(one(pairs, pa.list_(pa.float64(), 2))) == version(one(pairs, pa.list_(pa.float64())))
    codes = [b"ab", None, b"cd"]
    assert version(one(codes, pa.binary(2))) == version(one(codes, pa.binary()))


def test_dictionaries_inside_lists_are_their_values_in_rows() -> None:
    words = pa.array(["b", "a", "b"]).dictionary_encode()
    coded = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), words)
    assert version(pa.table({"x": coded})) == version(one([["b", "a"], ["b"]]))
    parts = [pa.array(part).dictionary_encode() for part in (["a", "b"], ["b", None], ["c"])]
    assert version(pa.table({"x": pa.chunked_array(parts)})) == version(one(["c", "b", "b", None, "a"]))


def test_what_lies_behind_a_null_does_not_show_in_rows() -> None:
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


def test_nan_has_one_form_in_rows_and_the_two_zeros_are_two() -> None:
    payloads = np.array([0x7FF8000000000000, 0xFFF8000000000001], "u8").view("f8")
    _, digests = row_digests(pa.table({"x": payloads}))
    assert digests[0].tobytes() == digests[1].tobytes()
    _, digests = row_digests(pa.table({"x": [0.0, -0.0]}))
    assert digests[0].tobytes() != digests[1].tobytes()


PAIR = pa.schema([("a", pa.int64()), ("b", pa.int64())])
DIFFERENT: dict[str, tuple[pa.Table, pa.Table]] = {
    "which of two is null": (
        pa.table({"a": [None], "b": [1]}, schema=PAIR),
        pa.table({"a": [1], "b": [None]}, schema=PAIR),
    ),
    "zero and null": (one([0], pa.int64()), one([None], pa.int64())),
    "empty text and null": (one([""]), one([None], pa.string())),
    "NaN and null": (one([NAN]), one([None], pa.float64())),
    "an empty list and null": (one([[]], pa.list_(pa.int64())), one([None], pa.list_(pa.int64()))),
    "a null in a list and an empty list": (
        one([[None]], pa.list_(pa.int64())),
        one([[]], pa.list_(pa.int64())),
    ),
    "a null struct and a struct of nulls": (
        one([None], pa.struct([("a", pa.int64())])),
        one([{"a": None}], pa.struct([("a", pa.int64())])),
    ),
    "where texts end": (pa.table({"a": ["a"], "b": ["bX"]}), pa.table({"a": ["ab"], "b": ["X"]})),
    "which cells stand in one row": (
        pa.table({"a": [1, 2], "b": [3, 4]}),
        pa.table({"a": [1, 2], "b": [4, 3]}),
    ),
    "which list an item is in": (
        pa.table({"a": [[1, 2]], "b": [[3]]}),
        pa.table({"a": [[1]], "b": [[2, 3]]}),
    ),
    "columns that change places": (pa.table({"a": [1], "b": [2]}), pa.table({"a": [2], "b": [1]})),
    "how often": (one([1, 1, 2]), one([1, 2, 2])),
    "once and twice": (one([1]), one([1, 1])),
    "65,536 times": (one([True] * 65_536), one([False] * 65_536)),
    "no rows and one null": (one([], pa.int64()), one([None], pa.int64())),
    "schemas without rows": (one([], pa.int64()), one([], pa.string())),
    "names": (pa.table({"a": [1]}), pa.table({"b": [1]})),
    "widths": (one([5], pa.int32()), one([5], pa.int64())),
    "zones": (one([INSTANT], pa.timestamp("us", "UTC")), one([INSTANT], pa.timestamp("us"))),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_different_multisets_differ(name: str) -> None:
    left, right = DIFFERENT[name]
    assert version(left) != version(right)


def test_rows_of_different_schemas_never_meet() -> None:
    states = [rows_state(table) for table in (one([1]), one([1], pa.int32()), pa.table({"y": [1]}))]
    assert len({state.sums for state in states}) == 3
    assert len({row_digests(table)[1].tobytes() for table in (one([1]), one([1], pa.int32()))}) == 2
    for combine in (operator.add, operator.sub):
        with pytest.raises(Refused, match="the schemas differ"):
            combine(states[0], states[1])


def test_the_schema_of_a_state_is_that_of_the_table_digest() -> None:
    for table in CASES.values():
        schema = table_digest(table).schema
        assert f"b3-schema1:{rows_state(table).schema.hex()}" == schema
        assert f"b3-schema1:{row_digests(table)[0].hex()}" == schema


def test_nothing_but_a_state_is_added_or_taken_away() -> None:
    state = rows_state(one([1]))
    with pytest.raises(TypeError):
        state + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        state - "x"  # type: ignore[operator]


def test_rows_added_and_taken_away_leave_what_was_there() -> None:
    old, new = rows_state(one([3, 1, 1, 2])), rows_state(one([1, 5]))
    both = old + new
    assert both == rows_state(one([1, 5, 3, 1, 1, 2])) == new + old
    assert both.rows == 6
    assert both - new == old
    assert old - rows_state(one([1])) == rows_state(one([1, 2, 3]))
    assert old - old == rows_state(one([], pa.int64()))


def test_an_empty_part_changes_nothing() -> None:
    state, empty = rows_state(one([1, 2])), rows_state(one([], pa.int64()))
    assert state + empty == state - empty == state
    assert empty.rows == 0
    assert not any(empty.sums)


def test_what_cannot_be_left_is_refused() -> None:
    three = rows_state(one([1, 2, 3]))
    with pytest.raises(Refused, match="4 rows cannot be taken away from 3"):
        three - rows_state(one([1, 2, 3, 4]))
    with pytest.raises(Refused, match="sums that 0 rows cannot have"):
        three - rows_state(one([1, 2, 4]))
    with pytest.raises(Refused, match="sums that 1 rows cannot have"):
        three - rows_state(one([3, 4]))


def test_a_row_that_was_not_there_may_be_taken_away_unseen_and_given_back() -> None:
    table, stranger = pa.table({"x": np.arange(2_000)}), rows_state(one([-1]))
    owing = rows_state(table) - stranger
    assert owing.rows == 1_999
    assert owing != rows_state(table.slice(1))
    assert owing + stranger == rows_state(table)


def test_a_state_travels_as_bytes() -> None:
    state = rows_state(everything())
    data = state.to_bytes()
    assert len(data) == 8_240
    assert data[:8] == b"b3-rows1"
    assert RowsState.from_bytes(data) == state


EMPTY = rows_state(one([], pa.int64())).to_bytes()
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "cut": EMPTY[:-1],
    "longer": EMPTY + b"\0",
    "of another version": b"b3-rows2" + EMPTY[8:],
    "with sums and no rows": EMPTY[:-1] + b"\1",
    "with more rows than sums can count": EMPTY[:40] + b"\xff" * 8 + EMPTY[48:],
}


@pytest.mark.parametrize("name", BROKEN)
def test_bytes_that_are_no_state_are_refused(name: str) -> None:
    with pytest.raises(Refused, match="state of rows"):
        RowsState.from_bytes(BROKEN[name])


@pytest.mark.parametrize(
    "kind",
    [
        pa.map_(pa.string(), pa.int64()),
        pa.month_day_nano_interval(),
        pa.dense_union([pa.field("a", pa.int64())]),
        pa.list_(pa.map_(pa.string(), pa.int64())),
        pa.fixed_shape_tensor(pa.float32(), [2]),
    ],
    ids=str,
)
def test_types_that_the_table_digest_refuses_are_refused(kind: pa.DataType) -> None:
    table = pa.table({"n": pa.array([], pa.int64()), "x": pa.chunked_array([], kind)})
    with pytest.raises(Refused, match="column 'x'"):
        rows_state(table)


def test_what_is_no_table_has_no_rows() -> None:
    for data in (5, np.arange(3), {"a": [1]}, [1, 2], ["a", b"b"], [0]):
        with pytest.raises(Refused, match="no table"):
            rows_state(data)


def labels(content: Content) -> list[str]:
    return [digest.partition(":")[0] for digest in content.digests]


def test_content_has_the_digest_of_rows_when_asked_for() -> None:
    table = everything()
    assert labels(content_of(table)) == ["b3-table1"]
    assert content_of(table, rows=True).digests == (*content_of(table).digests, version(table))
    texts = content_of(["a", "b", None], rows=True)
    assert texts.digests[1:] == (version(["b", None, "a"]),)
    assert content_of(np.arange(3), rows=True) == content_of(np.arange(3))


def to_stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table, max_chunksize=30_000)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".parquet": lambda table, path: pq.write_table(table, path, row_group_size=40_000),
    ".feather": lambda table, path: pa.feather.write_feather(table, path, chunksize=30_000),
    ".arrows": to_stream,
    ".csv": lambda table, path: pa.csv.write_csv(table, path),
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("rows", [0, 70_000])
def test_files_of_tables_have_the_digest_of_their_rows_when_asked_for(
    tmp_path: Path, suffix: str, rows: int
) -> None:
    table = pa.table(
        {"n": np.arange(rows), "x": np.arange(rows) / 2, "t": pa.array(["a" * 150] * rows, pa.string())}
    )
    path = tmp_path / f"t{suffix}"
    WRITERS[suffix](table, path)
    found = content_of(path, rows=True)
    assert labels(found) == ["b3-table1", "b3-rows1", "b3-bytes1"]
    if (suffix, rows) != (".csv", 0):  # without rows it has no types
        assert found.digests[:2] == content_of(table, rows=True).digests
    assert content_of(path).digests == (found.digests[0], found.digests[2])


def test_what_is_kept_of_a_file_without_rows_does_not_hide_them(tmp_path: Path) -> None:
    path, cache = tmp_path / "t.parquet", cache_in(tmp_path)
    assert cache is not None
    pq.write_table(promised(), path)
    long_ago = 1_600_000_000
    os.utime(path, (long_ago, long_ago))
    time.sleep(2.1)  # the instant of the change cannot be set, and only a file at rest is kept
    for _ in range(2):
        assert labels(content_of(path, cache=cache)) == ["b3-table1", "b3-bytes1"]
        assert labels(content_of(path, rows=True, cache=cache)) == ["b3-table1", "b3-rows1", "b3-bytes1"]
    assert cache.hits


VALUES = st.tuples(st.sampled_from([None, 0, 1]), st.sampled_from([None, "", "a", "ab"]))


@settings(max_examples=100, deadline=None)
@given(left=st.lists(VALUES, max_size=5), right=st.lists(VALUES, max_size=5))
def test_unequal_multisets_never_share_a_digest(left: list[Any], right: list[Any]) -> None:
    def table(rows: list[Any]) -> pa.Table:
        columns = zip(*rows, strict=True) if rows else ([], [])
        kinds = (pa.int64(), pa.string())
        return pa.table([pa.array(list(c), k) for c, k in zip(columns, kinds, strict=True)], names=["n", "t"])

    same = sorted(left, key=repr) == sorted(right, key=repr)
    assert (version(table(left)) == version(table(right))) is same
    assert (rows_state(table(left)) == rows_state(table(right))) is same
    whole = rows_state(table(left + right))
    assert whole == rows_state(table(left)) + rows_state(table(right))
    assert whole - rows_state(table(right)) == rows_state(table(left))


def test_parts_of_a_frame_that_was_cut_or_shuffled_are_told_of_their_index() -> None:
    frame = pd.DataFrame({"a": range(4)})
    with pytest.raises(Refused, match=r"frame\.reset_index\(drop=True\)"):
        rows_state(frame.iloc[:2]) + rows_state(frame.iloc[2:])
    parts = [frame.iloc[:2], frame.iloc[2:].reset_index(drop=True)]
    assert rows_state(parts[0]) + rows_state(parts[1]) == rows_state(frame)


def test_a_state_is_shown_in_one_short_line() -> None:
    assert len(repr(rows_state(pd.DataFrame({"a": [1]})))) < 300
