"""Events as documents, bytes and keys."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from openlineage.client.event_v2 import Dataset, DatasetEvent, Job, JobEvent, Run, RunEvent, RunState
from openlineage.client.facet_v2 import parent_run
from openlineage.client.serde import Serde
from openlineage.client.transport.kafka import KafkaTransport as StockTransport

from relineage.emitter.transport import message

NOW = "2026-01-31T10:00:03.000001Z"


def parent(*, root: str | None = None) -> parent_run.ParentRunFacet:
    return parent_run.ParentRunFacet(
        run=parent_run.Run(runId=str(uuid4())),
        job=parent_run.Job(namespace="fraud", name="nightly"),
        root=None
        if root is None
        else parent_run.Root(
            run=parent_run.RootRun(runId=str(uuid4())), job=parent_run.RootJob(namespace="all", name=root)
        ),
    )


def run_event(**facets: Any) -> RunEvent:
    return RunEvent(
        eventTime=NOW,
        producer="https://example.com/tests",
        run=Run(runId=str(uuid4()), facets=facets),
        job=Job(namespace="fraud", name="train"),
        eventType=RunState.COMPLETE,
    )


EVENTS = {
    "run": (run_event(), "run:fraud/train"),
    "run with a parent": (run_event(parent=parent()), "run:fraud/nightly"),
    "run with a root": (run_event(parent=parent(root="everything")), "run:all/everything"),
    "job": (
        JobEvent(eventTime=NOW, producer="https://example.com/tests", job=Job(namespace="n", name="j")),
        "job:n/j",
    ),
    "dataset": (
        DatasetEvent(
            eventTime=NOW, producer="https://example.com/tests", dataset=Dataset(namespace="n", name="d")
        ),
        "dataset:n/d",
    ),
}


@pytest.mark.parametrize(("event", "key"), EVENTS.values(), ids=list(EVENTS))
def test_the_key_is_the_one_of_the_stock_transport(event: Any, key: str) -> None:
    stock = StockTransport.__new__(StockTransport)  # its key rule needs no producer
    assert message.message_key(Serde.to_dict(event)) == stock._get_message_key(event) == key


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"run": None},
        {"run": {"facets": {"parent": [1]}}},
        {"run": {"facets": {"parent": {"job": "train"}}}, "job": 7},
        {"job": {"namespace": "n"}},
        {"dataset": {"name": "d"}},
    ],
    ids=str,
)
def test_a_document_that_names_nothing_has_no_key(document: dict[str, Any]) -> None:
    assert message.message_key(document) is None


def test_a_parent_without_a_name_leaves_the_runs_own_job() -> None:
    document = {
        "run": {"facets": {"parent": {"job": {"namespace": "fraud"}}}},
        "job": {"namespace": "fraud", "name": "train"},
    }
    assert message.message_key(document) == "run:fraud/train"


def test_an_object_and_its_document_are_the_same_bytes() -> None:
    event = run_event(parent=parent(root="everything"))
    document, body = message.serialise(event)
    assert message.serialise(document)[1] == body
    assert document["eventType"] == "COMPLETE"


def test_a_document_is_not_changed(make_event: Callable[..., dict[str, Any]]) -> None:
    event = make_event()
    before = repr(event)
    document, _ = message.serialise(event)
    assert document is event
    assert repr(event) == before
