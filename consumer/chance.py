"""What runs say of chance, for an answer that ends with it.

Decides that only runs are asked of which *non-determinism* is told, and with which value a switch leaves open what one
seed gives: of some that is when they are on. What `deterministic=True` sets is decided in emitter/seeds/switches.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import engine
from .ask import Cause
from .named import named

# By name, the value in small letters. Of other switches, such as those of precision, neither value does.
_LEAVES_OPEN = {
    "PYTHONHASHSEED": "random",
    "TF_CUDNN_DETERMINISTIC": "0",
    "TF_DETERMINISTIC_OPS": "0",
    "tensorflow.is_op_determinism_enabled": "false",
    "torch.are_deterministic_algorithms_enabled": "false",
    "torch.backends.cuda.matmul.allow_tf32": "true",
    "torch.backends.cudnn.allow_tf32": "true",
    "torch.backends.cudnn.benchmark": "true",
    "torch.backends.cudnn.deterministic": "false",
    "torch.is_deterministic_algorithms_warn_only_enabled": "true",
}


@dataclass(frozen=True, kw_only=True)
class Chance:
    """What a run says of chance: its switches, the sources that no seed covers, and what may pass for chance, since no
    digest has it.
    """

    switches: Mapping[str, str] = field(default_factory=dict)
    uncovered: Sequence[str] = ()
    unseen: Sequence[str] = ()

    @property
    def open_switches(self) -> Sequence[str]:
        """The switches that leave open what one seed gives, as `name = value`."""
        return [
            f"{name} = {value}"
            for name, value in self.switches.items()
            if _LEAVES_OPEN.get(name) == value.strip().lower()
        ]


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
