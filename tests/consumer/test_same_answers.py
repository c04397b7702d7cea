"""The same messages give the same answers, whichever way they came: Kafka, a file of lines, a folder, a pipe."""

import io
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from answers import answers
from kafka import KafkaProducer
from streams import dataset, encode, event, facet, occurrence, parent, run_id

from relineage.consumer.consume import consume_kafka, take_in
from relineage.consumer.store import Store

CASES = Path(__file__).parent / "cases"


def messages() -> list[bytes]:
    """Those of all cases, the bad ones included, and a pipeline of our own. An empty line is no message of a file."""
    told = [
        line for path in sorted(CASES.glob("*.ndjson")) for line in path.read_bytes().split(b"\n") if line
    ]
    table = {"io": occurrence("table", 3), "digests": ["b3-table1:" + "7" * 64]}
    for run in range(20, 40):
        written = dataset(
            ("lake", f"t{run % 7}"), f"v{run}" if run % 3 else None, **(table if run % 2 else {})
        )
        read = dataset(("lake", f"t{(run + 3) % 7}"))
        facets = {"parent": parent(run - 1)} if run % 5 == 0 else {}
        told += [encode(event(run, run, "START", inputs=(read,), run_facets=facets))]
        told += [encode(event(run, run + 1, "COMPLETE", outputs=(written,)))]
    # One recipe with two outcomes, another seed of the same task, and a replay.
    for run, seed, outcome in ((40, 1, "5"), (41, 1, "6"), (42, 2, "7")):
        facets = {
            "relineage_seeds": facet(entropy=f"{seed}", given=True),
            "relineage_step": facet(
                operation="train",
                task=f"b3-task1:{'0' * 64}",
                recipe=f"b3-recipe1:{str(seed) * 64}",
                outcome=f"b3-outcome1:{outcome * 64}",
            ),
            "relineage_metrics": facet(metrics=[{"name": "auc", "value": run / 100}]),
        }
        told += [encode(event(run, run, job=("fraud", "train"), run_facets=facets))]
    replay = facet(original=run_id(40), verdict="bitwise")
    told += [encode(event(43, 43, job=("relineage", "replay"), run_facets={"relineage_replay": replay}))]
    return told


MESSAGES = messages()


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open() as opened:
        yield opened


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Any]]:
    """The answers from one file of lines."""
    with Store.open() as opened:
        opened.ingest(_as_batch(MESSAGES))
        return answers(opened)


def _as_batch(bodies: list[bytes]) -> Any:
    from relineage.consumer.ingest.batch import Batch, Message

    return Batch([Message(body=body, source="test", offset=offset) for offset, body in enumerate(bodies)])


def test_there_is_something_to_compare(expected: dict[str, list[Any]]) -> None:
    assert len(expected) >= 18
    assert [view for view, rows in expected.items() if not rows] == []


def test_a_file_of_lines(store: Store, expected: dict[str, list[Any]], tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(MESSAGES) + b"\n")
    take_in(store, [tmp_path / "events.ndjson"])
    assert answers(store) == expected


def test_a_folder_of_documents(store: Store, expected: dict[str, list[Any]], tmp_path: Path) -> None:
    for number, body in enumerate(reversed(MESSAGES)):
        (tmp_path / f"{number:03}.json").write_bytes(body)
    take_in(store, [tmp_path])
    assert answers(store) == expected


def test_standard_input(
    store: Store, expected: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(MESSAGES))))
    take_in(store, ["-"])
    assert answers(store) == expected


def test_several_partitions_of_a_topic(
    store: Store, expected: dict[str, list[Any]], kafka: str, topic: str
) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka)
    for number, body in enumerate([*MESSAGES, *MESSAGES[::5]]):  # some twice
        producer.send(topic, value=body, partition=number % 4)
    producer.flush()
    producer.close()
    consume_kafka(store, bootstrap=kafka, topics=[topic], until_current=True, stop=threading.Event())
    deliveries = "select (select count(*) from store.event) + (select count(*) from store.dead_letter)"
    assert store.connection.execute(deliveries).fetchall()[0][0] > len(MESSAGES)
    assert answers(store) == expected


def test_one_source_after_the_other_changes_nothing(
    store: Store, expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    for part in (0, 1, 2):
        path = tmp_path / f"{part}.ndjson"
        path.write_bytes(b"\n".join(MESSAGES[part::2] if part < 2 else MESSAGES) + b"\n")
        take_in(store, [path])
    assert answers(store) == expected


@pytest.fixture(scope="module")
def arrivals() -> Iterator[list[Store]]:
    """Three runs of a job in one instant, which read and wrote versions of the same datasets, in every order."""
    told = [
        encode(
            event(
                number,
                0,
                inputs=(dataset(("lake", "raw"), f"v{number}"),),
                outputs=(dataset(("lake", "made"), f"v{number}"),),
            )
        )
        for number in (1, 2, 3)
    ]
    with ExitStack() as opened:
        stores = []
        for order in permutations(told):
            stores.append(opened.enter_context(Store.open()))
            for body in order:
                stores[-1].ingest(_as_batch([body]))
        yield stores


@pytest.mark.parametrize("x", ["job:etl/load", "dataset:lake/raw", "dataset:lake/made", "run:RUN"])
def test_a_tie_is_settled_by_what_was_said_and_not_by_the_order_of_arrival(
    x: str, arrivals: list[Store]
) -> None:
    asked = x.replace("RUN", run_id(2))
    found = set()
    for store in arrivals:
        for macro in ("upstream", "downstream", "reproducibility"):
            rows = store.connection.execute(f"from {macro}($x)", {"x": asked}).fetchall()
            found.add((macro, repr(sorted(map(repr, rows)))))
    assert len(found) == 3
