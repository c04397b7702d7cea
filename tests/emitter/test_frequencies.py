import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.frequencies import Frequencies, frequencies


def of(values: list[Any], kind: pa.DataType | None = None) -> Frequencies:
    return frequencies(pa.chunked_array([pa.array(values, kind)]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([None, "a", "b", "ż", ""]), max_size=60), st.integers(0, 60))
def test_what_is_told_is_exact_and_ties_go_by_value(values: list[str | None], cut: int) -> None:
    counts = Counter(value for value in values if value is not None)
    often = [(value, count) for value, count in counts.items() if count >= 10]
    expected = Frequencies(len(counts), tuple(sorted(often, key=lambda pair: (-pair[1], pair[0]))))
    chunks = pa.chunked_array([values[:cut], values[cut:]], pa.string())
    assert frequencies(chunks) == expected


TOLD: list[tuple[str, list[Any], tuple[Any, ...]]] = [
    ("booleans", [True, False, None, True] * 10, ((True, 20), (False, 10))),
    ("integers", [3, -1, 3] * 10, ((3, 20), (-1, 10))),
    ("no floats", [1.5] * 20, ()),
    ("no bytes", [b"a"] * 20, ()),
    ("nothing seen less than ten times", ["a"] * 10 + ["b"] * 9, (("a", 10),)),
    ("ten", [v for v in range(12) for _ in range(10 + v)], tuple((v, 10 + v) for v in range(11, 1, -1))),
    ("no column of more than 32", list(range(33)) * 20, ()),
    ("a column of 32", list(range(32)) * 10, tuple((v, 10) for v in range(10))),
    ("no column with a longer text", (["a"] * 20) + ["x" * 33], ()),
    ("no column with lines", ["a\nb"] * 20, ()),
]  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), [case[1:] for case in TOLD], ids=[case[0] for case in TOLD])
def test_only_what_looks_like_categories_is_told(values: list[Any], expected: tuple[Any, ...]) -> None:
    assert of(values).top == expected


@pytest.mark.parametrize(
    ("kind", "most"),
    [(pa.int64(), 65_536), (pa.string(), 65_536), (pa.decimal128(21, 2), 65_536), (pa.float64(), 4096)],
    ids=str,
)
def test_so_many_different_values_are_counted_whatever_their_order(kind: pa.DataType, most: int) -> None:
    values = [*range(most), *[5] * 200_000]
    random.Random(2).shuffle(values)
    for order in (values, sorted(values), sorted(values, reverse=True)):
        column = pa.chunked_array([pa.array(order).cast(kind)])
        assert frequencies(column).distinct == most
        one_more = pa.chunked_array([*column.chunks, pa.array([most]).cast(kind)])
        assert frequencies(one_more) == Frequencies()
        assert frequencies(pa.chunked_array(one_more.chunks[::-1])) == Frequencies()


def test_zeros_are_one_value_and_nan_and_infinities_are_none() -> None:
    for kind in (np.float16, np.float32, np.float64):
        values = pa.array(np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.5], dtype=kind))
        assert frequencies(pa.chunked_array([values])).distinct == 2


def test_text_that_is_not_utf8_is_counted_and_not_told() -> None:
    words = pa.array([b"\xff\xfe", b"a"] * 20).view(pa.string())
    assert frequencies(pa.chunked_array([words])) == Frequencies(2)


def test_columns_of_long_texts_are_not_counted() -> None:
    assert of(["x" * 1024]).distinct == 1
    assert of(["x" * 1025]).distinct is None
    assert of(["ż" * 513]).distinct is None
