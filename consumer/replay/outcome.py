"""What came out of a replay, set against what came out then.

Decides which output stands for which (by role and name, then by role alone, those of one name in their order), that
equal digests of the strongest kind that both have are the same content bit for bit, and that values are only looked at
where digests differ and both data can be had: from a store, or a file that is still what was recorded.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...emitter.digests import Refused, content_of
from ...emitter.digests.closeness import Closeness, Tolerance, compare_values
from ...emitter.digests.compare import Comparison, Rows, compare
from ...emitter.digests.loading import load
from ...emitter.errors import StoreError
from ...emitter.store import Store
from ...emitter.store.names import ending_of
from .contents import content_said
from .recorded import Output
from .verdicts import OfOutput, OutputVerdict

_WITH_VALUES = ("b3-table1", "b3-tensors1")


def compare_outputs(
    originals: Sequence[Output],
    replayed: Sequence[Output],
    *,
    stores: tuple[Store | None, Store],
    tolerance: Tolerance | None,
) -> list[OutputVerdict]:
    """The verdict on each output of a run.

    Args:
        originals: Of the original run, in their order.
        replayed: Of the replay, in theirs, under the names of the original.
        stores: Where the contents of the two may be.
        tolerance: How far apart values may be; null if only equal digests count.
    """
    verdicts = []
    for one, other in pairs(originals, replayed):
        named = one or other
        assert named is not None
        difference: str | None = None
        verdict: OfOutput
        if other is None:
            verdict = "missing"
        elif one is None:
            verdict, difference = "different", "it came out of the replay only"
        elif not one.digests or not other.digests:
            side = "the original" if not one.digests else "what came out"
            verdict, difference = "unknown", f"no digest of {side} is recorded"
        else:
            verdict, difference = _compared(one, other, stores, tolerance)
        verdicts.append(
            OutputVerdict(
                role=named.role,
                name=_name(named),
                original=one.digest if one else None,
                replayed=_counterpart(one, other),
                verdict=verdict,
                difference=difference,
            )
        )
    return verdicts


def pairs(
    originals: Sequence[Output], replayed: Sequence[Output]
) -> Iterator[tuple[Output | None, Output | None]]:
    """Each original with what came out in its place, then what only the replay made."""
    left = list(replayed)
    partners: list[Output | None] = [None] * len(originals)
    keys = (lambda one: (one.role, one.namespace, one.name), lambda one: (one.role,))
    for key in keys:
        waiting: dict[tuple[str, ...], list[Output]] = defaultdict(list)
        for other in left:
            waiting[key(other)].append(other)
        for place, one in enumerate(originals):
            if partners[place] is None and waiting[key(one)]:
                partners[place] = waiting[key(one)].pop(0)
        left = [other for others in waiting.values() for other in others]
    yield from zip(originals, partners, strict=True)
    for other in left:
        yield None, other


def _name(one: Output) -> str:
    return one.name if one.namespace == "file" else f"{one.namespace}/{one.name}"


def _counterpart(one: Output | None, other: Output | None) -> str | None:
    """The replayed digest of the kind of the original's strongest, so that the two can be compared by eye."""
    if other is None:
        return None
    label = (one.digest or "").partition(":")[0] if one is not None else ""
    return next((digest for digest in other.digests if digest.startswith(f"{label}:")), other.digest)


def _compared(
    one: Output, other: Output, stores: tuple[Store | None, Store], tolerance: Tolerance | None
) -> tuple[OfOutput, str | None]:
    contents = content_said(one.content, one.model), content_said(other.content, other.model)
    found = compare(*contents)
    if found.same is None:  # what the facets do not say, the versions may
        shared = set(one.digests) & set(other.digests)
        return ("bitwise", None) if shared else ("unknown", "they have no digest of the same kind")
    if found.same:
        return "bitwise", None
    with tempfile.TemporaryDirectory(prefix="relineage-values-") as folder:
        data = [
            _data(output, store, Path(folder) / side)
            for output, store, side in zip((one, other), stores, ("then", "now"), strict=True)
        ]
        if data[0] is not None and data[1] is not None:
            try:
                verdict, values = compare_values(data[0], data[1], tolerance)
            except Refused:
                values = []
            if values and verdict == "within tolerance" and tolerance is not None:
                return "within tolerance", _worst(values)
            if values:
                apart = next((value for value in values if value.verdict == "different"), values[0])
                return "different", _told(apart, is_table=not isinstance(data[0], dict))
        lost = data[0] is None and found.label in _WITH_VALUES
    first = _first(found)
    return "different", f"{first}; the original is not in the store" if first and lost else first


def _data(output: Output, store: Store | None, folder: Path) -> Any:
    """The values of an output, if they are in a store or at its path; null if not, or in no known format."""
    for digest in output.digests:
        found = store.find(digest) if store is not None else None
        if store is None or found is None or found.kind == "folder":
            continue
        folder.mkdir(exist_ok=True)
        ending = ending_of(found.name) or Path(output.paths[0] if output.paths else output.name).suffix
        file = folder / f"data{ending}"
        try:
            store.fetch(digest, file)
            return load(file, content_of(file))
        except (Refused, StoreError, OSError):
            file.unlink(missing_ok=True)
    for name in output.paths:
        path = Path(name)
        if not os.path.isfile(path):  # noqa: PTH113 - never raises
            continue
        try:
            content = content_of(path)
            if set(content.digests) & set(output.digests):
                return load(path, content)
        except (Refused, OSError):
            continue
    return None


def _told(one: Closeness, *, is_table: bool) -> str:
    kind, place = ("column", "row") if is_table else ("tensor", "position")
    name = f"{kind} {one.name}" if one.name else "the array"
    if one.what is not None:
        return f"{name}: {one.what}"
    facts = [f"{one.differing} of {one.values} values differ, the first at {place} {one.first}"]
    if one.max_absolute is not None:
        facts.append(f"by at most {one.max_absolute:.6g}")
    if one.max_ulps is not None:
        facts.append(f"{one.max_ulps} ulps")
    return f"{name}: {', '.join(facts)}"


def _worst(values: Sequence[Closeness]) -> str:
    worst = max(values, key=lambda one: one.max_absolute or 0.0)
    return f"at most {worst.max_absolute or 0.0:.6g} apart, in {worst.name or 'the array'}"


def _first(found: Comparison) -> str | None:
    """The first column or tensor that differs, as far as the digests tell."""
    for column in found.columns:
        if column.what == "values":
            rows = f" in {', '.join(map(_rows, column.rows))}" if column.rows else ""
            return f"column {column.name}: values differ{rows}"
        return f"column {column.name}: {column.what} ({column.a or 'nothing'} → {column.b or 'nothing'})"
    for tensor in found.tensors:
        if tensor.what == "values":
            return f"tensor {tensor.name}: values differ"
        return f"tensor {tensor.name}: {tensor.what} ({tensor.a or 'nothing'} → {tensor.b or 'nothing'})"
    if found.tail is not None or found.rows_a != found.rows_b:
        return f"it has {found.rows_b} rows instead of {found.rows_a}"
    return None


def _rows(rows: Rows) -> str:
    return f"row {rows.first}" if rows.first == rows.last else f"rows {rows.first} to {rows.last}"
