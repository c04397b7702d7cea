"""`relineage show`: everything about one run, job, dataset, version or content, from the public views.

Decides how sections look; which there are is decided in queries/show_*.sql.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import engine
from ..ask import Ask, Thing
from ..named import named
from .asked import asked
from .listing import with_short_run_ids
from .output import Section, dataset_name, plain_path, print_sections, short, shortened
from .session import database_option, format_option

if TYPE_CHECKING:
    from ..bundle.manifest import Manifest

# Sections of one row, read downwards.
_UPRIGHT = {"run", "job", "dataset", "environment"}


@click.command("show")
@click.argument("x", metavar="X")
@format_option("table", "json")
@database_option
def command(x: str, format_: str, database: Path | None) -> int:
    """Everything about one run, job (with its latest run), dataset, version, digest or file. Times are UTC."""
    with asked(database, x) as found:
        thing = Ask(found.connection).thing(found.x[0])
        sections = [_section_of(bundle.manifest, whole=format_ == "json") for bundle in found.bundles]
        sections += _sections(found.connection, thing, whole=format_ == "json")
    print_sections(sections, format_)
    return 0


def _section_of(manifest: Manifest, *, whole: bool) -> Section:
    """What a bundle says of itself."""
    said = manifest.model_dump(exclude={"format", "of"} if whole else {"format", "of", "missing"})
    if not whole:
        said |= {name: len(said[name]) for name in ("runs", "besides", "commits", "folders", "members")}
        said["missing"] = [f"{one.what} {one.name}: {one.reason}" for one in manifest.missing]
    row = {"of": manifest.of.x, **said}
    return Section("bundle", list(row), [list(row.values())], upright=True)


def _sections(connection: engine.DuckDBPyConnection, thing: Thing, *, whole: bool) -> list[Section]:
    run = {"run_id": thing.run_id}
    name = {"namespace": thing.namespace, "name": thing.name}
    if thing.kind == "job":
        of_job = _asked(connection, "show_job", name, whole=whole)
        latest = _asked(connection, "show_run", run, whole=whole) if thing.run_id else []
        return [
            *of_job,
            *(replace(one, title="latest run") if one.title == "run" else one for one in latest),
        ]
    if thing.kind == "run":
        return _asked(connection, "show_run", run, whole=whole)
    if thing.kind == "dataset":
        return _asked(connection, "show_dataset", name, whole=whole)
    version = {"version": thing.version, "digest": thing.digest}
    return _asked(connection, "show_version", name | version, whole=whole)


def _asked(
    connection: engine.DuckDBPyConnection, topic: str, values: dict[str, Any], *, whole: bool
) -> list[Section]:
    """A section a statement of the topic; for people each row is made to fit one screen."""
    sections = []
    for key, query in named(topic).items():
        title = key.replace("_", " ")
        found = connection.execute(query, values)
        columns = [column[0] for column in found.description]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
        if whole:
            rows = [row | {"body": json.loads(row["body"])} if "body" in row else row for row in rows]
        elif title not in _UPRIGHT | {"digests"}:
            rows = [
                {name: short(value) if name == "version" else shortened(value) for name, value in row.items()}
                for row in with_short_run_ids(rows)
            ]
        if not whole:
            rows = [_for_people(row) for row in rows]
        columns = list(rows[0]) if rows else columns
        sections.append(Section(title, columns, [list(row.values()) for row in rows], title in _UPRIGHT))
    return sections


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """Namespace and name as one text, files by their paths, packages counted, facets by their key."""
    line: dict[str, Any] = {}
    for column, value in row.items():
        kind = column.removesuffix("name").removesuffix("_")
        namespace = f"{kind}_namespace".removeprefix("_")
        if column.endswith("name") and namespace in row:
            named = value is not None or row[namespace] is not None
            line[kind or "name"] = dataset_name(row[namespace] or "", value or "") if named else None
        elif column == "packages" and isinstance(value, dict):
            line[column] = f"{len(value)} packages"
        elif column == "names":
            line[column] = [plain_path(one) for one in value]
        elif not column.endswith("namespace") and column != "body":
            line[column] = value
    return line
