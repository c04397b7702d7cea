"""Lists, differences, single things, SQL and letters, from events that the emitter wrote."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import process_environment

HEX = "0123456789abcdef"


def latest(relineage: Callable[..., Any], job: str) -> list[str]:
    """Run ids of a job, newest first."""
    return [run["run_id"] for run in relineage("runs", "--format", "json").json if run["job_name"] == job]


def models(relineage: Callable[..., Any]) -> list[str]:
    return [f"models/fraud@{model['version']}" for model in relineage("models", "--format", "json").json]


def test_runs_are_listed_newest_first(asked: Path, relineage: Callable[..., Any]) -> None:
    runs = relineage("runs", "--format", "json").json

    assert [run["job_name"] for run in runs] == ["evaluate", "train", "split", "prepare"] * 2
    assert {run["state"] for run in runs} == {"COMPLETE"}
    assert [run["started_at"] for run in runs] == sorted((run["started_at"] for run in runs), reverse=True)
    assert all(run["started_at"].endswith("Z") for run in runs)


def test_a_list_that_was_cut_says_so(asked: Path, relineage: Callable[..., Any]) -> None:
    cut, whole = relineage("runs", "--limit", "3"), relineage("runs", "--limit", "8")

    assert cut.out.count("fraud/") == 3
    assert cut.err == "relineage: these are the first 3, there are more: --limit N lists more\n"
    assert whole.out.count("fraud/") == 8
    assert whole.err == ""


LOOP = """
import numpy as np
from relineage.emitter import Lineage
lineage = Lineage(namespace="loop")
@lineage.step
def fit(model, batch):
    if batch in (3, 7):
        raise ValueError(batch)
    return {"w": model["w"] + batch + 1}
for steps in (30, 10):
    with lineage.run("training", seed=1):
        model = {"w": np.arange(9.0) * steps}
        for batch in range(steps):
            try:
                model = fit(model, batch)
            except ValueError:
                pass
"""


def test_the_steps_of_a_training_do_not_hide_it_among_the_runs_and_models(
    folder: Path, relineage: Callable[..., Any]
) -> None:
    (folder / "train.py").write_text(LOOP)
    subprocess.run([sys.executable, "train.py"], cwd=folder, env=process_environment(), check=True)

    runs, models = relineage("runs"), relineage("models")

    assert runs.out.count("loop/training ") == 2
    assert runs.out.count("loop/fit, 28 runs ") == 1
    assert runs.out.count("loop/fit ") == 2 + 10  # those that failed, and those of the short training
    assert runs.err == "relineage: many runs alike are one line: --limit N lists each\n"
    assert models.out.count("loop/fit/output@") == 1 + 8
    assert models.out.count(", 28 versions ") == 1
    assert relineage("runs", "--limit", "99").out.count("loop/fit ") == 40
    assert relineage("models", "--limit", "99").out.count("loop/fit/output@") == 28 + 8
    assert len(relineage("runs", "--format", "json").json) == 42


def test_a_program_is_told_of_a_cut_too(asked: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("runs", "--limit", "3", "--format", "json")

    assert len(said.json) == 3
    assert "there are more" in said.err


def test_datasets_show_their_latest_version(asked: Path, relineage: Callable[..., Any]) -> None:
    found = {one["name"]: one for one in relineage("datasets", "--format", "json").json}

    assert found["features/train"]["versions"] == 2
    assert found["features/train"]["rows"] == 32
    assert found["features/train"]["latest"].startswith("b3-table1:")
    assert f"fraud/features/train@{found['features/train']['latest'][10:18]}" in relineage("datasets").out


def test_models_name_the_run_that_wrote_them(asked: Path, relineage: Callable[..., Any]) -> None:
    found = relineage("models", "--format", "json").json

    assert [model["run_id"] for model in found] == latest(relineage, "train")
    assert {model["name"] for model in found} == {"models/fraud"}


def test_lists_show_files_by_their_paths_and_programs_their_namespaces(
    asked: Path, relineage: Callable[..., Any]
) -> None:
    files = [one for one in relineage("datasets", "--format", "json").json if one["namespace"] == "file"]

    assert [one["name"] for one in files] == [f"{asked}/raw.csv"]
    for screen in (relineage("datasets"), relineage("show", "prepare"), relineage("show", "raw.csv")):
        assert f"{asked}/raw.csv" in screen.out
        assert "file/" not in screen.out


@pytest.mark.parametrize(("columns", "shown"), [("20", 0), ("80", 1), ("120", 2)])
def test_a_narrow_terminal_cuts_nothing(
    columns: str,
    shown: int,
    asked: Path,
    relineage: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At each width the beginnings of run ids are those of the runs; every third of them is asked for."""
    monkeypatch.setenv("COLUMNS", columns)
    run_ids = [run["run_id"] for run in relineage("runs", "--format", "json").json]

    runs = relineage("runs")
    ids = relineage(
        "sql", f"select run_id, run_id as a_run_id, started_at from runs where run_id = '{run_ids[0]}'"
    )

    assert runs.out.count("COMPLETE") == 8
    beginnings = [line.split()[0] for line in runs.out.splitlines()[2:]]
    meant = [[run_id for run_id in run_ids if run_id.startswith(beginning)] for beginning in beginnings]
    assert meant == [[run_id] for run_id in run_ids]
    assert {relineage("show", beginning).code for beginning in beginnings[shown::3]} == {0}
    assert ids.out.count(run_ids[0]) == 2


