import datetime as dt
import math
import random
import statistics
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relineage.emitter.digests.tables import to_arrow
from relineage.emitter.statistics import FeatureStatistics, feature_statistics

NAN, INF = math.nan, math.inf


def of(values: list[Any], kind: pa.DataType | None = None) -> FeatureStatistics:
    (found,) = feature_statistics(pa.table({"x": pa.array(values, kind)}))
    return found


DAY = dt.date.fromisoformat("2024-02-29")

CASES: list[tuple[str, pa.Array, dict[str, Any]]] = [
    (
        "floats",
        pa.array([1.0, None, NAN, 2.0, INF, -INF, 6.0]),
        {
            "type": "float64",
            "rows": 7,
            "nulls": 1,
            "nans": 1,
            "infinities": 2,
            "min": 1.0,
            "max": 6.0,
            "mean": 3.0,
            "deviation": math.sqrt(7),
            "distinct": 3,
        },
    ),
    (
        "float32",
        pa.array([0.5, 1.5], pa.float32()),
        {
            "type": "float32",
            "rows": 2,
            "nulls": 0,
            "min": 0.5,
            "max": 1.5,
            "mean": 1.0,
            "deviation": math.sqrt(0.5),
            "distinct": 2,
        },
    ),
    (
        "float16",
        pa.array(np.array([0.5, 1.5], np.float16)),
        {
            "type": "float16",
            "rows": 2,
            "nulls": 0,
            "min": 0.5,
            "max": 1.5,
            "mean": 1.0,
            "deviation": math.sqrt(0.5),
            "distinct": 2,
        },
    ),
    (
        "ints",
        pa.array([1, None, 3, 3]),
        {
            "type": "int64",
            "rows": 4,
            "nulls": 1,
            "min": 1,
            "max": 3,
            "mean": 7 / 3,
            "deviation": statistics.stdev([1, 3, 3]),
            "distinct": 2,
        },
    ),
    (
        "large ints",
        pa.array([2**63 - 1, 2**63 - 3], pa.int64()),
        {
            "type": "int64",
            "rows": 2,
            "nulls": 0,
            "min": 2**63 - 3,
            "max": 2**63 - 1,
            "mean": float(2**63 - 2),
            "deviation": 0.0,
            "distinct": 2,
        },
    ),
    (
        "unsigned",
        pa.array([2**64 - 1, 0], pa.uint64()),
        {
            "type": "uint64",
            "rows": 2,
            "nulls": 0,
            "min": 0,
            "max": 2**64 - 1,
            "mean": (2**64 - 1) / 2,
            "deviation": math.sqrt(2 * (2.0**63) ** 2),
            "distinct": 2,
        },
    ),
    (
        "negative",
        pa.array([-(2**63), -1], pa.int64()),
        {
            "type": "int64",
            "rows": 2,
            "nulls": 0,
            "min": -(2**63),
            "max": -1,
            "mean": -(2.0**62),
            "deviation": math.sqrt(2 * (2.0**62) ** 2),
            "distinct": 2,
        },
    ),
    (
        "small ints",
        pa.array([-128, 127], pa.int8()),
        {
            "type": "int8",
            "rows": 2,
            "nulls": 0,
            "min": -128,
            "max": 127,
            "mean": -0.5,
            "deviation": math.sqrt(2 * 127.5**2),
            "distinct": 2,
        },
    ),
    (
        "booleans",
        pa.array([True, False, None, True, True]),
        {
            "type": "bool",
            "rows": 5,
            "nulls": 1,
            "min": 0,
            "max": 1,
            "mean": 0.75,
            "deviation": 0.5,
            "distinct": 2,
        },
    ),
    (
        "decimals",
        pa.array([Decimal("1.50"), Decimal("2.50")]),
        {
            "type": "decimal128[3,2]",
            "rows": 2,
            "nulls": 0,
            "min": "1.50",
            "max": "2.50",
            "mean": 2.0,
            "deviation": math.sqrt(0.5),
            "distinct": 2,
        },
    ),
    ("text", pa.array(["a", None, "b", "a", ""]), {"type": "utf8", "rows": 5, "nulls": 1, "distinct": 3}),
    (
        "views",
        pa.array(["a", None, "a"], pa.string_view()),
        {"type": "utf8", "rows": 3, "nulls": 1, "distinct": 1},
    ),
    (
        "categories",
        pa.array(["a", None, "a"]).dictionary_encode(),
        {"type": "utf8", "rows": 3, "nulls": 1, "distinct": 1},
    ),
    ("bytes", pa.array([b"a", b"b"]), {"type": "binary", "rows": 2, "nulls": 0, "distinct": 2}),
    (
        "dates",
        pa.array([DAY, DAY, None]),
        {"type": "date32", "rows": 3, "nulls": 1, "distinct": 1, "min": "2024-02-29", "max": "2024-02-29"},
    ),
    (
        "instants",
        pa.array([0, 1, 1], pa.timestamp("us", "UTC")),
        {
            "type": 'timestamp[us,"UTC"]',
            "rows": 3,
            "nulls": 0,
            "distinct": 2,
            "min": "1970-01-01T00:00:00.000000Z",
            "max": "1970-01-01T00:00:00.000001Z",
        },
    ),
    (
        "instants of a zone",
        pa.array([0, None], pa.timestamp("s", "Europe/Warsaw")),
        {
            "type": 'timestamp[s,"Europe/Warsaw"]',
            "rows": 2,
            "nulls": 1,
            "distinct": 1,
            "min": "1970-01-01T00:00:00Z",
            "max": "1970-01-01T00:00:00Z",
        },
    ),
    (
        "times",
        pa.array([0, 1], pa.time64("us")),
        {
            "type": "time64[us]",
            "rows": 2,
            "nulls": 0,
            "distinct": 2,
            "min": "00:00:00.000000",
            "max": "00:00:00.000001",
        },
    ),
    (
        "days in milliseconds",
        pa.array([DAY], pa.date64()),
        {"type": "date64", "rows": 1, "nulls": 0, "distinct": 1, "min": "2024-02-29", "max": "2024-02-29"},
    ),
    (
        "milliseconds in days",
        pa.array([-1, 86_400_000], pa.date64()),
        {
            "type": "date64",
            "rows": 2,
            "nulls": 0,
            "distinct": 2,
            "min": "1969-12-31T23:59:59.999",
            "max": "1970-01-02",
        },
    ),
    (
        "run ends",
        pc.run_end_encode(pa.array([7, 7, None, 10])),
        {
            "type": "int64",
            "rows": 4,
            "nulls": 1,
            "min": 7,
            "max": 10,
            "mean": 8.0,
            "deviation": math.sqrt(3),
            "distinct": 2,
        },
    ),
    (
        "days before the calendar",
        pa.array([-800_000], pa.int32()).cast(pa.date32()),
        {"type": "date32", "rows": 1, "nulls": 0, "distinct": 1, "min": "-0221-09-04", "max": "-0221-09-04"},
    ),
    (
        "durations",
        pa.array([5, 7], pa.duration("s")),
        {"type": "duration[s]", "rows": 2, "nulls": 0, "distinct": 2},
    ),
    ("lists", pa.array([[1], None]), {"type": "list<int64>", "rows": 2, "nulls": 1}),
    (
        "maps",
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        {"type": "map<string, int64>", "rows": 1, "nulls": 0},
    ),
    ("nothing", pa.array([None, None]), {"type": "null", "rows": 2, "nulls": 2}),
    ("no rows", pa.array([], pa.float64()), {"type": "float64", "rows": 0, "nulls": 0, "distinct": 0}),
    ("no integers", pa.array([None], pa.int64()), {"type": "int64", "rows": 1, "nulls": 1, "distinct": 0}),
    (
        "only NaN",
        pa.array([NAN, INF]),
        {"type": "float64", "rows": 2, "nulls": 0, "nans": 1, "infinities": 1, "distinct": 0},
    ),
    (
        "one number",
        pa.array([5.0]),
        {"type": "float64", "rows": 1, "nulls": 0, "min": 5.0, "max": 5.0, "mean": 5.0, "distinct": 1},
    ),
]
if hasattr(pa, "decimal32"):  # since pyarrow 19
    CASES.append(
        (
            "decimals of 32 bits",
            pa.array([Decimal("1.5"), None, Decimal("2.5")], pa.decimal32(5, 1)),
            {
                "type": "decimal128[5,1]",
                "rows": 3,
                "nulls": 1,
                "min": "1.5",
                "max": "2.5",
                "mean": 2.0,
                "deviation": math.sqrt(0.5),
                "distinct": 2,
            },
        )
    )


