"""Events that others wrote: what may load loads, the rest are dead letters that say why, and nothing is lost.

The corpus lies beside the repository (its README says where each file is from). A reader of a few lines says
for every message what must become of it; the store must say the same. The states and bindings of the real
Spark runs are those that the oracle works out.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from oracle import Oracle, Store, canonical_run_id, event_digest, in_order, inputs_of, outputs_of, runs_of
from shared import SHARED

CORPUS = SHARED / "corpus"


def read_corpus() -> Iterator[tuple[Path, bytes]]:
    """Each message with its file: a document, an element of an array, a line."""
    for path in sorted(CORPUS.rglob("*json")):
        if path.name.endswith(".meta.json"):
            continue
        body = path.read_bytes()
        if path.suffix == ".ndjson":
            yield from ((path, line) for line in body.splitlines())
        elif isinstance(document := json.loads(body), list):
            yield from ((path, json.dumps(element).encode()) for element in document)
        else:
            yield path, body


def why_not(body: bytes) -> set[str]:
    """What a message lacks, as words of which its dead letter must have one; nothing if it must load."""
    document = json.loads(body)
    kind = next((kind for kind in ("run", "job", "dataset") if document.get(kind)), None)
    if kind is None:
        return {"not an event"}
    needs = {"run": [("run", "runId"), ("job", "namespace"), ("job", "name")]}
    lacks = {
        f"{entity}.{key}"
        for entity, key in needs.get(kind, [(kind, "namespace"), (kind, "name")])
        if not (document.get(entity) or {}).get(key)
    }
    try:
        datetime.fromisoformat(document.get("eventTime") or "")
    except ValueError:
        lacks.add("eventTime")
    return lacks


def said(document: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Every facet that an event carries: run id or None, entity, namespace, name, key."""
    run = document.get("run") and canonical_run_id(document["run"]["runId"])
    for key in (document.get("run") or {}).get("facets") or {}:
        yield run, "run", None, None, key
    for entity in ("job", "dataset"):
        if not run or entity == "job":
            told = document.get(entity) or {}
            for key in told.get("facets") or {}:
                yield None, entity, told["namespace"], told["name"], key
    for side, entity in (("inputs", "input"), ("outputs", "output")):
        for dataset in document.get(side) or []:
            for key in dataset.get("facets") or {}:
                yield None, "dataset", dataset["namespace"], dataset["name"], key
            for key in dataset.get(f"{entity}Facets") or {}:
                yield run, entity, dataset["namespace"], dataset["name"], key


MESSAGES = list(read_corpus())
LOADING = [(path, body) for path, body in MESSAGES if not why_not(body)]
LETTERS = [(path, body) for path, body in MESSAGES if why_not(body)]


def messages(folder: str) -> list[bytes]:
    return [body for path, body in MESSAGES if path.is_relative_to(CORPUS / folder)]


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in LOADING]


@pytest.fixture
def store(new_store: Any) -> Store:
    made: Store = new_store()
    for folder in sorted(folder.name for folder in CORPUS.iterdir() if folder.is_dir()):
        made.ingest(messages(folder), source=folder)
    return made


def test_the_corpus_has_what_these_tests_are_about() -> None:
    folders = Counter(path.relative_to(CORPUS).parts[0] for path, _ in LOADING)
    assert folders == {
        "marquez": 23,
        "openlineage-client-python": 4,
        "openlineage-compatibility": 14,
        "spark": 302,
        "spec-instances": 1,  # the only one there that is an event
    }
    reasons = Counter(reason for _, body in LETTERS for reason in why_not(body))
    assert reasons == {"eventTime": 100, "not an event": 46, "run.runId": 22, "job.name": 1}


def test_what_may_not_load_is_a_dead_letter_that_says_why(store: Store) -> None:
    letters = store.sql("select body, reason from dead_letters")
    reasons = {json.dumps(json.loads(bytes_of(body)), sort_keys=True): reason for body, reason in letters}
    expected = {json.dumps(json.loads(body), sort_keys=True): why_not(body) for _, body in LETTERS}
    assert reasons.keys() == expected.keys()
    for body, words in expected.items():
        assert any(word.lower() in reasons[body].lower() for word in words), (words, reasons[body])