def test_a_list_of_runs_fits_a_narrow_terminal(
    asked: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert max(map(len, relineage("runs").out.splitlines())) <= 80


def test_nothing_recorded_is_said(folder: Path, relineage: Callable[..., Any]) -> None:
    assert relineage("models").err == "relineage: none is recorded\n"
    assert relineage("models", "--format", "json").json == []


def test_why_finds_the_seed_that_differs(asked: Path, relineage: Callable[..., Any]) -> None:
    new, old = models(relineage)

    said = relineage("why", old, new)
    causes = relineage("why", old, new, "--format", "json").json

    assert said.code == 1
    assert (causes[0]["what"], causes[0]["job_name"]) == ("seed", "split")
    assert (causes[0]["a"], causes[0]["b"]) == ("42", "43")
    assert said.out.splitlines()[0] == " 1  seed in split"
    assert said.out.splitlines()[1] == "      42 → 43"


@pytest.fixture
def two_loads(folder: Path) -> Path:
    """A file, another file and what was made of them, with the default roles, and one with a role of its own."""
    from relineage.emitter import Lineage

    lineage = Lineage(namespace="n", environ={})
    for number in (1, 2):
        file, labels = folder / f"raw{number}.bin", folder / f"labels {number}.txt"
        file.write_text(f"x\n{number}\n")
        labels.write_text(f"{number}")
        with lineage.run("load", seed=1) as run:
            run.input(file)
            if number == 1:
                run.input(labels, role="labels")
            run.output([number], name="loaded")
    assert lineage.close()
    return folder


def test_causes_read_well_with_default_roles_and_others(
    two_loads: Path, relineage: Callable[..., Any]
) -> None:
    new, old = latest(relineage, "load")

    headings = [line[4:] for line in relineage("why", old, new).out.splitlines() if line[:2].strip()]

    assert headings == ["input in load", "input labels in load, only in A"]


def test_files_that_nobody_wrote_differ_in_their_content(
    two_loads: Path, relineage: Callable[..., Any]
) -> None:
    heading, _, path = relineage("why", "raw1.bin", "raw2.bin").out.splitlines()

    assert heading == f" 1  content of {two_loads}/raw1.bin"
    assert path == f"      {two_loads}/raw1.bin"


def test_diff_shows_files_by_their_paths_and_no_role_twice(
    two_loads: Path, relineage: Callable[..., Any]
) -> None:
    new, old = latest(relineage, "load")

    said = relineage("diff", old, new).out

    assert "file/" not in said
    assert f"labels {two_loads}/labels 1.txt" in said
    assert ["input", f"{two_loads}/raw1.bin"] in [line.split()[:2] for line in said.splitlines()]
    assert f"input file/{two_loads}/raw1.bin" in [
        one["key"] for one in relineage("diff", old, new, "--format", "json").json
    ]


def test_diff_shows_what_two_runs_do_not_share(asked: Path, relineage: Callable[..., Any]) -> None:
    new, old = latest(relineage, "split")

    said = relineage("diff", old, new, "--format", "json")
    found = {(one["what"], one["key"]): (one["a"], one["b"]) for one in said.json}

    assert said.code == 1
    assert found["seed", ""] == ("42", "43")
    assert ("output", "train fraud/features/train") in found
    assert ("parameter", "share") not in found
    assert "seed" in relineage("diff", old, new).out


def test_what_does_not_differ_is_said(asked: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("diff", "train", "train")

    assert (said.code, said.out) == (0, "")
    assert said.err == "relineage: nothing that is recorded differs\n"
    said = relineage("why", "job:train", "job:train")
    assert (said.code, said.out) == (0, "")
    assert said.err == "relineage: they do not differ, as far as is recorded\n"


def test_show_has_everything_of_a_run(asked: Path, relineage: Callable[..., Any]) -> None:
    [run_id, _] = latest(relineage, "train")

    found = relineage("show", run_id, "--format", "json").json
    screen = relineage("show", run_id).out

    assert found["run"][0]["job_name"] == "train"
    assert [one["role"] for one in found["inputs"]] == ["train"]
    assert [one["dataset_name"] for one in found["outputs"]] == ["models/fraud"]
    assert found["parameters"] == [{"name": "C", "value": "1.0", "type": "float"}]
    assert found["metrics"] == [{"name": "auc", "value": 0.93, "step": None}]
    assert {one["library"] for one in found["seeds"]} >= {"random"}
    assert found["environment"][0]["packages"]["pandas"]
    assert "relineage_seeds" in [one["key"] for one in found["facets"]]
    assert isinstance(found["facets"][0]["body"], dict)
    for word in (run_id, "fraud/models/fraud", "auc", "relineage_seeds", "packages"):
        assert word in screen
    assert "problems" not in screen


def test_show_knows_a_dataset_a_version_a_digest_and_a_job(
    asked: Path, relineage: Callable[..., Any]
) -> None:
    dataset = relineage("show", "features/train", "--format", "json").json
    version = dataset["versions"][0]["version"]
    by_version = relineage("show", f"features/train@{version}", "--format", "json").json
    by_digest = relineage("show", version, "--format", "json").json
    job = relineage("show", "job:train", "--format", "json").json

    assert len(dataset["versions"]) == len(dataset["writers"]) == len(dataset["readers"]) == 2
    assert by_version == by_digest
    assert [one["digest"] for one in by_version["digests"]] == [version]
    assert [one["job_name"] for one in by_version["writers"]] == ["split"]
    assert [one["job_name"] for one in by_version["readers"]] == ["train"]
    assert {one["feature"] for one in by_version["features"]} == {"a", "b", "c"}
    assert len(job["runs"]) == 2
    assert job["latest_run"][0]["run_id"] == latest(relineage, "train")[0]


def test_a_section_that_was_cut_says_so(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "load", 1, writes=[(f"d{i}", "1") for i in range(30)])

    assert "outputs (the first 20 of 30; --format json has all)" in relineage("show", "load").out


SQL = [
    "create table x (a int)",
    "delete from store.run",
    "with gone as (delete from store.run returning *) select * from gone",
    "select * from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from glob('/*')",
    "copy runs to '{folder}/out.csv'",
    "attach '{folder}/other.duckdb'",
    "export database '{folder}/out'",
    "set enable_external_access = true",
    "select * from rows",  # a variable of ours
    "select 1; delete from store.run",
    "selec 1",
    "",
]


@pytest.mark.parametrize("query", SQL)
def test_sql_cannot_change_or_reach_anything(
    query: str, asked: Path, tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    said = relineage("sql", query.format(folder=tmp_path))

    assert said.code == 2, said
    assert said.out == ""
    assert said.err.startswith("relineage: ")
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []
    assert len(relineage("runs", "--format", "json").json) == 8


@pytest.mark.parametrize("query", ["commit", "rollback", "checkpoint"])
def test_a_statement_that_ends_the_transaction_does_no_harm(
    query: str, asked: Path, relineage: Callable[..., Any]
) -> None:
    assert relineage("sql", query).code in (0, 2)
    assert len(relineage("runs", "--format", "json").json) == 8


def test_sql_asks_views_and_macros(asked: Path, relineage: Callable[..., Any]) -> None:
    query = "select distinct writer_job_name as job from upstream('models/fraud') where job is not null order by 1"

    assert [row["job"] for row in relineage("sql", query, "--format", "json").json] == [
        "prepare",
        "split",
        "train",
    ]
    assert relineage("sql", "select * from upstream('nothing')").err.startswith(
        "relineage: nothing is known as"
    )


def test_a_run_that_ended_before_it_began_has_a_time_that_nobody_knows(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    """A clock was set back, or two machines have different ones. It was: -3600.0 s."""
    run = {"runId": "0199a000-0000-7000-8000-00000000000a"}
    tell(folder, "train", 3, run=run, eventType="START")
    tell(folder, "train", 2, run=run)

    *_, row = relineage("runs").out.splitlines()
    assert row.split() == ["0199a000-0000", "n/train", "COMPLETE", "2026-01-31", "03:00:00", "?"]


def test_sql_says_when_rows_were_cut(asked: Path, relineage: Callable[..., Any]) -> None:
    table, all_of_them = "select * from range(1001)", "select * from range(1000)"

    assert relineage("sql", table).err == (
        "relineage: these are the first 1000 rows, there are more: --limit N prints more\n"
    )
    assert relineage("sql", all_of_them).err == ""
    assert len(relineage("sql", table, "--format", "json").json) == 1001
    assert len(relineage("sql", table, "--limit", "5", "--format", "json").json) == 5


def test_values_of_all_kinds_become_json(asked: Path, relineage: Callable[..., Any]) -> None:
    query = """
        select timestamp '2026-01-31 10:00:03' as t, 'NaN'::double as n, 1.50::decimal(9, 2) as d, '\\xFF'::blob as b,
               {'a': [1, 2]} as s, '{"x": 1}'::json as j, null as z, 1 as one, 2 as one, (2::hugeint << 69) as h,
               date '2026-01-31' as day"""

    assert relineage("sql", query, "--format", "json").json == [
        {
            "t": "2026-01-31T10:00:03Z", "n": "nan", "d": "1.50", "b": "/w==", "s": {"a": [1, 2]}, "j": {"x": 1},
            "z": None, "one": 1, "one_2": 2, "h": 2**70, "day": "2026-01-31",
        }
    ]  # fmt: skip


@pytest.fixture
def letters(folder: Path) -> Path:
    """A project with two letters, one of which is no UTF-8."""
    (folder / ".relineage" / "events" / "bad.ndjson").write_bytes(b'{"half": \n\xff\xfe\n')
    return folder


def test_letters_are_listed_with_the_reason(letters: Path, relineage: Callable[..., Any]) -> None:
    first = relineage("letters")
    found = relineage("letters", "--format", "json").json

    assert first.code == 1
    assert "2 new messages in" in first.err
    assert {one["bytes"] for one in found} == {8, 2}
    assert any("not UTF-8" in one["reason"] for one in found)
    assert all(one["digest"][:8] in first.out for one in found)


def test_a_list_of_letters_fits_a_narrow_terminal_and_finds_each_again(
    letters: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    heading, _, *lines = relineage("letters").out.splitlines()

    assert heading.split() == ["digest", "received", "at", "bytes", "reason", "from"]
    assert max(map(len, lines)) <= 80
    places = "".join(line[heading.index("from") :].replace(" ", "") for line in lines)
    assert "events/bad.ndjsonatbyte0" in places
    assert "events/bad.ndjsonatbyte10" in places
    assert {relineage("letters", line[:8]).code for line in lines if line[:8].strip()} == {1}


def test_a_place_in_kafka_is_its_topic_and_partition_and_a_file_is_named_from_here(
    folder: Path,
) -> None:
    from relineage.consumer.cli.output import place_of

    assert place_of("kafka:cluster/id", "openlineage.events", 3) == "openlineage.events:3"
    assert place_of(str(folder / "sub" / "a.json"), None, 0) == "sub/a.json"
    assert place_of("/elsewhere/a.json", None, 0) == "/elsewhere/a.json"
    assert place_of("stdin", None, 0) == "stdin"


def test_one_letter_is_shown_with_its_bytes(letters: Path, relineage: Callable[..., Any]) -> None:
    by_size = {one["bytes"]: one["digest"] for one in relineage("letters", "--format", "json").json}

    text = relineage("letters", by_size[8])
    whole = relineage("letters", by_size[8].replace("-", "")[:10].upper(), "--format", "json")
    binary = relineage("letters", by_size[2], "--format", "json").json

    assert text.code == whole.code == 1
    assert text.out.splitlines()[-1] == '{"half":'
    assert whole.json["body"] == '{"half":'
    assert binary["body_base64"] == "//4="
    assert "\\xff\\xfe" in relineage("letters", by_size[2]).out


def test_status_counts_and_names_the_sources(
    letters: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(letters, "load", 1, writes=[("a", "1")], eventTime="2026-01-31T01:00:00")

    found = relineage("status", "--format", "json").json

    assert found["facts"][0]["database"] == str(letters / ".relineage" / "lineage.duckdb")
    assert found["facts"][0]["events"] == 1
    assert found["facts"][0]["runs"] == 1
    assert found["facts"][0]["letters"] == 2
    assert found["facts"][0]["last_event"] == "2026-01-31T01:00:00Z"
    assert found["facts"][0]["problems"] == len(found["problems"]) == 1  # a time without a zone
    assert [Path(one["source"]).name for one in found["sources"]] == ["bad.ndjson", "told.ndjson"]
    assert "told.ndjson" in relineage("status").out


def test_rebuild_brings_back_what_was_lost(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    from relineage.consumer.store import Store

    tell(folder, "load", 1, writes=[("a", "1")])
    before = relineage("runs", "--format", "json").json
    with Store.open(folder / ".relineage" / "lineage.duckdb") as store:
        store.connection.execute("delete from store.run")
    assert relineage("runs", "--format", "json").json == []

    said = relineage("rebuild")

    assert said.code == 0
    assert said.err.startswith("relineage: rebuilt from 1 event: 1 run, in ")
    assert relineage("runs", "--format", "json").json == before


def test_a_question_takes_in_what_is_new(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "one", 1)
    assert len(relineage("runs", "--format", "json").json) == 1
    tell(folder, "two", 2)
    said = relineage("runs", "--format", "json")

    assert len(said.json) == 2
    assert said.err == ""


def test_another_database_is_asked_as_it_is(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    (folder / "events.json").write_text(json.dumps(tell(folder, "one", 1)))
    relineage("consume", "events.json", "--database", "other.duckdb")
    tell(folder, "two", 2)

    assert len(relineage("runs", "--database", "other.duckdb", "--format", "json").json) == 1
    assert len(relineage("runs", "--database", ".relineage/lineage.duckdb", "--format", "json").json) == 2
    assert relineage("runs", "--database", "nothing.duckdb").code == 2
    assert not (folder / "nothing.duckdb").exists()
