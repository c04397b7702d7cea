"""What a run makes of the results of runs within it without saying so: nobody can say what it comes from, nor that
nothing differs.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from emitted import events_in
from streams import TABLE_A, dataset, encode, event, parent

from relineage.consumer.ask import Ask
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store
from relineage.emitter import Lineage


def train(lineage, rate, how):
    @lineage.step
    def load(path):
        return np.loadtxt(path)

    @lineage.step
    def fit(data, rate):
        return data * rate

    with lineage.run("training", seed=1) as run:
        weights = fit(load(Path("raw.txt")), rate)
        if how == "declared":
            run.input(weights, role="weights")
        if how == "handed on":
            run.output(weights, name="model")
        else:
            np.save("model.npy", weights if how == "saved as it is" else np.append(weights, rate))
            run.output(Path("model.npy"), name="model")


def asked(folder, how, rates, question):
    np.savetxt("raw.txt", np.arange(20.0) ** 2)
    for rate in rates:
        lineage = Lineage(namespace="n", environ={})
        train(lineage, rate, how)
        assert lineage.close()
    bodies = [json.dumps(event).encode() for event in events_in(folder)]
    messages = [Message(body=body, source="s", offset=offset) for offset, body in enumerate(bodies)]
    with Store.open(folder / "lineage.duckdb") as store:
        store.ingest(Batch(messages))
        return question(store.connection)


@pytest.mark.parametrize(
    ("how", "status", "runs"),
    [
        ("saved", "unknown", {"training"}),
        ("declared", "passed", {"training", "fit", "load"}),
        ("handed on", "passed", {"training", "fit", "load"}),
        ("saved as it is", "passed", {"training", "fit", "load"}),
    ],
)
def test_what_was_made_within_and_not_declared_leaves_the_inputs_unknown(
    how, status, runs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    checks = asked(tmp_path, how, [1.5], lambda connection: Ask(connection).reproducibility("model"))

    assert {one.job_name for one in checks} == runs
    [found] = [one for one in checks if one.check_name == "inputs_known" and one.job_name == "training"]
    assert found.status == status
    assert ("fit, load" in found.reason) == (status == "unknown")


def test_the_same_content_made_within_counts_as_handed_on_only_where_the_trace_leads_there(tmp_path):
    """A worker process made it, say, and nobody recorded that it was read."""
    model, made = (dataset(("n", name), name, digests=[TABLE_A]) for name in ("model", "made"))
    told = [
        event(1, 10, outputs=(model,)),
        event(2, 5, job=("n", "fit"), outputs=(made,), run_facets={"parent": parent(1)}),
    ]
    messages = [Message(body=encode(one), source="s", offset=offset) for offset, one in enumerate(told)]
    with Store.open(tmp_path / "lineage.duckdb") as store:
        store.ingest(Batch(messages))
        checks = Ask(store.connection).reproducibility("model")

    [found] = [one for one in checks if one.check_name == "inputs_known"]
    assert (found.status, "fit" in found.reason) == ("unknown", True)


def test_why_names_the_first_run_within_that_came_to_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def question(connection):
        versions = connection.execute(
            "select version from dataset_versions where name = 'model' order by first_written_at"
        ).fetchall()
        [told] = [
            one
            for one in Ask(connection).why(*(f"model@{version}" for (version,) in versions))
            if one.grade != "also"
        ]
        a, b = told.a.split()[-2:]
        return told, [one.what for one in Ask(connection).why(a, b) if one.grade == "cause"]

    told, further = asked(tmp_path, "saved", [1.5, 2.5], question)

    assert (told.what, told.grade, told.job_name) == ("unknown", "unknown", "training")
    assert told.a.startswith("fit within it came to something else: relineage why ")
    assert further == ["parameter rate"]
