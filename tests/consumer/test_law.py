"""The law: the answers are a function of the set of events, and they are the ones that the rules give.

Drawn streams are sent in many orders, batches and repetitions. After every batch each hot table must equal
its definition over the cold ones; at the end every public view and the trace must be the same; and what the
views and the trace say must be what the oracle works out from the same messages.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import (
    HASHES,
    Digest,
    Oracle,
    Store,
    downstream_of,
    event_digest,
    in_order,
    inputs_of,
    outputs_of,
    runs_of,
    upstream_of,
)
from soak import examples
from streams import Stream, arrangements, streams

ORDERS, ORACLE, FACETS = examples(6, 100), examples(20, 400), examples(8, 150)

DELIVERY = {"source", "topic", "partition", "offset", "next_offset"}
ARRIVAL = {"arrived_at", "ingested_at", "received_at", "stored_at", "first_arrived_at"}
PROMISED = """runs jobs datasets dataset_versions artifacts inputs outputs facets models seeds parameters
metrics environments feature_stats column_lineage events dead_letters event_problems"""


def public_views(store: Store) -> dict[str, list[str]]:
    """Each public view with the columns that do not depend on how its events were delivered."""
    rows = store.sql(
        """select view_name, column_name
           from duckdb_views() join duckdb_columns()
             on duckdb_columns.table_oid = duckdb_views.view_oid
            and duckdb_columns.database_name = duckdb_views.database_name
           where duckdb_views.schema_name = 'main' and not duckdb_views.internal
           order by view_name, column_index"""
    )
    views: dict[str, list[str]] = {}
    for view, column in rows:
        if column not in DELIVERY | ARRIVAL:
            views.setdefault(view, []).append(column)
    assert views.keys() >= set(PROMISED.split())
    return views


def answers(store: Store, views: dict[str, list[str]], asked: Sequence[str]) -> dict[str, list[Any]]:
    """Every row of every public view, and of the trace of what is asked."""
    found = {}
    for view, columns in views.items():
        listed = ", ".join(f'"{column}"' for column in columns)
        found[view] = in_order(store.sql(f'select {listed} from "{view}"'))
    for x in asked:
        for macro in ("upstream", "downstream"):
            found[f"{macro} {x}"] = in_order(store.sql(f"from {macro}($x)", {"x": x}))
    return found


def send(store: Store, stream: Stream, batches: list[list[int]], *, checked: bool = False) -> None:
    """Batches alternate between two sources; `checked`: hot tables equal their definitions after each."""
    store.clear()
    for number, batch in enumerate(batches):
        store.ingest([stream[message] for message in batch], source=f"source-{number % 2}")
        if checked:
            for table, (hot, true) in store.truth().items():
                assert hot == true, table


def worth_asking(stream: Stream) -> list[str]:
    """A few things that the stream knows: runs that wrote or read, and datasets that were written."""
    known = Oracle(stream, HASHES["md5"])
    runs = sorted({touch.run_id for touch in known.writes + known.reads})
    names = sorted({"/".join(touch.dataset) for touch in known.writes})
    return [*(f"run:{run}" for run in runs[:2]), *(f"dataset:{name}" for name in names[:1])]


@pytest.mark.soak
@pytest.mark.timeout(3600)  # for the time that finding the smallest counterexample takes
def test_every_order_batching_and_repetition_gives_the_same_answers(new_store: Any) -> None:
    store: Store = new_store()
    views = public_views(store)

    @ORDERS
    @given(st.data())
    def law(data: st.DataObject) -> None:
        stream = data.draw(streams(wide=True))
        asked = worth_asking(stream)
        send(store, stream, [list(range(len(stream)))], checked=True)
        expected = answers(store, views, asked)
        send(store, stream, data.draw(arrangements(len(stream))), checked=True)
        found = answers(store, views, asked)
        for question, rows in expected.items():
            assert repr(found[question]) == repr(rows), question  # repr: a NaN is not equal to itself

    law()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_answers_are_those_of_the_rules(new_store: Any) -> None:
    store: Store = new_store()
    digest = event_digest(store)

    @ORACLE
    @given(streams(), st.data())
    def law(stream: Stream, data: st.DataObject) -> None:
        send(store, stream, data.draw(arrangements(len(stream))))
        compare(store, stream, digest)

    law()


def compare(store: Store, stream: Stream, digest: Digest) -> None:
    expected = Oracle(stream, digest)
    runs = runs_of(store)
    stubs = expected.root_ids - expected.run_ids  # whether a run known only as a root has a row is left open
    assert {run: row for run, row in runs.items() if run not in stubs} == expected.runs()
    assert all(runs[stub][:3] == (None, None, None) for stub in stubs & runs.keys())
    named = dict(store.sql("select run_id, (job_namespace, job_name) from runs"))
    for run in expected.events_of:
        if len(expected.jobs(run)) == 1:
            assert {named[run]} == expected.jobs(run)

    assert in_order(inputs_of(store)) == in_order(expected.inputs())
    assert in_order(outputs_of(store)) == in_order(expected.outputs())
    touched = {touch.dataset for touch in expected.reads + expected.writes}
    assert set(store.sql("select namespace, name from datasets")) >= touched
    assert {event.job for event in expected.events if event.job} <= set(
        store.sql("select namespace, name from jobs")
    )
    assert len(store.sql("from dead_letters")) == len(expected.letters)

    for run in sorted({write.run_id for write in expected.writes})[:2]:
        assert in_order(upstream_of(store, run)) == in_order(expected.upstream(run))
        assert shortest(downstream_of(store, run)) == shortest(expected.downstream(run))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_facet_is_the_latest_whole_one(new_store: Any) -> None:
    """A run's facets belong to it, a job's to the job, whichever run event or job event said them."""
    store: Store = new_store()
    digest = event_digest(store)

    @FACETS
    @given(streams())
    def law(stream: Stream) -> None:
        send(store, stream, [list(range(len(stream)))])
        expected = Oracle(stream, digest)
        run_facets = store.sql("select run_id, key, body from facets where entity = 'run'")
        assert readable({(run, key): body for run, key, body in run_facets}) == readable(
            expected.run_facets()
        )
        assert len(run_facets) == len(expected.run_facets())
        job_facets = store.sql("select namespace, name, key, body from facets where entity = 'job'")
        assert readable({tuple(row[:3]): row[3] for row in job_facets}) == readable(expected.job_facets())
        assert len(job_facets) == len(expected.job_facets())

    law()


def shortest(rows: Iterable[tuple[int, Any, Any]]) -> dict[tuple[Any, Any], int]:
    """(writer, reader) → least depth: on a cycle the outputs of x may come up again further down."""
    found: dict[tuple[Any, Any], int] = {}
    for depth, writer, reader in rows:
        if reader is not None:
            found[writer, reader] = min(depth, found.get((writer, reader), depth))
    return found


def readable(facets: dict[Any, Any]) -> dict[Any, str]:
    """Facets as text that does not depend on the order of keys or on white space; a NaN equals itself."""
    return {
        key: json.dumps(json.loads(body) if isinstance(body, str) else body, sort_keys=True)
        for key, body in facets.items()
    }
