"""`relineage models`: the versions of models, newest first."""

from __future__ import annotations

from typing import Any

from .listing import list_command
from .output import dataset_name


def _line(model: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": dataset_name(model["namespace"], model["name"], model["version"]),
        "framework": model["framework"],
        "parameters": model["parameters"],
        "written_at": model["written_at"],
        "run_id": model["run_id"],
    }


command = list_command(
    "models",
    "List the versions of models, newest first, each with the run that wrote it. Times are UTC.",
    _line,
)
