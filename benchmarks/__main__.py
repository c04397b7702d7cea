"""Run the benchmarks: `python -m benchmarks [NAME …]`, all without names; NAMES are below.

Decides only how they are called and shown. Figures of machines that others use too vary; ratios within one run
say more. RELINEAGE_TEST_KAFKA=HOST:PORT names a broker (`make bench` starts one).
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import duckdb

NAMES = ("imports", "emit", "snapshot", "steps", "digests", "ingest", "trace", "why")
Rows = Iterator[tuple[str, ...]]


def machine() -> str:
    """Processor, cores, memory, and versions."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{processor()}, {cores} cores, {memory_bytes / 1e9:.0f} GB; load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, {platform.system()}"
    )


def processor() -> str:
    """The processor's name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Run what was asked for, and print a table for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--small", action="store_true", help="digests: a twentieth of the data")
    arguments = parser.parse_args()
    names = arguments.names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    kafka = os.environ.get("RELINEAGE_TEST_KAFKA")
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `{command}`")
    print(machine())
    for name in names:
        module = import_module(f".{name}", __package__)
        if module.NEEDS_KAFKA and not kafka:
            sys.exit(f"{name} needs a broker: make bench, or RELINEAGE_TEST_KAFKA=HOST:PORT")
        measure: Callable[..., Rows] = module.measure
        columns = ("what", *getattr(module, "COLUMNS", ("measured",)))
        began = time.monotonic()
        print(f"\n### {name}: {module.TITLE}\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
        for row in (
            measure(kafka or "", small=True)
            if arguments.small and name == "digests"
            else measure(kafka or "")
        ):
            print(f"| {' | '.join(row)} |", flush=True)
        print(f"\n({time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
