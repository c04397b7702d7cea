"""The life of runs, as the events on the disk tell it."""

import asyncio
import contextlib
import logging
import math
import os
import random
import threading
import uuid
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from emitted import events_in

from relineage.emitter import Lineage, RelineageWarning, RunStateError, current_run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a `.relineage` of its own."""
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lineage(folder):
    return Lineage(namespace="fraud")


def types(events):
    return [event["eventType"] for event in events]


def facets(event):
    return event["run"]["facets"]


def frame(rows=20):
    return pd.DataFrame({"a": np.arange(rows), "b": np.linspace(0, 1, rows)})


def test_a_run_tells_its_start_and_its_end(lineage, folder):
    with lineage.run("train", seed=42, params={"lr": 0.1}) as run:
        train = run.input(frame(), name="features/train", role="train")
        run.output({"w": np.arange(10.0)}, name="models/fraud", role="weights")
        run.metric("auc", 0.93)

    start, end = events_in(folder)
    assert types([start, end]) == ["START", "COMPLETE"]
    assert isinstance(train, pd.DataFrame)
    assert start["run"]["runId"] == end["run"]["runId"] == run.id
    assert (end["job"]["namespace"], end["job"]["name"]) == ("fraud", "train")
    assert [one["name"] for one in end["inputs"]] == ["features/train"]
    assert [one["name"] for one in end["outputs"]] == ["models/fraud"]
    assert facets(end)["relineage_metrics"]["metrics"] == [{"name": "auc", "value": 0.93}]
    assert end["producer"].startswith("urn:relineage:emitter:")
    assert uuid.UUID(run.id).version == 7


def test_the_last_event_says_all_that_the_first_said(lineage, folder):
    with lineage.run("train", seed=1, params={"lr": 0.1}):
        pass

    start, end = events_in(folder)
    assert facets(start).keys() <= facets(end).keys()
    assert start["job"] == end["job"]
    for key in ("relineage_environment", "processing_engine", "executionParameters"):
        assert facets(start)[key] == facets(end)[key]


def test_task_recipe_and_outcome_are_told_when_the_run_has_completed(lineage, folder):
    with lineage.run("train", seed=42, params={"lr": 0.1}) as run:
        run.input(frame(), role="train")
        run.output(frame(30))

    start, end = (facets(event)["relineage_step"] for event in events_in(folder))
    assert "task" not in start
    assert start["missing"] == "the run has not completed"
    assert [end[key].partition(":")[0] for key in ("task", "recipe", "outcome", "code")] == [
        "b3-task1", "b3-recipe1", "b3-outcome1", "b3-code1",
    ]  # fmt: skip
    assert end["operation"] == "train"
    assert end["parameters"] == [{"name": "lr", "type": "float", "value": "0.1"}]


def steps(folder):
    return [
        facets(event)["relineage_step"] for event in events_in(folder) if event["eventType"] == "COMPLETE"
    ]


def test_the_same_run_again_has_the_same_keys_and_another_seed_another_recipe_only(lineage, folder):
    for seed in (42, 42, 43, None):
        with lineage.run("train", seed=seed, params={"lr": 0.1}) as run:
            run.input(frame(), role="train")
            run.output(pd.DataFrame({"x": np.random.random(20)}))

    first, again, other, unseeded = steps(folder)
    assert (first["task"], first["recipe"], first["outcome"]) == (
        again["task"],
        again["recipe"],
        again["outcome"],
    )
    assert first["task"] == other["task"] == unseeded["task"]
    assert len({one["recipe"] for one in (first, other, unseeded)}) == 3
    assert len({one["outcome"] for one in (first, other, unseeded)}) == 3


def test_an_unseeded_run_is_one_recipe_whatever_it_drew(lineage, folder):
    for _ in range(2):
        with lineage.run("sample") as run:
            run.output(pd.DataFrame({"x": np.random.random(20)}))

    one, other = steps(folder)
    assert one["recipe"] == other["recipe"]
    assert one["outcome"] != other["outcome"]


def test_swapped_roles_are_another_task(lineage, folder):
    one, other = frame(20), frame(30)
    for train, test in ((one, other), (other, one)):
        with lineage.run("fit") as run:
            run.input(train, name="a", role="train")
            run.input(test, name="b", role="test")

    first, second = steps(folder)
    assert first["task"] != second["task"]


def test_every_output_counts(lineage, folder):
    for more in ([], [frame(40)]):
        with lineage.run("split") as run:
            run.output(frame(20), role="train")
            for one in more:
                run.output(one, role="test")

    few, many = events_in(folder)[1::2]
    assert (len(few["outputs"]), len(many["outputs"])) == (1, 2)
    assert facets(few)["relineage_step"]["outcome"] != facets(many)["relineage_step"]["outcome"]


def test_a_write_is_later_than_the_reads_that_led_to_it(lineage, folder):
    with lineage.run("etl") as run:
        run.input(frame(), name="a")
        run.output(frame(30), name="b")
    with lineage.run("next") as run:
        run.input(frame(30), name="b")

    events = events_in(folder)
    read = events[1]["inputs"][0]["inputFacets"]["relineage_io"]["instant"]
    write = events[1]["outputs"][0]["outputFacets"]["relineage_io"]["instant"]
    later = events[3]["inputs"][0]["inputFacets"]["relineage_io"]["instant"]
    ordered = [events[0]["eventTime"], read, write, events[1]["eventTime"], events[2]["eventTime"], later]
    instants = [datetime.fromisoformat(one) for one in ordered]
    assert instants == sorted(set(instants))


class Boom(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "event_type", "message"),
    [
        (Boom("no data for 2026"), "FAIL", "Boom: no data for 2026"),
        (Boom(), "FAIL", "Boom"),
        (SystemExit(3), "FAIL", "SystemExit: 3"),
        (SystemExit("disk full"), "FAIL", "SystemExit: disk full"),
        (SystemExit(0), "COMPLETE", None),
        (SystemExit(), "COMPLETE", None),
        (KeyboardInterrupt(), "ABORT", "KeyboardInterrupt"),
        (GeneratorExit(), "ABORT", "GeneratorExit"),
        (asyncio.CancelledError(), "ABORT", "CancelledError"),
    ],
)
def test_a_run_ends_as_its_block_ended_and_the_exception_goes_on(lineage, folder, error, event_type, message):
    def job():
        secret_local = "hunter2"
        assert secret_local
        with lineage.run("train"):
            raise error

    with pytest.raises(type(error)) as raised:
        job()

    end = events_in(folder)[-1]
    assert raised.value is error
    assert end["eventType"] == event_type
    told = facets(end).get("errorMessage")
    assert (told and told["message"]) == message
    if event_type == "FAIL":
        assert told["programmingLanguage"] == "python"
        assert "in job" in told["stackTrace"]
        assert "raise error" in told["stackTrace"]


def test_a_run_that_failed_has_no_task_that_would_be_another_ones(lineage, folder):
    with contextlib.suppress(Boom), lineage.run("train") as run:
        run.input(frame(), role="train")
        raise Boom

    step = facets(events_in(folder)[-1])["relineage_step"]
    assert "task" not in step
    assert "outcome" not in step
    assert step["missing"] == "the run ended in FAIL"


def test_an_inner_run_knows_its_parent_and_its_root(lineage, folder):
    with lineage.run("a") as a, lineage.run("b") as b, lineage.run("c"):
        assert current_run().job == "c"
    assert current_run() is None

    parents = {event["job"]["name"]: facets(event).get("parent") for event in events_in(folder)}
    assert parents["a"] is None
    assert parents["b"]["run"]["runId"] == parents["b"]["root"]["run"]["runId"] == a.id
    assert parents["c"]["run"]["runId"] == b.id
    assert parents["c"]["root"]["run"]["runId"] == a.id
    assert parents["c"]["job"] == {"namespace": "fraud", "name": "b"}


def test_the_orchestrators_run_is_the_parent(folder):
    parent, root = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"
    lineage = Lineage(
        environ={
            "OPENLINEAGE_PARENT_ID": f"airflow/dag.task/{parent}",
            "OPENLINEAGE_ROOT_PARENT_ID": f"airflow/dag/{root}",
        }
    )
    with lineage.run("a") as a, lineage.run("b"):
        pass

    parents = {event["job"]["name"]: facets(event)["parent"] for event in events_in(folder)}
    assert parents["a"]["run"]["runId"] == parent
    assert parents["a"]["root"]["run"]["runId"] == root
    assert parents["b"]["run"]["runId"] == a.id
    assert parents["b"]["root"]["job"] == {"namespace": "airflow", "name": "dag"}


def test_threads_and_tasks_are_told_apart(lineage, folder):
    async def task(name):
        with lineage.run(name):
            await asyncio.sleep(0.01)
            assert current_run().job == name

    async def both():
        with lineage.run("outer"):
            await asyncio.gather(task("one"), task("two"))

    def alone():
        with lineage.run("thread"):
            assert current_run().job == "thread"

    asyncio.run(both())
    with lineage.run("main"):
        thread = threading.Thread(target=alone)
        thread.start()
        thread.join()

    parents = {event["job"]["name"]: facets(event).get("parent") for event in events_in(folder)}
    assert parents["one"]["job"]["name"] == parents["two"]["job"]["name"] == "outer"
    assert parents["thread"] is None


def test_runs_may_end_in_another_order_than_they_began(lineage, folder):
    one = lineage.start("one")
    two = lineage.start("two")
    one.end()
    three = lineage.start("three")
    three.end()
    two.end()
    four = lineage.start("four")
    four.end()

    parents = {event["job"]["name"]: facets(event).get("parent") for event in events_in(folder)}
    assert parents["three"]["run"]["runId"] == two.id
    assert parents["four"] is None


def test_an_event_before_the_end_tells_what_none_before_has_told(lineage, folder, monkeypatch):
    """All reads so far each second were terabytes of a run that reads files for hours."""
    now = [100.0]
    monkeypatch.setattr("relineage.emitter.run.time.monotonic", lambda: now[0])
    with lineage.run("train") as run:
        for number in range(30):
            now[0] += 0.5
            run.input(frame(), name=f"read/{number}")
            run.output(frame(), name=f"written/{number}", store=number == 7)

    *before, end = events_in(folder)
    told = [one["name"] for event in before for key in ("inputs", "outputs") for one in event[key]]
    assert len(told) == len(set(told)) > 50
    assert len(before) > 10
    assert (len(end["inputs"]), len(end["outputs"])) == (30, 30)


def test_news_are_told_at_most_once_a_second(lineage, folder, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("relineage.emitter.run.time.monotonic", lambda: now[0])
    with lineage.run("train") as run:
        for step in range(30):
            now[0] += 0.1
            run.metric("loss", 1 / (step + 1), step=step)

    events = events_in(folder)
    assert types(events) == ["START", "RUNNING", "RUNNING", "RUNNING", "COMPLETE"] or types(events) == [
        "START", "RUNNING", "RUNNING", "COMPLETE",
    ]  # fmt: skip
    seen = [len(facets(event).get("relineage_metrics", {"metrics": []})["metrics"]) for event in events]
    assert seen == sorted(seen)
    assert seen[-1] == 30


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (True, 1),
        (np.array([0.25]), 0.25),
    ],
)
def test_a_metric_may_be_any_number(lineage, folder, value, told):
    with lineage.run("train") as run:
        run.metric("loss", value, step=3)

    assert facets(events_in(folder)[-1])["relineage_metrics"]["metrics"] == [
        {"name": "loss", "value": told, "step": 3}
    ]


def test_a_long_history_keeps_the_ends_of_each_metric_and_all_of_it_in_an_object(lineage, folder, caplog):
    with caplog.at_level(logging.WARNING, logger="relineage"), lineage.run("train") as run:
        for step in range(3000):
            run.metric("loss", float(step), step=step)
        run.metric("auc", 0.9)

    told = facets(events_in(folder)[-1])["relineage_metrics"]["metrics"]
    losses = [one["step"] for one in told if one["name"] == "loss"]
    assert (losses[0], losses[-1]) == (0, 2999)
    assert len(told) < 500
    assert {"name": "auc", "value": 0.9} in told
    (kept,) = (folder / ".relineage" / "objects").iterdir()
    assert kept.name.removesuffix(".json") in caplog.text
    assert kept.read_text().count('"loss"') == 3000


def test_what_does_not_fit_into_the_events_of_a_run_is_told_once_with_its_objects(lineage, folder, caplog):
    with caplog.at_level(logging.WARNING, logger="relineage"):
        run = lineage.run("train", params={f"p{number}": "x" * 100 for number in range(2000)})
        with run:
            run.output([1], name="numbers", store=True)  # tells it at once

    assert [event["eventType"] for event in events_in(folder)] == ["START", "RUNNING", "COMPLETE"]
    (told,) = [one.message for one in caplog.records]
    assert f"run {run.id}: cut to 64 kB in the events" in told
    assert told.count("b3-bytes1:") == 2  # as a facet of ours, and as the standard one
    details = facets(events_in(folder)[-1])["relineage_step"]["details"]
    assert f"relineage_step ({details})" in told
    assert (folder / ".relineage" / "objects" / f"{details}.json").is_file()


def test_an_event_is_sent_cut_where_the_whole_cannot_be_kept(lineage, folder, caplog):
    """It was not sent at all: with events over Kafka and a disk that may only be read, both were lost."""
    (folder / ".relineage" / "objects").write_text("no folder can be made here")
    with lineage.run("train", params={f"p{number}": "x" * 100 for number in range(2000)}):
        pass

    events = events_in(folder)
    assert types(events) == ["START", "COMPLETE"]
    assert facets(events[-1])["relineage_step"]["details"].startswith("b3-bytes1:")
    assert "keeping what does not fit into an event failed: [Errno " in caplog.text
    assert lineage.close() is True


def test_where_no_event_can_be_written_the_job_goes_on_and_close_says_so(tmp_path, monkeypatch, caplog):
    """It was: ten lines of traceback for each kind of event, and a close that said all were delivered."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".relineage").write_text("no folder can be made here")
    lineage = Lineage(store=True)
    with lineage.run("train") as run:
        assert run.output([1, 2, 3], name="numbers") == [1, 2, 3]

    assert lineage.close() is False
    for what in ("sending START", "storing data", "sending COMPLETE"):
        (line,) = [one.message for one in caplog.records if f"lineage: {what} failed" in one.message]
        assert f"File exists: '{tmp_path}/.relineage'; the job goes on" in line
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("how", ["end", "fail", "abort"])
def test_a_run_may_be_ended_within_its_block(lineage, folder, how):
    with lineage.run("train") as run:
        getattr(run, how)()

    assert types(events_in(folder)) == ["START", {"end": "COMPLETE", "fail": "FAIL", "abort": "ABORT"}[how]]


