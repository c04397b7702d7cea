"""How Arrow holds a column does not show in its digest, for every type of the table in docs/digests.md."""

import datetime as dt
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.digests import Refused, content_of

NAN, INF = math.nan, math.inf
FLOATS: list[Any] = [1.5, None, NAN, -0.0, INF, 0.0, -INF, None, 2.5, 1e-30, None]
TICKS: list[Any] = [0, None, -1, 86_399, None, 1, 2, 3, None, 5, 7]
DAYS: list[Any] = [dt.date(1960, 2, 29), None, dt.date(2024, 1, 1)] * 4
PAIRS: list[Any] = [[1.0, NAN], None, [-0.0, None], [3.0, 4.0]] * 3

CORPUS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "bool": (pa.bool_(), [True, None, False, True, True, None, False, False, True, None, True]),
    **{
        f"{kind}{bits}": (getattr(pa, f"{kind}{bits}")(), [*low, None, 1, 2, None, 4, 5, None, 7, 8])
        for kind in ("int", "uint")
        for bits in (8, 16, 32, 64)
        for low in [[-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if kind == "int" else [2**bits - 1, 0]]
    },
    "float16": (pa.float16(), [None if v is None else np.float16(v) for v in FLOATS]),
    "float32": (pa.float32(), FLOATS),
    "float64": (pa.float64(), FLOATS),
    "utf8": (pa.string(), ["a", None, "", "żółw 🐢", "nul\0", "a" * 40, None, "b", "", None, "c"]),
    "binary": (pa.binary(), [b"a", None, b"", b"\0\xff", b"a" * 40, None, b"b", b"", None, b"c", b"d"]),
    "fixed binary": (pa.binary(2), [b"ab", None, b"\0\0", b"cd", None, b"ef", b"gh", None, b"ij"]),
    "date32": (pa.date32(), DAYS),
    "date64": (pa.date64(), DAYS),
    "timestamp[s]": (pa.timestamp("s"), TICKS),
    "timestamp[ms]": (pa.timestamp("ms"), TICKS),
    "timestamp[us]": (pa.timestamp("us"), TICKS),
    "timestamp[ns]": (pa.timestamp("ns"), TICKS),
    "timestamp[us] in UTC": (pa.timestamp("us", "UTC"), TICKS),
    "timestamp[ns] in Warsaw": (pa.timestamp("ns", "Europe/Warsaw"), TICKS),
    "timestamp[ms] at an offset": (pa.timestamp("ms", "+00:00"), TICKS),
    "time32[s]": (pa.time32("s"), [abs(v) if v else v for v in TICKS]),
    "time32[ms]": (pa.time32("ms"), [abs(v) if v else v for v in TICKS]),
    "time64[us]": (pa.time64("us"), [abs(v) if v else v for v in TICKS]),
    "time64[ns]": (pa.time64("ns"), [abs(v) if v else v for v in TICKS]),
    **{f"duration[{unit}]": (pa.duration(unit), TICKS) for unit in ("s", "ms", "us", "ns")},
    "decimal128": (pa.decimal128(20, 3), [Decimal("1.200"), None, Decimal("-12345678901234567.891")] * 4),
    "decimal256": (pa.decimal256(60, 2), [Decimal("1.20"), None, Decimal(-(10**50))] * 4),
    "null": (pa.null(), [None] * 11),
    "list": (pa.list_(pa.float64()), [[1.0, None, NAN], None, [], [-0.0], [2.0, 3.0]] * 3),
    "fixed list": (pa.list_(pa.float64(), 2), PAIRS),
    "lists of lists": (pa.list_(pa.list_(pa.string())), [[["a", None], None, []], None, [], [[]]] * 3),
    "struct": (
        pa.struct([("n", pa.int64()), ("t", pa.string()), ("", pa.bool_())]),
        [{"n": 1, "t": "x", "": True}, None, {"n": None, "t": None, "": None}] * 4,
    ),
    "lists of structs": (
        pa.list_(pa.struct([("x", pa.float64()), ("when", pa.timestamp("us", "UTC"))])),
        [[{"x": NAN, "when": None}, None], None, [], [{"x": -0.0, "when": 5}]] * 3,
    ),
    "structs of lists": (
        pa.struct([("v", pa.list_(pa.decimal128(5, 1)))]),
        [{"v": [Decimal("1.5"), None]}, None, {"v": None}, {"v": []}] * 3,
    ),
}


def version(column: pa.Array | pa.ChunkedArray) -> str:
    return content_of(pa.table({"x": column})).digests[0]


def chunked(array: pa.Array) -> pa.ChunkedArray:
    empty = array.slice(0, 0)
    return pa.chunked_array([empty, *[array.slice(i, 1) for i in range(len(array))], empty], array.type)


