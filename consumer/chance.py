"""What runs say of chance, for an answer that ends with it.

Decides that only runs are asked of which *non-determinism* is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import engine
from .ask import Cause
from .named import named


@dataclass(frozen=True, kw_only=True)
class Chance:
    """What a run says of chance: its switches, the sources that no seed covers, and what may pass for chance, since no
    digest has it.
    """

    switches: Mapping[str, str] = field(default_factory=dict)
    uncovered: Sequence[str] = ()
    unseen: Sequence[str] = ()


def chances_of(connection: engine.DuckDBPyConnection, causes: Sequence[Cause]) -> dict[str, Chance]:
    """What is known of chance, by the runs whose outcome nothing else explains."""
    runs = {
        run
        for cause in causes
        if cause.what == "non-determinism"
        for run in (cause.run_a, cause.run_b)
        if run
    }
    if not runs:
        return {}
    rows = connection.execute(named("why")["chance"], {"run_ids": sorted(runs)}).fetchall()
    return {
        run_id: Chance(
            switches={one["key"]: str(one["value"]).strip('"') for one in switches or []},
            uncovered=uncovered or [],
            unseen=[
                *(f"of the code {one}" for one in code),
                *(f"parameter {name}: a secret" for name in secrets),
            ],
        )
        for run_id, switches, uncovered, code, secrets in rows
    }
