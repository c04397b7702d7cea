"""What the sketch's graph got wrong, each with the number it is known by: it fails, ours does not."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from cli_projects import process_environment
from emitted import events_in
from pydantic import ValidationError
from sketch_graph import AILineageTracker, DataArtifact, LineageNode, TraditionalLineage
from sklearn.linear_model import LogisticRegression
from streams import dataset, encode, event, run_id

from relineage.consumer.consume import take_in
from relineage.consumer.store import Store
from relineage.emitter import Lineage
from relineage.facets import ALL

FRAME = pd.DataFrame({"a": range(50), "b": np.linspace(0, 1, 50)})


def node(inputs: list[str], output: str, **fields: Any) -> LineageNode:
    return LineageNode(**{
        "input_artifacts": inputs, "output_artifact": output, "operation_type": "train", "code_version": "HEAD",
        "model_version": None, "hyperparameters": {}, "random_seed": 1, **fields,
    })  # fmt: skip


class Sketch(AILineageTracker):
    """The tracker with the one method that logging calls and that does not exist."""

    def __init__(self, *nodes: LineageNode) -> None:
        super().__init__("anywhere")
        for one in nodes:
            self.log_transformation(one)

    def _persist_to_storage(self, node: LineageNode) -> None:
        pass


def told(number: int, reads: list[str], writes: list[str], **fields: Any) -> bytes:
    """A run at minute `number` that reads and writes versions `v` of some datasets."""
    inputs, outputs = (tuple(dataset(("n", one), "v") for one in names) for names in (reads, writes))
    return encode(event(number, 60 * number, inputs=inputs, outputs=outputs, **fields))


@pytest.fixture
def lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lineage:
    """Events into files of this folder."""
    monkeypatch.chdir(tmp_path)
    return Lineage(namespace="defects", environ={})


@contextmanager
def asked(lineage: Lineage) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Questions in SQL to what was recorded."""
    assert lineage.close()
    with Store.open() as store:
        take_in(store, [Path(".relineage/events")])
        yield lambda query: store.connection.execute(query).fetchall()


def test_g1_a_model_comes_from_all_that_it_was_trained_on(new_store: Any) -> None:
    tracker = Sketch(node(["a", "b", "c"], "model"), *(node([f"raw {one}"], one) for one in "abc"))
    assert [one.output_artifact for one in tracker.trace_to_source("model")] == ["model", "a"]

    store = new_store()
    store.ingest(
        [told(n, [], [one]) for n, one in enumerate("abc", 1)] + [told(9, ["a", "b", "c"], ["model"])]
    )
    rows = store.sql("select dataset_name, writer_run_id from upstream('model') where depth = 1 order by all")
    assert rows == [(one, run_id(n)) for n, one in enumerate("abc", 1)]


class Patience(dict[Any, Any]):
    """A graph that has enough after a thousand looks."""

    looks = 0

    def values(self) -> Any:
        self.looks += 1
        if self.looks > 1000:
            raise TimeoutError
        return super().values()


def test_g2_a_feedback_loop_ends_and_is_seen(new_store: Any) -> None:
    tracker = Sketch(node(["predictions"], "model"), node(["model"], "predictions"))
    tracker.lineage_graph = Patience(tracker.lineage_graph)
    with pytest.raises(TimeoutError):
        tracker.trace_to_source("model")

    store = new_store()
    store.ingest([told(1, ["predictions"], ["model"]), told(2, ["model"], ["predictions"])])
    edges = store.sql("select depth, writer_run_id, reader_run_id from upstream('model') order by depth")
    assert edges == [(0, run_id(1), None), (1, run_id(2), run_id(1)), (2, run_id(1), run_id(2))]


def test_g3_one_content_may_have_many_makers_and_a_reader_has_one(new_store: Any) -> None:
    tracker = Sketch(
        node(["x"], "data", random_seed=1), node(["y"], "data", random_seed=2), node(["data"], "m")
    )
    assert tracker.trace_to_source("m")[1].input_artifacts == ["x"]  # whoever came first, for ever

    store = new_store()
    store.ingest(
        [
            told(1, ["x"], ["data"]),
            told(2, ["y"], ["data"]),
            told(3, ["data"], ["m"]),
            told(4, ["x"], ["data"]),
        ]
    )
    [(writer, others)] = store.sql(
        "select writer_run_id, also_written_by from upstream('m') where dataset_name = 'data'"
    )
    assert writer == run_id(2)  # the latest before the read
    assert others == [run_id(1), run_id(4)]


def test_g4_one_recipe_with_two_outcomes_is_two_runs_and_a_finding(lineage: Lineage) -> None:
    tracker = Sketch(node(["x"], "y1"), node(["x"], "y2"))
    assert [one.output_artifact for one in tracker.lineage_graph.values()] == ["y2"]

    for number in range(2):
        with lineage.run("train", seed=1) as run:
            run.input(FRAME, name="x")
            run.output(FRAME + number, name="y")
    with asked(lineage) as sql:
        assert sql("select count(*), count(distinct recipe), count(distinct outcome) from runs") == [
            (2, 1, 2)
        ]


