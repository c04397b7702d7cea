"""`relineage runs`: the runs, newest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..named import named
from .output import dataset_name, duration, print_list
from .session import database_option, format_option, limit_option, question


@click.command("runs")
@limit_option
@format_option("table", "json")
@database_option
def command(limit: int | None, format_: str, database: Path | None) -> int:
    """List the runs, newest first. Times are UTC."""
    with question(database) as store:
        print_list(store.connection, named("lists")["runs"], limit, format_, _line)
    return 0


def _line(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": run["run_id"],
        "job": dataset_name(run["job_namespace"] or "", run["job_name"] or ""),
        "state": run["state"],
        "started_at": run["started_at"],
        "took": duration(run["started_at"], run["ended_at"]),
    }
