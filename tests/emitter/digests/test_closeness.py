"""How far values are apart: against numbers worked out otherwise."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promised import PROMISED
from soak import SOAKING

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.closeness import Closeness, Tolerance, compare_values

NAN, INF = math.nan, math.inf


def one(values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


def told(a: object, b: object, tolerance: Tolerance | None = None) -> tuple[str, Closeness]:
    verdict, (only,) = compare_values(a, b, tolerance)
    assert only.verdict == verdict
    return verdict, only


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=300, deadline=None)
@given(a=FINITE, b=FINITE | st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308]))
def test_the_distances_are_those_of_exact_arithmetic(a: float, b: float) -> None:
    verdict, found = compare_values(one([a]), one([b]))
    if np.float64(a).tobytes() == np.float64(b).tobytes():
        assert (verdict, found) == ("bitwise", [])
        return
    exact = abs(Fraction(a) - Fraction(b))
    absolute, relative = found[0].max_absolute, found[0].max_relative
    assert absolute is not None
    assert relative is not None
    try:
        assert absolute == float(exact)
    except OverflowError:  # beyond the largest double
        assert (absolute, relative) == (INF, INF)
    else:
        size = max(abs(Fraction(a)), abs(Fraction(b)))
        assert relative == pytest.approx(float(exact / size) if size else 0.0, rel=1e-15)
    assert verdict == ("within tolerance" if a == b else "different")


@settings(max_examples=100, deadline=None)
@given(start=st.floats(allow_nan=False, allow_infinity=False, width=32), steps=st.integers(1, 50))
def test_ulps_are_counted_as_steps_to_the_next_float(start: float, steps: int) -> None:
    other = np.float32(start)
    with np.errstate(all="ignore"):  # beyond the least float, and through the subnormal ones
        for _ in range(steps):
            other = np.nextafter(other, np.float32(-INF))
    if not np.isfinite(other):
        return
    pair = np.array([start], "f4"), np.array([other], "f4")
    _, found = told(*pair)
    assert found.max_ulps == steps
    assert compare_values(*pair, Tolerance(ulps=steps))[0] == "within tolerance"
    assert compare_values(*pair, Tolerance(ulps=steps - 1))[0] == "different"


CASES: dict[str, tuple[list[Any], list[Any], Tolerance, str, dict[str, Any]]] = {
    "a null and a value": (
        [None, 1.0],
        [5.0, 1.0],
        Tolerance(absolute=9),
        "different",
        {"nulls": 1, "first": 0},
    ),
    "a NaN and a number": (
        [NAN],
        [5.0],
        Tolerance(absolute=9),
        "different",
        {"nans": 1, "max_absolute": None},
    ),
    "a NaN and a null": ([NAN], [None], Tolerance(absolute=9), "different", {"nulls": 1, "nans": 0}),
    "the two zeros": ([0.0], [-0.0], Tolerance(), "within tolerance", {"differing": 1, "max_ulps": 0}),
    "an infinity and the largest": (
        [INF],
        [1.7e308],
        Tolerance(absolute=1e308, relative=5, ulps=2**62),
        "different",
        {"max_absolute": INF, "max_ulps": None},
    ),
    "the two infinities": ([INF], [-INF], Tolerance(relative=5), "different", {"max_relative": INF}),
    "just within absolute": (
        [1.0, 8.0],
        [1.5, 8.0],
        Tolerance(absolute=0.5),
        "within tolerance",
        {"first": 0},
    ),
    "just beyond absolute": ([8.0, 1.0], [8.0, 1.5], Tolerance(absolute=0.49), "different", {"first": 1}),
    "relative to the larger": ([100.0], [99.0], Tolerance(relative=0.01), "within tolerance", {}),
    "relative is not enough": ([100.0], [98.9], Tolerance(relative=0.01), "different", {"beyond": 1}),
    "one of several beyond": (
        [1.0, 2.0, 3.0],
        [1.0, 2.1, 4.0],
        Tolerance(absolute=0.2),
        "different",
        {"values": 3, "differing": 2, "beyond": 1, "max_absolute": 1.0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_within_a_tolerance(name: str) -> None:
    a, b, tolerance, expected, facts = CASES[name]
    for x, y in ((a, b), (b, a)):
        verdict, found = told(one(x, pa.float64()), one(y, pa.float64()), tolerance)
        assert verdict == expected
        assert {key: getattr(found, key) for key in facts} == facts


def test_one_nan_is_another_in_tables_and_only_near_it_in_tensors() -> None:
    a, b = (np.array([bits], "u8").view("f8") for bits in (0x7FF8000000000000, 0xFFF8000000000001))
    assert compare_values(pa.table({"x": a}), pa.table({"x": b})) == ("bitwise", [])
    verdict, found = told(a, b)
    assert (verdict, found.differing, found.beyond) == ("within tolerance", 1, 0)


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_type_is_compared_and_equal_to_itself_through_carriers(name: str) -> None:
    kind, values = PROMISED[name]
    table = one(values, kind)
    assert compare_values(table, table) == ("bitwise", [])
    assert compare_values(pl.from_arrow(table), table) == ("bitwise", [])
    assert compare_values(table.to_pandas(types_mapper=pd.ArrowDtype), table) == ("bitwise", [])
    last = one([*values[:-1], values[0]], kind)
    if content_of(table).version != content_of(last).version:
        assert compare_values(table, last)[0] == "different"


NESTED: dict[str, tuple[pa.Table, pa.Table, str, str, int]] = {
    "an item": (one([[1.0], [2.0, 3.0]]), one([[1.0], [2.0, 3.5]]), "x[]", "within tolerance", 1),
    "a length": (one([[1.0], [2.0]]), one([[1.0], [2.0, 3.0]]), "x", "different", 1),
    "a field": (one([{"a": 1, "b": "x"}]), one([{"a": 2, "b": "x"}]), "x.a", "different", 0),
    "a text in a list": (one([["a"], None, ["b"]]), one([["a"], None, ["c"]]), "x[]", "different", 2),
    "a null list and an empty one": (
        one([[], [1.0]], pa.list_(pa.float64())),
        one([None, [1.0]], pa.list_(pa.float64())),
        "x",
        "different",
        0,
    ),
    "a null struct and one of nulls": (
        one([None], pa.struct([("a", pa.int64())])),
        one([{"a": None}], pa.struct([("a", pa.int64())])),
        "x",
        "different",
        0,
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_what_is_nested_is_told_under_its_own_name(name: str) -> None:
    a, b, where, verdict, first = NESTED[name]
    _, found = told(a, b, Tolerance(absolute=0.5))
    assert (found.name, found.verdict, found.first) == (where, verdict, first)


LISTS = {
    "list": pa.list_(pa.float64()),
    "large list": pa.large_list(pa.float64()),
    "list view": pa.list_view(pa.float64()),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_another_length_hides_no_items_of_other_rows(kind: str) -> None:
    a = one([[1.0, 2.0], None, [3.0], [4.0], [], [100.0, 7.0]], LISTS[kind])
    b = one([[1.0], [9.0], [3.0], None, [], [999.0, 8.0]], LISTS[kind])
    _, (lists, items) = compare_values(a, b)
    assert (lists.name, lists.values, lists.differing, lists.nulls, lists.first) == ("x", 6, 3, 2, 0)
    assert (items.name, items.values, items.differing, items.first) == ("x[]", 3, 2, 5)
    assert items.max_absolute == 899.0


def test_lists_within_lists_are_told_by_the_row() -> None:
    a = one([[[1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0]], [[4.0]]])
    b = one([[[1.0]], [[1.0], [3.5]], [[5.0]]])
    _, found = compare_values(a, b)
    assert [(part.name, part.values, part.differing, part.first) for part in found] == [
        ("x", 3, 1, 0),
        ("x[]", 3, 1, 1),
        ("x[][]", 2, 2, 1),
    ]


def test_items_are_counted_across_pieces_and_chunks() -> None:
    lists = pa.ListArray.from_arrays(np.arange(0, 300_001, 2), np.arange(300_000.0))
    changed = np.arange(300_000.0)
    changed[[7, 299_999]] = -1
    other = pa.ListArray.from_arrays(np.arange(0, 300_001, 2), changed)
    cut = pa.chunked_array([other.slice(0, 70_001), other.slice(70_001, 0), other.slice(70_001)])
    found = told(pa.table({"x": lists}), pa.table({"x": cut}))[1]
    assert (found.name, found.values, found.differing, found.first) == ("x[]", 300_000, 2, 3)
    found = told(pa.table({"x": lists.slice(100_000)}), pa.table({"x": cut.slice(100_000)}))[1]
    assert (found.differing, found.first) == (1, 49_999)


LONG = "a" * 1_000_000
soak_only = pytest.mark.skipif(not SOAKING, reason="takes 5 GB: make soak")


@pytest.mark.soak
@soak_only
def test_a_dictionary_whose_texts_are_longer_than_offsets_reach_is_compared() -> None:
    places = np.zeros(2_155, "i4")
    places[2_150] = 1
    a = pa.table({"x": pa.DictionaryArray.from_arrays(places, pa.array([LONG, "b"]))})
    b = one([*[None] * 2_150, "b", *[None] * 3, LONG], pa.string())
    found = told(a, b)[1]
    assert (found.values, found.differing, found.nulls, found.first) == (2_155, 2_153, 2_153, 0)


@pytest.mark.soak
@soak_only
def test_chunks_that_together_are_longer_than_offsets_reach_are_compared() -> None:
    chunk = pa.array([LONG] * 1_100)
    a = pa.table({"x": pa.chunked_array([chunk, chunk])})
    last = pa.array([*[LONG] * 1_099, "b"])
    found = told(a, pa.table({"x": pa.chunked_array([chunk, last])}))[1]
    assert (found.values, found.differing, found.first) == (2_200, 1, 2_199)


def test_what_arrow_cannot_decode_is_refused() -> None:
    words = pa.array(["a"]).dictionary_encode()
    table = pa.table({"x": pa.RunEndEncodedArray.from_arrays(pa.array([3], pa.int32()), words)})
    with pytest.raises(Refused, match="column 'x': Arrow cannot decode it"):
        compare_values(table, table)


def test_what_lies_behind_a_null_struct_counts_for_nothing_whatever_its_encoding() -> None:
    runs = [pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([n, 7])) for n in (1, 2)]
    masks = pa.array([True, True, False])
    a, b = (pa.table({"x": pa.StructArray.from_arrays([part], ["r"], mask=masks)}) for part in runs)
    plain = one([None, None, {"r": 7}], pa.struct([("r", pa.int64())]))
    for x, y in ((a, b), (a, plain), (plain, b)):
        assert compare_values(x, y) == ("bitwise", [])


@pytest.mark.parametrize("kind", ["int8", "int64", "uint64", "int32"])
def test_integers_are_exact_at_their_ends(kind: str) -> None:
    ends = np.iinfo(kind)
    verdict, found = told(np.array([ends.min], kind), np.array([ends.max], kind))
    assert (verdict, found.max_absolute) == ("different", float(ends.max - int(ends.min)))
    near = np.array([ends.max - 1], kind), np.array([ends.max], kind)
    assert told(*near, Tolerance(absolute=1))[0] == "within tolerance"
    assert told(*near, Tolerance(absolute=0.5))[0] == "different"


def test_instants_have_no_tolerance_and_labels_of_zones_are_no_values() -> None:
    utc, naive = (one([10, 20], pa.timestamp("us", tz)) for tz in ("UTC", None))
    assert compare_values(utc, naive) == ("bitwise", [])
    assert told(utc, one([10, 21], pa.timestamp("us")), Tolerance(absolute=9, relative=1))[0] == "different"


def test_columns_and_tensors_that_cannot_be_compared_say_why() -> None:
    a, b = pa.table({"x": [1], "y": [1], "z": [1]}), pa.table({"x": [1.0], "y": [1], "w": [1]})
    verdict, found = compare_values(a, b)
    assert verdict == "different"
    assert [(part.name, part.what) for part in found] == [
        ("x", "types: int64, float64"),
        ("w", "only in b"),
        ("z", "only in a"),
    ]
    assert told(one([1]), one([1, 2]))[1].what == "lengths: 1, 2"
    found = compare_values({"w": np.ones(2), "v": np.ones(2)}, {"w": np.ones((1, 2)), "v": np.ones(2, "f4")})[
        1
    ]
    assert [part.what for part in found] == ["types: float64, float32", "shapes: [2], [1, 2]"]


@pytest.mark.parametrize(
    ("a", "b"),
    [(one([1]), np.ones(1)), ("a", "a"), ({"w": [1]}, {"w": [1]})],
    ids=["a table and an array", "texts", "lists"],
)
def test_what_has_no_values_to_compare_is_refused(a: object, b: object) -> None:
    with pytest.raises(Refused, match="no values to compare"):
        compare_values(a, b)


def test_long_columns_are_counted_across_pieces() -> None:
    values = np.zeros(2_500_000)
    other = values.copy()
    other[[1_048_576, 2_499_999]] = [1.0, 3.0]
    _, found = told(pd.DataFrame({"x": values}), pd.DataFrame({"x": other}))
    assert (found.values, found.differing, found.first, found.max_absolute) == (2_500_000, 2, 1_048_576, 3.0)