def test_g5_exchanged_roles_are_another_task(lineage: Lineage) -> None:
    assert node(["train", "test"], "m").node_id == node(["test", "train"], "m").node_id

    one, two = FRAME[:40], FRAME[40:].reset_index(drop=True)
    for train, test in ((one, two), (two, one)):
        with lineage.run("fit", seed=1) as run:
            run.input(train, name="a", role="train")
            run.input(test, name="b", role="test")
    with asked(lineage) as sql:
        assert sql("select count(distinct task) from runs") == [(2,)]


def test_g6_a_run_has_as_many_outputs_as_it_makes(lineage: Lineage) -> None:
    assert isinstance(node([], "only one").output_artifact, str)

    with lineage.run("split", seed=1) as run:
        run.output(FRAME[:40], name="t", role="train")
        run.output(FRAME[40:], name="v", role="test")
    with asked(lineage) as sql:
        assert sql("select role, dataset_name from outputs order by all") == [("test", "v"), ("train", "t")]


def test_g7_identities_have_256_bits_and_runs_a_uuid(lineage: Lineage) -> None:
    assert len(node([], "x").node_id) == 64 // 4

    with lineage.run("fit", seed=1) as run:
        run.output(FRAME, name="x")
    with asked(lineage) as sql:
        [(run_, *keys)] = sql(
            "select run_id, task, recipe, outcome, digest from runs join outputs using (run_id)"
        )
    assert UUID(run_).version == 7
    assert all(re.fullmatch(r"b3-[a-z]+1:[0-9a-f]{64}", key) for key in keys)


def test_g8_parameters_that_differ_are_told_apart_and_those_without_a_form_refused(lineage: Lineage) -> None:
    for value in (np.float32(1), {1, 2}, {1: "a", "b": 2}):
        with pytest.raises(TypeError):
            node([], "x", hyperparameters={"p": value})
    assert node([], "x", hyperparameters={1: 0}).node_id == node([], "x", hyperparameters={"1": 0}).node_id
    assert (
        node([], "x", hyperparameters={"p": (1,)}).node_id
        == node([], "x", hyperparameters={"p": [1]}).node_id
    )
    assert json.dumps({"p": float("nan")}) == '{"p": NaN}'  # which is no JSON

    values = [
        1,
        1.0,
        "1",
        True,
        (1,),
        [1],
        {1: 0},
        {"1": 0},
        {1, 2},
        {1: "a", "b": 2},
        float("nan"),
        np.float32(2),
    ]
    for value in values:
        with lineage.run("fit", seed=1, params={"p": value}):
            pass
    with lineage.run("fit", seed=1, params={"p": np.int64(1)}):  # the 1 above
        pass
    with lineage.run("fit", seed=1, params={"p": lambda: None}):
        pass
    with asked(lineage) as sql:
        assert sql("select count(*), count(task), count(distinct task) from runs") == [(14, 13, 12)]
        steps = "select body ->> '$.missing' as missing from facets where key = 'relineage_step'"
        [(missing,)] = sql(f"select missing from ({steps}) where missing is not null")
    assert "p" in missing


ON_A_MACHINE = """
import os, platform
platform.platform = lambda *arguments, **named: os.environ["MACHINE"]
from relineage.emitter import Lineage
with Lineage(namespace="defects").run("fit", seed=1) as run:
    run.output({"a": list(range(50))}, name="x")
"""


def test_g9_every_source_of_chance_and_the_setting_are_recorded_and_the_setting_is_in_no_key(
    lineage: Lineage,
) -> None:
    assert node([], "x", execution_metadata={"gpu": "A100"}).node_id == node([], "x").node_id
    assert node([], "x").random_seed == 1  # of which library?

    for machine in ("here", "there"):
        subprocess.run(
            [sys.executable, "-c", ON_A_MACHINE], env=process_environment() | {"MACHINE": machine}, check=True
        )
    with lineage.run("both", seed=1):
        np.random.random()
    with asked(lineage) as sql:
        query = "select platform, recipe from environments join runs using (run_id) where job_name = 'fit'"
        (here, one), (there, two) = sorted(sql(query))
        assert (here, there, one) == ("here", "there", two)
        libraries = {library for (library,) in sql("select library from seeds join runs using (run_id)")}
        assert "numpy" in libraries
        assert len(libraries) > 1
        assert sql("select distinct map_contains(packages, 'numpy') from environments") == [(True,)]


def test_g10_what_was_said_is_never_changed_and_said_again_adds_nothing(new_store: Any) -> None:
    one = node([], "x")
    was = one.node_id
    one.random_seed = 2
    assert one.node_id == was
    tracker = Sketch()
    for year in (2025, 2026):
        tracker.artifacts["artifact_1"] = DataArtifact("artifact_1", "1", "v1", 0, {}, datetime(year, 1, 1))  # noqa: DTZ001
    assert tracker.artifacts["artifact_1"].created_at.year == 2026  # the first is lost

    for facet in ALL:
        assert facet.model_config["frozen"], facet
    store = new_store()
    first, again, later = told(1, [], ["x"]), told(1, [], ["x"]), told(5, [], ["x"])
    store.ingest([later, first, again])
    assert store.sql("select count(*) from events") == [(2,)]
    [(written, writers)] = store.sql("select first_written_at, writers from dataset_versions")
    assert (written, writers) == (datetime(2026, 3, 1, 12, 1), 2)  # noqa: DTZ001