def padded(array: pa.Array) -> pa.Array:
    """Begins in the middle of a byte of the bitmap, and in the middle of every buffer."""
    return pa.concat_arrays([array.slice(1, 3), array, array.slice(0, 2)]).slice(3, len(array))


def sliced_twice(array: pa.Array) -> pa.Array:
    return pa.concat_arrays([array, array, array]).slice(2).slice(len(array) - 2, len(array))


def taken(array: pa.Array) -> pa.Array:
    back = pa.array(range(len(array) - 1, -1, -1))
    return array.take(back).take(back)


def through_a_stream(array: pa.Array) -> pa.ChunkedArray:
    sink = pa.BufferOutputStream()
    table = pa.table({"x": padded(array)})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    return pa.ipc.open_stream(sink.getvalue()).read_all()["x"]


def unaligned(array: pa.Array) -> pa.Array:
    """The same buffers, each one byte further: a mapped file may have them anywhere."""

    def moved(buffer: pa.Buffer | None) -> pa.Buffer | None:
        return None if buffer is None else pa.py_buffer(b"\0" + buffer.to_pybytes()).slice(1)

    if array.type.num_fields or pa.types.is_null(array.type):
        return array
    return pa.Array.from_buffers(array.type, len(array), [moved(one) for one in array.buffers()])


HOLDINGS: dict[str, Callable[[pa.Array], pa.Array | pa.ChunkedArray]] = {
    "chunks": chunked,
    "an offset": padded,
    "two offsets": sliced_twice,
    "taken": taken,
    "chunks with offsets": lambda array: chunked(padded(array)),
    "a stream": through_a_stream,
    "unaligned buffers": unaligned,
}


@pytest.mark.parametrize("holding", HOLDINGS)
@pytest.mark.parametrize("name", CORPUS)
def test_chunks_slices_offsets_and_buffers_do_not_show(name: str, holding: str) -> None:
    kind, values = CORPUS[name]
    array = pa.array(values, kind)
    held = HOLDINGS[holding](array)
    assert held.type == kind
    assert version(held) == version(array)


@pytest.mark.parametrize("name", CORPUS)
def test_a_column_inside_lists_and_structs_is_held_in_any_way_too(name: str) -> None:
    kind, values = CORPUS[name]
    array = pa.array(values, kind)
    count = len(array)
    offsets = pa.array([0, 2, 2, count], pa.int32())
    plain, cut = (pa.ListArray.from_arrays(offsets, one) for one in (array, padded(array)))
    assert version(cut) == version(plain)
    assert version(cut.slice(1)) == version(taken(plain).slice(1))
    plain, cut = (pa.StructArray.from_arrays([one], ["f"]) for one in (array, padded(array)))
    assert version(cut) == version(plain)
    assert version(padded(plain).slice(3)) == version(plain.slice(3))


def encodings(kind: pa.DataType) -> list[pa.DataType]:
    """Other Arrow types of which the table says that they are the same."""
    t = pa.types
    if t.is_string(kind):
        return [pa.large_string(), pa.string_view()]
    if t.is_fixed_size_binary(kind):
        return [pa.binary(), pa.large_binary()]
    if t.is_binary(kind):
        return [pa.large_binary(), pa.binary_view()]
    if t.is_list(kind):
        item = kind.value_type
        return [make(item) for make in (pa.large_list, pa.list_view, pa.large_list_view)]
    if t.is_fixed_size_list(kind):
        return [pa.list_(kind.value_type), pa.large_list(kind.value_type)]
    if t.is_decimal128(kind):
        return [pa.decimal256(kind.precision, kind.scale)]
    return []


@pytest.mark.parametrize(
    ("name", "other"), [(name, other) for name, (kind, _) in CORPUS.items() for other in encodings(kind)]
)
def test_the_other_types_of_a_row_of_the_table_are_the_same(name: str, other: pa.DataType) -> None:
    kind, values = CORPUS[name]
    array = pa.array(values, other)
    for held in (array, padded(array), chunked(array)) if "view" not in str(other) else (array, array[0:]):
        assert version(held) == version(pa.array(values, kind))


CODED = [
    name
    for name, (kind, _) in CORPUS.items()
    if not (pa.types.is_nested(kind) or pa.types.is_null(kind) or pa.types.is_float16(kind))
]