@pytest.mark.parametrize(
    ("values", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_column_in_figures(values: pa.Array, expected: dict[str, Any]) -> None:
    (found,) = feature_statistics(pa.table({"x": values}))
    assert replace(found, histogram=None) == FeatureStatistics(name="x", **expected)
    counted = found.rows - found.nulls - found.nans - found.infinities if found.mean is not None else 0
    assert sum(found.histogram.counts if found.histogram else ()) == counted


OUT_OF_RANGE: list[tuple[pa.DataType, int, int]] = [
    (pa.date32(), -(2**31), 2**31 - 1),
    (pa.date64(), -(2**63), 2**63 - 1),
    (pa.time32("s"), -1, 86_400),
    (pa.time32("ms"), -1, 86_400_000),
    (pa.time64("us"), -1, 86_400_000_000),
    (pa.time64("ns"), -1, 86_400_000_000_000),
    *(
        (pa.timestamp(unit, zone), -(2**63), 2**63 - 1)
        for unit in ("s", "ms", "us")
        for zone in (None, "UTC", "Europe/Warsaw")
    ),
]


@pytest.mark.parametrize(("kind", "least", "greatest"), OUT_OF_RANGE, ids=lambda value: str(value))
def test_an_instant_that_cannot_be_written_is_absent(kind: pa.DataType, least: int, greatest: int) -> None:
    def ends(*values: int) -> tuple[Any, Any]:
        integers = pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64())
        (found,) = feature_statistics(pa.table({"x": integers.view(kind)}))
        assert (found.rows, found.nulls, found.distinct) == (len(values), 0, len(values))
        return found.min, found.max

    (zero, _) = ends(0)
    assert zero is not None
    assert ends(least, greatest) == (None, None)
    assert ends(least, 0) == (None, zero)
    assert ends(0, greatest) == (zero, None)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=300, deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=40))
