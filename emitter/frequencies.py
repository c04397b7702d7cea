"""How many different values a column has, and which are the most frequent: exactly, or not at all.

Decides what is counted (`MOST_DISTINCT`, `LONGEST_BYTES`) and which values may be told in an event. Values of
text can be personal data, so only those of a column that looks like categories are: few, short, and each told
one seen often. Neither depends on the order of rows or on chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DISTINCT = 65_536
"""With more different values than these, nothing is told: the time and the memory it takes stay bounded."""

MOST_DISTINCT_FLOATS = 4096
"""The same for floats: measurements are nearly all different, and nobody asks how many there are."""

LONGEST_BYTES = 1024
"""Columns with a longer text are not counted: the different ones are held in memory."""

MOST_CATEGORIES, LONGEST_CATEGORY, LEAST_SEEN, MOST_TOLD = 32, 32, 10, 10

_ROWS = 1 << 17  # rows counted at a time, when there are that many


@dataclass(frozen=True)
class Frequencies:
    """`distinct`: number of different values; None where there are too many. `top`: the most frequent and how
    often each occurs, most frequent first, of equally frequent ones the lesser first."""

    distinct: int | None = None
    top: tuple[tuple[bool | int | str, int], ...] = ()


def frequencies(column: pa.ChunkedArray) -> Frequencies:
    """Count the values of a column: nulls, NaN and infinities apart, and 0.0 and −0.0 are one.

    The most frequent ones are told of booleans, integers and text with at most 32 different values, none
    longer than 32 characters or of several lines; of these the ten most frequent that occur at least ten times.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = column.type
    if t.is_large_string(kind) or t.is_string(kind) or t.is_large_binary(kind) or t.is_binary(kind):
        longest = pc.max(pc.binary_length(column)).as_py()
        if longest is not None and longest > LONGEST_BYTES:
            return Frequencies()
    most = MOST_DISTINCT_FLOATS if t.is_floating(kind) else MOST_DISTINCT
    seen: pa.Array | None = None
    start, rows = 0, most + 1  # most columns without an end are known by their first rows
    while start < len(column):
        block = column.slice(start, rows)
        found = pc.unique(_finite(block) if t.is_floating(kind) else block.drop_null())
        seen = found if seen is None else pc.unique(pa.concat_arrays([seen, found]))
        if len(seen) > most:
            return Frequencies()
        start, rows = start + rows, _ROWS
    told = t.is_boolean(kind) or t.is_integer(kind) or t.is_string(kind) or t.is_large_string(kind)
    distinct = 0 if seen is None else len(seen)
    return Frequencies(distinct, _top(column) if told and distinct <= MOST_CATEGORIES else ())


def _finite(column: pa.ChunkedArray) -> pa.Array:
    """Numbers with one zero, and neither NaN nor infinities."""
    import numpy as np
    import pyarrow as pa

    values = column.drop_null().to_numpy().astype(np.float64, copy=False)
    return pa.array(values[np.isfinite(values)] + 0.0)


def _top(column: pa.ChunkedArray) -> tuple[tuple[bool | int | str, int], ...]:
    import pyarrow.compute as pc

    try:
        pairs = [tuple(one.values()) for one in pc.value_counts(column.drop_null()).to_pylist()]
    except UnicodeDecodeError:  # not UTF-8, and so no text that could be told
        return ()
    if any(isinstance(v, str) and (len(v) > LONGEST_CATEGORY or not v.isprintable()) for v, _ in pairs):
        return ()
    often = [(value, count) for value, count in pairs if count >= LEAST_SEEN]
    return tuple(sorted(often, key=lambda pair: (-pair[1], pair[0]))[:MOST_TOLD])
