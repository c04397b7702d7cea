"""The reference below does with fractions what `docs/statistics.md` says in words."""

import json
import math
import random
import sys
from collections import Counter as Multiset
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relineage.emitter.histograms import Counter, Histogram, merged
from relineage.emitter.statistics import feature_statistics

LARGEST = sys.float_info.max
LEVELS = [(s, -1022) for s in range(20, 2, -1)] + [(2, f) for f in range(-1022, 1025)]
WHOLE_LEVELS = [(s, s) for s in range(20, 2, -1)] + [(2, f) for f in range(2, 1025)]


def counted(values: Sequence[float], *, whole: bool = False, most_bins: int = 48) -> Histogram:
    counter = Counter(min(values) + 0.0, max(values) + 0.0, whole=whole)
    for start in range(0, len(values), 1000):
        counter.add(np.array(values[start : start + 1000], dtype=np.float64))
    return counter.histogram(most_bins)


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def octave(value: Fraction) -> int:
    """e with 2^e ≤ value < 2^(e+1)."""
    e = value.numerator.bit_length() - value.denominator.bit_length()
    return e if power(e) <= value else e - 1


def bin_of(value: Fraction, s: int, f: int) -> tuple[Fraction, Fraction]:
    """The bin [low, high) that holds the value."""
    if -power(f) <= value < power(f):
        width = power(f - s)
    else:
        e = octave(abs(value))
        if value == -power(e):
            e -= 1  # the bin that begins there reaches towards zero
        width = power(e - s)
    low = width * (value // width)
    return low, low + width


def reference(values: Sequence[float | int], whole: bool, most_bins: int) -> Histogram:
    numbers = Multiset(Fraction(value) for value in values)
    levels = WHOLE_LEVELS if whole else LEVELS

    def at(level: int) -> tuple[Histogram, bool]:
        s, f = levels[level]
        bins: Multiset[tuple[Fraction, Fraction]] = Multiset()
        for value, count in numbers.items():
            bins[bin_of(value, s, f)] += count
        edges: list[Fraction] = []
        counts: list[int] = []
        for (low, high), count in sorted(bins.items()):
            if edges and edges[-1] != low:
                edges.append(low)
                counts.append(0)
            edges += [high] if edges else [low, high]
            counts.append(count)
        top = Fraction(LARGEST)
        told = tuple(float(min(max(edge, -top), top)) for edge in edges)
        apart = place(max(bins)[0], s, whole) - place(min(bins)[0], s, whole)
        return Histogram(told, tuple(counts)), len(counts) <= most_bins and (apart < 16384 or level > 18)

    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle)[1] else (middle + 1, high)
    return at(low)[0]


def place(value: Fraction, s: int, whole: bool) -> int:
    """How many bins lie between zero and the one that begins at `value`, without a floor."""
    if value < 0:
        return -place(-value, s, whole)
    if value == 0:
        return 0
    e, first = octave(value), (-1 if whole else -1023)
    if e < -1022:
        return int(value / power(-1022 - s))
    return (e - first) * 2**s + int((value / power(e) - 1) * 2**s)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
USUAL = st.one_of(FINITE, st.floats(-10, 10), st.integers(-20, 20).map(float), st.sampled_from([0.0, -0.0]))
EXTREMES = [0.0, -0.0, 5e-324, -5e-324, 2.2e-308, LARGEST, -LARGEST, 1.0, -1.0, 2.0**-1022, -(2.0**-1022)]


@settings(max_examples=300, deadline=None)
@given(st.lists(USUAL, min_size=1, max_size=60), st.sampled_from([8, 9, 16, 48]))
@example(EXTREMES, 8)
@example(EXTREMES, 48)
@example([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0], 8)
@example([2.0 ** (e / 3) for e in range(-60, 60)], 48)
@example([-(2.0 ** (e / 3)) for e in range(-60, 60)], 48)
def test_a_histogram_is_what_the_documentation_says(values: list[float], most_bins: int) -> None:
    assert counted(values, most_bins=most_bins) == reference(values, False, most_bins)


INTEGERS = st.one_of(st.integers(-30, 30), st.integers(-(10**6), 10**6), st.integers(-(2**63), 2**63 - 1))


@settings(max_examples=200, deadline=None)
@given(st.lists(INTEGERS, min_size=1, max_size=60))
@example([-(2**63), 2**63 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 0])
@example(list(range(-50, 51)))
def test_integers_of_64_bits_are_counted_exactly(values: list[int]) -> None:
    (found,) = feature_statistics(pa.table({"x": pa.array(values, pa.int64())}))
    assert found.histogram == reference(values, True, 48)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60))
