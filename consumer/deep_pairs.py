"""The runs to compare of two deep lineages: the guess of `store.guessed_pairs`, made in Python.

A level of SQL's recursion takes 0.015 ms however few runs it holds: 1.4 s for a training loop of 100,000 steps. All
reads fetched at once and walked here take half of that. What a slot is, and from how deep on this is sooner, is decided
in macros/edges.sql; `why` checks this guess like the other one.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator

from . import engine
from .named import named

_CHUNK = 10_000


class _Reads:
    """What runs have read and others have written, by reader and slot, as numbers: 40 bytes each.

    Args:
        found: reader, slot, dataset (0 where it does not matter), content, writer of each.
    """

    def __init__(self, found: engine.DuckDBPyConnection) -> None:
        columns = [array("Q") for _ in range(5)]
        while rows := found.fetchmany(_CHUNK):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
        for column in columns:
            column.append(0)  # the end, which is no reader
        self._reader, self._slot, self._dataset, self._content, self._writer = columns
        self._end = len(self._reader) - 1
        self._first = dict(zip(reversed(self._reader), range(self._end, -1, -1), strict=True))

    def writers(self, a: int, b: int) -> Iterator[tuple[int, int]]:
        """Who wrote what two runs have read as counterparts, where it is not the same."""
        reader, slot, dataset = self._reader, self._slot, self._dataset
        i, j = self._first.get(a, self._end), self._first.get(b, self._end)
        while reader[i] == a and reader[j] == b:
            if slot[i] < slot[j]:
                i += 1
            elif slot[i] > slot[j]:
                j += 1
            else:
                mine, theirs = self._writer[i], self._writer[j]
                counterparts = not dataset[i] or dataset[i] != dataset[j]
                if counterparts and self._content[i] != self._content[j] and mine != theirs:
                    yield mine, theirs
                i, j = i + 1, j + 1


def guess_deep_pairs(cursor: engine.DuckDBPyConnection) -> None:
    """Make the temporary table `guess` anew, to the end of both lineages.

    Args:
        cursor: Of which `start` and `bound` are temporary tables, see queries/why_steps.sql.
    """
    queries = named("why_deep")
    reads = _Reads(cursor.execute(queries["reads"]))
    depths = dict.fromkeys(cursor.execute(queries["start"]).fetchall(), 0)
    ahead = deque(depths)
    while ahead:
        pair = ahead.popleft()
        for below in reads.writers(*pair):
            if below not in depths:
                depths[below] = depths[pair] + 1
                ahead.append(below)
    # As JSON: values that are bound one by one take four times as long.
    pairs = {"a": [a for a, _ in depths], "b": [b for _, b in depths], "depth": [*depths.values()]}
    cursor.execute(queries["guess"], {name: str(values) for name, values in pairs.items()})
