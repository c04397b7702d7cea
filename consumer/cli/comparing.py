"""`relineage digest --compare`: what differs between two contents, of files or as they were recorded.

Decides where what is known of a content comes from: a file is digested; a recorded version needs no data, its
columns, leaves and tensors are in its facets, or in the object beside the events that holds what did not fit
into them. What is not covered by a recorded digest is not believed. What differs is decided in the emitter's
`compare` and `closeness`. Exit codes: 0 same, 1 different, 2 cannot be told.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...emitter.digests import Content, Refused, content_of
from ...emitter.digests.closeness import Closeness, Tolerance, compare_values
from ...emitter.digests.compare import Comparison, Rows, compare
from ...emitter.errors import StoreError
from ..display import printable
from ..errors import QuestionError, SourceError
from ..replay.contents import content_said, texts
from ..replay.details import beside, whole

if TYPE_CHECKING:
    from ..store import Store

_MEANING = {
    "b3-rows1": ": the same rows in another order",
    "b3-weights1": ": the same weights under other names",
}
_TOLERANCE_WORDS = {"atol": "absolute", "rtol": "relative", "ulps": "ulps"}


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two: its content, and where its values lie if that is known.

    `note` says what of it is not known, `ending` is what the name of its dataset ends in.
    """

    content: Content
    path: Path | None = None
    note: str | None = None
    ending: str = ""


def compare_command(
    a: str,
    b: str,
    *,
    digested: Callable[[Path], Content],
    tolerance: Tolerance | None,
    as_json: bool,
    database: Path | None,
) -> int:
    """Print what differs; the exit code.

    Args:
        a: a file or folder, or x.
        b: another.
        digested: digests a path.
        tolerance: how far apart values may be; null if they are not to be compared.
        as_json: one JSON object instead of lines.
        database: for x; null for that of the `.relineage` found upwards.

    Raises:
        ConsumerError: one is neither a file nor recorded, or they have nothing in common that could be compared.
    """
    with ExitStack() as stack:
        opened: list[Store] = []

        def store() -> Store:
            from .session import question

            if not opened:
                opened.append(stack.enter_context(question(database)))
            return opened[0]

        def looked_up(text: str) -> Side:
            if (path := _path(text)) is not None:
                return _file(path, digested)
            try:
                recorded = store()
            except SourceError as error:
                raise QuestionError(f"there is no file {printable(text)}, and {error}") from None
            return _recorded(text, recorded)

        one, two = looked_up(a), looked_up(b)
        try:
            if tolerance is not None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                one, two = _with_values(one, folder / "a"), _with_values(two, folder / "b")
            found, values = _compared(one, two, tolerance)
        except (Refused, StoreError) as error:
            raise QuestionError(str(error)) from None
    if found.same is None and not found.columns and not found.tensors:
        raise QuestionError(f"{a} and {b} have no digest of the same kind, so nothing can be said")
    for side, text in ((one, a), (two, b)):
        if side.note:
            click.echo(f"relineage: {printable(text)}: {printable(side.note)}", err=True)
    other_zones = any(one.what == "zone" for one in found.columns)
    within = values is not None and values[0] != "different" and not other_zones
    if as_json:
        click.echo(json.dumps(_as_json(found, values), indent=2))
    else:
        for line in _lines(found, values):
            click.echo(printable(line))
    return 0 if found.same or within else 1


def parsed_tolerance(text: str) -> Tolerance:
    """`atol=1e-9,rtol=1e-6,ulps=4`, each of them at most once.

    Raises:
        click.BadParameter: anything else.
    """
    given: dict[str, float] = {}
    for part in text.split(","):
        word, _, value = part.strip().partition("=")
        try:
            amount = int(value) if word == "ulps" else float(value)
        except ValueError:
            amount = -1
        if word not in _TOLERANCE_WORDS or _TOLERANCE_WORDS[word] in given or not 0 <= amount < float("inf"):
            raise click.BadParameter(
                f"{part!r} is none; say atol=1e-9 or rtol=1e-6 or ulps=4, or several with commas between"
            )
        given[_TOLERANCE_WORDS[word]] = amount
    return Tolerance(
        absolute=given.get("absolute", 0.0),
        relative=given.get("relative", 0.0),
        ulps=int(given.get("ulps", 0)),
    )


def _compared(
    a: Side, b: Side, tolerance: Tolerance | None
) -> tuple[Comparison, tuple[str, list[Closeness]] | None]:
    found = compare(a.content, b.content)
    if a.path is None or b.path is None:
        if tolerance is not None:
            raise Refused(
                "a tolerance needs the data of both",
                advice="name files or checkpoints, or versions that a run has kept with store=True",
            )
        return found, None
    if found.same or (tolerance is None and found.unsure is None):
        return found, None
    from ...emitter.digests.loading import load

    data_a, data_b = load(a.path, a.content), load(b.path, b.content)
    if found.unsure is not None and not isinstance(data_a, dict) and not isinstance(data_b, dict):
        rows = found.unsure.last + 1
        heads = content_of(data_a.slice(0, rows)), content_of(data_b.slice(0, rows))
        found = compare(a.content, b.content, heads=heads)
    return found, None if tolerance is None else compare_values(data_a, data_b, tolerance)