def test_fail_takes_the_exception_that_is_being_handled(lineage, folder):
    run = lineage.start("train")
    try:
        raise Boom("x")
    except Boom:
        run.fail()

    assert facets(events_in(folder)[-1])["errorMessage"]["message"] == "Boom: x"


MISUSES = [
    pytest.param(lambda lineage, run: run.end(), id="before its begin"),
    pytest.param(lambda lineage, run: (run.begin(), run.end(), run.end()), id="ended twice"),
    pytest.param(lambda lineage, run: (run.begin(), run.begin()), id="begun twice"),
    pytest.param(
        lambda lineage, run: (run.begin(), run.end(), run.metric("a", 1)), id="a metric after the end"
    ),
    pytest.param(lambda lineage, run: (run.begin(), run.input()), id="neither data nor name"),
    pytest.param(lambda lineage, run: run.input(3), id="an input before its begin"),
]


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misused_run_warns_and_goes_on(lineage, folder, misuse):
    run = lineage.run("train")
    with pytest.warns(RelineageWarning) as told:
        misuse(lineage, run)

    assert told[0].filename == __file__
    if repr(run).endswith("(open)>"):
        run.end()
    assert types(events_in(folder)).count("COMPLETE") <= 1


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_misused_run_raises_if_strict(folder, misuse):
    lineage = Lineage(strict=True)
    run = lineage.run("train")
    with pytest.raises(RunStateError):
        misuse(lineage, run)
    lineage.close()


