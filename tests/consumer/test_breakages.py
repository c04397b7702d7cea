"""Deliberate breakages of each merge are caught by comparing the hot tables with their definitions.

Each breakage changes a few words of the SQL that ingests (in memory). Over the batches of its scenario the hot
table must then differ from its truth view; with the words as they are it must not. So the comparison, on which
the tests of the law rely, is known to see what goes wrong in a merge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5, sha256
from itertools import pairwise
from typing import Any

import pytest
from streams import Json, dataset, encode, event, facet, occurrence, parent

from relineage.consumer import store as store_module
from relineage.consumer.store import HOT_TABLES

MERGE, RULES = "ingest/merge.sql", "ingest/rules.sql"
STREAMING = {"jobType": facet(processingType="STREAMING")}
Batches = list[list[bytes]]


def batches(*groups: list[Json]) -> Batches:
    return [[encode(document) for document in group] for group in groups]


def by_digest(*documents: Json) -> Batches:
    """One batch each, the greatest event digest first: what comes later is not what is later."""
    messages = sorted(map(encode, documents), key=lambda body: sha256(body).digest(), reverse=True)
    return [[body] for body in messages]


def by_key(names: list[str]) -> list[str]:
    """Names of datasets in the namespace `d`, the greatest key first."""
    return sorted(names, key=lambda name: md5(f"1:d{name}".encode()).digest(), reverse=True)


def table(name: str, *args: Any, **facets: Any) -> Json:
    return dataset(("d", name), *args, **facets)


def linked(one: str, other: str) -> Json:
    return table(one, symlinks=facet(identifiers=[{"namespace": "d", "name": other}]))


def step(name: str) -> Json:
    return {"relineage_step": facet(task=f"b3-task1:{name}", recipe=f"b3-recipe1:{name}")}


def seeds(**given: bool) -> Json:
    return {"relineage_seeds": facet(entropy="2a", **given)}


N = by_key([f"name-{number}" for number in range(6)])
CONTENT = "b3-table1:" + "ab" * 32

SCENARIOS: dict[str, Batches] = {
    "a job, again and again": batches([event(1, 0)], [event(2, 1)]),
    "a parent that nobody else names": batches([event(1, 0, run_facets={"parent": parent(9)})]),
    "a run told backwards": batches(
        [event(1, 9, "COMPLETE"), event(1, 8, "START")],
        [event(1, 2, "COMPLETE"), event(1, 1, "START"), event(1, 0, "RUNNING")],
    ),
    "two steps in one instant": by_digest(
        event(1, 0, run_facets=step("aa")), event(1, 0, run_facets=step("bb"))
    ),
    "an older step after a newer one": batches(
        [event(1, 5, run_facets=step("bb"))], [event(1, 0, run_facets=step("aa"))]
    ),
    "seeds that are no longer said to be given": batches(
        [event(1, 0, run_facets=seeds(given=True)), event(1, 1, run_facets=seeds())]
    ),
    "an older parent after a newer one": batches(
        [event(1, 5, run_facets={"parent": parent(8)})], [event(1, 0, run_facets={"parent": parent(9)})]
    ),
    "an older job after a newer one": batches(
        [event(1, 5, job=("etl", "new"))], [event(1, 0, job=("etl", "old"))]
    ),
    "a dataset, again and again": batches(
        [event(1, 0, inputs=(table("a"),))], [event(2, 0, inputs=(table("a"),))]
    ),
    "a name known by a symlink alone": batches([event(1, 0, inputs=(linked("a", "b"),))]),
    "a chain of names": batches([event(1, 0, inputs=tuple(linked(a, b) for a, b in pairwise(N)))]),
    "names that join one after the other": batches(
        *([event(1, at, inputs=(linked(a, b),))] for at, (a, b) in enumerate(pairwise(N)))
    ),
    "content that one event calls trivial": batches(
        [
            event(1, 0, inputs=(table("a", "v1", digests=[CONTENT], distinctive=said),))
            for said in (True, False)
        ]
    ),
    "content that is called trivial later": batches(
        [event(1, 0, inputs=(table("a", "v1", digests=[CONTENT], distinctive=True),))],
        [event(1, 1, inputs=(table("a", "v1", digests=[CONTENT], distinctive=False),))],
    ),
    "one content under two names": batches(
        [event(1, 0, outputs=(table("a", digests=[CONTENT]),))],
        [event(2, 0, outputs=(table("b", digests=[CONTENT]),))],
    ),
    "a streaming run that says so late": batches(
        [event(1, 0, inputs=(table("a"),), outputs=(table("b"),))],
        [event(1, 5, inputs=(table("a"),), outputs=(table("b"),))],
        [event(1, 9, job_facets=STREAMING)],
    ),
    "versions told backwards": batches(
        [event(1, 5, inputs=(table("a", "v2"),), outputs=(table("b", "v2"),))],
        [event(1, 0, inputs=(table("a", "v1"),), outputs=(table("b", "v1"),))],
    ),
    "versions told in order": batches(
        [event(1, 0, inputs=(table("a", "v1"),), outputs=(table("b", "v1"),))],
        [event(1, 5, inputs=(table("a", "v2"),), outputs=(table("b", "v2"),))],
    ),
    "a role and instant told late": batches(
        [event(1, 9, inputs=(table("a", "v1"),), outputs=(table("b", "v1"),))],
        [
            event(
                1,
                10,
                inputs=(table("a", "v1", io=occurrence("x", 4)),),
                outputs=(table("b", "v1", io=occurrence("y", 5)),),
            )
        ],
    ),
    "handed on, then done": batches(
        *(
            [event(1, 9, outputs=(table("b", "v1", io=occurrence("y", 5, origin)),))]
            for origin in ("forwarded", "declared")
        )
    ),
    "writes before and between reads": batches(
        [event(run, at, inputs=(table("a"),)) for run, at in ((1, 10), (2, 20), (3, 30))],
        [event(8, 5, outputs=(table("a"),)), event(9, 25, outputs=(table("a"),))],
    ),
    "a write after some reads": batches(
        [event(8, 5, outputs=(table("a"),)), *(event(r, 10 * r, inputs=(table("a"),)) for r in (1, 3))],
        [event(9, 20, outputs=(table("a"),))],
    ),
    "a write that turns out to be later": batches(
        [event(8, 5, outputs=(table("a"),)), event(1, 10, inputs=(table("a"),))],
        [event(8, 21, outputs=(table("a", io=occurrence("y", 20)),))],
    ),
    "a symlink told after the read": batches(
        [event(8, 5, outputs=(table("a"),)), event(1, 10, inputs=(table("b"),))],
        [event(9, 60, inputs=(linked("b", "a"),))],
    ),
    "a read that declares a version": batches(
        [event(8, 5, outputs=(table("a", "v1"),)), event(1, 10, inputs=(table("a", "v1"),))]
    ),
}


@dataclass(frozen=True)
class Breakage:
    """In the hot table's merge: the words to find, what to put there instead, and where that must show."""

    table: str
    words: str
    instead: str
    scenario: str
    path: str = MERGE


