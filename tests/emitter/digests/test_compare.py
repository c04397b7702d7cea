"""What differs between two contents, told without the data."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from relineage.emitter.digests import Content, content_of
from relineage.emitter.digests.compare import ColumnDifference, Rows, TensorDifference, compare

ROWS = 200_000
BASE = pa.table(
    {
        "n": np.arange(ROWS),
        "x": np.arange(ROWS) / 3,
        "at": pa.array(np.arange(ROWS), pa.timestamp("us", "UTC")),
        "t": [f"t{i % 1000}" for i in range(ROWS)],
    }
)
KNOWN = content_of(BASE)


def changed(name: str, *rows: int) -> pa.Table:
    values = BASE[name].to_pylist()
    for row in rows:
        values[row] = values[row - 1]
    i = BASE.column_names.index(name)
    return BASE.set_column(i, name, pa.array(values, BASE.schema.field(name).type))


def rows(first: int, last: int) -> Rows:
    return Rows(first=first, last=last)


def values(name: str, *ranges: Rows) -> ColumnDifference:
    return ColumnDifference(name=name, what="values", rows=ranges)


def test_the_same_table_is_the_same_whatever_the_order_of_its_columns() -> None:
    found = compare(KNOWN, content_of(BASE.select(["t", "at", "x", "n"])))
    assert (found.same, found.label, found.columns) == (True, "b3-table1", ())


@pytest.mark.parametrize(
    ("name", "places", "expected"),
    [
        ("n", [1], [rows(0, 65_535)]),
        ("x", [65_535, 65_536], [rows(0, 131_071)]),
        ("t", [65_536], [rows(65_536, 131_071)]),
        ("at", [3, 199_999], [rows(0, 65_535), rows(196_608, 199_999)]),
        ("x", [1, 65_537, 131_073, 196_609], [rows(0, 199_999)]),
    ],
)
def test_changed_values_are_located_by_column_and_rows(
    name: str, places: list[int], expected: list[Rows]
) -> None:
    found = compare(KNOWN, content_of(changed(name, *places)))
    assert found.same is False
    assert found.columns == (values(name, *expected),)
    assert found.tail is found.unsure is None


def test_changes_of_the_schema_are_told_apart() -> None:
    zone = BASE["at"].cast(pa.timestamp("us", "+00:00"))
    other = BASE.set_column(2, "at", zone).set_column(0, "n", BASE["n"].cast("int32"))
    other = other.rename_columns(["n", "x", "at", "u"])
    found = compare(KNOWN, content_of(other))
    assert found.columns == (
        ColumnDifference(name="n", what="retyped", a="int64", b="int32"),
        ColumnDifference(name="at", what="zone", a='timestamp[us,"UTC"]', b='timestamp[us,"+00:00"]'),
        ColumnDifference(name="u", what="added", b="utf8"),
        ColumnDifference(name="t", what="removed", a="utf8"),
    )


def test_a_zone_and_values_may_differ_at_once() -> None:
    shifted = pa.array(np.arange(ROWS) + 1, pa.timestamp("us", "Europe/Warsaw"))
    found = compare(KNOWN, content_of(BASE.set_column(2, "at", shifted)))
    assert [one.what for one in found.columns] == ["zone", "values"]


def test_columns_of_one_name_are_told_by_their_number() -> None:
    twice = [pa.table([pa.array([1]), pa.array([n])], names=["a", "a"]) for n in (2, 3)]
    found = compare(content_of(twice[0]), content_of(twice[1]))
    assert found.columns == (values("a (2)", rows(0, 0)),)


NUMBERED: dict[str, tuple[list[str], int, str]] = {
    "the second": (["x", "x", "x (2)"], 1, "x (3)"),
    "what is called like the second": (["x", "x", "x (2)"], 2, "x (2)"),
    "what is called so before it": (["x (2)", "x", "x"], 2, "x (3)"),
    "the third": (["x", "x", "x", "x (2)"], 2, "x (4)"),
    "two of two": (["x", "x", "x (2)", "x (2)"], 3, "x (2) (2)"),
}


@pytest.mark.parametrize("case", NUMBERED)
def test_no_column_is_lost_where_another_is_called_like_its_number(case: str) -> None:
    names, place, expected = NUMBERED[case]
    data = [np.arange(131_072) + i for i in range(len(names))]
    old = pa.table([part[:65_536] for part in data], names=names)
    data[place] = data[place].copy()
    data[place][3] = -1
    for length in (65_536, 131_072):
        new = pa.table([part[:length] for part in data], names=names)
        found = compare(content_of(old), content_of(new))
        assert (found.columns, found.appended) == ((values(expected, rows(0, 65_535)),), False)


def test_columns_of_one_name_are_matched_by_their_order_whatever_else_there_is() -> None:
    a, b, c = pa.array([1]), pa.array([2]), pa.array([3])
    old, new = pa.table([a, b], names=["x", "x"]), pa.table([a, b, c], names=["x", "x", "x (2)"])
    added = ColumnDifference(name="x (2)", what="added", b="int64")
    assert compare(content_of(old), content_of(new)).columns == (added,)
    removed = ColumnDifference(name="x (2)", what="removed", a="int64")
    assert compare(content_of(new), content_of(old)).columns == (removed,)


@pytest.mark.parametrize("before", [65_536, 131_072])
def test_an_append_behind_a_whole_leaf_is_seen_without_the_data(before: int) -> None:
    found = compare(content_of(BASE.slice(0, before)), KNOWN)
    assert found.appended
    assert (found.tail, found.unsure, found.columns) == (rows(before, ROWS - 1), None, ())
    back = compare(KNOWN, content_of(BASE.slice(0, before)))
    assert (back.tail, back.appended) == (found.tail, False)


def test_rows_in_a_leaf_that_grew_are_not_known_without_the_data() -> None:
    old = BASE.slice(0, 140_000)
    found = compare(content_of(old), content_of(changed("x", 5)))
    assert found.columns == (values("x", rows(0, 65_535)),)
    assert (found.tail, found.unsure) == (rows(140_000, ROWS - 1), rows(131_072, 139_999))
    assert not found.appended
    heads = content_of(old), content_of(BASE.slice(0, 140_000))
    settled = compare(content_of(old), KNOWN, heads=heads)
    assert settled.appended
    assert settled.unsure is None
    touched = changed("x", 139_999)
    settled = compare(
        content_of(old), content_of(touched), heads=(heads[0], content_of(touched.slice(0, 140_000)))
    )
    assert not settled.appended
    assert settled.columns == (values("x", rows(131_072, 139_999)),)


def without_leaves(content: Content) -> Content:
    return replace(content, columns=tuple(replace(one, leaves=b"") for one in content.columns))


def test_without_leaves_the_columns_are_told_still() -> None:
    found = compare(without_leaves(KNOWN), content_of(changed("x", 9)))
    assert found.columns == (ColumnDifference(name="x", what="values", rows=None),)


@pytest.mark.parametrize("count", [1, 65_535, 65_536])
def test_a_column_of_one_leaf_needs_none(count: int) -> None:
    one, two = (content_of(table.slice(0, count)) for table in (BASE, changed("n", 0)))
    for a, b in ((without_leaves(one), two), (one, without_leaves(two))):
        assert compare(a, b).columns == (values("n", rows(0, count - 1)),)
    whole = compare(without_leaves(one), KNOWN)
    assert whole.appended is (count == 65_536)


def test_a_table_that_had_no_rows_was_appended_to() -> None:
    found = compare(content_of(BASE.slice(0, 0)), KNOWN)
    assert (found.appended, found.tail) == (True, rows(0, ROWS - 1))


def state(**tensors: Any) -> Content:
    return content_of({name.replace("_", "."): np.array(values) for name, values in tensors.items()})


def test_tensors_that_differ_are_named() -> None:
    one = state(a_w=[1.0, 2.0], a_b=[0.0], same=[1], old=[5], s=[1, 2])
    two = state(a_w=[1.0, 2.5], a_b=np.zeros(1, "f4"), same=[1], new=[5], s=[[1, 2]])
    assert compare(one, two).tensors == (
        TensorDifference(name="a.b", what="retyped", a="float64[1]", b="float32[1]"),
        TensorDifference(name="a.w", what="values"),
        TensorDifference(name="new", what="added", b="int64[1]"),
        TensorDifference(name="old", what="removed", a="int64[1]"),
        TensorDifference(name="s", what="reshaped", a="int64[2]", b="int64[1, 2]"),
    )


def test_the_strongest_common_digest_decides_and_equal_weaker_ones_are_told() -> None:
    named, renamed = state(a=[1.0], b=[2.0]), state(a=[1.0], c=[2.0])
    found = compare(named, renamed)
    assert (found.same, found.label, found.shared) == (False, "b3-tensors1", ("b3-weights1",))
    assert [(one.name, one.what) for one in found.tensors] == [("b", "removed"), ("c", "added")]


def test_contents_without_a_common_digest_are_neither_the_same_nor_different() -> None:
    found = compare(KNOWN, state(a=[1]))
    assert (found.same, found.label, found.columns, found.tensors) == (None, None, (), ())


def test_a_digest_of_rounded_values_is_no_identity() -> None:
    a, b = (replace(state(a=[n]), digests=("b3-table1-rounded3:" + "0" * 64,)) for n in (1, 2))
    assert compare(a, b).same is None


def test_a_changed_value_anywhere_in_a_million_rows_of_20_columns_is_located() -> None:
    draw = np.random.default_rng(4)
    data = {f"c{i}": draw.normal(size=1_000_000) for i in range(20)}
    before = content_of(pa.table(data))
    for row in [0, 999_999, *(int(one) for one in draw.integers(0, 1_000_000, 4))]:
        name = f"c{draw.integers(20)}"
        kept = data[name][row]
        data[name][row] = np.nextafter(kept, np.inf)
        first = row // 65_536 * 65_536
        found = compare(before, content_of(pa.table(data)))
        assert found.columns == (values(name, rows(first, min(first + 65_535, 999_999))),)
        data[name][row] = kept
    assert compare(before, content_of(pa.table(data))).same
