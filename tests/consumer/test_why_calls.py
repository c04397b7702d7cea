"""A call more, or an epoch: what differs then is told by its name, and the seed that nobody changed is not."""

import json

import numpy as np
import pandas as pd
import pytest
from emitted import events_in

from relineage.consumer.ask import Ask
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store
from relineage.emitter import Lineage


def train(lineage, *, epochs=2, seed=7, part=None):
    """Epochs one after the other, each on the weights of the one before; `part` is the seed of a run around them."""

    @lineage.step
    def epoch(weights, data):
        return weights + np.random.permutation(data)

    with lineage.run("training", seed=seed, params={"epochs": epochs}) as run:
        weights, data = np.zeros(9), np.arange(9.0)
        with lineage.run("part", seed=part):
            for _ in range(epochs):
                weights = epoch(weights, data)
        run.output(weights, name="weights")


def draws(lineage, *, calls=1):
    @lineage.step(seed=7, names={"output": "drawn"})
    def draw():
        return np.random.random(9)

    for _ in range(calls):
        draw()


def why(folder, job, execute, *variants):
    """Why the last runs of a job differ, of two executions."""
    ended = []
    for changes in variants:
        lineage = Lineage(namespace="n", environ={})
        execute(lineage, **changes)
        assert lineage.close()
        runs = [e for e in events_in(folder) if e["job"]["name"] == job and e["eventType"] == "COMPLETE"]
        ended.append(runs[-1]["run"]["runId"])
    bodies = [json.dumps(event).encode() for event in events_in(folder)]
    messages = [Message(body=body, source="s", offset=offset) for offset, body in enumerate(bodies)]
    with Store.open(folder / "lineage.duckdb") as store:
        store.ingest(Batch(messages))
        told = Ask(store.connection).why(*ended)
        in_sql = store.connection.execute(
            "select what, grade, a, b from why(?, ?) order by rank", ended
        ).fetchall()
        assert [(one.what, one.grade, one.a, one.b) for one in told] == in_sql
    return [(one.what, one.job_name, one.a, one.b) for one in told if one.grade == "cause"]


@pytest.mark.parametrize(
    ("variants", "job", "causes"),
    [
        pytest.param(
            [{}, {"epochs": 3}],
            "training",
            [("input", "epoch"), ("parameter epochs", "training")],
            id="an epoch more",
        ),
        pytest.param(
            [{}, {"seed": 8}], "training", [("seed", "epoch")], id="another seed of the outermost run"
        ),
        pytest.param(
            [{"part": 1}, {"part": 2}], "training", [("seed", "epoch")], id="another seed of a run in between"
        ),
    ],
)
def test_of_a_training_with_another_number_of_epochs_the_seed_is_no_cause(
    variants, job, causes, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    assert [one[:2] for one in why(tmp_path, job, train, *variants)] == causes


def test_a_seed_is_told_as_the_one_that_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [(_, _, a, b)] = why(tmp_path, "training", train, {"part": 1}, {"part": 2})

    assert (a.split(",")[0], b.split(",")[0]) == ("1", "2")


def test_where_the_step_alone_is_asked_for_it_is_a_parameter_of_the_run_around(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = why(tmp_path, "epoch", train, {}, {"epochs": 3})

    assert [one[:2] for one in told] == [("input", "epoch"), ("parameter epochs of the parent run", "epoch")]


def test_the_next_call_of_a_step_with_a_seed_is_another_call_and_no_other_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [(what, job, a, b)] = why(tmp_path, "draw", draws, {}, {"calls": 2})

    assert (what, job) == ("order of calls", "draw")
    assert a.startswith("7, derived ")
    assert b.startswith("7, derived ")


def handed(lineage, *, scale, named):
    @lineage.step
    def fit(x):
        return x.cumsum()

    with lineage.run("around", seed=1, params={"scale": scale}) as run:
        made = np.arange(20.0) * scale
        if named:
            run.input(made, name="measured")
        run.output(fit(made), name="fitted")


@pytest.mark.parametrize(
    ("named", "causes"),
    [
        (False, [("input", "fit"), ("parameter scale of the parent run", "fit")]),
        (True, [("input", "fit")]),  # what has a name is data
    ],
)
def test_of_an_object_that_a_run_hands_to_a_step_the_parameters_of_that_run_may_be_the_cause(
    named, causes, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    told = why(tmp_path, "fit", handed, {"scale": 1, "named": named}, {"scale": 2, "named": named})

    assert [one[:2] for one in told] == causes


def tabulate(lineage, *, text, value):
    with lineage.run("tabulate", seed=1) as run:
        data = "a text " * 99 + str(value) if text else np.arange(9.0) * value
        run.input(data, name="data")
        run.output(pd.DataFrame({"a": np.arange(9.0) * value}), name="table")


@pytest.mark.parametrize(("text", "what"), [(False, "input"), (True, "column a")])
def test_of_data_that_is_not_known_by_its_bytes_alone_no_column_of_what_was_made_of_it_is_told(
    text, what, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    told = why(tmp_path, "tabulate", tabulate, {"text": text, "value": 1}, {"text": text, "value": 2})

    assert [one[0] for one in told] == [what]


def configured(lineage, *, table, model, value):
    with lineage.run("train", seed=1) as run:
        run.input(f"rate: {value}", name="configuration")
        if table:
            run.input(pd.DataFrame({"x": np.arange(9.0)}), name="data")
        made = np.arange(9.0) * value
        run.output({"weight": made, "bias": made + 1} if model else pd.DataFrame({"a": made}), name="made")


@pytest.mark.parametrize(("table", "model"), [(False, True), (True, False), (True, True)])
def test_of_a_configuration_no_tensor_or_column_of_what_was_made_with_it_is_told(
    table, model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    told = why(
        tmp_path, "train", configured, *({"table": table, "model": model, "value": value} for value in (1, 2))
    )

    assert [one[0] for one in told] == ["input"]


def shuffled(lineage, *, seed, scale):
    """A step that draws nothing, and one that does, in one run with a seed."""

    @lineage.step
    def scaled(frame, scale):
        return frame * scale

    @lineage.step
    def shuffle(frame):
        return frame.sample(frac=1.0)

    with lineage.run("all", seed=seed):
        shuffle(scaled(pd.DataFrame({"a": np.arange(9.0)}), scale))


@pytest.mark.parametrize(
    ("seed", "scale", "causes"),
    [
        (2, 2, [("parameter scale", "scaled"), ("seed", "shuffle")]),
        (2, 1, [("seed", "shuffle")]),
        (1, 2, [("parameter scale", "scaled")]),
    ],
)
def test_a_seed_is_told_where_it_was_drawn_from_and_not_of_a_step_that_something_else_explains(
    seed, scale, causes, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    told = why(tmp_path, "shuffle", shuffled, {"seed": 1, "scale": 1}, {"seed": seed, "scale": scale})

    assert [one[:2] for one in told] == causes
