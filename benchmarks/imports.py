"""What `import relineage.emitter` costs a program that would start without it."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

TITLE = "CPU time of importing the emitter, over the bare interpreter"
NEEDS_KAFKA = False
REPETITIONS = 11


def cpu_seconds(code: str) -> float:
    """User and system time of a fresh interpreter that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(kafka: str) -> Iterator[tuple[str, str]]:
    """Medians; the kinds alternate, so that a slow moment of the machine meets all."""
    codes = {
        "bare interpreter": "pass",
        "`import relineage.emitter`": "import relineage.emitter",
        "`import numpy` (which it does not)": "import numpy",
        "`import openlineage.client` (which it does not)": "import openlineage.client",
    }
    for code in codes.values():
        cpu_seconds(code)  # compiles what was not compiled yet
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(REPETITIONS):
        for name, code in codes.items():
            seconds[name].append(cpu_seconds(code))
    bare = median(seconds["bare interpreter"])
    yield "bare interpreter", f"{bare * 1000:.0f} ms"
    for name in list(codes)[1:]:
        yield name, f"+ {(median(seconds[name]) - bare) * 1000:.0f} ms"
