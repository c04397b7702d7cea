"""Columns that are coded, long or nested have the leaves of their values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soak import SOAKING

from relineage.emitter.digests import Refused
from relineage.emitter.digests.columns import LEAF_ROWS, fields_of, plain_array
from relineage.emitter.digests.leaves import leaf, leaf_head
from relineage.emitter.digests.rows import rows_state
from relineage.emitter.digests.tables import table_digest

USUAL = pa.default_memory_pool()
POOL = pa.proxy_memory_pool(USUAL)  # has to outlive all that is allocated in it


@contextmanager
def measured() -> Iterator[Callable[[], int]]:
    """Give a function that says how much memory Arrow had at most."""
    pa.set_memory_pool(POOL)
    try:
        yield POOL.max_memory
    finally:
        pa.set_memory_pool(USUAL)


CODED: dict[str, Callable[[pa.Array], pa.Array]] = {
    "run ends": pc.run_end_encode,
    "run ends of 16 bits": lambda array: pc.run_end_encode(array, run_end_type=pa.int16()),
    "dictionary": lambda array: array.dictionary_encode(),
    "views": lambda array: array.cast(pa.string_view()),
}


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.booleans(), st.booleans()), min_size=1, max_size=12
    ),
    start=st.integers(0, 5),
    how=st.sampled_from(sorted(CODED)),
)
def test_coded_fields_of_a_struct_are_null_where_it_is(
    rows: list[tuple[str | None, bool, bool]], start: int, how: str
) -> None:
    values = pa.array([value for value, _, _ in rows], pa.string())
    inner, outer = (pa.array([row[i] for row in rows]) for i in (1, 2))

    def nested(texts: pa.Array, behind: pa.Array) -> pa.Table:
        numbers = pa.array(range(len(rows)))
        within = pa.StructArray.from_arrays([texts, numbers], ["f", "n"], mask=inner)
        both = pa.StructArray.from_arrays([within, behind], ["s", "f"], mask=outer)
        lists = pa.FixedSizeListArray.from_arrays(both, 1)
        return pa.table({"x": both.slice(start), "l": lists.slice(start)})

    coded, plain = nested(CODED[how](values), CODED[how](values)), nested(values, values)
    assert table_digest(coded) == table_digest(plain)
    assert rows_state(coded) == rows_state(plain)


def test_what_lies_behind_a_null_of_a_struct_does_not_count() -> None:
    mask = pa.array([False, True, False])
    one, other = (pc.run_end_encode(pa.array(values)) for values in (["a", "b", "b"], ["a", "x", "b"]))
    tables = [
        pa.table({"x": pa.StructArray.from_arrays([field], ["f"], mask=mask)}) for field in (one, other)
    ]
    assert table_digest(tables[0]) == table_digest(tables[1])
    assert rows_state(tables[0]) == rows_state(tables[1])
    (field,) = fields_of(tables[0]["x"].chunk(0))
    assert field.to_pylist() == ["a", None, "b"]


def test_a_sorted_category_is_decoded_a_leaf_at_a_time() -> None:
    codes = np.repeat(np.arange(2, dtype="i1"), 10 * LEAF_ROWS)
    table = pa.table({"x": pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 100, "y" * 100]))})
    with measured() as most:
        assert table_digest(table, threads=1).distinctive
    assert 0 < most() < 4 * 100 * LEAF_ROWS


@pytest.mark.parametrize("row", [0, 1, 1023, 1024, LEAF_ROWS - 1, LEAF_ROWS, 2 * LEAF_ROWS, 140_000 - 1])
def test_one_row_that_differs_is_seen_wherever_it_is(row: int) -> None:
    values = np.full(140_000, 7)
    assert not table_digest(pa.table({"x": values})).distinctive
    values[row] = 8
    assert table_digest(pa.table({"x": values})).distinctive
    halves = pa.chunked_array([values[:70_001], values[70_001:]])
    assert table_digest(pa.table({"x": halves})).distinctive


@pytest.mark.soak
@pytest.mark.skipif(not SOAKING, reason="takes 5 GB: make soak")
def test_a_leaf_of_a_dictionary_may_hold_more_text_than_32_bits_count() -> None:
    text = pa.array(["x" * (1 << 28)])
    codes = pa.array([0] * 9, pa.int8())
    head = leaf_head(pa.string(), where="x")
    assert leaf(head, [pa.DictionaryArray.from_arrays(codes, text)]) == leaf(head, [text] * 9)


@pytest.mark.parametrize(("kind", "value"), [(pa.string(), "ab"), (pa.binary(), b"ab")])
def test_runs_of_text_are_decoded_with_offsets_that_cannot_overflow(kind: pa.DataType, value: object) -> None:
    runs = pc.run_end_encode(pa.array([value, value, None, value], kind)).slice(1)
    decoded = plain_array(runs)
    assert decoded.type in (pa.large_string(), pa.large_binary())
    assert decoded.to_pylist() == [value, None, value]


def test_what_arrow_cannot_decode_is_refused_with_its_column() -> None:
    codes = pa.array([0] * 2000 + [5])
    broken = pa.DictionaryArray.from_arrays(codes, pa.array(["a"]), safe=False)
    with pytest.raises(Refused, match=r"column 'x': .*out of bounds"):
        table_digest(pa.table({"x": broken}))
