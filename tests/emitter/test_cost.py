"""What a run takes is measured and told at its end."""

import os
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
from emitted import events_in

from relineage.emitter import Lineage
from relineage.emitter.cost import Meter
from relineage.emitter.guard import Stopwatch


def spin(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_waiting_costs_time_and_computing_costs_processors():
    meter = Meter()
    time.sleep(0.1)
    waited = meter.read(0.0)
    spin(0.1)
    computed = meter.read(0.0)

    assert waited.wall_seconds >= 0.1
    assert waited.cpu_seconds < 0.09
    assert computed.cpu_seconds - waited.cpu_seconds >= 0.08  # the clock ticks a hundred times a second


def test_processors_of_children_count_when_they_have_ended():
    meter = Meter()
    subprocess.run([sys.executable, "-c", "sum(range(5_000_000))"], check=True)

    assert meter.read(0.0).cpu_seconds > 0.05


def test_the_peak_of_memory_is_in_bytes_and_never_falls():
    before = Meter().read(0.0).peak_memory_bytes
    held = b"x" * (before + (50 << 20))
    during = Meter().read(0.0).peak_memory_bytes
    del held

    assert 0.5 < before / psutil.Process().memory_info().rss < 20
    assert during >= before + (50 << 20)
    assert Meter().read(0.0).peak_memory_bytes >= during


def test_the_stopwatch_counts_what_goes_on_right_now_and_nothing_twice():
    watch = Stopwatch()
    with watch.running(), watch.running():
        time.sleep(0.05)
        assert 0.05 <= watch.seconds < 1
    once = watch.seconds
    time.sleep(0.05)

    assert 0.05 <= watch.seconds == once


def test_a_run_tells_its_cost_at_its_end_and_what_lineage_took_of_it(folder):
    lineage = Lineage()
    with lineage.run("job") as run:
        run.input(pd.DataFrame({"a": range(200_000)}), name="x")
        spin(0.05)
        took = run.overhead_seconds

    start, *_, end = events_in(folder)
    assert "relineage_cost" not in start["run"]["facets"]
    cost = end["run"]["facets"]["relineage_cost"]
    assert cost["wallSeconds"] >= cost["overheadSeconds"] >= took > 0
    assert cost["cpuSeconds"] >= 0.04
    assert cost["peakMemoryBytes"] > 10 << 20
    assert cost.keys() == {
        "_producer", "_schemaURL", "wallSeconds", "cpuSeconds", "peakMemoryBytes", "overheadSeconds",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["fail", "abort"])
def test_a_run_that_did_not_complete_has_its_cost_too(folder, how):
    run = Lineage().start("job")
    getattr(run, how)("why")

    assert events_in(folder)[-1]["run"]["facets"]["relineage_cost"]["wallSeconds"] > 0


def test_a_fork_of_the_job_tells_no_cost(folder):
    lineage = Lineage()
    with lineage.run("job") as run:
        child = os.fork()
        if child == 0:
            run.metric("loss", 1.0)
            lineage.close()
            os._exit(0)
        os.waitpid(child, 0)

    told = ["relineage_cost" in event["run"]["facets"] for event in events_in(folder)]
    assert told.count(True) == 1
    assert told[-1]