def test_data_comes_back_after_the_end_too(lineage, folder):
    run = lineage.start("train")
    run.end()
    data = frame()
    with pytest.warns(RelineageWarning, match="has ended"):
        assert run.input(data) is data


class BrokenTransport:
    def __init__(self):
        self.called = 0

    def emit(self, event):
        self.called += 1
        raise OSError("no route to host")


def test_a_broken_transport_hurts_nobody_and_is_logged_once_and_counted(folder, caplog):
    transport = BrokenTransport()
    lineage = Lineage(transport=transport)
    data = frame()
    with caplog.at_level(logging.ERROR, logger="relineage"):
        for _ in range(3):
            with lineage.run("train", seed=1) as run:
                assert run.input(data) is data
                assert run.output(data) is data

    assert transport.called == lineage.errors == 6
    assert caplog.text.count("Traceback") == 2  # one for START, one for COMPLETE
    assert "no route to host" in caplog.text


def test_a_broken_transport_raises_if_strict_and_leaves_nothing_behind(folder):
    random.seed(1)
    before = random.getstate()
    lineage = Lineage(transport=BrokenTransport(), strict=True)
    with pytest.raises(OSError, match="no route"), lineage.run("train", seed=1):
        pytest.fail("the block must not begin")

    assert current_run() is None
    assert random.getstate() == before


