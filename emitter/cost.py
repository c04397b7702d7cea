"""What a run costs, as far as the operating system says it for nothing.

Decides what is counted: seconds of the clock, seconds of processors by this process and by its children that
have ended, the most memory that the process ever held, and the seconds that lineage took of the caller's.
Money, energy and graphics processors are left to those who know them.
"""

import os
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one run so far; null where the system does not tell.

    Attributes:
        wall_seconds: Since it began.
        cpu_seconds: Of processors, since it began: of the whole process, also of what runs beside the run.
        peak_memory_bytes: The most that the process has held at once since it started, before the run too.
        overhead_seconds: In which the caller waited for lineage: digests, statistics, the store, events.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int | None
    overhead_seconds: float


class Meter:
    """Runs from where it is made."""

    def __init__(self) -> None:
        """Look at the clocks."""
        self._wall = time.perf_counter()
        self._cpu = _cpu_seconds()

    def read(self, overhead_seconds: float) -> Cost:
        """The cost so far."""
        return Cost(
            wall_seconds=time.perf_counter() - self._wall,
            cpu_seconds=_cpu_seconds() - self._cpu,
            peak_memory_bytes=_peak_memory_bytes(),
            overhead_seconds=overhead_seconds,
        )


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_memory_bytes() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
