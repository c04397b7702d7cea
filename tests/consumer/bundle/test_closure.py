"""What belongs to x: enough for the same answers, and no more of other people's runs than that."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from oracle import HASHES, Oracle, Store, in_order
from soak import examples
from streams import PRODUCER, Json, Stream, at, dataset, encode, event, facet, parent, run_id, streams

from relineage.consumer.bundle import closure as closures
from relineage.consumer.bundle.closure import Closure
from relineage.consumer.errors import BundleError, QuestionError

LAW = examples(2, 40)

UPSTREAM = "select * exclude (also_written_by) from upstream($x)"
OF_RUNS = {
    view: f"select * from {view} where run_id in (select unnest($runs))"
    for view in ("runs", "inputs", "outputs", "seeds", "parameters", "metrics", "environments")
}


def send(store: Store, messages: list[bytes]) -> None:
    store.clear()
    store.ingest(messages)


def bodies(closure: Closure) -> list[bytes]:
    return [one.body for one in closure.events()]


def worth_asking(stream: Stream) -> list[str]:
    known = Oracle(stream, HASHES["md5"])
    runs = sorted({touch.run_id for touch in known.writes + known.reads})
    names = sorted({"/".join(touch.dataset) for touch in known.writes})
    digests = sorted({digest for digests in known.digests.values() for digest in digests})
    return [f"run:{one}" for one in runs[:1]] + [f"dataset:{one}" for one in names[:1]] + digests[:1]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_answers_from_the_events_of_the_closure_are_those_of_the_database(new_store: Any) -> None:
    whole, part = new_store(), new_store()

    @LAW
    @given(streams(wide=True))
    def law(stream: Stream) -> None:
        send(whole, stream)
        for x in worth_asking(stream):
            try:
                closure = Closure(whole.connection, x)
            except (BundleError, QuestionError):  # no run made it, or it is several things
                continue
            events = bodies(closure)
            send(part, events)
            for query in (UPSTREAM, "from reproducibility($x)"):
                expected = in_order(whole.sql(query, {"x": x}))
                assert in_order(part.sql(query, {"x": closure.of.x})) == expected, (x, query)
            for view, query in OF_RUNS.items():
                expected = in_order(whole.sql(query, {"runs": list(closure.runs)}))
                assert repr(in_order(part.sql(query, {"runs": list(closure.runs)}))) == repr(expected), view
            again = Closure(part.connection, closure.of.x)
            assert (again.of, again.runs, again.besides) == (closure.of, closure.runs, closure.besides)
            assert bodies(again) == events
            closure.close()
            again.close()

    law()


RAW, FRAME, MODEL = ("n", "raw"), ("n", "frame"), ("n", "model")
DIGEST, OTHER = "b3-table1:" + "aa" * 32, "b3-table1:" + "bb" * 32


def process(name: str) -> Json:
    return {"relineage_environment": facet(python="3.12", platform="x", process=name)}


def bundled(store: Store, x: str = "model") -> set[int]:
    """The numbers of the runs whose events belong to x."""
    closure = Closure(store.connection, x)
    runs = {json.loads(body).get("run", {}).get("runId") for body in bodies(closure)}
    closure.close()
    return {number for number in range(100) if run_id(number) in runs}


TRAINED = [
    event(1, 10, inputs=(dataset(RAW, "v1"),), outputs=(dataset(FRAME, "v1"),)),
    event(2, 20, inputs=(dataset(FRAME, "v1"),), outputs=(dataset(MODEL, "v1"),)),
]


@pytest.mark.parametrize(
    ("others", "belong"),
    [
        pytest.param([], {1, 2}, id="nobody else"),
        pytest.param([event(3, 30, inputs=(dataset(MODEL, "v1"),))], {1, 2}, id="who read x"),
        pytest.param([event(3, 5, outputs=(dataset(FRAME, "v1"),))], {1, 2}, id="who wrote the same before"),
        pytest.param([event(3, 15, outputs=(dataset(FRAME, "v1"),))], {2, 3}, id="who wrote the same last"),
        pytest.param([event(3, 15, inputs=(dataset(RAW, "v1"),))], {1, 2}, id="who read the same"),
        pytest.param(
            [event(2, 1, "START", run_facets={"parent": parent(3, 4)}), event(3, 0, "START"), event(4, 0, "START")],
            {1, 2, 3, 4}, id="the runs around it",
        ),
        pytest.param(
            [event(n, 0, "START", run_facets={"parent": parent(n - 1)}) for n in (3, 4)],
            {1, 2, 3}, id="the runs directly within it",
        ),
        pytest.param(
            [event(2, 1, "START", run_facets=process("p")), event(3, 30, run_facets=process("p")),
             event(4, 30, run_facets=process("q"))],
            {1, 2, 3}, id="runs of the same process",
        ),
        pytest.param(
            [event(1, 1, "START", run_facets={"parent": parent(3)}), event(3, 0, run_facets=process("p")),
             event(4, 30, run_facets=process("p"))],
            {1, 2, 3}, id="not those of the process around it",
        ),
    ],
)  # fmt: skip
def test_runs_belong_to_x_or_do_not(others: list[Json], belong: set[int], new_store: Any) -> None:
    store = new_store()
    store.ingest([encode(one) for one in TRAINED + others])
    assert bundled(store) == belong


def test_who_alone_says_that_two_names_are_one_belongs_to_it_and_of_many_the_least(new_store: Any) -> None:
    names = facet(identifiers=[{"namespace": "other", "name": "frame", "type": "TABLE"}])
    store = new_store()
    wrote, read = ("other", "frame"), FRAME
    trained = [
        event(1, 10, outputs=(dataset(wrote, "v1"),)),
        event(2, 20, inputs=(dataset(read, "v1"),), outputs=(dataset(MODEL, "v1"),)),
    ]
    store.ingest([encode(one) for one in trained])
    assert bundled(store) == {2}

    saying = [event(n, 30, inputs=(dataset(FRAME, "v0", symlinks=names),)) for n in (9, 5, 7)]
    store.ingest([encode(one) for one in saying])
    assert bundled(store) == {1, 2, 5}

    said_itself = event(2, 21, "RUNNING", inputs=(dataset(FRAME, "v1", symlinks=names),))
    store.ingest([encode(said_itself)])
    assert bundled(store) == {1, 2}


def test_who_alone_says_what_a_version_holds_belongs_to_it(new_store: Any) -> None:
    """The model was trained on a copy: that it is one only a third run says."""
    store = new_store()
    trained = [
        event(1, 10, outputs=(dataset(FRAME, "v1", digests=[DIGEST]),)),
        event(2, 20, inputs=(dataset(("n", "copy"), "c1"),), outputs=(dataset(MODEL, "v1"),)),
    ]
    store.ingest([encode(one) for one in trained])
    assert bundled(store) == {2}
    store.ingest([encode(event(6, 15, inputs=(dataset(("n", "copy"), "c1", digests=[DIGEST]),)))])
    assert bundled(store) == {1, 2, 6}


def test_events_without_a_run_come_along_if_they_speak_of_its_jobs_or_datasets(new_store: Any) -> None:
    def static(**what: Json) -> bytes:
        return encode({"eventTime": at(0), "producer": PRODUCER, **what})

    described = {"documentation": facet(description="what it is")}
    belonging = [
        static(dataset={"namespace": "n", "name": "frame", "facets": described}),
        static(job={"namespace": "etl", "name": "load", "facets": described}),
    ]
    others = [
        static(dataset={"namespace": "n", "name": "other", "facets": described}),
        static(job={"namespace": "etl", "name": "other", "facets": described}),
    ]
    store = new_store()
    store.ingest([encode(one) for one in TRAINED] + belonging + others)
    closure = Closure(store.connection, "model")
    assert set(bodies(closure)) == {encode(one) for one in TRAINED} | set(belonging)
    closure.close()


@pytest.mark.parametrize(
    ("x", "settled"),
    [
        ("model", "dataset:n/model@v2"),
        ("n/model@v1", "dataset:n/model@v1"),
        ("load", f"run:{run_id(3)}"),
        (run_id(1), f"run:{run_id(1)}"),
        (DIGEST.partition(":")[2][:8], f"digest:{DIGEST}"),
    ],
)
def test_what_x_is_stays_the_same_when_more_becomes_known(x: str, settled: str, new_store: Any) -> None:
    store = new_store()
    store.ingest(
        [encode(one) for one in TRAINED]
        + [
            encode(
                event(
                    3, 30, inputs=(dataset(FRAME, "v1"),), outputs=(dataset(MODEL, "v2", digests=[DIGEST]),)
                )
            )
        ]
    )
    closure = Closure(store.connection, x)
    assert closure.of.x == settled
    closure.close()


def test_a_raw_source_has_no_closure(new_store: Any) -> None:
    store = new_store()
    store.ingest([encode(one) for one in TRAINED])
    with pytest.raises(BundleError, match="no run is known that made raw"):
        Closure(store.connection, "raw")
    with pytest.raises(QuestionError, match="nothing is known as modl"):
        Closure(store.connection, "modl")


def test_events_of_large_closures_are_never_in_memory_together(
    new_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closures, "PIECE_BYTES", 500_000)
    store = new_store()
    size, count = 200_000, 40
    padded = {"acme": facet(text="x" * size)}
    store.ingest(
        [encode(event(1, 0, outputs=(dataset(MODEL, "v1"),)))]
        + [encode(event(1, number, "RUNNING", run_facets=padded)) for number in range(count)]
    )
    closure = Closure(store.connection, "model")
    tracemalloc.start()
    seen = [one.at for one in closure.events()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    closure.close()
    assert len(seen) == count + 1
    assert seen == sorted(seen)
    assert peak < size * count / 3