def test_the_jobs_own_exception_is_never_replaced_by_ours(folder):
    class Later(BrokenTransport):
        def emit(self, event):
            if event["eventType"] != "START":
                super().emit(event)

    lineage = Lineage(transport=Later(), strict=True)
    with pytest.raises(Boom), lineage.run("train"):
        raise Boom


def test_what_could_not_be_recorded_makes_the_task_unknown(lineage, folder, monkeypatch, caplog):
    """A read that is left out would make this task the key of another one."""

    def broken(*arguments, **keywords):
        raise RuntimeError("a defect of ours")

    with lineage.run("train") as run:
        with monkeypatch.context() as patched:
            patched.setattr("relineage.emitter.run.make_entries", broken)
            data = frame()
            assert run.input(data, role="train") is data
        run.output(frame(30))

    step = steps(folder)[0]
    assert "task" not in step
    assert "the input with role 'train' could not be recorded" in step["missing"]
    assert "a defect of ours" in caplog.text
    assert lineage.errors == 1


def test_bad_parameters_are_logged_and_the_task_is_unknown(lineage, folder, caplog):
    with lineage.run("train", params="lr=0.1"):
        pass

    assert "the parameters could not be read" in steps(folder)[0]["missing"]
    assert "params must be a mapping" in caplog.text


