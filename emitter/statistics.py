"""Statistics of a table's columns that are functions of the multiset of their values.

Two runs over the same rows, in any order and any partition, must say the same number to the last bit; so sums
are exact and rounded once, and counts are counts. Decides what counts as a number (integers, floats, decimals,
and booleans as 0 and 1), what the figures mean and how a column is walked through. Where the edges of
histograms lie is decided by `histograms`, which values are told by `frequencies`, how it all becomes a facet
elsewhere. `docs/statistics.md` is for those who read the figures. No column's figures are worth the others' or
the digest: what fails is logged, and of that column only rows and nulls are told.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .exact_sums import BLOCK, ExactSum
from .limits import FACET_BYTES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from .histograms import Histogram

log = logging.getLogger("relineage")

_COLUMN_BYTES, _BIN_BYTES = 240, 32  # of a column without its histogram, and of a bin: measured, seldom more
_TOLD_OF_SECRETS = ("nulls", "nans", "infinities", "distinct")
_EXACT = 2**53  # integers up to here are doubles


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
        min: least finite number; an int for integers and booleans, a text for decimals ("1.50"), dates, times
            and instants (ISO 8601, instants of a zone in UTC with Z). −0.0 is given as 0.0. None without values,
            and where it is no date (beyond the year 32767) or no time of day.
        max: greatest.
        mean: the exact mean of the finite numbers, rounded once.
        deviation: sample standard deviation (n - 1) of the finite numbers, as pandas and SQL's `stddev`; None
            under two numbers or where it is beyond the range of a double.
        distinct: number of different values, exact; None where there are too many, and for nested types.
        histogram: how the finite numbers are spread; None without numbers, and in tables of so many columns that
            no eight bins each would fit into a facet.
        top: the most frequent values with their counts, where they may be told.

    Of a column that is named like a secret (`password`) there are counts only.
    """

    name: str
    type: str
    rows: int
    nulls: int
    nans: int = 0
    infinities: int = 0
    min: int | float | str | None = None
    max: int | float | str | None = None
    mean: float | None = None
    deviation: float | None = None
    distinct: int | None = None
    histogram: Histogram | None = None
    top: tuple[tuple[bool | int | str, int], ...] = ()


