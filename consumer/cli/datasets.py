"""`relineage datasets`: the datasets, last written first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..named import named
from .output import dataset_name, print_list
from .session import database_option, format_option, limit_option, question


@click.command("datasets")
@limit_option
@format_option("table", "json")
@database_option
def command(limit: int | None, format_: str, database: Path | None) -> int:
    """List the datasets, last written first, each with its latest version. Times are UTC."""
    with question(database) as store:
        print_list(store.connection, named("lists")["datasets"], limit, format_, _line)
    return 0


def _line(dataset: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset": dataset_name(dataset["namespace"], dataset["name"], dataset["latest"]),
        "versions": dataset["versions"],
        "rows": dataset["rows"],
        "written_at": dataset["written_at"],
    }
