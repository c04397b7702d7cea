"""What differs between two contents, told from what is recorded of them: the data is not needed.

Decides how columns, row ranges and tensors of two contents are set against each other. Rows are counted from
0 and are told as far as the leaves go: 65,536 rows each. How much the values differ is `closeness`' part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from .columns import LEAF_BYTES, LEAF_ROWS
from .framing import merkle_root
from .records import Column, Content, Tensor

# From the strongest on, as in docs/digests.md.
_STRENGTH = (
    "b3-table1",
    "b3-tensors1",
    "b3-estimator1",
    "b3-rows1",
    "b3-weights1",
    "b3-folder1",
    "b3-bytes1",
)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows, both ends included, counted from 0."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class ColumnDifference:
    """One column that is not the same in both.

    Attributes:
        name: of the column; of several with one name, with their number behind it: `x (2)`, or the next number
            that makes it no other column's name.
        what: added, removed, retyped, zone (only the label of the time zone is another), or values.
        a: the type in a, of what is no change of values.
        b: the type in b.
        rows: where values differ, in steps of 65,536 rows; null if the leaves are not known.
    """

    name: str
    what: str
    a: str | None = None
    b: str | None = None
    rows: tuple[Rows, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TensorDifference:
    """One tensor that is not the same in both: added, removed, retyped, reshaped or values."""

    name: str
    what: str
    a: str | None = None
    b: str | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs between contents a and b.

    Attributes:
        same: by the strongest label that both have; null if they have none in common.
        label: that label.
        shared: weaker digests that are equal nevertheless (`b3-rows1`: the same rows in another order).
        rows_a: rows of a.
        rows_b: rows of b.
        columns: in the order of b, those removed last.
        tail: the rows that only the longer one has.
        unsure: rows that both have, in a leaf that is longer in one of them, so that nothing is known of them.
        appended: b is a, with the tail below it.
        tensors: sorted by name.
    """

    same: bool | None
    label: str | None
    shared: tuple[str, ...] = ()
    rows_a: int | None = None
    rows_b: int | None = None
    columns: tuple[ColumnDifference, ...] = ()
    tail: Rows | None = None
    unsure: Rows | None = None
    appended: bool = False
    tensors: tuple[TensorDifference, ...] = ()


def compare(a: Content, b: Content, *, heads: tuple[Content, Content] | None = None) -> Comparison:
    """Compare two contents by their digests, columns, leaves and tensors.

    Args:
        a: one content; of a table with its columns, and their leaves if they are known.
        b: the other.
        heads: of two tables of different length, both cut to the rows of the shorter: leaves nothing unsure.
    """
    in_a, in_b = _by_label(a.digests), _by_label(b.digests)
    common = sorted(in_a.keys() & in_b.keys(), key=_STRENGTH.index)
    label = common[0] if common else None
    same = in_a[label] == in_b[label] if label else None
    if same:
        return Comparison(same=True, label=label, rows_a=a.rows, rows_b=b.rows)
    columns: tuple[ColumnDifference, ...] = ()
    tail = unsure = None
    if a.columns and b.columns:
        head_a, head_b = heads or (a, b)
        columns = tuple(_columns(head_a, head_b))
        shorter, longer = sorted((a.rows or 0, b.rows or 0))
        if shorter < longer:
            tail = Rows(first=shorter, last=longer - 1)
            whole = shorter // LEAF_ROWS * LEAF_ROWS
            if heads is None and whole < shorter:
                unsure = Rows(first=whole, last=shorter - 1)
    return Comparison(
        same=same,
        label=label,
        shared=tuple(one for one in common if in_a[one] == in_b[one]),
        rows_a=a.rows,
        rows_b=b.rows,
        columns=columns,
        tail=tail,
        unsure=unsure,
        appended=tail is not None and not columns and not unsure and (a.rows or 0) < (b.rows or 0),
        tensors=tuple(_tensors(a, b)),
    )


def _by_label(digests: Iterable[str]) -> dict[str, str]:
    labels = {digest.partition(":")[0]: digest for digest in digests}
    return {label: digest for label, digest in labels.items() if label in _STRENGTH}