def feature_statistics(table: pa.Table) -> list[FeatureStatistics]:
    """Statistics of every column of `table`, in its order; two passes over numbers, nothing is copied whole.

    The mean is the exact rational sum over the count, rounded to the nearest double. The deviation is the
    root of the exact sum of the rounded squared differences from that mean. Neither depends on the order of
    rows or on chunks. One thread: blocks are so small that two would wait for the interpreter's lock.
    """
    from .histograms import MOST_BINS

    columns = table.num_columns
    bins = min(MOST_BINS, (FACET_BYTES // columns - _COLUMN_BYTES) // _BIN_BYTES) if columns else 0

    names = table.column_names
    return [_column(name, data, bins) for name, data in zip(names, table.columns, strict=True)]


def _column(name: str, column: pa.ChunkedArray, bins: int) -> FeatureStatistics:
    from ..facets.redaction import is_secret_name
    from .digests.columns import descriptor
    from .digests.records import Refused

    try:
        described = descriptor(column.type)
    except Refused:
        described = str(column.type)
    figures: dict[str, Any] = {"nulls": column.null_count}
    try:
        figures |= _figures(column, bins)
    except Exception:
        log.exception("no statistics of column %r, only rows and nulls", name)
    if is_secret_name(name):
        figures = {key: figures[key] for key in _TOLD_OF_SECRETS if key in figures}
    return FeatureStatistics(name=name, type=described, rows=len(column), **figures)


def _figures(column: pa.ChunkedArray, bins: int) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.types as t

    from .digests.columns import plain_array
    from .frequencies import frequencies

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) or t.is_map(kind) or t.is_union(kind) or t.is_interval(kind):
        return {}  # they have no digest either
    if column.num_chunks:
        column = pa.chunked_array([plain_array(chunk) for chunk in column.chunks])
    kind = column.type
    figures: dict[str, Any] = {"nulls": column.null_count}
    if t.is_boolean(kind):
        figures |= _integers(column.cast(pa.uint8()), bins)
    elif t.is_integer(kind):
        figures |= _integers(column, bins)
    elif t.is_floating(kind):
        figures |= _floats(column, bins)
    elif t.is_decimal(kind):
        figures |= _decimals(column, bins)
    elif t.is_temporal(kind) and not t.is_duration(kind):
        figures |= _instants(column)
    if not (t.is_nested(kind) or t.is_null(kind)):
        counted = frequencies(column)
        figures |= {"distinct": counted.distinct, "top": counted.top}
    return figures


def _blocks(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """The values without nulls, up to `BLOCK` at a time, as numpy arrays."""
    for chunk in column.chunks:
        for start in range(0, len(chunk), BLOCK):
            block = chunk.slice(start, BLOCK)
            yield (block.drop_null() if block.null_count else block).to_numpy(zero_copy_only=False)


def _integers(column: pa.ChunkedArray, bins: int) -> dict[str, Any]:
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
    large = max(abs(least), abs(greatest)) > _EXACT

    def doubles() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for block in _blocks(column):
            values = block.astype(np.float64)
            yield values, _floored(block).astype(np.float64) if large else values

    ends = np.array([least, greatest], dtype=np.int64 if least < 0 else np.uint64)
    low, high = _floored(ends).astype(np.float64).tolist()
    spread = _spread(doubles, mean, count, (low, high), bins, whole=True)
    return {"min": least, "max": greatest, "mean": mean} | spread


def _floored(integers: np.ndarray) -> np.ndarray:
    """Beyond 2**53, the next integer below that is a double and on no other side of an edge."""
    import numpy as np

    large = integers >= _EXACT
    if integers.dtype.kind == "i":
        large |= integers <= -_EXACT
    cleared: np.ndarray = np.where(large, integers & ~integers.dtype.type(0x7FF), integers)
    return cleared


def _floats(column: pa.ChunkedArray, bins: int) -> dict[str, Any]:
    import numpy as np

    count = nans = infinities = 0
    least, greatest = math.inf, -math.inf
    exact = ExactSum()
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
    least, greatest = least + 0.0, greatest + 0.0

    def doubles() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for block in _blocks(column):
            values = block.astype(np.float64, copy=False)
            if nans or infinities:
                values = values[np.isfinite(values)]
            yield values, values

    mean = exact.over(count)
    spread = _spread(doubles, mean, count, (least, greatest), bins)
    return figures | {"min": least, "max": greatest, "mean": mean} | spread


def _decimals(column: pa.ChunkedArray, bins: int) -> dict[str, Any]:
    """Least, greatest and mean are exact; deviation and histogram are those of the doubles Arrow makes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    figures = _floats(column.cast(pa.float64()), bins)
    if "min" not in figures:
        return {}
    ends = pc.min_max(column).as_py()
    del figures["nans"], figures["infinities"]
    return figures | {end: format(ends[end], "f") for end in ("min", "max")}


def _instants(column: pa.ChunkedArray) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    ends = pc.min_max(column)
    if not ends["min"].is_valid:
        return {}
    kind, zone = column.type, ""
    if t.is_timestamp(kind) and kind.tz is not None:
        kind, zone = pa.timestamp(kind.unit), "Z"
    if t.is_date64(kind):
        kind = pa.timestamp("ms")  # it may hold a part of a day
    figures: dict[str, Any] = {}
    for end in ("min", "max"):
        text = ends[end].cast(kind).cast(pa.string()).as_py().replace(" ", "T") + zone
        if text.startswith("<"):  # Arrow's "<value out of range: …>"
            continue
        figures[end] = text.removesuffix("T00:00:00.000") if t.is_date64(column.type) else text
    return figures


def _spread(
    doubles: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]],
    mean: float,
    count: int,
    ends: tuple[float, float],
    bins: int,
    *,
    whole: bool = False,
) -> dict[str, Any]:
    """Deviation and histogram, in one pass over blocks of finite doubles: (for the deviation, to be counted)."""
    import numpy as np

    from .histograms import Counter

    exponent = math.frexp(max(abs(end) for end in ends))[1]
    scaled = -exponent if abs(exponent) > 400 else 0  # else squares would overflow or vanish
    centre = math.ldexp(mean, scaled)
    squares = ExactSum()
    counter = Counter(*ends, whole=whole) if bins >= 8 else None
    for values, counted in doubles():
        if counter is not None:
            counter.add(counted)
        difference = (np.ldexp(values, scaled) if scaled else values) - centre
        squares.add(np.multiply(difference, difference, out=difference))
    deviation = None
    if count > 1:
        with suppress(OverflowError):
            deviation = math.ldexp(math.sqrt(squares.over(count - 1)), -scaled)
    return {"deviation": deviation, "histogram": counter.histogram(bins) if counter is not None else None}