def test_g10_a_facet_cannot_be_changed_once_it_is_made() -> None:
    seeds = next(facet for facet in ALL if facet.KEY == "relineage_seeds")
    made = seeds.model_construct(entropy="1")
    with pytest.raises(ValidationError, match="frozen"):
        made.entropy = "2"  # type: ignore[attr-defined]


def test_g11_instants_are_utc_wherever_the_clock_hangs(
    lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sketch = TraditionalLineage()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        sketch.log_transform("a", "b", "select")
        assert sketch.operations[0]["timestamp"].tzinfo is None
        before = datetime.now(UTC)
        with lineage.run("fit", seed=1) as run:
            run.output(FRAME, name="x")
        with asked(lineage) as sql:
            [(started, received)] = sql("select min(event_time), min(received_at) from events")
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert all(one["eventTime"].endswith("Z") for one in events_in(Path.cwd()))
    for at in (started, received):
        assert 0 <= (at.replace(tzinfo=UTC) - before).total_seconds() < 60


def test_g12_an_event_is_on_the_disk_before_the_run_goes_on(lineage: Lineage) -> None:
    tracker = AILineageTracker("anywhere")
    with pytest.raises(AttributeError, match="_hash_data"):
        tracker.register_artifact(FRAME, {"schema_version": "v1"})
    with pytest.raises(AttributeError, match="_persist_to_storage"):
        tracker.log_transformation(node([], "x"))
    assert tracker.lineage_graph  # is in memory, and nowhere else

    with lineage.run("fit", seed=1) as run:
        assert [one["eventType"] for one in events_in(Path.cwd())] == ["START"]
        run.output(FRAME, name="x")
    assert events_in(Path.cwd())[-1]["eventType"] == "COMPLETE"


def test_g13_the_schema_is_the_data_s_own_and_what_has_no_length_is_recorded_too(lineage: Lineage) -> None:
    model = LogisticRegression().fit(FRAME, FRAME.a > 20)
    tracker = Sketch()
    tracker._hash_data = lambda data: "0" * 64  # type: ignore[attr-defined]
    tracker._compute_stats = lambda data: {}  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="has no len"):
        tracker.register_artifact(model, {"schema_version": "v1"})
    with pytest.raises(KeyError, match="schema_version"):
        tracker.register_artifact(FRAME, {})

    with lineage.run("fit", seed=1) as run:
        run.input(FRAME, name="frame")
        run.output(model, name="model")
    with asked(lineage) as sql:
        [(fields,)] = sql(
            "select body -> '$.fields[*].name' from facets where key = 'schema' and name = 'frame'"
        )
        assert sorted(json.loads(one) if one.startswith('"') else one for one in fields) == ["a", "b"]
        assert sql("select rows from dataset_versions where name = 'frame'") == [(50,)]
        assert sql("select rows, digest is not null from dataset_versions where name = 'model'") == [
            (None, True)
        ]


def test_g14_a_trace_does_not_look_at_every_run(new_store: Any) -> None:
    def chain(length: int) -> list[tuple[list[str], list[str]]]:
        return [([f"x{n}"], [f"x{n + 1}"]) for n in range(length)]

    looked = []
    for others in (100, 10_000):
        tracker = Sketch(*(node(reads, writes[0]) for reads, writes in chain(5)))
        tracker.lineage_graph |= {str(n): node([], f"other {n}") for n in range(others)}
        began = time.process_time()
        for _ in range(3):
            tracker.trace_to_source("x5")
        looked.append(time.process_time() - began)
    assert looked[1] > 20 * looked[0]

    spent = []
    for others in (100, 10_000):
        store = new_store()
        store.ingest([told(n + 1, reads, writes) for n, (reads, writes) in enumerate(chain(5))])
        store.ingest([told(n + 10, [f"in {n}"], [f"out {n}"]) for n in range(others)])
        trials = []
        for _ in range(3):
            began = time.process_time()
            assert len(store.sql("from upstream('x5')")) == 6
            trials.append(time.process_time() - began)
        spent.append(min(trials))
    assert spent[1] < 5 * spent[0]


def test_g15_the_origin_is_the_beginning_and_not_one_step_back(new_store: Any) -> None:
    sketch = TraditionalLineage()
    for source, target in (("raw", "clean"), ("clean", "features"), ("features", "model")):
        sketch.log_transform(source, target, "select")
    assert sketch.trace_origin("model") == ["features"]

    store = new_store()
    store.ingest(
        [told(1, ["raw"], ["clean"]), told(2, ["clean"], ["features"]), told(3, ["features"], ["model"])]
    )
    names = store.sql("select dataset_name from upstream('model') order by depth")
    assert names == [("model",), ("features",), ("clean",), ("raw",)]