def _columns(a: Content, b: Content) -> Iterable[ColumnDifference]:
    mine, others = _numbered(a.columns), _numbered(b.columns)
    names = _names([*others, *mine])
    for key, now in others.items():
        name, before = names[key], mine.get(key)
        if before is None:
            yield ColumnDifference(name=name, what="added", b=now.type)
            continue
        if before.type != now.type:
            zone = _without_zones(before.type) == _without_zones(now.type)
            yield ColumnDifference(name=name, what="zone" if zone else "retyped", a=before.type, b=now.type)
            if not zone:
                continue
        if before.digest != now.digest:
            ranges = _ranges(before, now, a.rows or 0, b.rows or 0)
            if ranges != ():
                yield ColumnDifference(name=name, what="values", rows=ranges)
    for key, before in mine.items():
        if key not in others:
            yield ColumnDifference(name=names[key], what="removed", a=before.type)


def _numbered(columns: Sequence[Column]) -> dict[tuple[str, int], Column]:
    """By name, and the number among those of that name, from 1 on."""
    seen: Counter[str] = Counter()
    found: dict[tuple[str, int], Column] = {}
    for one in columns:
        seen[one.name] += 1
        found[one.name, seen[one.name]] = one
    return found


def _names(keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """One name for each: `x`, `x (2)`; where a column is called so, the next number that is free."""
    distinct = list(dict.fromkeys(keys))
    taken = {name for name, _ in distinct}
    found: dict[tuple[str, int], str] = {}
    for name, ordinal in distinct:
        text = name
        if ordinal > 1:
            text = next(one for n in count(ordinal) if (one := f"{name} ({n})") not in taken)
            taken.add(text)
        found[name, ordinal] = text
    return found


def _without_zones(type_: str) -> str:
    """A descriptor without the labels of time zones, which stand behind the unit."""
    return re.sub(r'(timestamp\[\w+),"(?:[^"\\]|\\.)*"\]', r"\1]", type_)


def _ranges(a: Column, b: Column, rows_a: int, rows_b: int) -> tuple[Rows, ...] | None:
    """Rows that both have and whose leaves differ, neighbours joined; null if the leaves are not known.

    A leaf that has more rows in one of them is left out: it differs in any case.
    """
    leaves_a, leaves_b = _leaves(a, rows_a), _leaves(b, rows_b)
    shorter = min(rows_a, rows_b)
    comparable = -(-shorter // LEAF_ROWS) if rows_a == rows_b else shorter // LEAF_ROWS
    if comparable == 0:
        return ()
    if len(leaves_a) < comparable or len(leaves_b) < comparable:
        return None
    found: list[Rows] = []
    for i in range(comparable):
        if leaves_a[i] != leaves_b[i]:
            first, last = i * LEAF_ROWS, min((i + 1) * LEAF_ROWS, shorter) - 1
            if found and found[-1].last == first - 1:
                first = found.pop().first
            found.append(Rows(first=first, last=last))
    return tuple(found)


def _leaves(column: Column, rows: int) -> list[bytes]:
    """Each leaf as the root of a tree of it alone, which is all that is known of a column of one leaf."""
    if column.leaves:
        starts = range(0, len(column.leaves), LEAF_BYTES)
        return [merkle_root([column.leaves[i : i + LEAF_BYTES]]) for i in starts]
    return [bytes.fromhex(column.digest.partition(":")[2])] if rows <= LEAF_ROWS else []


def _tensors(a: Content, b: Content) -> Iterable[TensorDifference]:
    if a.model is None or b.model is None:
        return
    mine = {one.name: one for one in a.model.tensor_digests}
    others = {one.name: one for one in b.model.tensor_digests}
    for name in sorted(mine.keys() | others.keys()):
        before, now = mine.get(name), others.get(name)
        if before is None or now is None:
            if now is not None:
                yield TensorDifference(name=name, what="added", b=_form(now))
            elif before is not None:
                yield TensorDifference(name=name, what="removed", a=_form(before))
        elif _form(before) != _form(now):
            what = "retyped" if before.dtype != now.dtype else "reshaped"
            yield TensorDifference(name=name, what=what, a=_form(before), b=_form(now))
        elif before.digest != now.digest:
            yield TensorDifference(name=name, what="values")


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype}[{', '.join(map(str, tensor.shape))}]"
