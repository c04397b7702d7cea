"""`relineage models`: the versions of models, newest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..named import named
from .output import dataset_name, print_list
from .session import database_option, format_option, limit_option, question


@click.command("models")
@limit_option
@format_option("table", "json")
@database_option
def command(limit: int | None, format_: str, database: Path | None) -> int:
    """List the versions of models, newest first, each with the run that wrote it. Times are UTC."""
    with question(database) as store:
        print_list(store.connection, named("lists")["models"], limit, format_, _line)
    return 0


def _line(model: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": dataset_name(model["namespace"], model["name"], model["version"]),
        "framework": model["framework"],
        "parameters": model["parameters"],
        "written_at": model["written_at"],
        "run_id": model["run_id"],
    }