def test_a_seed_that_cannot_be_used_is_said_at_once(lineage):
    with pytest.raises(ValueError, match="seed must be an integer ≥ 0"):
        lineage.run("train", seed=-1)


@pytest.mark.parametrize("job", ["", None, 3])
def test_a_job_needs_a_name(lineage, job):
    with pytest.raises(TypeError, match="a job's name"):
        lineage.run(job)


def test_the_seed_holds_within_the_run_and_the_callers_state_comes_back(lineage, folder):
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    drawn = []
    for _ in range(2):
        with lineage.run("augment", seed=42):
            drawn.append((random.random(), np.random.random()))

    assert drawn[0] == drawn[1]
    assert (random.random(), np.random.random()) == expected
    seeds = facets(events_in(folder)[1])["relineage_seeds"]
    assert (seeds["entropy"], seeds["given"]) == ("2a", True)
    assert [one["library"] for one in seeds["libraries"]] == ["random", "numpy"]
    assert all(one["stateBefore"] != one["stateAfter"] for one in seeds["libraries"])


def test_lineage_itself_draws_nothing_from_the_jobs_generators(lineage, folder):
    with lineage.run("train", seed=42) as run:
        run.input(frame(), name="x")
        run.output(frame(30), name="y")
        run.metric("a", 1)

    seeds = facets(events_in(folder)[-1])["relineage_seeds"]
    assert all(one["stateBefore"] == one["stateAfter"] for one in seeds["libraries"])


