"""Functions, classes and generators that are handed to steps: a difference in one of them is named as what it is."""

import json

import numpy as np
import pytest
from emitted import events_in
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error

from relineage.consumer.ask import Ask
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store
from relineage.emitter import Lineage

X = np.arange(20.0).reshape(10, 2) ** 1.5
Y = X[:, 0] * 3 + np.sin(X[:, 1])


def mean_error(truth, told):
    return (truth - told).mean() + 1


def greatest_error(truth, told):
    return abs(truth - told).max()


class Config:
    def __init__(self, scale):
        self.scale = scale


class Large:
    """More than is looked at in an object that is a parameter."""

    def __init__(self, factor):
        self.factors = np.full(100_000, factor)


def pipeline(
    lineage, *, model=Ridge, scale=1.0, metric=mean_absolute_error, seed=1, own=3, before=2, factor=1.0
):
    """A fit, and noise from a generator of its own and from one of the run's."""

    @lineage.step
    def fit(x, y, model, metric):
        return {"score": float(metric(y, model().fit(x, y).predict(x)))}

    @lineage.step
    def scaled(x, config):
        return x * config.scale

    @lineage.step
    def weighed(x, large):
        return x * large.factors[0]

    @lineage.step
    def noise(rng, size):
        return rng.normal(size=size)

    with lineage.run("around", seed=seed) as run:
        fit(X, Y, model, metric)
        scaled(X, Config(scale))
        weighed(X, Large(factor))
        generator = np.random.default_rng(own)
        generator.normal(size=before)
        noise(generator, 5)
        noise(run.generator(), 5)


def why(folder, job, call, *variants):
    """The answer to why the call of a job differs in two executions."""
    for changes in variants:
        lineage = Lineage(namespace="n", environ={})
        pipeline(lineage, **changes)
        assert lineage.close()
    bodies = [json.dumps(event).encode() for event in events_in(folder)]
    messages = [Message(body=body, source="s", offset=offset) for offset, body in enumerate(bodies)]
    with Store.open(folder / "lineage.duckdb") as store:
        store.ingest(Batch(messages))
        found = store.connection.execute(
            "select run_id from runs where job_name = ? order by started_at, run_id", [job]
        ).fetchall()
        runs = [run_id for (run_id,) in found]
        return Ask(store.connection).why(runs[call], runs[call + len(runs) // 2])


@pytest.mark.parametrize(
    ("change", "job", "call", "causes"),
    [
        pytest.param({"model": LinearRegression}, "fit", 0, ["parameter model"], id="class"),
        pytest.param({"metric": mean_squared_error}, "fit", 0, ["parameter metric"], id="function"),
        pytest.param({"scale": 2.0}, "scaled", 0, ["parameter config"], id="object"),
        pytest.param({"own": 4}, "noise", 0, ["parameter rng"], id="generator with another seed"),
        pytest.param({"before": 1}, "noise", 0, ["parameter rng"], id="generator that was used before"),
        pytest.param({"seed": 2}, "noise", 1, ["seed"], id="generator of a run with another seed"),
    ],
)
def test_what_was_handed_over_is_the_cause(tmp_path, monkeypatch, change, job, call, causes):
    monkeypatch.chdir(tmp_path)
    told = why(tmp_path, job, call, {}, change)

    assert [one.what for one in told if one.grade != "also"] == causes


def test_the_code_of_another_function_is_told_besides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = why(tmp_path, "fit", 0, {"metric": mean_error}, {"metric": greatest_error})

    assert [(one.what, one.grade) for one in told] == [("parameter metric", "cause"), ("code", "also")]


def test_an_object_of_which_only_the_type_is_recorded_may_have_been_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [told] = why(tmp_path, "weighed", 0, {}, {"factor": 2.0})

    assert (told.what, told.grade, told.a) == (
        "unknown",
        "unknown",
        "only the type is known of parameter large",
    )
