"""A table that comes in parts has the digest of the table, however it is cut."""

from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.digests.appending import TableState
from relineage.emitter.digests.columns import LEAF_ROWS
from relineage.emitter.digests.tables import table_digest

ROWS = 2 * LEAF_ROWS + 5000


def make_table() -> pa.Table:
    random = np.random.default_rng(3)
    numbers = random.normal(size=ROWS)
    numbers[::1000] = np.nan
    missing = random.random(ROWS) < 0.1
    texts = np.array(["", "a", "zażółć", "long " * 5], dtype=object)[random.integers(0, 4, ROWS)]
    few = 500  # values of slow types, repeated
    nested = [[{"x": 1, "y": None}], None, [], [{"x": None, "y": "t"}, None]]
    return pa.table(
        {
            "float": numbers,
            "int with nulls": pa.array(random.integers(-5, 5, ROWS), mask=missing),
            "bool": pa.array(random.random(ROWS) < 0.5, mask=missing),
            "text": pa.array(texts, pa.string(), mask=missing),
            "coded": pa.array(texts, pa.string()).dictionary_encode(),
            "decimal": pa.array([Decimal("1.23"), None] * few).take(pa.array(np.arange(ROWS) % (2 * few))),
            "date": pa.array([date(2024, 1, 1), None] * few).take(pa.array(np.arange(ROWS) % 7)),
            "instant": pa.array([datetime(2024, 1, 1), None], pa.timestamp("us", "UTC")).take(  # noqa: DTZ001
                pa.array(np.arange(ROWS) % 2)
            ),
            "nested": pa.array(nested).take(pa.array(np.arange(ROWS) % 4)),
            "constant": pa.array(np.zeros(ROWS)),
            "nothing": pa.nulls(ROWS),
        }
    )


TABLE = make_table()
WHOLE = table_digest(TABLE)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, ROWS) | st.sampled_from([LEAF_ROWS - 1, LEAF_ROWS, LEAF_ROWS + 1]), max_size=6)
)
def test_where_a_table_is_cut_does_not_show(places: list[int]) -> None:
    state = TableState(TABLE.schema)
    for start, stop in pairwise([0, *sorted(places), ROWS]):
        state.append(TABLE.slice(start, stop - start))
    assert state.digest() == WHOLE


@pytest.mark.parametrize("rows", [1000, 7777, LEAF_ROWS])
def test_batches_of_one_size_give_the_digest_of_the_whole(rows: int) -> None:
    state = TableState(TABLE.schema)
    for batch in TABLE.to_batches(max_chunksize=rows):
        state.append(pa.Table.from_batches([batch]))
    assert state.digest() == WHOLE


@pytest.mark.parametrize("column", TABLE.schema.names)
def test_each_column_alone_says_the_same_of_being_distinctive(column: str) -> None:
    table = TABLE.select([column])
    state = TableState(table.schema)
    for start in range(0, ROWS, 10_001):
        state.append(table.slice(start, 10_001))
    assert state.digest() == table_digest(table)