def _with_values(side: Side, base: Path) -> Side:
    """The same with a copy of what the store has of it, where it is no file.

    Raises:
        ConsumerError, StoreError: the store cannot be reached, or its object is damaged.
    """
    if side.path is not None:
        return side
    from ...emitter.store.names import ending_of
    from .contents import objects_of

    store = objects_of(Path.cwd())
    if store is None:
        return side
    for digest in side.content.digests:
        kept = store.find(digest)
        if kept is not None and kept.kind != "folder":
            path = base.with_suffix(ending_of(kept.name) or side.ending)
            store.fetch(digest, path)
            return replace(side, path=path)
    return side


def _path(text: str) -> Path | None:
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises where there is no such user
    return path if os.path.exists(path) else None  # noqa: PTH110 - Path.exists raises where a name is too long


def _file(path: Path, digested: Callable[[Path], Content]) -> Side:
    try:
        content = digested(path)
    except (Refused, OSError) as refused:
        raise QuestionError(str(refused)) from None
    return Side(content=content, path=None if content.kind == "folder" else path, note=content.absent)


def _recorded(x: str, store: Store) -> Side:
    from ..named import named
    from .output import dataset_name
    from .subject import meant

    statements = named("compare")
    asked = meant(store.connection, x)
    versions = store.connection.execute(statements["versions_meant"], {"x": asked}).fetchall()
    keys = [row[3] for row in versions]
    said = store.connection.execute(statements["content_facets"], {"keys": keys}).fetchall()
    contents = [json.loads(body) for key, body in said if key == "relineage_content"]
    models = [json.loads(body) for key, body in said if key == "relineage_model"]
    contents = [one for one in contents if texts(one.get("digests"))]
    if not contents:
        raise QuestionError(f"no digest of {x} is recorded")
    if any(set(texts(contents[0]["digests"])).isdisjoint(texts(one["digests"])) for one in contents):
        lines = [f"  dataset:{dataset_name(space, name, version)}" for space, name, version, _ in versions]
        raise QuestionError("\n".join([f"ambiguous: {x} holds several contents; name one:", *lines]))
    content, model = contents[0], models[0] if models else {}
    note = None
    found, complete = whole(
        {"relineage_content": content, "relineage_model": model},
        beside(store.connection),
        named_by="relineage_content",
    )
    if not complete:
        name = f"{content['details']}.json"
        note = f"what did not fit into its facets is in {name}, which is not beside this database"
    content, model = found["relineage_content"], found["relineage_model"]
    return Side(content=content_said(content, model), note=note, ending=Path(versions[0][1]).suffix)


def _as_json(found: Comparison, values: tuple[str, list[Closeness]] | None) -> dict[str, Any]:
    answer = asdict(found)
    if values is not None:
        told = [{key: _finite(value) for key, value in asdict(one).items()} for one in values[1]]
        answer |= {"verdict": values[0], "values": told}
    return answer


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and value in (float("inf"), float("-inf")) else value


def _lines(found: Comparison, values: tuple[str, list[Closeness]] | None) -> list[str]:
    """One fact a line."""
    if found.same:
        return [f"same: {found.label}"]
    lines = ["different" if found.label is None else f"different: {found.label}"]
    lines += [f"yet the same {one}{_MEANING.get(one, '')}" for one in found.shared]
    for one in found.columns:
        change = {
            "added": f"only in B, {one.b}",
            "removed": f"only in A, {one.a}",
            "retyped": f"{one.a} in A, {one.b} in B",
            "zone": f"another label of its time zone: {one.a} in A, {one.b} in B",
        }.get(one.what)
        if change is None:
            change = "values differ"
            if one.rows is not None:
                change += " in " + ", ".join(map(_rows, one.rows))
        lines.append(f"column {one.name}: {change}")
    if found.tail is not None:
        side = "B" if (found.rows_a or 0) < (found.rows_b or 0) else "A"
        how = "appended" if found.appended else f"only in {side}"
        lines.append(f"{_rows(found.tail)}: {how}")
    if found.unsure is not None:
        lines.append(f"{_rows(found.unsure)}: not comparable without the data, since their last leaf grew")
    for tensor in found.tensors:
        form = {
            "added": f"only in B, {tensor.b}",
            "removed": f"only in A, {tensor.a}",
            "values": "values differ",
        }.get(tensor.what, f"{tensor.a} in A, {tensor.b} in B")
        lines.append(f"tensor {tensor.name}: {form}")
    if values is not None:
        lines.append(f"values: {values[0]}")
        lines += [_told(one) for one in values[1]]
    return lines


def _rows(rows: Rows) -> str:
    return f"row {rows.first}" if rows.first == rows.last else f"rows {rows.first} to {rows.last}"


def _told(one: Closeness) -> str:
    if one.what is not None:
        return f"  {one.name}: {one.what}"
    facts = [f"{one.differing} of {one.values} differ, the first at {one.first}"]
    facts += [f"{one.nulls} null in one only"] if one.nulls else []
    facts += [f"{one.nans} NaN in one only"] if one.nans else []
    for word, value in (
        ("ulps", one.max_ulps),
        ("absolute", one.max_absolute),
        ("relative", one.max_relative),
    ):
        facts += [f"max {word} {value:.6g}"] if value is not None else []
    return f"  {one.name}: {one.verdict}: " + ", ".join(facts)
