"""`relineage status`: what the database holds, and how far each source was read."""

from __future__ import annotations

from pathlib import Path

import click

from .output import Section, print_sections
from .session import database_option, format_option, question

_PATH = "select path from duckdb_databases() where database_name = current_database()"
_COUNTS = """
select (select count(distinct event_digest) from store.event) as events,
       (select max(event_time) from store.event) as last_event,
       (select max(received_at) from store.event) as last_received,
       (select count(*) from runs) as runs,
       (select count(*) from runs where state = 'RUNNING') as running,
       (select count(*) from datasets) as datasets,
       (select count(*) from dataset_versions) as dataset_versions,
       (select count(*) from dead_letters) as letters,
       (select count(*) from event_problems) as problems
"""
_SOURCES = """
select topic, source, partition, next_offset, updated_at from store.source_offset
order by updated_at desc, source, partition
"""
_PROBLEMS = """
select path, expected, got, count(*) as times from event_problems
group by path, expected, got order by times desc, path, expected, got
"""


@click.command("status")
@format_option("table", "json")
@database_option
def command(format_: str, database: Path | None) -> int:
    """What the database holds, and how far each source was read. Times are UTC."""
    with question(database) as store:
        [(path,)] = store.connection.execute(_PATH).fetchall()
        found = store.connection.execute(_COUNTS)
        facts = dict(zip((column[0] for column in found.description), found.fetchone() or (), strict=True))
        sources = store.connection.execute(_SOURCES).fetchall()
        problems = store.connection.execute(_PROBLEMS).fetchall()
    size = sum(file.stat().st_size for file in (Path(path), Path(f"{path}.wal")) if file.exists())
    facts = {"database": path, "bytes": size} | facts
    print_sections(
        [
            Section("facts", tuple(facts), [list(facts.values())], upright=True),
            Section("sources", ("topic", "source", "partition", "next_offset", "updated_at"), sources),
            Section("problems", ("path", "expected", "got", "times"), problems),
        ],
        format_,
    )
    return 0
