"""What a step adds to a call of a function: nothing to digest, a frame, a generator, the cache."""

import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relineage.emitter import Lineage
from relineage.emitter.digests import content_of
from relineage.emitter.digests.tables import to_arrow
from relineage.emitter.statistics import feature_statistics

TITLE = "time that a step adds to a call, events into a file (median, 90 %; CPU median, least)"
NEEDS_KAFKA = False
CALLS = 500
ITEMS = 2000


def timed(call: Callable[[], Any], calls: int = CALLS, before: Callable[[], Any] = lambda: None) -> str:
    """Median and 90th percentile of wall time, median and least of CPU time, of all threads.

    `before` runs before each call and is not counted: what a part of a step takes is to be measured as it is in a
    step, where the caches of the processor hold something else.
    """
    call()
    walls, processors = [], []
    for _ in range(calls):
        before()
        wall, processor = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    walls.sort()
    return (
        f"{walls[calls // 2] * 1e3:.2f} ms, {walls[calls * 9 // 10] * 1e3:.2f} ms; "
        f"CPU {statistics.median(processors) * 1e3:.2f} ms, {min(processors) * 1e3:.2f} ms"
    )


def yardstick() -> None:
    """What a run cannot do without: keep and restore the two generators' states, and seed them."""
    state, legacy = random.getstate(), np.random.get_state()
    random.seed(1 << 100)
    np.random.seed([1, 2, 3, 4])
    random.setstate(state)
    np.random.set_state(legacy)


def measure(kafka: str) -> Iterator[tuple[str, str]]:
    """One call after another, in a git repository of its own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            subprocess.run(["git", "init", "--quiet"], check=True)
            os.utime(".git/HEAD", (1e9, 1e9))  # as in a repository that was not made this very second
            yield from _measure(Lineage(namespace="benchmark"))
        finally:
            os.chdir(before)


def _measure(lineage: Lineage) -> Iterator[tuple[str, str]]:
    frame = pd.DataFrame(
        np.random.default_rng(7).normal(size=(1000, 20)), columns=[f"f{i}" for i in range(20)]
    )

    def nothing(rate: float = 0.1) -> None:
        """Nothing to digest."""

    small = frame.iloc[:100, :5].copy()
    doubled = small * 2

    def double(small: pd.DataFrame) -> pd.DataFrame:
        """A small table in, another out."""
        return doubled

    def read(frame: pd.DataFrame) -> None:
        """One input."""

    def square(number: int) -> int:
        """A result to keep."""
        return number * number

    def count(to: int) -> Iterator[int]:
        yield from range(to)

    plain, reading, counting = lineage.step(nothing), lineage.step(read), lineage.step(count)
    doubling = lineage.step(double)
    kept = lineage.step(cache="dirty")(square)
    yield "yardstick: two generators kept, seeded, restored", timed(yardstick)
    yield "a parameter, no data", timed(plain)
    with lineage.run("outer", seed=1):
        yield "the same within a run", timed(plain)
    yield "a table of 100 × 5 in, another out", timed(lambda: doubling(small))
    digests = timed(lambda: [content_of(to_arrow(one)) for one in (small, doubled)], before=plain)
    yield "of which their digests", digests
    yield "a frame of 1,000 × 20", timed(lambda: reading(frame), 50)
    yield "of which its digest", timed(lambda: content_of(frame), 50)
    yield "of which statistics of its columns", timed(lambda: feature_statistics(to_arrow(frame)), 50)
    numbers = iter(range(10_000))
    yield "computed and kept in the cache", timed(lambda: kept(next(numbers)), 50)
    yield "answered from the cache", timed(lambda: kept(1), 50)
    began = time.perf_counter()
    for _ in counting(ITEMS):
        pass
    yield (
        f"an item of a generator ({ITEMS:,} numbers)",
        f"{(time.perf_counter() - began) / ITEMS * 1e3:.2f} ms",
    )
    lineage.close()
