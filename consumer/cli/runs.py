"""`relineage runs`: the runs, newest first."""

from __future__ import annotations

from typing import Any

from .listing import list_command
from .output import dataset_name, duration


def _line(run: dict[str, Any]) -> dict[str, Any]:
    many = f", {run['runs']:,} runs" if run.get("runs", 1) > 1 else ""
    return {
        "run_id": run["run_id"],
        "job": dataset_name(run["job_namespace"] or "", run["job_name"] or "") + many,
        "state": run["state"],
        "started_at": run["started_at"],
        "took": duration(run["started_at"], run["ended_at"]),
    }


command = list_command(
    "runs",
    "List the runs, newest first. Times are UTC. In a table, more than ten runs of one job within one run are one "
    "line, with the latest; --limit lists each.",
    _line,
    "runs",
)
