"""`relineage status`: what the database holds, and how far each source was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..named import named
from .output import Section, place_of, print_sections
from .session import database_option, format_option, question


@click.command("status")
@format_option("table", "json")
@database_option
def command(format_: str, database: Path | None) -> int:
    """What the database holds, and how far each source was read. Times are UTC."""
    queries = named("status")
    with question(database) as store:
        [(path,)] = store.connection.execute(queries["path"]).fetchall()
        found = store.connection.execute(queries["facts"])
        facts = dict(zip((column[0] for column in found.description), found.fetchone() or (), strict=True))
        sources = store.connection.execute(queries["sources"]).fetchall()
        problems = store.connection.execute(queries["problems"]).fetchall()
    size = sum(file.stat().st_size for file in (Path(path), Path(f"{path}.wal")) if file.exists())
    facts = {"database": path, "bytes": size} | facts
    print_sections(
        [
            Section("facts", tuple(facts), [list(facts.values())], upright=True),
            _sources(sources, format_),
            Section("problems", ("path", "expected", "got", "times"), problems),
        ],
        format_,
    )
    return 0


def _sources(rows: list[tuple[Any, ...]], format_: str) -> Section:
    if format_ == "json":
        return Section("sources", ("topic", "source", "partition", "next_offset", "updated_at"), rows)
    lines = [(place_of(source, topic, part), offset, at) for topic, source, part, offset, at in rows]
    return Section("sources", ("source", "next_offset", "updated_at"), lines)