def bytes_of(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


def test_every_other_event_is_kept(store: Store) -> None:
    [(count,)] = store.sql("select count(*) from events")
    assert count == len({body for _, body in LOADING})


def test_every_run_input_output_and_dataset_is_found(store: Store, documents: list[dict[str, Any]]) -> None:
    runs, jobs = set(store.sql("select run_id from runs")), set(store.sql("select namespace, name from jobs"))
    datasets = set(store.sql("select namespace, name from datasets"))
    sides = {
        side: set(store.sql(f"select run_id, dataset_namespace, dataset_name from {side}"))
        for side in ("inputs", "outputs")
    }
    told: dict[str, set[tuple[Any, ...]]] = {"inputs": set(), "outputs": set()}
    for document in documents:
        run = document.get("run") and canonical_run_id(document["run"]["runId"])
        assert not run or (run,) in runs
        job, dataset = document.get("job"), document.get("dataset")
        assert not job or (job["namespace"], job["name"]) in jobs
        assert run or not dataset or (dataset["namespace"], dataset["name"]) in datasets
        for side, named in told.items():
            for entry in document.get(side) or []:
                assert (entry["namespace"], entry["name"]) in datasets
                if run:
                    named.add((run, entry["namespace"], entry["name"]))
    assert sides == told


def test_every_facet_is_found_where_it_was_said(store: Store, documents: list[dict[str, Any]]) -> None:
    """Run, input and output facets under their run; job and dataset facets under their names."""
    rows = store.sql("select run_id, entity, namespace, name, key from facets")
    found = {key_of(*row) for row in rows}
    missing = {key_of(*facet) for document in documents for facet in said(document)} - found
    assert not missing


def key_of(run: Any, entity: str, namespace: Any, name: Any, key: str) -> tuple[Any, ...]:
    """What the columns must agree on for a facet of this entity."""
    match entity:
        case "run":
            return run, key
        case "job" | "dataset":
            return entity, namespace, name, key
    return run, entity, namespace, name, key


def test_the_latest_facet_of_a_run_is_the_one_shown(store: Store, new_store: Any) -> None:
    expected = Oracle([body for _, body in LOADING], event_digest(new_store())).run_facets()
    rows = store.sql("select run_id, key, body from facets where entity = 'run'")
    shown = {(run, key): json.loads(body) if isinstance(body, str) else body for run, key, body in rows}
    assert shown == expected


@pytest.mark.parametrize("folder", ["spark", "openlineage-compatibility", "marquez"])
def test_states_and_bindings_are_those_of_the_rules(folder: str, new_store: Any) -> None:
    """Spark says FAIL and then COMPLETE, mostly no versions, two names for one table; streams, parents."""
    store: Store = new_store()
    digest = event_digest(store)
    bodies = messages(folder)
    store.ingest(bodies)
    expected = Oracle(bodies, digest)
    stubs = expected.root_ids - expected.run_ids
    assert {run: row for run, row in runs_of(store).items() if run not in stubs} == expected.runs()
    assert in_order(inputs_of(store)) == in_order(expected.inputs())
    assert in_order(outputs_of(store)) == in_order(expected.outputs())


def test_a_failed_spark_run_is_failed_although_it_says_complete_afterwards(new_store: Any) -> None:
    store: Store = new_store()
    bodies = messages("spark")
    store.ingest(bodies)
    documents = [json.loads(body) for body in bodies]
    failed = {document["run"]["runId"] for document in documents if document["eventType"] == "FAIL"}
    completed = {document["run"]["runId"] for document in documents if document["eventType"] == "COMPLETE"}
    assert failed & completed
    states = dict(store.sql("select run_id, state from runs"))
    assert {states[run] for run in failed} == {"FAIL"}
    assert {states[run] for run in completed - failed} == {"COMPLETE"}
