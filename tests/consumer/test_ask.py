"""The Python face of the macros: their rows, as records."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from streams import dataset as stream_dataset
from streams import encode, event, facet, run_id

from relineage.consumer.ask import Ask, Cause, Check, Difference, Hop
from relineage.consumer.errors import QuestionError
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store


def dataset(name: str, version: str | None) -> dict[str, Any]:
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    return {
        "namespace": "n",
        "name": name,
        "facets": {"version": base | {"datasetVersion": version}} if version else {},
    }


@pytest.fixture(scope="module")
def ask(make_event: Callable[..., dict[str, Any]]) -> Iterator[Ask]:
    """load → join → report, twice from other raw data; for tests that only ask."""
    events = []
    for hour, version in ((1, "1"), (4, "2")):
        for step, (job, read, write) in enumerate(
            [("load", "raw", "a"), ("join", "a", "b"), ("report", "b", "c")]
        ):
            told = {
                "eventType": "COMPLETE",
                "eventTime": f"2026-01-31T0{hour + step}:00:00Z",
                "job": {"namespace": "n", "name": job},
                "inputs": [dataset(read, version)],
                "outputs": [dataset(write, version)],
            }
            events.append(json.dumps(make_event(**told)).encode())
    with Store.open() as store:
        store.ingest(Batch([Message(body=body, source="test", offset=n) for n, body in enumerate(events)]))
        yield Ask(store.connection)


def test_upstream_gives_the_rows_of_the_macro_in_their_order(ask: Ask) -> None:
    hops = ask.upstream("c@1")

    assert [(hop.depth, hop.dataset_name, hop.version, hop.how, hop.writer_job_name) for hop in hops] == [
        (0, "c", "1", None, "report"),
        (1, "b", "1", "version", "join"),
        (2, "a", "1", "version", "load"),
        (3, "raw", "1", "unknown", None),
    ]


def test_downstream_gives_the_rows_of_the_macro(ask: Ask) -> None:
    hops = ask.downstream("a@1")

    assert [(hop.depth, hop.dataset_name) for hop in hops] == [(0, "a"), (1, "b"), (2, "c")]
    assert hops[-1].reader_run_id is None


def test_reproducibility_has_eight_checks_a_run(ask: Ask) -> None:
    checks = ask.reproducibility("c@1")

    assert len(checks) == 3 * 8
    assert {check.status for check in checks} <= {"passed", "failed", "unknown"}
    assert list(dict.fromkeys(check.job_name for check in checks)) == ["report", "join", "load"]


def test_run_diff_and_why_tell_what_differs(ask: Ask) -> None:
    differences = ask.run_diff("b@1", "b@2")
    causes = ask.why("c@1", "c@2")

    assert ("input", "n/a", "1", "2") in [(d.what, d.key, d.a, d.b) for d in differences]
    assert (causes[0].rank, causes[0].what, causes[0].role, causes[0].a, causes[0].b) == (
        1,
        "input",
        "raw",
        "1",
        "2",
    )
    assert ask.why("c@1", "c@1") == []


ROWS = 150_000
LEAVES = [bytes([n]) * 32 for n in range(3)]


def causes_of(
    new_store: Callable[..., Any],
    make_event: Callable[..., dict[str, Any]],
    raws: dict[str, tuple[Any, list[dict[str, Any]]]],
) -> list[Cause]:
    """Why `model@1` and `model@2` differ, of which each comes from its version of `raw`: rows and columns."""
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    events = []
    for version, (rows, columns) in raws.items():
        read = dataset("raw", version)
        digests = [f"b3-table1:{version * 64}"]
        read["facets"]["relineage_content"] = base | {"digests": digests, "rows": rows, "columns": columns}
        events.append(
            make_event(
                eventType="COMPLETE",
                eventTime=f"2026-01-31T0{version}:00:00Z",
                job={"namespace": "n", "name": "fit"},
                inputs=[read],
                outputs=[dataset("model", version)],
            )
        )
    store = new_store()
    store.ingest([json.dumps(event).encode() for event in events])
    return Ask(store.connection).why("model@1", "model@2")


@pytest.mark.parametrize(
    ("leaves_a", "leaves_b", "rows_b", "told"),
    [
        (LEAVES, [LEAVES[0], LEAVES[0], LEAVES[2]], ROWS, "column x, rows 65536 to 131071"),
        (LEAVES, [LEAVES[1], LEAVES[0], LEAVES[0]], ROWS, "column x, rows 0 to 149999"),
        (LEAVES, [LEAVES[1], LEAVES[1], LEAVES[0]], ROWS, "column x, rows 0 to 65535, 131072 to 149999"),
        (LEAVES, [LEAVES[1], LEAVES[1], LEAVES[0]], ROWS + 1, "column x, rows 0 to 65535"),
        (LEAVES, [LEAVES[0], LEAVES[1], LEAVES[0]], ROWS + 9, "rows 150000 to 150008"),
        (LEAVES, [LEAVES[0], LEAVES[0]], ROWS - 20_000, "rows 130000 to 149999"),
        (LEAVES, [LEAVES[0]], ROWS + 9, "column x"),
        (LEAVES, None, 9, "rows 9 to 149999"),
        (LEAVES, None, -9, "column x"),
        (LEAVES, [LEAVES[1]], ROWS, "column x, rows 0 to 65535"),
        (LEAVES, None, ROWS, "column x"),
        (LEAVES, "no base64", ROWS, "column x"),
        (LEAVES, [LEAVES[1]], 10**18, "column x, rows 0 to 65535"),
        (LEAVES, [LEAVES[1]], "many", "column x"),
    ],
)
def test_why_names_the_rows_that_differ_where_the_leaves_are_known(
    new_store: Callable[..., Any],
    make_event: Callable[..., dict[str, Any]],
    leaves_a: Any,
    leaves_b: Any,
    rows_b: Any,
    told: str,
) -> None:
    def columns(version: str, leaves: Any) -> list[dict[str, Any]]:
        if isinstance(leaves, list):
            leaves = base64.b64encode(b"".join(leaves)).decode()
        same = {"name": "same", "type": "int64", "digest": "b3-column1:" + "0" * 64}
        other = {"name": "x", "type": "int64", "digest": "b3-column1:" + version * 64}
        return [same, other | ({} if leaves is None else {"leaves": leaves})]

    raws = {"1": (ROWS, columns("1", leaves_a)), "2": (rows_b, columns("2", leaves_b))}
    causes = causes_of(new_store, make_event, raws)
    assert [cause.what for cause in causes] == [told, "input"]


def test_why_names_a_column_whose_time_zone_has_another_label(
    new_store: Callable[..., Any], make_event: Callable[..., dict[str, Any]]
) -> None:
    def columns(zone: str) -> list[dict[str, Any]]:
        return [{"name": "at", "type": f'timestamp[us,"{zone}"]', "digest": "b3-column1:" + "0" * 64}]

    raws = {"1": (9, columns("UTC")), "2": (9, columns("Europe/Warsaw"))}
    first = causes_of(new_store, make_event, raws)[0]
    assert (first.what, first.a, first.b, first.grade) == (
        "column at",
        'timestamp[us,"UTC"]',
        'timestamp[us,"Europe/Warsaw"]',
        "cause",
    )


def test_a_thing_is_told_by_what_it_is(ask: Ask) -> None:
    version, job = ask.thing("c@1"), ask.thing("job:join")

    assert (version.kind, version.namespace, version.name, version.version) == ("version", "n", "c", "1")
    assert (job.kind, job.namespace, job.name) == ("job", "n", "join")
    assert ask.runs([str(job.run_id)])[str(job.run_id)].job_name == "join"
    assert ask.thing(str(job.run_id)).kind == "run"
    assert ask.runs([]) == {}


@pytest.mark.parametrize("kind", [Hop, Check, Difference, Cause])
def test_a_record_has_the_columns_of_its_macro(kind: type, ask: Ask) -> None:
    question = {
        Hop: "upstream('c')",
        Check: "reproducibility('c')",
        Difference: "run_diff('c', 'b')",
        Cause: "why('c', 'b')",
    }

    described = ask._connection.execute(f"describe from {question[kind]}").fetchall()

    assert [row[0] for row in described] == [field.name for field in fields(kind)]


def test_a_record_does_not_change(ask: Ask) -> None:
    with pytest.raises(FrozenInstanceError):
        ask.upstream("c")[0].depth = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    "question",
    [
        lambda ask: ask.upstream("nothing"),
        lambda ask: ask.downstream("nothing"),
        lambda ask: ask.reproducibility("nothing"),
        lambda ask: ask.run_diff("c", "nothing"),
        lambda ask: ask.why("nothing", "c"),
        lambda ask: ask.thing("nothing"),
    ],
)
def test_an_unknown_x_is_an_error_that_lists_the_nearest(question: Callable[[Ask], object], ask: Ask) -> None:
    with pytest.raises(QuestionError, match=r"^nothing is known as nothing; nearest:\n  \w+:n/"):
        question(ask)


def test_a_version_that_nobody_wrote_has_no_run(ask: Ask) -> None:
    with pytest.raises(QuestionError, match=r"^no run is known that wrote raw@1$"):
        ask.run_diff("raw@1", "c")


def test_names_in_an_error_are_shown_escaped(ask: Ask) -> None:
    with pytest.raises(QuestionError, match=r"^nothing is known as \\x1b\[31m\\n; nearest"):
        ask.upstream("\x1b[31m\n")


def test_a_quote_in_x_is_a_character(ask: Ask) -> None:
    with pytest.raises(QuestionError):
        ask.upstream("c'); drop table store.run; --")

    assert ask.upstream("c")


def test_a_whole_version_is_meant_where_others_begin_with_it(
    new_store: Callable[..., Any], make_event: Callable[..., dict[str, Any]]
) -> None:
    store = new_store()
    for hour, version in enumerate(("c0ffee42", "c0ffee4242", "c0ffee42ff00")):
        told = {"eventTime": f"2026-01-31T0{hour}:00:00Z", "eventType": "COMPLETE"}
        made = make_event(**told, job={"namespace": "n", "name": "load"}, outputs=[dataset("a", version)])
        store.ingest([json.dumps(made).encode()])
    ask = Ask(store.connection)

    for x in ("a@c0ffee42", "n/a@c0ffee42", "c0ffee42", "digest:c0ffee42"):
        assert ask.thing(x).version == "c0ffee42"
    assert ask.thing("a@c0ffee424").version == "c0ffee4242"
    for number, version in enumerate(("deadbeef01", "deadbeef02")):
        told = {"eventTime": f"2026-02-01T0{number}:00:00Z", "eventType": "COMPLETE"}
        made = make_event(**told, job={"namespace": "n", "name": "load"}, outputs=[dataset("a", version)])
        store.ingest([json.dumps(made).encode()])
    with pytest.raises(QuestionError, match="2 things"):
        ask.thing("a@deadbeef")


NOTHING_KNOWN = "it computed what a step was served with from the cache, and nothing is known of it"


@pytest.mark.parametrize("shape", range(3))
def test_runs_that_computed_what_was_served_are_judged_together_as_one_by_one(
    shape: int, new_store: Callable[..., Any]
) -> None:
    """Each run reads what some before it wrote; a third of them was served, by a run before it or by an unknown one."""
    store = new_store()
    chance = random.Random(shape)
    origins: dict[str, str] = {}
    for number in range(24):
        reads = chance.sample(range(number), min(number, chance.randrange(3)))
        facets = {}
        if chance.random() < 0.35:
            origins[run_id(number)] = run_id(chance.randrange(-2, number) % 99)
            facets["relineage_step"] = facet(
                operation="fit", parameters=[], servedFrom=origins[run_id(number)]
            )
        store.ingest([
            encode(event(number, number, inputs=tuple(content(one) for one in reads), outputs=(content(number),),
                         job=("n", f"job {number % 5}"), run_facets=facets))
        ])  # fmt: skip
    ask = Ask(store.connection)

    def one_by_one(x: str) -> tuple[list[Check], set[Hop]]:
        checks, hops = ask.reproducibility(x), ask.upstream(x)
        names = [check.check_name for check in checks[:8]]
        seen: set[str] = set()
        while new := {check.run_id for check in checks} - seen:
            seen |= new
            for origin in sorted({origins[one] for one in new if one in origins}, reverse=True):
                there = {check.run_id for check in checks}
                if origin in there:
                    continue
                if origin in (run_id(97), run_id(98)):
                    lost = Check(
                        run_id=origin, job_name=None, check_name="", status="unknown", reason=NOTHING_KNOWN
                    )
                    checks += [replace(lost, check_name=name) for name in names]
                    continue
                checks += [
                    check for check in ask.reproducibility(f"run:{origin}") if check.run_id not in there
                ]
                hops += ask.upstream(f"run:{origin}")
        return checks, {replace(hop, depth=0, also_written_by=None) for hop in hops if hop.reader_run_id}

    for number in (23, 22, 17):
        x = f"run:{run_id(number)}"
        checks, hops = one_by_one(x)
        assert ask.reproducibility(x, served=True) == checks
        together = [hop for hop in ask.upstream(x, served=True) if hop.reader_run_id]
        assert {replace(hop, depth=0, also_written_by=None) for hop in together} == hops
        assert len(together) == len(hops)


def content(number: int) -> Any:
    return stream_dataset(("d", f"d{number % 7}"), f"{number}")
