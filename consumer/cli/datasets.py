"""`relineage datasets`: the datasets, last written first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .output import dataset_name, print_list
from .session import database_option, format_option, limit_option, question

_DATASETS = """
with latest as (
    select namespace, name, max(first_written_at) as written_at,
           arg_max({version: coalesce(digest, version), rows: rows},
                   {time: coalesce(first_written_at, '-infinity'), version: version}) as latest
    from dataset_versions group by namespace, name
)
select d.namespace, d.name, d.versions, l.latest.version as latest, l.latest.rows as rows, l.written_at
from datasets d left join latest l using (namespace, name)
order by l.written_at desc nulls last, d.namespace, d.name
"""


@click.command("datasets")
@limit_option
@format_option("table", "json")
@database_option
def command(limit: int | None, format_: str, database: Path | None) -> int:
    """List the datasets, last written first, each with its latest version. Times are UTC."""
    with question(database) as store:
        print_list(store.connection, _DATASETS, limit, format_, _line)
    return 0


def _line(dataset: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset": dataset_name(dataset["namespace"], dataset["name"], dataset["latest"]),
        "versions": dataset["versions"],
        "rows": dataset["rows"],
        "written_at": dataset["written_at"],
    }
