"""`relineage datasets`: the datasets, last written first."""

from __future__ import annotations

from typing import Any

from .listing import list_command
from .output import dataset_name


def _line(dataset: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset": dataset_name(dataset["namespace"], dataset["name"], dataset["latest"]),
        "versions": dataset["versions"],
        "rows": dataset["rows"],
        "written_at": dataset["written_at"],
    }


command = list_command(
    "datasets", "List the datasets, last written first, each with its latest version. Times are UTC.", _line
)
