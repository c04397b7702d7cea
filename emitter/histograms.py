"""Histograms whose edges are the same for everybody, so that any two can be merged and compared exactly.

Decides where the edges may lie and how finely a column is counted; `docs/statistics.md` is the same in words.
What is counted, and that NaN and infinities are not, is decided by the caller.

At *level* (s, f), each octave [2^e, 2^(e+1)) from 2^f on is cut into 2^s bins of one width, and so is [0, 2^f);
negative numbers likewise, each bin holding its lower edge. (The log-linear buckets of HdrHistogram, on doubles.)
Every bin of one level is a union of bins of the level before it, and the level of a histogram is the finest one
at which it is small enough. That depends on nothing but which values there are, so merging the histograms of
parts gives the histogram of the whole, edge for edge and count for count.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MOST_BINS = 48
_FINEST, _COARSEST = 20, 2  # s: 2**s bins an octave
_SPAN = 1 << 14  # so far apart the first and the last bin may be: all doubles at s = 2, f = -1022 fit
_HALF = 1022 << 52  # the bits of 0.5
_MAGNITUDE = (1 << 63) - 1
_KEYS = 1 << 17  # values that are counted together
_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Histogram:
    """Counts between edges: `counts[i]` values v have edges[i] ≤ v < edges[i + 1]; the last bin holds its
    upper edge too.

    A bin that holds values is one bin of the level; a run of empty bins between two of these is one bin
    with the count 0. So the first and last count are never 0.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Counter:
    """Counts finite doubles between `least` and `greatest`; `histogram` is the result.

    Args:
        least: The least of the values.
        greatest: The greatest.
        whole: The values are integers: no bin is narrower than 1.
    """

    def __init__(self, least: float, greatest: float, *, whole: bool = False) -> None:
        import numpy as np

        self._whole = whole
        ends = np.array([least, greatest])
        bits = next(s for s in range(_FINEST, _COARSEST - 1, -1) if _span(ends, s, whole) <= _SPAN)
        self._bits = bits
        self._first = int(_keys(ends, bits, whole)[0])
        self._positive = least > 0
        self._counts = np.zeros(_span(ends, bits, whole), dtype=np.int64)
        self._waiting = np.empty(_KEYS, dtype=np.int64)
        self._filled = 0

    def add(self, values: np.ndarray) -> None:
        """Count contiguous float64 values, at most 2**17 of them."""
        import numpy as np

        if self._filled + values.size > _KEYS:
            self._flush()
        keys = self._waiting[self._filled : self._filled + values.size]
        self._filled += values.size
        if self._positive and not self._whole:
            np.right_shift(values.view(np.int64), 52 - self._bits, out=keys)
        else:
            _keys(values, self._bits, self._whole, keys)
        np.subtract(keys, self._first, out=keys)

    def _flush(self) -> None:
        import numpy as np

        self._counts += np.bincount(self._waiting[: self._filled], minlength=self._counts.size)
        self._filled = 0

    def histogram(self, most_bins: int = MOST_BINS) -> Histogram:
        """What was counted, in at most `most_bins` bins (8 or more)."""
        import numpy as np

        self._flush()
        (found,) = np.nonzero(self._counts)
        keys = found + self._first
        lower, upper = (_doubles(key, self._bits, self._whole) for key in (keys, keys + 1))
        return _coarsened(lower, upper, self._counts[found], self._whole, most_bins)


def merged(a: Histogram, b: Histogram, *, whole: bool = False, most_bins: int = MOST_BINS) -> Histogram:
    """The histogram of the values of both together, exactly, as if they had been counted together.

    Args:
        a: A histogram of at most `most_bins` bins or of more.
        b: Another.
        whole: Both are of integers.
        most_bins: How many bins there may be. To get what counting together would have given, the number that
            `a` and `b` were made with.
    """
    import numpy as np

    lower, upper, counts = (np.concatenate(parts) for parts in zip(_occupied(a), _occupied(b), strict=True))
    return _coarsened(lower, upper, counts, whole, most_bins)


# --- levels -----------------------------------------------------------------------------------------


def _level(number: int, whole: bool) -> tuple[int, int]:
    """(s, f) of a level, the finest being 0: first s goes down to 2, then f goes up."""
    fine = _FINEST - _COARSEST
    if number <= fine:
        bits = _FINEST - number
        return bits, bits if whole else -1022
    return _COARSEST, number - fine + (_COARSEST if whole else -1022)


def _last_level(whole: bool) -> int:
    return _FINEST - _COARSEST + 1024 - (_COARSEST if whole else -1022)