BREAKAGES = [
    Breakage("job", "named anti join store.job on job_key = key", "named", "a job, again and again"),
    Breakage(
        "job",
        "union select 'job', parent_job_key, parent_namespace, parent_name from parent "
        "where parent_job_key is not null",
        "",
        "a parent that nobody else names",
    ),
    Breakage("run", "first_at = least(", "first_at = greatest(", "a run told backwards"),
    Breakage("run", "    start_at = greatest(", "    start_at = least(", "a run told backwards"),
    Breakage("run", "complete_at = greatest(", "complete_at = least(", "a run told backwards"),
    Breakage(
        "run",
        "first_start_at = least(",
        "first_start_at = greatest(",
        "a run told backwards",
    ),
    # Without the digest as the last word, the order of arrival decides.
    Breakage(
        "run",
        "task = case when coalesce(s.step_seq > t.step_seq,",
        "task = case when coalesce(s.step_seq.time >= t.step_seq.time,",
        "two steps in one instant",
    ),
    Breakage(
        "run",
        "then s.recipe else t.recipe end",
        "then s.recipe else coalesce(s.recipe, t.recipe) end",
        "an older step after a newer one",
    ),
    Breakage(
        "run",
        "arg_max({it: seeds}, seeds_seq).it.given as given",
        "arg_max(seeds.given, seeds_seq) as given",
        "seeds that are no longer said to be given",
    ),
    Breakage(
        "run",
        "then s.parent_run_id else t.parent_run_id end",
        "then s.parent_run_id else coalesce(s.parent_run_id, t.parent_run_id) end",
        "an older parent after a newer one",
    ),
    Breakage(
        "run",
        "then coalesce(s.job_key, t.job_key) else t.job_key end",
        "then coalesce(s.job_key, t.job_key) else coalesce(s.job_key, t.job_key) end",
        "an older job after a newer one",
    ),
    Breakage("run", "least_job_key = least(", "least_job_key = greatest(", "an older job after a newer one"),
    Breakage(
        "dataset", "named anti join store.dataset on dataset_key = key", "named", "a dataset, again and again"
    ),
    Breakage(
        "dataset",
        "union select 'dataset', other_key, namespace, name from alias_edge",
        "",
        "a name known by a symlink alone",
    ),
    Breakage("dataset_alias", "where l.least < known.least", "where false", "a chain of names"),
    Breakage(
        "dataset_alias",
        "select dataset_key, canonical_key from store.dataset_alias semi join alias_label on key = canonical_key\n"
        "    union\n    select key, key from",
        "select key as dataset_key, key as canonical_key from",
        "names that join one after the other",
    ),
    Breakage(
        "dataset_alias",
        "delete from store.dataset_alias where dataset_key in (select dataset_key from alias_changed)",
        "select 1",
        "names that join one after the other",
    ),
    Breakage(
        "version",
        "bool_and(distinctive) as distinctive",
        "bool_or(distinctive) as distinctive",
        "content that one event calls trivial",
    ),
    Breakage(
        "version",
        "(t.distinctive is null or (t.distinctive and not s.distinctive))",
        "t.distinctive is null",
        "content that is called trivial later",
    ),
    Breakage(
        "version_digest",
        "anti join store.version_digest using (version_key, digest)",
        "",
        "content that is called trivial later",
    ),
    Breakage("version_digest", "set shared = true", "set shared = shared", "one content under two names"),
    Breakage(
        "read",
        "where coalesce(b.streaming, false) <> coalesce(r.streaming, false)",
        "where false",
        "a streaming run that says so late",
    ),
    Breakage(
        "read",
        "case when streaming then last_at else first_at end",
        "first_at",
        "a streaming run that says so late",
    ),
    Breakage(
        "read",
        "(from access_before union all by name from access_said)",
        "(from access_said)",
        "a streaming run that says so late",
    ),
    Breakage(
        "read",
        "min(first_declared) over statement as first_declared",
        "max(first_declared) over statement as first_declared",
        "versions told in order",
        RULES,
    ),
    Breakage("read", "where exact = any_exact", "where true", "a role and instant told late", RULES),
    Breakage(
        "write",
        "case when streaming then first_at else last_at end",
        "last_at",
        "a streaming run that says so late",
    ),
    Breakage(
        "write", "case when streaming then in_first else in_last end", "in_first", "versions told in order"
    ),
    Breakage(
        "write",
        "max(last_declared) over statement as last_declared",
        "min(last_declared) over statement as last_declared",
        "versions told backwards",
        RULES,
    ),
    Breakage(
        "write",
        "delete from store.write where (run_id, dataset_key) in "
        "(select (run_id, dataset_key) from access_before where side = 'outputs')",
        "select 1",
        "versions told in order",
    ),
    Breakage(
        "write", "min(origin) over statement", "max(origin) over statement", "handed on, then done", RULES
    ),
    Breakage(
        "inferred_read",
        "min(t.first_at) as since",
        "max(t.first_at) as since",
        "writes before and between reads",
    ),
    Breakage(
        "inferred_read",
        "select dataset_key, first_at from access_before\n    union all ",
        "",
        "a write that turns out to be later",
    ),
    Breakage(
        "inferred_read",
        "union all select dataset_key, '-infinity'::timestamp from alias_changed",
        "",
        "a symlink told after the read",
    ),
    Breakage(
        "inferred_read",
        "r.version_key is null and r.read_at >= t.since",
        "r.version_key is null",
        "a write after some reads",
    ),
    Breakage(
        "inferred_read",
        "where r.holds and r.version_key is null and",
        "where r.holds and",
        "a read that declares a version",
    ),
]