def test_inner_runs_without_a_seed_repeat_with_the_outer_one_and_differ_from_each_other(lineage, folder):
    def epochs(seed):
        drawn = []
        with lineage.run("train", seed=seed):
            for _ in range(2):
                with lineage.run("epoch"):
                    drawn.append(random.random())
        return drawn

    first, again, other = epochs(42), epochs(42), epochs(43)
    assert first == again
    assert first[0] != first[1]
    assert set(first).isdisjoint(other)


def test_a_run_is_never_named_by_what_the_job_seeded(lineage, folder):
    ids = set()
    for _ in range(3):
        random.seed(0)
        with lineage.run("train", seed=0) as run:
            ids.add(run.id)

    assert len(ids) == 3


def test_the_time_that_lineage_takes_is_measured(lineage, folder):
    with lineage.run("train") as run:
        before = run.overhead_seconds
        run.input(pd.DataFrame({"a": np.random.random(200_000)}))
        assert run.overhead_seconds > before > 0


def test_switched_off_it_records_nothing_and_still_seeds(folder):
    lineage = Lineage(environ={"OPENLINEAGE_DISABLED": "true"})
    drawn = []
    for _ in range(2):
        with lineage.run("train", seed=42) as run:
            data = frame()
            assert run.input(data) is data
            drawn.append(random.random())

    assert drawn[0] == drawn[1]
    assert list((folder / ".relineage").iterdir()) == []


def test_closing_aborts_what_is_open_inner_runs_first(lineage, folder):
    lineage.start("outer")
    lineage.start("inner")

    assert lineage.close() is True

    ended = [event for event in events_in(folder) if event["eventType"] == "ABORT"]
    assert [event["job"]["name"] for event in ended] == ["inner", "outer"]
    assert "closed while the run was open" in facets(ended[0])["errorMessage"]["message"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_tells_its_reads_and_leaves_the_end_to_its_parent(lineage, folder):
    with lineage.run("train") as run:
        child = os.fork()
        if child == 0:
            run.input(frame(), name="read/by/child")
            run.end()
            os._exit(0)
        os.waitpid(child, 0)

    events = events_in(folder)
    assert types(events) == ["START", "RUNNING", "COMPLETE"]
    assert events[1]["inputs"][0]["name"] == "read/by/child"
    assert len(list((folder / ".relineage" / "events").glob("*.ndjson"))) == 2


def test_a_run_can_be_used_from_many_threads(lineage, folder):
    with lineage.run("train") as run:
        threads = [
            threading.Thread(target=lambda i=i: run.input(frame(20 + i), name=f"part/{i}")) for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    names = {one["name"] for one in events_in(folder)[-1]["inputs"]}
    assert names == {f"part/{i}" for i in range(8)}