@example([2**64 - 1, 2**63, 0])
def test_unsigned_integers_are_counted_exactly(values: list[int]) -> None:
    (found,) = feature_statistics(pa.table({"x": pa.array(values, pa.uint64())}))
    assert found.histogram == reference(values, True, 48)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(USUAL, min_size=1, max_size=60),
    st.lists(USUAL, min_size=1, max_size=60),
    st.sampled_from([8, 16, 48]),
)
@example(EXTREMES, [1.5], 48)
@example([LARGEST], [-LARGEST, 5e-324], 8)
def test_histograms_of_parts_merge_to_that_of_the_whole(
    a: list[float], b: list[float], most_bins: int
) -> None:
    parts = [counted(values, most_bins=most_bins) for values in (a, b)]
    whole = counted(a + b, most_bins=most_bins)
    assert merged(*parts, most_bins=most_bins) == merged(*parts[::-1], most_bins=most_bins) == whole


@settings(max_examples=200, deadline=None)
@given(st.lists(INTEGERS, min_size=1, max_size=60), st.lists(INTEGERS, min_size=1, max_size=60))
def test_histograms_of_integers_merge_too(a: list[int], b: list[int]) -> None:
    parts = [feature_statistics(pa.table({"x": pa.array(v, pa.int64())}))[0].histogram for v in (a, b, a + b)]
    assert parts[0] is not None
    assert parts[1] is not None
    assert merged(parts[0], parts[1], whole=True) == parts[2]


@settings(max_examples=100, deadline=None)
@given(st.lists(USUAL, min_size=1, max_size=80), st.lists(USUAL, min_size=1, max_size=80))
def test_finer_ones_merge_to_coarser_ones(a: list[float], b: list[float]) -> None:
    fine, coarse = counted(a, most_bins=48), counted(b, most_bins=8)
    assert merged(fine, coarse, most_bins=8) == counted(a + b, most_bins=8)


def test_merging_goes_on_through_the_wire_and_over_many_parts() -> None:
    numbers = random.Random(3)
    values = [numbers.gauss(0, 1) * 10 ** numbers.choice([-8, 0, 0, 3]) for _ in range(50_000)]
    cuts = sorted(numbers.sample(range(1, 50_000), 20))
    parts = [values[a:b] for a, b in zip([0, *cuts], [*cuts, 50_000], strict=True)]
    total: Histogram | None = None
    for part in parts:
        said: dict[str, Any] = json.loads(json.dumps(vars(counted(part))))
        one = Histogram(tuple(said["edges"]), tuple(said["counts"]))
        total = one if total is None else merged(total, one)
    assert total == counted(values)


def test_every_value_lies_in_its_bin() -> None:
    values = np.random.default_rng(9).normal(size=300_000)
    found = counted(values.tolist())
    assert tuple(np.histogram(values, found.edges)[0].tolist()) == found.counts


@pytest.mark.parametrize(
    ("values", "whole", "edges", "counts"),
    [
        ([0.0, 0.0, 1.0], True, (0, 1, 2), (2, 1)),
        ([1990.0, 1990.0, 1993.0], True, (1990, 1991, 1993, 1994), (2, 0, 1)),
        ([-1.0], True, (-1, 0), (1,)),
        ([0.75], False, (0.75, 0.75 + 2**-21), (1,)),
        ([LARGEST], False, (1.9999990463256836 * 2.0**1023, LARGEST), (1,)),
    ],
)  # fmt: skip
def test_histograms_in_figures(
    values: list[float], whole: bool, edges: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    assert counted(values, whole=whole) == Histogram(edges, counts)


def test_an_outlier_does_not_cost_the_others_their_bins() -> None:
    values = np.random.default_rng(9).normal(size=20_000).tolist()
    plain, with_outlier = counted(values), counted([*values, 1e300])
    assert with_outlier.counts[-1] == 1
    assert len(with_outlier.counts) > len(plain.counts) / 2


def test_a_bin_is_at_most_a_quarter_wide() -> None:
    values = np.exp(np.random.default_rng(9).normal(size=20_000))
    found = counted(values.tolist())
    for low, high, count in zip(found.edges, found.edges[1:], found.counts, strict=False):
        assert not count or math.isclose(low, 0) or high <= low * 1.25 or high - low == found.edges[1]