@example([1.7e308, 1.7e308, -1.7e308])
@example([1.7e308] * 9)
@example([5e-324, 5e-324, 1e300, -1e300])
@example([2.0**1000, 2.0**1001, 1.0])
@example([-0.0, -0.0])
@example([1e16, 1.0, -1e16])
def test_the_mean_is_the_exact_one_rounded_once(values: list[float]) -> None:
    found = of(values)
    exact = sum((Fraction(value) for value in values), Fraction()) / len(values)
    assert found.mean == float(exact)
    assert (found.min, found.max) == (min(values), max(values))


@settings(max_examples=100, deadline=None)
@given(st.lists(FINITE.filter(lambda value: abs(value) < 1e300), min_size=2, max_size=20))
@example([1e-200, 3e-200])
@example([1e250, -1e250])
@example([1e8 + 1, 1e8 + 2, 1e8 + 3])
def test_the_deviation_is_that_of_the_exact_values(values: list[float]) -> None:
    found = of(values)
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction()) / len(exact)
    variance = sum(((value - mean) ** 2 for value in exact), Fraction()) / (len(exact) - 1)
    # Two doubles apart by rounding of the mean; the root is taken with 200 bits to spare.
    scale = 1 << 2400
    root = Fraction(math.isqrt(int(variance * scale * scale)), scale)
    largest = max(abs(value) for value in values)
    assert found.deviation == pytest.approx(float(root), rel=1e-12, abs=largest * 1e-15)


def test_a_deviation_beyond_a_double_is_absent() -> None:
    assert of([1.7e308, -1.7e308]).deviation is None


def test_order_and_partition_do_not_show() -> None:
    numbers = random.Random(1)
    values: list[float | None] = [numbers.gauss(0, 1) * 10 ** numbers.randint(-12, 12) for _ in range(40_000)]
    values += [0.0, -0.0, NAN, INF, None, 1e308, 1e-308]
    expected = repr(of(values))
    for _ in range(3):
        numbers.shuffle(values)
        cut = numbers.randint(1, len(values) - 1)
        chunks = pa.chunked_array([values[:cut], values[cut:]], pa.float64())
        assert repr(feature_statistics(pa.table({"x": chunks}))[0]) == expected


def test_minus_zero_is_told_as_zero() -> None:
    assert [str(of(values).min) for values in ([-0.0, 0.0], [0.0, -0.0], [-0.0])] == ["0.0"] * 3


def test_the_figures_agree_with_describe() -> None:
    generator = np.random.default_rng(5)
    frame = pd.DataFrame({"a": generator.normal(size=50_000), "b": generator.integers(-9, 9, 50_000)})
    described = frame.describe()
    for found in feature_statistics(to_arrow(frame)):
        figures = [found.rows, found.mean, found.deviation, found.min, found.max]
        assert figures == pytest.approx(
            described[found.name][["count", "mean", "std", "min", "max"]].tolist()
        )


def test_carriers_agree() -> None:
    frame = pd.DataFrame({"n": [1.5, None, 2.5], "t": ["a", "b", None]})
    assert feature_statistics(to_arrow(frame)) == feature_statistics(
        to_arrow(pl.DataFrame(pl.from_pandas(frame)))
    )


def test_carriers_of_text_do_not_show() -> None:
    words = pa.array(["a", "b", None, "a"] * 20)
    columns = {"plain": words, "coded": words.dictionary_encode(), "view": words.cast(pa.string_view())}
    columns["runs"] = pc.run_end_encode(words)
    table = pa.table(columns | {"n": range(80)})
    alone = feature_statistics(table)
    assert {replace(one, name="") for one in alone[:4]} == {replace(alone[0], name="")}


def test_wide_tables_have_fewer_bins() -> None:
    values = np.random.default_rng(4).normal(size=5000)
    for columns, most in ((1, 48), (36, 48), (64, 24), (130, 8)):
        found = feature_statistics(pa.table({f"c{i}": values for i in range(columns)}))
        assert {one.histogram for one in found} == {found[0].histogram}
        assert found[0].histogram is not None
        assert most // 2 < len(found[0].histogram.counts) <= most
    found = feature_statistics(pa.table({f"c{i}": values for i in range(131)}))
    assert all(one.histogram is None for one in found)
