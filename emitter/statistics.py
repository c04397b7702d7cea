"""Statistics of a table's columns that are functions of the multiset of their values.

Two runs over the same rows, in any order and any partition, must say the same number to the last bit; so sums
are exact and rounded once. Decides what counts as a number (integers, floats, decimals, and booleans as 0 and
1) and what the figures mean; how they become a facet, and histograms, are decided elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_BLOCK = (
    1 << 14
)  # values at a time: the temporaries stay in the processor's cache, and `_ExactSum` counts on it
_LARGE = 2.0**1000  # greater values are added one by one: what is added to a block would overflow


@dataclass(frozen=True, kw_only=True)
class FeatureStatistics:
    """One column in figures.

    Attributes:
        name: the column's name.
        type: its type descriptor, as in the table digest (Arrow's own text for types without one).
        rows: rows with and without a value.
        nulls: rows without a value.
        nans: floating-point NaNs, which are values but in no figure below.
        infinities: infinite values of both signs; in no figure below either.
        min: least finite number; an int for integers and booleans. -0.0 is given as 0.0. None without
        numbers.
        max: greatest finite number.
        mean: the exact mean of the finite numbers, rounded once.
        deviation: sample standard deviation (n - 1) of the finite numbers, as pandas and SQL's `stddev`; None
        under
            two numbers or where it is beyond the range of a double.
        distinct: number of different values, nulls apart, exact; None for floats, decimals and nested types.
    """

    name: str
    type: str
    rows: int
    nulls: int
    nans: int = 0
    infinities: int = 0
    min: int | float | None = None
    max: int | float | None = None
    mean: float | None = None
    deviation: float | None = None
    distinct: int | None = None


def feature_statistics(table: pa.Table) -> list[FeatureStatistics]:
    """Statistics of every column of `table`, in its order; two passes over numbers, nothing is copied whole.

    The mean is the exact rational sum over the count, rounded to the nearest double. The deviation is the
    root of the exact sum of the rounded squared differences from that mean. Neither depends on the order of
    rows or on chunks.
    """
    return [_column(name, data) for name, data in zip(table.column_names, table.columns, strict=True)]


def _column(name: str, column: pa.ChunkedArray) -> FeatureStatistics:
    import pyarrow as pa
    import pyarrow.types as t

    from .digests.columns import descriptor
    from .digests.records import Refused

    try:
        described = descriptor(column.type)
    except Refused:
        described = str(column.type)
    kind = column.type
    while t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        kind = kind.value_type
    if kind != column.type or t.is_string_view(kind) or t.is_binary_view(kind):
        plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(kind, kind)
        column = column.cast(plain)
    figures: dict[str, Any] = {}
    if t.is_boolean(kind):
        figures = _integers(column.cast(pa.uint8()))
    elif t.is_integer(kind):
        figures = _integers(column)
    elif t.is_floating(kind):
        figures = _floats(column)
    elif t.is_decimal(kind):
        figures = _floats(column.cast(pa.float64()))
    if not (t.is_floating(kind) or t.is_decimal(kind) or t.is_nested(kind) or t.is_null(kind)):
        figures["distinct"] = _distinct(column)
    return FeatureStatistics(name=name, type=described, rows=len(column), nulls=column.null_count, **figures)


def _distinct(column: pa.ChunkedArray) -> int | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return int(pc.count_distinct(column, mode="only_valid").as_py())
    except pa.ArrowNotImplementedError:  # extension types
        return None


def _blocks(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """The values without nulls, up to `_BLOCK` at a time, as numpy arrays."""
    for chunk in column.chunks:
        for start in range(0, len(chunk), _BLOCK):
            block = chunk.slice(start, _BLOCK)
            yield (block.drop_null() if block.null_count else block).to_numpy(zero_copy_only=False)


def _integers(column: pa.ChunkedArray) -> dict[str, Any]:
    import numpy as np

    count = total = 0
    least: int | None = None
    greatest: int | None = None
    for block in _blocks(column):
        if not block.size:
            continue
        low, high = int(block.min()), int(block.max())
        least = low if least is None else min(least, low)
        greatest = high if greatest is None else max(greatest, high)
        count += block.size
        # In halves of 32 bits, because a sum of 64-bit integers overflows.
        total += (int((block >> 32).sum()) << 32) if block.itemsize == 8 else 0
        total += int((block & 0xFFFFFFFF if block.itemsize == 8 else block).sum(dtype=np.int64))
    if least is None or greatest is None:
        return {}
    mean = total / count
    return {
        "min": least,
        "max": greatest,
        "mean": mean,
        "deviation": _deviation(column, mean, count, max(abs(least), abs(greatest))),
    }


def _floats(column: pa.ChunkedArray) -> dict[str, Any]:
    import numpy as np

    count = nans = infinities = 0
    least, greatest = math.inf, -math.inf
    exact = _ExactSum()
    for block in _blocks(column):
        finite = np.isfinite(block)
        if not finite.all():
            missing = int(np.isnan(block).sum())
            nans += missing
            infinities += int((~finite).sum()) - missing
            block = block[finite]
        if not block.size:
            continue
        block = block.astype(np.float64, copy=False)
        least, greatest = min(least, float(block.min())), max(greatest, float(block.max()))
        count += block.size
        exact.add(block)
    figures: dict[str, Any] = {"nans": nans, "infinities": infinities}
    if not count:
        return figures
    mean = exact.over(count)
    largest = max(abs(least), abs(greatest))
    deviation = _deviation(column, mean, count, largest)
    return figures | {"min": least + 0.0, "max": greatest + 0.0, "mean": mean, "deviation": deviation}


def _deviation(column: pa.ChunkedArray, mean: float, count: int, largest: float) -> float | None:
    """Sample standard deviation; `largest` is the greatest magnitude, by which extreme values are scaled."""
    import numpy as np

    if count < 2:
        return None
    exponent = math.frexp(largest)[1]
    scaled = -exponent if abs(exponent) > 400 else 0  # else squares would overflow or vanish
    centre = math.ldexp(mean, scaled)
    exact = _ExactSum()
    for block in _blocks(column):
        values = block.astype(np.float64, copy=False)
        finite = np.isfinite(values)
        values = values if finite.all() else values[finite]
        if scaled:
            values = np.ldexp(values, scaled)
        difference = values - centre
        exact.add(difference * difference)
    try:
        return math.ldexp(math.sqrt(exact.over(count - 1)), -scaled)
    except OverflowError:
        return None


class _ExactSum:
    """An exact sum of doubles in a few vector operations a block.

    Adding and subtracting a great power of two cuts off of each value the bits below a common unit. What
    stays are multiples of that unit, so few bits wide that a block of them adds up without rounding in any
    order; what was cut off is taken in the next turn. (ExtractVector of Rump, Ogita and Oishi, "Accurate
    floating-point summation", part I, SIAM J. Sci. Comput. 31, 2008.) The sums of the blocks are added as
    integers.
    """

    def __init__(self) -> None:
        self._total = 0  # in units of 2**-1126

    def add(self, values: np.ndarray) -> None:
        """Add finite doubles, at most `_BLOCK` of them."""
        import numpy as np

        largest = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
        if largest > _LARGE:
            large = np.abs(values) > _LARGE
            self._total += sum(_integer(value) for value in values[large].tolist())
            values = values[~large]
            largest = _LARGE
        exponent = math.frexp(largest)[1]
        upper, rest = np.empty_like(values), np.empty_like(values)
        while values.any():
            # At most 2**14 magnitudes of at most 2**exponent: the unit is 2**(exponent - 38) or more, the sum
            # below 2**(exponent + 14), which is 52 bits; what is cut off is at most 2**(exponent - 38).
            shift = math.ldexp(1.0, exponent + 15)
            np.add(values, shift, out=upper)
            np.subtract(upper, shift, out=upper)
            self._total += _integer(float(upper.sum()))
            values = np.subtract(values, upper, out=rest)
            exponent -= 38

    def over(self, count: int) -> float:
        """The sum divided by `count`, rounded once."""
        return self._total / (count << 1126)


def _integer(value: float) -> int:
    """`value` in units of 2**-1126, exactly."""
    fraction, exponent = math.frexp(value)
    return int(fraction * 2**53) << (exponent + 1073)