@pytest.mark.parametrize("name", CODED)
def test_dictionaries_and_runs_are_their_values(name: str) -> None:
    kind, values = CORPUS[name]
    array = pa.array(values, kind)
    coded = array.dictionary_encode()
    more = pa.DictionaryArray.from_arrays(
        pc.if_else(coded.indices.is_valid(), pc.add(coded.indices.fill_null(0), 3), None).cast(pa.int32()),
        pa.concat_arrays([array.drop_null().slice(0, 3), coded.dictionary]),
    )
    for held in (coded, padded(coded), chunked(coded), more, padded(more)):
        assert version(held) == version(array)
    runs = pc.run_end_encode(pc.take(array, pa.array([i // 2 for i in range(2 * len(array))])))
    assert version(runs) == version(pc.take(array, pa.array([i // 2 for i in range(2 * len(array))])))
    assert version(runs.slice(3)) == version(
        pc.take(array, pa.array([i // 2 for i in range(3, 2 * len(array))]))
    )


FIXED = [
    name
    for name, (kind, _) in CORPUS.items()
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind)
]


@pytest.mark.parametrize("name", FIXED)
def test_what_lies_behind_a_null_does_not_show(name: str) -> None:
    kind, values = CORPUS[name]
    whole = pa.array([value for value in values if value is not None] * 3, kind).slice(0, 9)
    mask = pa.py_buffer(struct.pack("<H", 0b1_0110_1101))
    masked = pa.Array.from_buffers(kind, 9, [mask, *whole.buffers()[1:]], offset=0)
    places = pa.array([0, None, 2, 3, None, 5, 6, None, 8])
    assert masked.is_valid().to_pylist() == [bool(0b1_0110_1101 >> i & 1) for i in range(9)]
    expected = whole.take(pa.array([i if masked[i].is_valid else None for i in range(9)], places.type))
    assert version(masked) == version(expected)


@pytest.mark.parametrize("name", CORPUS)
def test_arrow_backed_pandas_and_feather_are_the_same_for_every_type(name: str, tmp_path: Path) -> None:
    kind, values = CORPUS[name]
    table = pa.table({"x": pa.array(values, kind)})
    expected = content_of(table).digests[0]
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    assert content_of(frame).digests[0] == expected
    for compression in ("uncompressed", "lz4"):
        pa.feather.write_feather(table, tmp_path / "t.feather", compression=compression, chunksize=4)
        assert content_of(tmp_path / "t.feather").digests[0] == expected


def test_no_two_types_have_one_digest() -> None:
    """The same rows, null and all alike, as each of the types that are not said to be the same."""
    empty = {version(pa.array([None, None], kind)) for kind, _ in CORPUS.values()}
    same = {"fixed binary", "fixed list"}  # as binary and list
    assert len(empty) == len(CORPUS) - len(same)


REFUSED: dict[str, pa.Array] = {
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    "sparse union": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]
    ),
    "interval": pa.array([None, None], pa.month_day_nano_interval()),
    "extension": pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.float64(), [2]), pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2))
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_types_are_refused_wherever_they_are(name: str) -> None:
    array = REFUSED[name]
    inside = {
        "column": array,
        "list": pa.ListArray.from_arrays(pa.array([0, len(array)], pa.int32()), array),
        "struct": pa.StructArray.from_arrays([array], ["f"]),
        "no rows": array.slice(0, 0),
    }
    for held in inside.values():
        with pytest.raises(Refused, match=r"column 'x': type .* has no place in the table digest"):
            version(held)
    message = re.escape("column 'b'")
    with pytest.raises(Refused, match=message):
        content_of(pa.table({"a": pa.array([1] * len(array)), "b": array}))


LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.string(), st.text(max_size=5)),
    (pa.binary(), st.binary(max_size=5)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us", "UTC"), st.integers(-(2**60), 2**60)),
    (pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
    (pa.duration("ms"), st.integers(-(2**60), 2**60)),
    (pa.decimal128(10, 2), st.integers(-(10**9), 10**9).map(lambda n: Decimal(n) / 100)),
]


def nested(
    inner: st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]],
) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    def listed(one: tuple[pa.DataType, st.SearchStrategy[Any]]) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
        return pa.list_(one[0]), st.lists(st.none() | one[1], max_size=3)

    def grouped(
        parts: list[tuple[pa.DataType, st.SearchStrategy[Any]]],
    ) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
        fields = {f"f{i}": kind for i, (kind, _) in enumerate(parts)}
        values = {f"f{i}": st.none() | value for i, (_, value) in enumerate(parts)}
        return pa.struct(list(fields.items())), st.fixed_dictionaries(values)

    return inner.map(listed) | st.lists(inner, min_size=1, max_size=2).map(grouped)


KINDS = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=4)


@settings(max_examples=150, deadline=None)
@given(KINDS, st.data())
def test_any_column_of_any_type_is_the_same_however_it_is_held(
    one: tuple[pa.DataType, st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    kind, value = one
    values = data.draw(st.lists(st.none() | value, min_size=4, max_size=20))
    array = pa.array(values, kind)
    expected = version(array)
    for holding in HOLDINGS.values():
        assert version(holding(array)) == expected
    cut = data.draw(st.integers(0, len(values)))
    turned = values[cut:] + values[:cut]
    if repr(turned) != repr(values):  # one NaN is as good as another, and the zeros are two
        assert version(pa.array(turned, kind)) != expected
