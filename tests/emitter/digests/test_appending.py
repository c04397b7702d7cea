"""A table that comes in parts has the digest of the whole, and an append reads the tail only."""

import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from promised import PROMISED

from relineage.emitter.digests import Refused
from relineage.emitter.digests.appending import TableState, bound, column, extended, first_row_of_tail
from relineage.emitter.digests.columns import LEAF_BYTES, LEAF_ROWS
from relineage.emitter.digests.records import TableDigest
from relineage.emitter.digests.tables import table_digest

# Longer than two leaves, with every promised type, nulls and NaN; no period divides the length of a leaf.
LONG = pa.table(
    {name: pa.array((values * 140_000)[:140_000], kind) for name, (kind, values) in PROMISED.items()}
)
WHOLE = table_digest(LONG)
POOL = pa.proxy_memory_pool(pa.default_memory_pool())  # has to outlive all that is allocated in it


def appended(table: pa.Table, cuts: list[int], **options: Any) -> TableDigest:
    state = TableState(table.schema)
    for start, stop in zip([0, *cuts], [*cuts, table.num_rows], strict=True):
        state.append(table.slice(start, stop - start), **options)
    return state.digest()


@pytest.mark.parametrize("seed", range(4))
def test_rows_in_any_pieces_have_the_digest_of_the_whole(seed: int) -> None:
    draw = random.Random(seed)
    cuts = sorted(draw.choices([0, 1, 65_535, 65_536, 65_537, 131_072, *range(0, 140_000, 997)], k=seed * 3))
    assert appended(LONG, cuts) == WHOLE
    assert appended(LONG, cuts, threads=3) == WHOLE


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.none() | st.floats() | st.sampled_from([0.0, -0.0]), max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=5),
)
def test_small_pieces_too_whether_constant_or_not(values: list[float | None], cuts: list[int]) -> None:
    table = pa.table({"x": pa.array(values, pa.float64()), "c": pa.array([[5.0]] * len(values))})
    assert appended(table, sorted(min(cut, len(values)) for cut in cuts)) == table_digest(table)


def test_a_digest_in_between_changes_nothing() -> None:
    state = TableState(LONG.schema)
    for start in range(0, LONG.num_rows, 50_000):
        state.append(LONG.slice(start, 50_000))
        assert state.digest() == table_digest(LONG.slice(0, state.rows))
    assert state.digest() == WHOLE


def test_pieces_may_be_encoded_in_several_ways() -> None:
    words = pa.array(["a", "b", None] * 30_000)
    state = TableState(pa.schema([("x", pa.string())]))
    for part in (
        words,
        words.cast(pa.large_string()),
        words.dictionary_encode(),
        words.cast(pa.string_view()),
    ):
        state.append(pa.table({"x": part}))
    assert state.digest() == table_digest(pa.table({"x": pa.concat_arrays([words] * 4)}))


def test_many_small_parts_take_a_time_in_proportion() -> None:
    table = pa.table({"x": np.arange(8000), "y": [f"t{i}" for i in range(8000)]})
    began = time.perf_counter()
    made = appended(table, list(range(1, 8000)))
    assert time.perf_counter() - began < 20  # more than a minute if each part were cut again with each append
    assert made == table_digest(table)


def test_rows_that_wait_do_not_hold_on_to_the_batches_that_they_came_in() -> None:
    state = TableState(pa.schema([("x", pa.int64())]))
    for i in range(2000):
        batch = pa.array(range(1000), pa.int64(), memory_pool=POOL)  # 8 kB, of which one row is appended
        state.append(pa.table({"x": batch.slice(i % 1000, 1)}))
    assert POOL.max_memory() > 8000
    assert POOL.bytes_allocated() < 2_000_000
    assert state.digest() == table_digest(pa.table({"x": pa.array([*range(1000)] * 2)}))


