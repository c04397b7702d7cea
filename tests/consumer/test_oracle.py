"""Cases small enough to be solved by hand: the oracle must find what the rules say, and so must a store."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from oracle import HASHES, Oracle, canonical_run_id, in_order, inputs_of, outputs_of, runs_of, upstream_of
from streams import (
    BYTES,
    ROWS,
    STREAMING,
    TABLE_A,
    TABLE_B,
    dataset,
    encode,
    event,
    facet,
    moment,
    occurrence,
    parent,
    run_id,
)

A, B, C = ("ns", "a"), ("ns", "b"), ("ns", "c")


@dataclass(frozen=True)
class Case:
    """Events, and what they mean; what is left out is not looked at. Runs and instants are small numbers."""

    name: str
    events: list[Any]
    states: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    """run → state, started_at, ended_at, parent, root"""
    reads: list[tuple[Any, ...]] | None = None
    """(run, dataset, version, role, read_at, how, writer)"""
    writes: list[tuple[Any, ...]] | None = None
    """(run, dataset, version, role, written_at)"""


def written(run: int, second: int, *entries: Any, **more: Any) -> Any:
    return event(run, second, outputs=entries, **more)


def taken(run: int, second: int, *entries: Any, **more: Any) -> Any:
    return event(run, second, inputs=entries, **more)


CASES = [
    Case("START alone runs", [event(1, 0, "START")], {1: ("RUNNING", 0, None, None, 1)}),
    Case("OTHER alone is OTHER", [event(1, 3, None), event(1, 2, "OTHER")], {1: ("OTHER", 2, None, None, 1)}),
    Case(
        "an unknown type changes no state",
        [event(1, 1, "DONE"), event(1, 2, "START")],
        {1: ("RUNNING", 2, None, None, 1)},
    ),
    Case("only unknown types", [event(1, 1, "DONE")], {1: ("OTHER", 1, None, None, 1)}),
    Case(
        "a late START does not undo the end",
        [event(1, 0, "START"), event(1, 2, "COMPLETE"), event(1, 5, "START")],
        {1: ("COMPLETE", 0, 2, None, 1)},
    ),
    Case(
        "FAIL beats a later COMPLETE",
        [event(1, 0, "START"), event(1, 2, "FAIL"), event(1, 3, "COMPLETE"), event(1, 1, "ABORT")],
        {1: ("FAIL", 0, 3, None, 1)},
    ),
    Case(
        "a restart makes the earlier failure void",
        [event(1, 0, "START"), event(1, 1, "FAIL"), event(1, 2, "START"), event(1, 3, "COMPLETE")],
        {1: ("COMPLETE", 0, 3, None, 1)},
    ),
    Case(
        "an end at the instant of the latest START is void beside a later one",
        [event(1, 2, "START"), event(1, 2, "FAIL"), event(1, 3, "ABORT")],
        {1: ("ABORT", 2, 3, None, 1)},
    ),
    Case(
        "two ends before the latest START both stand",
        [event(1, 1, "FAIL"), event(1, 2, "COMPLETE"), event(1, 4, "START")],
        {1: ("FAIL", 4, 2, None, 1)},
    ),
    Case(
        "a parent that never spoke, and its root",
        [
            event(1, 0, run_facets={"parent": parent(2)}),
            event(2, 3, None, run_facets={"parentRun": parent(3)}),
        ],
        {
            1: ("COMPLETE", 0, 0, 2, 3),
            2: ("OTHER", 3, None, 3, 3),
            3: (None, None, None, None, 3),
        },
    ),
    Case(
        "the latest parent facet is taken whole",
        [
            event(1, 0, run_facets={"parent": parent(2, 7)}),
            event(1, 1, run_facets={"parent": parent(2)}),
            event(1, 2, run_facets={"parent": None}),
            event(2, 1, run_facets={"parent": parent(3, 8)}),
        ],
        {1: ("COMPLETE", 0, 2, 2, 8), 2: ("COMPLETE", 1, 1, 3, 8)},
    ),
    Case(
        "a read sees the earliest version, a write leaves the latest",
        [
            taken(1, 1, dataset(A)) | {"outputs": [dataset(A)]},
            taken(1, 2, dataset(A, "v1")) | {"outputs": [dataset(A, "v1")]},
            taken(1, 3, dataset(A, "v2")) | {"outputs": [dataset(A, "v2")]},
            taken(1, 4, dataset(A)) | {"outputs": [dataset(A)]},
        ],
        reads=[(1, A, "v1", "", 1, "unknown", None)],
        writes=[(1, A, "v2", "", 4)],
    ),
    Case(
        "a streaming run the other way round, also when it says so late",
        [
            taken(1, 1, dataset(A)) | {"outputs": [dataset(B, "w1")]},
            taken(1, 2, dataset(A, "v1")),
            taken(1, 3, dataset(A, "v2"), dataset(C)) | {"outputs": [dataset(B, "w2")]},
            taken(1, 4, dataset(A), job_facets={"jobType": STREAMING}),
            event(2, 2, inputs=(dataset(B, "w1"),)),
        ],
        reads=[
            (1, A, "v2", "", 4, "unknown", None),
            (1, C, None, "", 3, "unknown", None),
            (2, B, "w1", "", 2, "version", 1),
        ],
        writes=[(1, B, "w1", "", 1)],
    ),
    Case(
        "several versions in one event stay apart",
        [taken(1, 1, dataset(A, "v1"), dataset(A, "v2"), dataset(A)), taken(1, 2, dataset(A, "v3"))],
        reads=[(1, A, "v1", "", 1, "unknown", None), (1, A, "v2", "", 1, "unknown", None)],
    ),
    Case(
        "exact entries displace the others, on their own side",
        [
            taken(1, 0, dataset(A, "v9")) | {"outputs": [dataset(A, "v9")]},
            taken(
                1, 5, dataset(A, "v1", io=occurrence("train", 3)), dataset(A, "v1", io=occurrence("test", 4))
            ),
            taken(1, 2, dataset(A, "v2", io=occurrence("train", 2))),
        ],
        reads=[
            (1, A, "v1", "train", 3, "unknown", None),
            (1, A, "v1", "test", 4, "unknown", None),
            (1, A, "v2", "train", 2, "unknown", None),
        ],
        writes=[(1, A, "v9", "", 0)],
    ),
    Case(
        "the latest earlier write of the version",
        [
            written(1, 0, dataset(A, "v1")),
            written(2, 1, dataset(A, "v1")),
            written(3, 2, dataset(A, "v2")),
            written(4, 4, dataset(A, "v1")),
            taken(5, 3, dataset(A, "v1")),
        ],
        reads=[(5, A, "v1", "", 3, "version", 2)],
    ),
    Case(
        "at one instant the least run",
        [written(2, 1, dataset(A, "v1")), written(1, 1, dataset(A, "v1")), taken(3, 1, dataset(A, "v1"))],
        reads=[(3, A, "v1", "", 1, "version", 1)],
    ),
    Case(
        "declared late: the earliest of the later writes",
        [written(1, 5, dataset(A, "v1")), written(2, 4, dataset(A, "v1")), taken(3, 1, dataset(A, "v1"))],
        reads=[(3, A, "v1", "", 1, "version-late", 2)],
    ),
    Case(
        "a run never reads from itself",
        [
            taken(1, 2, dataset(A, "v1"), dataset(B)) | {"outputs": [dataset(A, "v1"), dataset(B)]},
            written(2, 4, dataset(B)),
        ],
        reads=[(1, A, "v1", "", 2, "unknown", None), (1, B, None, "", 2, "unknown", None)],
    ),
    Case(
        "a declared version that nobody wrote is never inferred",
        [
            written(1, 0, dataset(A, "v1")),
            written(2, 0, dataset(B)),
            taken(3, 1, dataset(A, "v2"), dataset(B, "v2")),
        ],
        reads=[(3, A, "v2", "", 1, "unknown", None), (3, B, "v2", "", 1, "unknown", None)],
    ),
    Case(
        "without a version the latest earlier write, and its version",
        [
            written(1, 0, dataset(A, "v1")),
            written(2, 2, dataset(A, "v2")),
            written(3, 4, dataset(A, "v3")),
            taken(4, 3, dataset(A)),
        ],
        reads=[(4, A, "v2", "", 3, "inferred", 2)],
    ),
    Case(
        "an overwrite without a version cuts earlier writers",
        [
            written(1, 0, dataset(A, "v1")),
            written(2, 2, dataset(A, lifecycleStateChange=facet(lifecycleStateChange="OVERWRITE"))),
            taken(3, 3, dataset(A)),
        ],
        reads=[(3, A, None, "", 3, "inferred", 2)],
        writes=[(1, A, "v1", "", 0), (2, A, None, "", 2)],
    ),
    Case(
        "a symlink and a rename told late join the names",
        [
            written(1, 0, dataset(A, "v1")),
            taken(2, 1, dataset(C, "v1"), dataset(B)),
            {
                "eventTime": "2026-03-01T12:00:09Z",
                "dataset": {
                    "namespace": "ns",
                    "name": "b",
                    "facets": {
                        "symlinks": facet(identifiers=[{"namespace": "ns", "name": "c", "type": "TABLE"}])
                    },
                },
            },
            taken(
                4,
                5,
                dataset(
                    B,
                    lifecycleStateChange=facet(
                        lifecycleStateChange="RENAME", previousIdentifier={"namespace": "ns", "name": "a"}
                    ),
                ),
            ),
        ],
        reads=[
            (2, C, "v1", "", 1, "version", 1),
            (2, B, "v1", "", 1, "inferred", 1),
            (4, B, "v1", "", 5, "inferred", 1),
        ],
    ),
    Case(
        "content binds another name, the earlier write only, and not through a third content",
        [
            written(1, 0, dataset(A, digests=[ROWS, TABLE_A])),
            written(2, 4, dataset(C, digests=[TABLE_A])),
            taken(3, 1, dataset(B, "v1", digests=[ROWS, BYTES], distinctive=True)),
            taken(4, 1, dataset(B, "v2", digests=[TABLE_B, BYTES])),
        ],
        reads=[(3, B, "v1", "", 1, "content", 1), (4, B, "v2", "", 1, "unknown", None)],
        writes=[(1, A, TABLE_A, "", 0), (2, C, TABLE_A, "", 4)],
    ),
    Case(
        "what anybody calls trivial is not bound by content",
        [
            written(1, 0, dataset(A, "v1", digests=[ROWS])),
            event(7, 5, inputs=(dataset(A, "v1", digests=[ROWS], distinctive=False),)),
            taken(3, 1, dataset(B, digests=[ROWS])),
        ],
        reads=[(7, A, "v1", "", 5, "version", 1), (3, B, ROWS, "", 1, "unknown", None)],
    ),
    Case(
        "content prefers the same root, then the same job namespace, then the latest",
        [
            written(1, 0, dataset(A, digests=[ROWS]), job=("far", "x"), run_facets={"parent": parent(9)}),
            written(2, 1, dataset(B, digests=[ROWS]), job=("near", "x")),
            written(3, 2, dataset(C, digests=[ROWS]), job=("far", "x")),
            taken(
                4,
                3,
                dataset(("ns", "d"), digests=[ROWS]),
                job=("near", "y"),
                run_facets={"parent": parent(9)},
            ),
            taken(5, 3, dataset(("ns", "d"), digests=[ROWS]), job=("near", "y")),
            taken(6, 3, dataset(("ns", "d"), digests=[ROWS]), job=("other", "y")),
        ],
        reads=[
            (4, ("ns", "d"), ROWS, "", 3, "content", 1),
            (5, ("ns", "d"), ROWS, "", 3, "content", 2),
            (6, ("ns", "d"), ROWS, "", 3, "content", 3),
        ],
    ),
    Case(
        "another version text of the same name binds by content",
        [written(1, 0, dataset(A, "v1", digests=[ROWS])), taken(2, 1, dataset(A, "v2", digests=[ROWS]))],
        reads=[(2, A, "v2", "", 1, "content", 1)],
    ),
    Case(
        "a forwarded write is bound only where no other is left",
        [
            written(1, 5, dataset(A, "v1", io=occurrence("out", 1))),
            written(2, 5, dataset(A, "v1", io=occurrence("out", 2, "forwarded"))),
            taken(3, 3, dataset(A, "v1")),
            taken(1, 4, dataset(A, "v1")),
        ],
        reads=[(3, A, "v1", "", 3, "version", 1), (1, A, "v1", "", 4, "version", 2)],
        writes=[(1, A, "v1", "out", 1), (2, A, "v1", "out", 2)],
    ),
    Case(
        "a forwarded write gives way to one under another name of the dataset, by version and by content",
        [
            written(1, 5, dataset(A, digests=[ROWS], io=occurrence("out", 1))),
            written(2, 5, dataset(B, digests=[ROWS], io=occurrence("out", 2, "forwarded"))),
            written(3, 9, dataset(A, symlinks=facet(identifiers=[{"namespace": "ns", "name": "b"}]))),
            taken(4, 3, dataset(B, digests=[ROWS])),
            taken(5, 3, dataset(C, digests=[ROWS])),
        ],
        reads=[(4, B, ROWS, "", 3, "version", 1), (5, C, ROWS, "", 3, "content", 1)],
    ),
]


def number_of(identifier: str | None) -> int | None:
    return None if identifier is None else int(identifier[-12:])


def check(case: Case, runs: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> None:
    for run, (state, started, ended, above, root) in case.states.items():
        found = runs[run_id(run)]
        times = tuple(None if second is None else moment(second) for second in (started, ended))
        assert (*found[:3], number_of(found[3]), number_of(found[4])) == (state, *times, above, root)
    if case.reads is not None:
        assert in_order(
            (number_of(r[0]), r[1:3], r[3], *r[5:8], number_of(r[8])) for r in inputs
        ) == in_order(
            (run, name, version, role, moment(second), how, writer)
            for run, name, version, role, second, how, writer in case.reads
        )
    if case.writes is not None:
        assert in_order((number_of(r[0]), r[1:3], r[3], *r[5:]) for r in outputs) == in_order(
            (run, name, version, role, moment(second)) for run, name, version, role, second in case.writes
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_oracle_solves_what_was_solved_by_hand(case: Case) -> None:
    found = Oracle([encode(document) for document in case.events], HASHES["md5"])
    check(case, found.runs(), found.inputs(), found.outputs())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_store_solves_what_was_solved_by_hand(case: Case, new_store: Any) -> None:
    store = new_store()
    store.ingest([encode(document) for document in case.events])
    check(case, runs_of(store), inputs_of(store), outputs_of(store))


CHAIN = [
    written(1, 0, dataset(A, "v1")),
    event(2, 1, inputs=(dataset(A, "v1"),), outputs=(dataset(B, "v1"),)),
    event(3, 2, inputs=(dataset(A, "v1"), dataset(B, "v1"), dataset(C)), outputs=(dataset(A, "v2"),)),
]
CHAIN_UPSTREAM = [
    (0, "ns", "a", "v2", None, "", None, run_id(3), "COMPLETE", None),
    (1, "ns", "a", "v1", None, "", "version", run_id(1), "COMPLETE", run_id(3)),
    (1, "ns", "b", "v1", None, "", "version", run_id(2), "COMPLETE", run_id(3)),
    (1, "ns", "c", None, None, "", "unknown", None, None, run_id(3)),
    (2, "ns", "a", "v1", None, "", "version", run_id(1), "COMPLETE", run_id(2)),
]


def test_the_oracle_walks_upstream_one_row_a_read() -> None:
    found = Oracle(map(encode, CHAIN), HASHES["md5"])
    assert in_order(found.upstream(run_id(3))) == in_order(CHAIN_UPSTREAM)
    one, two, three = run_id(1), run_id(2), run_id(3)
    assert found.downstream(one) == {(0, one, two), (0, one, three), (1, two, three)}


def test_a_store_walks_upstream_one_row_a_read(new_store: Any) -> None:
    store = new_store()
    store.ingest([encode(document) for document in CHAIN])
    assert in_order(upstream_of(store, run_id(3))) == in_order(CHAIN_UPSTREAM)
    assert in_order(upstream_of(store, "ns/a@v2")) == in_order(CHAIN_UPSTREAM)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("F69A6E9B-9BAC-3C9A-9CF6-EACB70ECC9A9", "f69a6e9b-9bac-3c9a-9cf6-eacb70ecc9a9"),
        ("urn:uuid:f69a6e9b-9bac-3c9a-9cf6-eacb70ecc9a9", "f69a6e9b-9bac-3c9a-9cf6-eacb70ecc9a9"),
        ("{f69a6e9b-9bac-3c9a-9cf6-eacb70ecc9a9}", "f69a6e9b-9bac-3c9a-9cf6-eacb70ecc9a9"),
        ("f69a6e9b9bac3c9a9cf6eacb70ecc9a9", "f69a6e9b-9bac-3c9a-9cf6-eacb70ecc9a9"),
        ("abc", "90015098-3cd2-8fb0-9696-3f7d28e17f72"),  # md5("abc") = 90015098 3cd2 4fb0 d696 3f7d28e17f72
    ],
)
def test_a_run_id_has_one_form(text: str, canonical: str, new_store: Any) -> None:
    assert canonical_run_id(text) == canonical
    store = new_store()
    store.ingest([encode(event(text, 0))])
    assert store.sql("select run_id from runs") == [(canonical,)]