def differs(store: Any, scenario: str, *tables: str) -> set[str]:
    """Those of the hot tables that are not what their truth views say, after the scenario's batches."""
    store.clear()
    for batch in SCENARIOS[scenario]:
        store.ingest(batch)
    return {table for table, (hot, true) in store.truth(tables).items() if hot != true}


def broken(breakage: Breakage) -> Callable[[str], tuple[Any, ...]]:
    """The statements of each file, with the breakage's words replaced in its own."""
    intact = store_module.statements
    assert sum(statement.query.count(breakage.words) for statement in intact(breakage.path)) == 1, (
        f"{breakage.path} has these words not once: {breakage.words}"
    )

    def statements(path: str) -> tuple[Any, ...]:
        if path != breakage.path:
            return intact(path)
        return tuple(statement.query.replace(breakage.words, breakage.instead) for statement in intact(path))

    return statements


@pytest.mark.parametrize("table", HOT_TABLES)
def test_breaking_the_merge_of_a_table_is_noticed(
    table: str, new_store: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [breakage for breakage in BREAKAGES if breakage.table == table]
    assert mine
    store = new_store()
    unnoticed = []
    for breakage in mine:
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "statements", broken(breakage))
            if breakage.path == RULES:
                store.store._run(RULES)
            if not differs(store, breakage.scenario, table):
                unnoticed.append(breakage)
        if breakage.path == RULES:
            store.store._run(RULES)
    assert unnoticed == []


def test_the_merges_as_they_are_pass_the_same_scenarios(new_store: Callable[..., Any]) -> None:
    store = new_store()
    assert {
        scenario: found for scenario in SCENARIOS if (found := differs(store, scenario, *HOT_TABLES))
    } == {}


def test_every_scenario_is_there_for_a_breakage() -> None:
    assert {breakage.scenario for breakage in BREAKAGES} == set(SCENARIOS)