def coded(i: int, words: list[str | None]) -> pa.Array:
    """The words, in one of several encodings: batch after batch may be encoded otherwise."""
    array = pa.array(words, pa.string())
    ways: list[Callable[[pa.Array], pa.Array]] = [
        lambda one: one.dictionary_encode(),
        lambda one: one.cast(pa.large_string()),
        lambda one: one.cast(pa.string_view()),
        pc.run_end_encode,
    ]
    return ways[i % len(ways)](array)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 700])
def test_small_parts_of_coded_columns_have_the_digest_of_the_whole(alike: bool, rows: int) -> None:
    parts = []
    for i in range(200):
        words = [None if (i + j) % 7 == 0 else f"w{i}-{j % 90}" for j in range(rows)]
        x = coded(0 if alike else i, words)
        items = pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), x)
        parts.append(pa.table({"x": x, "l": items, "s": pa.StructArray.from_arrays([x], ["f"])}))
    state = TableState(parts[0].schema)
    for part in parts:
        state.append(part)
    plain = pa.chunked_array([pa.array(part["x"].to_pylist(), pa.string()) for part in parts])
    whole = plain.combine_chunks()
    table = pa.table(
        {
            "x": whole,
            "l": pa.ListArray.from_arrays(pa.array(range(len(whole) + 1), pa.int32()), whole),
            "s": pa.StructArray.from_arrays([whole], ["f"]),
        }
    )
    assert state.digest() == table_digest(table)


@pytest.mark.parametrize("other", [{"y": [1]}, {"x": [1.5]}, {"x": [1], "y": [1]}])
def test_rows_of_other_columns_are_refused(other: dict[str, list[Any]]) -> None:
    with pytest.raises(Refused, match="below rows of"):
        TableState(pa.schema([("x", pa.int64())])).append(pa.table(other))


def test_a_column_has_a_leaf_for_each_65536_rows_and_its_digest_is_their_root() -> None:
    for one in WHOLE.columns:
        assert len(one.leaves) == 3 * LEAF_BYTES
        a, b, c = (blake3(b"\0" + one.leaves[i : i + 32]).digest() for i in (0, 32, 64))
        root = blake3(b"\1" + blake3(b"\1" + a + b).digest() + c).hexdigest()
        assert one.digest == f"b3-column1:{root}"


@pytest.mark.parametrize("before", [0, 1, 65_535, 65_536, 65_537, 131_072, 139_999, 140_000])
def test_an_append_to_an_older_version_reads_its_tail_only(before: int) -> None:
    old = table_digest(LONG.slice(0, before))
    first = first_row_of_tail(before)
    assert first == before // LEAF_ROWS * LEAF_ROWS
    assert extended(old, LONG.slice(first)) == WHOLE


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.integers(0, 70_000), min_size=2, max_size=5), seed=st.integers(0, 9))
def test_versions_that_grow_again_and_again(rows: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).integers(-1, 2, sum(rows))
    table = pa.table({"n": values, "f": np.where(values == 0, np.nan, values)})
    kept = table_digest(table.slice(0, rows[0]))
    for part in rows[1:]:
        upto = kept.rows + part
        first = first_row_of_tail(kept.rows)
        kept = extended(kept, table.slice(first, upto - first))
        assert kept == table_digest(table.slice(0, upto))


@pytest.mark.parametrize(("value", "distinctive"), [(7, False), (8, True)])
@pytest.mark.parametrize("rows", [LEAF_ROWS, LEAF_ROWS + 5])
def test_a_constant_table_stays_one_only_if_its_value_goes_on(
    rows: int, value: int, distinctive: bool
) -> None:
    head = pa.table({"x": np.full(rows, 7), "y": pa.array([[1]] * rows)})
    tail = pa.table({"x": np.full(9, value), "y": pa.array([[1]] * 9)})
    whole = pa.concat_tables([head, tail])
    made = extended(table_digest(head), whole.slice(first_row_of_tail(rows)))
    assert made == table_digest(whole)
    assert made.distinctive is distinctive


def test_a_constant_column_in_run_ends_goes_on_too() -> None:
    whole = pa.table({"x": pc.run_end_encode(pa.array(["a" * 100] * (LEAF_ROWS + 5)))})
    made = extended(table_digest(whole.slice(0, LEAF_ROWS)), whole.slice(LEAF_ROWS))
    assert made == table_digest(whole)
    assert not made.distinctive


