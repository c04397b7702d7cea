"""The runs to compare of two deep lineages: the guess of `store.guessed_pairs`, made in Python.

A level of SQL's recursion takes 0.15 ms however few runs it holds: 15 s for a training loop of 100,000 steps. All reads
fetched at once and walked here take a few microseconds each. Which reads are counterparts, and from how deep on this is
sooner, is decided in macros/edges.sql; `why` checks this guess like the other one.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Sequence

from . import engine
from .named import named

_CHUNK = 10_000


class _Reads:
    """What runs have read and others have written, by reader and role, as numbers: 48 bytes each.

    Args:
        found: reader, role, dataset, content, distance, writer of each.
    """

    def __init__(self, found: engine.DuckDBPyConnection) -> None:
        columns = [array("Q") for _ in range(6)]
        while rows := found.fetchmany(_CHUNK):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
        for column in columns:
            column.append(0)  # the end, which is no reader
        self._reader, self._role, self._dataset, self._content, self._distance, self._writer = columns
        self._end = len(self._reader) - 1
        self._first = dict(zip(reversed(self._reader), range(self._end, -1, -1), strict=True))

    def writers(self, a: int, b: int) -> list[tuple[int, int]]:
        """Who wrote what two runs have read as counterparts, where it is not the same."""
        reader, role, content = self._reader, self._role, self._content
        i, j = self._first.get(a, self._end), self._first.get(b, self._end)
        found: list[tuple[int, int]] = []
        while reader[i] == a and reader[j] == b:
            if role[i] < role[j]:
                i += 1
            elif role[i] > role[j]:
                j += 1
            else:
                mine, theirs = i, j
                i, j = i + 1, j + 1
                while reader[i] == a and role[i] == role[mine]:
                    i += 1
                while reader[j] == b and role[j] == role[theirs]:
                    j += 1
                if i - mine > 1 or j - theirs > 1:
                    found += self._of_several(range(mine, i), range(theirs, j))
                elif content[mine] != content[theirs]:
                    found.append((self._writer[mine], self._writer[theirs]))
        return [(a, b) for a, b in found if a != b]

    def _of_several(self, mine: Sequence[int], theirs: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The same for reads in one role: all of them where each side holds one content, else by dataset."""
        parts: dict[int, tuple[list[int], list[int]]] = {}
        by_dataset = len(self._contents(mine)) > 1 or len(self._contents(theirs)) > 1
        for side, places in enumerate((mine, theirs)):
            for place in places:
                parts.setdefault(self._dataset[place] if by_dataset else 0, ([], []))[side].append(place)
        for part in parts.values():
            held = [self._contents(places) for places in part]
            if len(held[0]) == len(held[1]) == 1 and held[0] != held[1]:
                a, b = (self._writer[min(places, key=self._distance.__getitem__)] for places in part)
                yield a, b

    def _contents(self, places: Sequence[int]) -> set[int]:
        return {self._content[place] for place in places}


def guess_deep_pairs(cursor: engine.DuckDBPyConnection) -> None:
    """Make the temporary table `guess` anew, to the end of both lineages.

    Args:
        cursor: Of which `start`, `twin` and `serving` are temporary tables, see queries/why_steps.sql.
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
