"""`relineage models`: the versions of models, newest first."""

from __future__ import annotations

from typing import Any

from .listing import list_command
from .output import dataset_name


def _line(model: dict[str, Any]) -> dict[str, Any]:
    many = f", {model['versions']:,} versions" if model.get("versions", 1) > 1 else ""
    return {
        "model": dataset_name(model["namespace"], model["name"], model["version"]) + many,
        "framework": model["framework"],
        "parameters": model["parameters"],
        "written_at": model["written_at"],
        "run_id": model["run_id"],
    }


command = list_command(
    "models",
    "List the versions of models, newest first, each with the run that wrote it. Times are UTC. In a table, more than "
    "ten versions of one model that were written within one run are one line, with the latest; --limit lists each.",
    _line,
    "versions",
)