SMALL = pa.table({"x": np.arange(70_000), "y": ["a"] * 70_000})


@pytest.mark.parametrize(
    ("kept", "tail", "message"),
    [
        (SMALL, SMALL.slice(65_537), "column 'x': rows from 65536 on are not those"),
        (SMALL, SMALL.slice(65_536, 100), "column 'x': rows from 65536 on are not those"),
        (SMALL, SMALL.slice(65_536).rename_columns(["x", "z"]), "other columns than before"),
        (SMALL, SMALL.slice(65_536).select(["x"]), "other columns than before"),
        (SMALL, SMALL.slice(65_536).set_column(0, "x", [["b"] * 4464]), "column 'x': utf8 was int64"),
    ],
    ids=["another row first", "rows missing", "renamed", "fewer columns", "retyped"],
)
def test_a_tail_that_does_not_go_on_is_refused(kept: pa.Table, tail: pa.Table, message: str) -> None:
    with pytest.raises(Refused, match=message):
        extended(table_digest(kept), tail)


def test_leaves_that_were_not_kept_are_asked_for() -> None:
    old = table_digest(SMALL)
    bare = replace(old, columns=tuple(replace(one, leaves=b"") for one in old.columns))
    with pytest.raises(Refused, match="no leaves are kept"):
        extended(bare, SMALL.slice(65_536))


def test_columns_and_leaves_that_were_kept_give_the_digest_again() -> None:
    columns = [column(one.name, one.type, one.leaves) for one in WHOLE.columns]
    assert bound(columns, rows=WHOLE.rows, size=WHOLE.bytes, varies=True) == WHOLE


def test_a_changed_value_anywhere_changes_one_leaf_of_one_column() -> None:
    table = pa.table({f"c{i}": np.random.default_rng(i).normal(size=200_000) for i in range(5)})
    before = table_digest(table)
    draw = random.Random(7)
    for _ in range(6):
        name, row = draw.choice(table.column_names), draw.randrange(200_000)
        values = table[name].to_numpy().copy()
        values[row] = np.nextafter(values[row], np.inf)
        i = table.column_names.index(name)
        after = table_digest(table.set_column(i, name, pa.array(values)))
        assert after.digest != before.digest
        changed = [
            (one.name, leaf)
            for one, two in zip(before.columns, after.columns, strict=True)
            for leaf in range(4)
            if one.leaves[32 * leaf : 32 * leaf + 32] != two.leaves[32 * leaf : 32 * leaf + 32]
        ]
        assert changed == [(name, row // LEAF_ROWS)]


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2"])
@pytest.mark.parametrize("rows", [3, 70_000])
def test_a_numpy_column_with_nan_is_digested_as_one_with_nulls(dtype: str, rows: int) -> None:
    values = (np.arange(rows) % 100).astype(dtype)
    values[[1, rows - 1]] = np.nan
    whole = pa.table({"x": pa.array(values, from_pandas=True)})
    assert whole["x"].null_count == 2
    assert table_digest(pd.DataFrame({"x": values})) == table_digest(whole)


@pytest.mark.parametrize("values", [[], [None], [float("nan")], [1.0], [1.0, 1.0], [float("nan")] * 40])
def test_edges_of_numpy_columns(values: list[float | None]) -> None:
    frame = pd.DataFrame({"x": np.array(values, "f8")})
    assert table_digest(frame) == table_digest(
        pa.table({"x": pa.array(values, pa.float64(), from_pandas=True)})
    )


@pytest.mark.parametrize("dtype", ["f8", "i4"])
def test_columns_of_numbers_are_hashed_where_they_lie(dtype: str) -> None:
    frame = pd.DataFrame({f"c{i}": np.arange(1_000_000).astype(dtype) for i in range(10)})
    table_digest(frame.head())  # imports
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    table_digest(frame, threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert pa.total_allocated_bytes() == before