def _coarsened(
    lower: np.ndarray, upper: np.ndarray, counts: np.ndarray, whole: bool, most_bins: int
) -> Histogram:
    """The bins in those of the finest level that contains each of them whole and needs few enough.

    Both only get truer with coarser levels, so the level is found by halving.
    """
    import numpy as np

    def fits(number: int) -> bool:
        bits, floor = _level(number, whole)
        low, high = _bins(lower, bits, floor)
        if not (upper <= high).all():
            return False
        ends = np.array([low.min(), low.max()])
        low, high = np.unique(low), np.unique(high)
        gaps = np.count_nonzero(low[1:] != high[:-1])
        return bool(low.size + gaps <= most_bins and (floor > bits or _span(ends, bits, whole) <= _SPAN))

    bits, floor = _level(_first_true(_last_level(whole), fits), whole)
    low, high = _bins(lower, bits, floor)
    starts, places = np.unique(low, return_inverse=True)
    ends = np.unique(high)
    sums = np.zeros(starts.size, dtype=np.int64)
    np.add.at(sums, places, counts)
    edges: list[float] = []
    told: list[int] = []
    for i, (start, end, count) in enumerate(zip(starts.tolist(), ends.tolist(), sums.tolist(), strict=True)):
        if edges and edges[-1] != start:
            edges.append(start)
            told.append(0)
        if i == 0:
            edges.append(start)
        edges.append(end)
        told.append(count)
    return Histogram(tuple(edges), tuple(told))


def _first_true(last: int, predicate: Callable[[int], bool]) -> int:
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        if predicate(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _bins(values: np.ndarray, bits: int, floor: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of the bin that each value lies in, at level (bits, floor)."""
    import numpy as np

    keys = _keys(values, bits, False)
    low, high = _doubles(keys, bits, False), _doubles(keys + 1, bits, False)
    if floor > -1022:
        width = floor - bits
        edge = math.ldexp(1.0, floor) if floor < 1024 else math.inf
        inside = (values >= -edge) & (values < edge)
        small = values[inside]
        number = np.floor(np.ldexp(small, -width))
        number[(small < 0) & (number == 0)] = -1  # what was too small to be scaled
        low[inside], high[inside] = _ldexp(number, width), _ldexp(number + 1, width)
    return low, high


def _ldexp(values: np.ndarray, exponent: int) -> np.ndarray:
    import numpy as np

    with np.errstate(over="ignore"):
        return _finite(np.ldexp(values, exponent))


def _finite(edges: np.ndarray) -> np.ndarray:
    """2**1024, the upper edge of the last bin, is no double: the largest one stands for it."""
    import numpy as np

    result: np.ndarray = np.clip(edges, -_LARGEST, _LARGEST)
    return result


# --- doubles as integers in the same order -------------------------------------------------------------


def _keys(values: np.ndarray, bits: int, whole: bool, out: np.ndarray | None = None) -> np.ndarray:
    """The number of the bin that each value lies in at level (bits, -1022), 0 being that of zero.

    The bits of a positive double, read as an integer, count the doubles; a negative one gets the negative of
    that. Integers have nothing between 0 and 1, so there the octaves below 1 are left out.
    """
    import numpy as np

    raw = values.view(np.int64)
    keys = np.bitwise_and(raw, _MAGNITUDE, out=out)
    if whole:
        np.subtract(keys, _HALF, out=keys)
        np.maximum(keys, 0, out=keys)
    sign = raw >> 63
    np.bitwise_xor(keys, sign, out=keys)
    np.subtract(keys, sign, out=keys)
    return np.right_shift(keys, 52 - bits, out=keys)


def _doubles(keys: np.ndarray, bits: int, whole: bool) -> np.ndarray:
    """The least double of each bin."""
    import numpy as np

    shifted = keys << (52 - bits)
    magnitude = np.abs(shifted)
    if whole:
        magnitude = np.where(magnitude > 0, magnitude + _HALF, 0)
    doubles = magnitude.view(np.float64)
    return _finite(np.where(shifted < 0, -doubles, doubles))


def _span(ends: np.ndarray, bits: int, whole: bool) -> int:
    first, last = _keys(ends, bits, whole).tolist()
    return int(last - first) + 1


def _occupied(one: Histogram) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import numpy as np

    edges, counts = np.array(one.edges, dtype=np.float64), np.array(one.counts, dtype=np.int64)
    held = counts > 0
    return edges[:-1][held], edges[1:][held], counts[held]
