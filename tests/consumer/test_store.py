"""The store: its settings, all or nothing, and what hostile messages do to it."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from streams import Json, dataset, encode, event, facet, parent, run_id

from relineage.consumer import store as store_module
from relineage.consumer.errors import DatabaseBusy, DatabaseUnreadable
from relineage.consumer.ingest.batch import Batch, Message, Moved
from relineage.consumer.store import COLD_TABLES, HOT_TABLES, Store

GOOD = encode(event(1, 0, run_facets={"x": facet(text="HERE")}))

OTHER_NAME = {"namespace": "d", "name": "A"}


def batch(*bodies: bytes | None, moved: int | None = None) -> Batch:
    messages = [Message(body=body, source="test", offset=offset) for offset, body in enumerate(bodies)]
    return Batch(messages, [] if moved is None else [Moved(source="test", next_offset=moved)])


@pytest.fixture(scope="module")
def opened() -> Iterator[Store]:
    with Store.open() as store:
        yield store


@pytest.fixture
def store(opened: Store) -> Store:
    """An empty store; opening one takes longer than what most tests do with it."""
    for table in (*HOT_TABLES, *COLD_TABLES):
        opened.connection.execute(f"delete from store.{table}")
    return opened


def setting(store: Any, name: str) -> str:
    [(value,)] = store.sql("select value from duckdb_settings() where name = $name", {"name": name})
    return str(value)


# Settings


def test_a_file_is_written_in_the_format_of_1_4(new_store: Callable[..., Any], tmp_path: Path) -> None:
    store = new_store(tmp_path / "lineage.duckdb")
    [(tags,)] = store.sql("select tags from duckdb_databases() where path like '%lineage.duckdb'")
    assert tags["storage_version"].startswith("v1.4.0")


def test_duckdb_may_use_half_of_the_memory(new_store: Callable[..., Any]) -> None:
    amount, unit = setting(new_store(), "memory_limit").split()
    given = float(amount) * {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}[unit]
    assert given == pytest.approx(store_module._memory_bytes() / 2, rel=0.06)  # MB and MiB


def test_checkpoints_are_rare_and_times_are_utc(new_store: Callable[..., Any]) -> None:
    store = new_store()
    assert setting(store, "checkpoint_threshold") == "244.1 MiB"  # 256 MB
    assert setting(store, "TimeZone") == "UTC"
    assert setting(store, "preserve_insertion_order") == "false"


def test_opening_again_keeps_everything(tmp_path: Path) -> None:
    for _ in range(2):
        with Store.open(tmp_path / "lineage.duckdb") as store:
            store.ingest(batch(GOOD))
    with Store.open(tmp_path / "lineage.duckdb") as store:
        assert store.connection.execute("select count(*) from store.event").fetchone() == (2,)
        assert store.connection.execute("select count(*) from runs").fetchone() == (1,)


def test_a_database_that_another_has_is_busy(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "lineage.duckdb"
    script = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        began = time.monotonic()
        with pytest.raises(DatabaseBusy, match="in use by another process"):
            Store.open(path, busy_wait_seconds=0.5)
        assert 0.4 < time.monotonic() - began < 10
        other.communicate("\n")
    Store.open(path, busy_wait_seconds=0.5).close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database " * 1000)
    with pytest.raises(DatabaseUnreadable, match=r"notes\.txt"):
        Store.open(path, busy_wait_seconds=0.5)


def test_where_nothing_may_be_written_it_is_said_what_to_do() -> None:
    with pytest.raises(
        DatabaseUnreadable,
        match=r"/sys/lineage\.duckdb may not be written here, and questions take in what is new: copy /sys to where",
    ):
        Store.open(Path("/sys/lineage.duckdb"), busy_wait_seconds=0.5)


# One transaction


def everything(store: Store) -> dict[str, list[Any]]:
    return {
        table: store.connection.execute(f"from store.{table} order by all").fetchall()
        for table in (*HOT_TABLES, *COLD_TABLES)
    }


def failing_on(words: str, path: str = "ingest/merge.sql") -> Callable[[str], tuple[Any, ...]]:
    """The statements of ingest, with one at the end that fails where a message contains these words."""
    fault = f"select error('cannot bear it') from message where contains(body, '{words}')"

    def statements(asked: str, intact: Callable[[str], tuple[Any, ...]] = store_module.statements) -> Any:
        return (*intact(asked), fault) if asked == path else intact(asked)

    return statements


def test_an_error_leaves_nothing_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open() as store:
        store.ingest(batch(GOOD, b"not JSON", moved=2))
        before = everything(store)
        monkeypatch.setattr(store_module, "statements", failing_on("train"))
        later = batch(encode(event(2, 5, job=("etl", "train"), inputs=(dataset(("d", "a"), "v"),))), moved=3)
        with pytest.raises(duckdb.Error, match="cannot bear it"):
            store._store(later.staged())
        assert everything(store) == before


@pytest.mark.parametrize("path", ["ingest/parse.sql", "ingest/merge.sql"])
def test_a_message_on_which_the_database_fails_becomes_a_letter_and_the_others_load(
    path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poison = encode(event(9, 0, job=("etl", "poison")))
    others = [encode(event(number, 0)) for number in range(6)]
    monkeypatch.setattr(store_module, "statements", failing_on("poison", path))
    with Store.open() as store, caplog.at_level(logging.WARNING, logger="relineage"):
        store.ingest(batch(*others[:4], poison, *others[4:], moved=7))
        runs = store.connection.execute("select run_id from runs order by all").fetchall()
        assert runs == [(run_id(number),) for number in range(6)]
        [(reason, body)] = store.connection.execute("select reason, body from dead_letters").fetchall()
        assert "cannot bear it" in reason
        assert body == poison
        assert store.connection.execute("select next_offset from store.source_offset").fetchall() == [(7,)]
    assert "dead letter" in caplog.text


@pytest.mark.parametrize(
    ("told_of", "second"),
    [
        ("a job", event(2, 1, job=("etl", "LOAD"))),
        ("a parent", event(2, 1, run_facets={"parent": parent(7, job=("etl", "LOAD"))})),
        ("a dataset", event(2, 1, inputs=(dataset(("d", "A"), "v"),))),
        ("a symlink", event(2, 1, outputs=(dataset(("d", "b"), symlinks=facet(identifiers=[OTHER_NAME])),))),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_second_text_on_a_key_is_refused(told_of: str, second: Json, together: bool) -> None:
    """The key of names is weakened here: it does not tell upper from lower case."""
    first = event(1, 0, job=("etl", "load"), outputs=(dataset(("d", "a"), "v"),))
    with Store.open() as store:
        store.connection.execute(
            "create or replace macro store.name_key(namespace, name) as md5(lower(namespace || name))::uuid"
        )
        if together:
            store.ingest(batch(encode(first), encode(second)))
        else:
            store.ingest(batch(encode(first)))
            store.ingest(batch(encode(second)))
        [(reason, body)] = store.connection.execute("select reason, body from dead_letters").fetchall()
        assert "two names share the key" in reason
        assert body == encode(second)
        assert store.connection.execute("select run_id from runs").fetchall() == [(run_id(1),)]


def test_a_batch_for_which_memory_does_not_suffice_is_stored_in_parts(tmp_path: Path) -> None:
    bodies = [encode(event(f"r{n}", n % 50, run_facets={"x": facet(text="y" * 2000)})) for n in range(3000)]
    with Store.open(tmp_path / "lineage.duckdb") as store:
        store.connection.execute("set memory_limit = '60MB'")
        store.ingest(batch(*bodies, moved=3000))
        stored = store.connection.execute(
            'select count(*), count(distinct "offset"), count(distinct received_at) > 1 from store.event'
        ).fetchone()
        assert stored == (3000, 3000, True)  # the time is that of the transaction: there were several
        assert store.connection.execute("select next_offset from store.source_offset").fetchall() == [(3000,)]
        assert store.connection.execute("from dead_letters").fetchall() == []


@pytest.mark.parametrize("view", ["events", "dead_letters"])
def test_what_came_twice_is_told_with_the_whole_place_of_its_first_delivery(
    view: str, new_store: Callable[..., Any]
) -> None:
    body = GOOD if view == "events" else b"no event"
    from_file = Message(body=body, source="file", offset=9)
    from_kafka = Message(body=body, source="cluster/topic", topic="t", partition=0, offset=3)
    for first, second, place in (
        (from_file, from_kafka, ("file", None, None, 9)),
        (from_kafka, from_file, ("cluster/topic", "t", 0, 3)),
    ):
        store = new_store()
        store.store.ingest(Batch([first]))
        store.store.ingest(Batch([second]))
        assert store.sql(f'select source, topic, partition, "offset" from {view}') == [place]


def test_rebuilding_changes_no_hot_table(new_store: Callable[..., Any]) -> None:
    store = new_store()
    a, b = dataset(("d", "a"), "v1"), dataset(("d", "b"))
    store.ingest(
        [
            encode(event(1, 0, outputs=(a,))),
            encode(event(2, 1, inputs=(a, b), run_facets={"parent": parent(7)})),
        ]
    )
    store.ingest([encode(event(3, 0, outputs=(b,)))])
    before = {table: hot for table, (hot, _) in store.truth().items()}
    assert len(before["inferred_read"]) == 1
    store.store.rebuild()
    assert {table: hot for table, (hot, _) in store.truth().items()} == before


# Hostile messages


def told(store: Store, body: bytes) -> Json:
    """What becomes of one message in an empty store."""
    store.ingest(batch(body))
    asked = store.connection.execute
    return {
        "letters": [reason for (reason,) in asked("select reason from dead_letters").fetchall()],
        "events": len(asked("from events").fetchall()),
        "problems": asked("select path, got from event_problems order by all").fetchall(),
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "no value"),
        (b"", "no value"),
        (b" \r\n\t  ", "no value"),
        (b"\xef\xbb\xbf{}", "not an event"),  # kept with its byte order mark
        (b"null", "not an event: JSON null, expected an object"),
        (b'"text"', "not an event: JSON varchar, expected an object"),
        (b"{}", "not an event: it has no run, job or dataset"),
        (GOOD[:-1], "not JSON"),
        (GOOD + b" " + GOOD, "not JSON"),
        (GOOD.replace(b'"', b"'"), "not JSON"),
        (GOOD.replace(b"HERE", b"a\x00b"), "not JSON"),  # a bare NUL, where JSON wants \\u0000
        (GOOD.replace(b"HERE", rb"\ud800"), "not JSON"),  # half of a surrogate pair
        (GOOD.replace(b"HERE", b"\xed\xa0\x80"), "not UTF-8 at byte"),  # the same, bare
        (GOOD.decode().encode("utf-16"), "not UTF-8 at byte 0"),
        (GOOD.decode().encode("utf-16-le"), "not JSON"),
        (GOOD.replace(b"2026-03-01", b"2026-02-30"), "eventTime cannot be read: 2026-02-30T12:00:00Z"),
        (GOOD.replace(b'"2026-03-01T12:00:00Z"', b"1772366400000"), "eventTime cannot be read: 1772366400000"),
        (GOOD.replace(b"2026-03-01T12:00:00Z", b"infinity"), "eventTime cannot be read: infinity"),
        (GOOD.replace(b'"name":"load"', b'"name":{"a":1}'), "run event without job.name"),
    ],
)  # fmt: skip
def test_what_is_no_event_becomes_a_letter_that_says_why(
    body: bytes | None, reason: str, store: Store
) -> None:
    store.ingest(batch(body))
    [(why, kept)] = store.connection.execute("select reason, body from dead_letters").fetchall()
    assert why.startswith(reason)
    assert kept == body
    assert store.connection.execute("from events").fetchall() == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{" * 100_000, id="100,000 open braces"),
        pytest.param(b"[" * 100_000, id="100,000 open brackets"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="an array 100,000 deep"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="an object 100,000 deep"),
        pytest.param(b'["' + b'\\"' * 200_000 + b"]", id="an array with a text that does not end"),
        pytest.param(b"{" * 300 + b'"' + b'\\"' * 200_000, id="braces and a text that does not end"),
        pytest.param(b'{"a":"' + b"x" * (33 << 20) + b'"}', id="33 MB"),
        pytest.param(b"[" * (33 << 20), id="33 MB of brackets"),
    ],
)
@pytest.mark.timeout(60)  # reading a text again from each of its quotes would take hours
def test_a_bomb_is_a_letter_at_once(body: bytes, store: Store) -> None:
    began = time.process_time()
    store.ingest(batch(GOOD, body, moved=2))
    [(reason,)] = store.connection.execute("select reason from dead_letters").fetchall()
    assert reason.startswith(("nested ", "larger than 32 MB", "not JSON"))
    assert len(store.connection.execute("from events").fetchall()) == 1
    assert time.process_time() - began < 10


def test_brackets_in_texts_are_no_depth(store: Store) -> None:
    assert told(store, GOOD.replace(b"HERE", b"[{" * 1000))["events"] == 1
    assert told(store, GOOD.replace(b'"HERE"', b"[" * 190 + b"]" * 190))["events"] == 2
    assert store.connection.execute("from dead_letters").fetchall() == []


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b"\xef\xbb\xbf" + GOOD, []),
        (GOOD.replace(b"HERE", rb"a\u0000b"), []),
        (GOOD.replace(b'"name":"load"', rb'"name":"l\u0000d"'), []),
        (GOOD.replace(b'"HERE"', b"1" * 60), []),
        (GOOD.replace(b'"HERE"', b"1e999999"), []),
        (GOOD.replace(b'"HERE"', b"NaN"), [("$", "NaN or Infinity")]),
        (GOOD.replace(b'"HERE"', b"-Infinity"), [("$", "NaN or Infinity")]),
        (GOOD.replace(b"HERE", b": NaN"), []),  # a text
        (GOOD.replace(b"HERE", b"<<non-serializable: float32>>"), [("$", "<<non-serializable")]),
        (GOOD.replace(b'"facets":{"x"', b'"facets":{"x":{},"x"'), [("run.facets", "a key twice")]),
        (GOOD.replace(b'"inputs":[]', b'"inputs":{}'), [("inputs", "object")]),
        (GOOD.replace(b'"outputs":[]', b'"outputs":"none"'), [("outputs", "varchar")]),
        (GOOD.replace(b'"inputs":[]', b'"inputs":null'), []),
        (GOOD.replace(b'"inputs":[]', b'"inputs":[5]'), [("inputs[1]", "ubigint")]),
        (GOOD.replace(b'"inputs":[]', b'"inputs":[{"namespace":"d"}]'), [("inputs[1].name", "nothing")]),
        (GOOD.replace(b'"COMPLETE"', b'"DONE"'), [("eventType", "DONE")]),
        (GOOD.replace(b"12:00:00Z", b"12:00:00"), [("eventTime", "2026-03-01T12:00:00")]),
        (GOOD.replace(b"12:00:00Z", b"12:00:00+01:00[Europe/Berlin]"), []),
        (
            GOOD.replace(b"12:00:00Z", b"12:00:00[Europe/Berlin]"),
            [("eventTime", "2026-03-01T12:00:00[Europe/Berlin]")],
        ),
        (
            GOOD.replace(
                b'"outputs":[]',
                b'"outputs":[{"namespace":"d","name":"t","facets":{"relineage_content":'
                b'{"digests":["b3-bytes1:00112233445566ff","md5","b3-table1:xyz",7,null]}}}]',
            ),
            [("outputs[1].relineage_content.digests", told) for told in ("7", "b3-table1:xyz", "md5")],
        ),
    ],
)
def test_what_loads_says_what_of_it_could_not_be_used(body: bytes, problems: list[Any], store: Store) -> None:
    assert told(store, body) == {"letters": [], "events": 1, "problems": problems}


ROUNDED = "b3-table1-rounded2:" + "ee" * 32


def test_a_digest_of_rounded_values_names_no_version_and_binds_no_content(store: Store) -> None:
    digests = [ROUNDED, "b3-table1:" + "aa" * 32]
    written = dataset(("d", "only"), digests=[ROUNDED], distinctive=True)
    read = dataset(("d", "other"), "7", digests=[ROUNDED], distinctive=True)
    both = dataset(("d", "both"), digests=digests, distinctive=True)
    bodies = [encode(event(1, 0, outputs=(written, both))), encode(event(2, 5, inputs=(read,)))]
    store.ingest(batch(*bodies))

    def asked(query: str) -> list[Any]:
        return store.connection.execute(query).fetchall()

    assert asked("select digest from store.version_digest") == [(digests[1],)]
    assert asked("select version from dataset_versions order by version") == [("7",), (digests[1],)]
    assert asked("select how, writer_run_id from inputs") == [("unknown", None)]
    assert asked("from event_problems") == []  # it is well formed


def test_numbers_are_kept_as_they_were_written(store: Store) -> None:
    numbers = b"[18446744073709551629,0.1,1.0,-0.0,1e400]"
    store.ingest(batch(GOOD.replace(b'"HERE"', numbers)))
    [(body,)] = store.connection.execute("select body from facets where key = 'x'").fetchall()
    assert numbers.decode() in body


HOSTILE = [
    'it\'s "quoted"',
    "Robert'); drop table store.event; --",
    "🕷 été \u202egnp.exe",
    "<script>alert(1)</script>",
    "[red]rich[/red] {curly} $dollar %s \\backslash",
    "\x1b[31mred\x1b[0m\r\nnew line\x00nul",
    "a/b@c:d",
    "x" * 10_000,
    " ",
    "",
]


def test_a_name_is_a_text_and_nothing_else(new_store: Callable[..., Any]) -> None:
    store = new_store()
    wrote, read = [], []
    for number, name in enumerate(HOSTILE):
        table = dataset((name, name), name or "v")
        facets = {name: facet(text=name)}
        wrote.append(event(2 * number, 0, job=(name, name), outputs=(table,), run_facets=facets))
        read.append(event(2 * number + 1, 1, inputs=(table,)))
    store.ingest([encode(one) for one in wrote])
    store.ingest([encode(one) for one in read])

    jobs = dict(store.sql("select run_id, (job_namespace, job_name) from runs"))
    inputs = {run: rest for run, *rest in store.sql("select run_id, how, version, writer_run_id from inputs")}
    facets = {
        run: rest for run, *rest in store.sql("select run_id, key, body from facets where entity = 'run'")
    }
    assert len(inputs) == len(facets) == len(HOSTILE)
    for number, name in enumerate(HOSTILE):
        writer, reader = run_id(2 * number), run_id(2 * number + 1)
        assert jobs[writer] == (name, name)
        assert inputs[reader] == ["version", name or "v", writer]
        key, body = facets[writer]
        assert (key, json.loads(body)["text"]) == (name, name)
        found = store.sql("select writer_run_id from upstream($x)", {"x": f"dataset:{name}/{name}"})
        assert found == [(writer,)]
    datasets = store.sql("select namespace, name from datasets")
    assert sorted(datasets) == sorted((name, name) for name in HOSTILE)
    assert all(hot == true for hot, true in store.truth().values())


A, F = "b3-rows1:" + "a" * 16, "b3-rows1:" + "f" * 5000
BAD_OUTPUT_FACETS: list[Json] = [
    {"relineage_content": {"digests": [A], "rows": "many", "bytes": 1.5}},
    {"relineage_content": {"digests": A, "distinctive": "perhaps"}},
    {"relineage_content": {"digests": [5, None, {}, "", "b3-rows1:zz", F]}},
    {"relineage_model": {"parameters": "many", "framework": {}}},
    {"relineage_model": {"parameters": 1e30}, "datasetType": {"datasetType": ["MODEL"]}},
    {"relineage_featureStats": {"features": [5, {"name": "a", "rows": "many", "min": {}}]}},
    {
        "columnLineage": {
            "fields": {"a": 5, "b": {"inputFields": [5, {"transformations": 5}]}},
            "dataset": [5],
        }
    },
    {"symlinks": {"identifiers": [5, None, {"namespace": "x"}, {"namespace": {}, "name": []}]}},
    {"lifecycleStateChange": {"lifecycleStateChange": "RENAME", "previousIdentifier": "x"}},
    {"lifecycleStateChange": {"lifecycleStateChange": ["RENAME"], "previousIdentifier": [5]}},
    {"version": {"datasetVersion": {"a": 1}}},
]
BAD_RUN_FACETS: list[Json] = [
    {"parent": {"run": 5, "job": [], "root": "x"}},
    {"parent": {"run": {"runId": {}}, "job": {"name": 5}, "root": {"run": [], "job": None}}},
    {"parent": {"run": {"runId": [1], "facets": "x"}, "job": {"namespace": [], "name": {}}}},
    {"relineage_step": {"task": {}, "recipe": 5, "parameters": {}}},
    {
        "relineage_step": {"parameters": [5, {"name": 5, "value": {}}]},
        "executionParameters": {"parameters": [5]},
    },
    {"relineage_seeds": {"given": "perhaps", "libraries": 5}},
    {"relineage_metrics": {"metrics": [5, {"name": 5, "value": "x", "step": "y"}]}},
    {"relineage_environment": {"packages": [1], "argv": "x", "code": 5}, "processing_engine": {"name": {}}},
]
BAD_JOB_FACETS: list[Json] = [{"documentation": {"_deleted": "perhaps"}, "jobType": {"processingType": 5}}]


def test_a_facet_with_wrong_types_breaks_no_view_and_no_question(new_store: Callable[..., Any]) -> None:
    store = new_store()
    views = store.sql("select view_name from duckdb_views() where schema_name = 'main' and not internal")
    version = {"version": facet(datasetVersion="v")}
    told = [
        *({"outputs": (dataset(("d", "t"), **{**version, **facets}),)} for facets in BAD_OUTPUT_FACETS),
        *({"run_facets": facets} for facets in BAD_RUN_FACETS),
        *({"job_facets": facets} for facets in BAD_JOB_FACETS),
    ]
    store.ingest([encode(event(number, number, **fields)) for number, fields in enumerate(told)])
    assert store.sql("select count(*) from events") == [(len(told),)]

    failed = {}
    for question in (*(view for (view,) in views), *(f"reproducibility('{run_id(n)}')" for n in (0, 12, 15))):
        try:
            store.sql(f"from {question}")
        except duckdb.Error as error:
            failed[question] = str(error)
    assert failed == {}
    assert {table for table, (hot, true) in store.truth().items() if hot != true} == set()


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(path)) as theirs:
        theirs.execute("create table orders (id int)")

    with pytest.raises(DatabaseUnreadable, match="no lineage database"):
        Store.open(path)

    with duckdb.connect(str(path)) as theirs:
        assert theirs.execute("select schema_name, table_name from duckdb_tables()").fetchall() == [
            ("main", "orders")
        ]
