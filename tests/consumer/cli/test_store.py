"""`relineage store`: what runs have kept is listed, taken out, verified, and removed when nobody refers to it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from cli_projects import in_a_process, process_environment

from relineage.consumer.cli import store as store_command
from relineage.emitter import Lineage
from relineage.emitter.digests import content_of
from relineage.emitter.store import Store, open_store

FRAME = pd.DataFrame({"a": np.arange(50.0), "b": ["x", "y"] * 25})
STATE = {"w": np.arange(40.0)}
OLD = time.time() - 3 * 86_400


def run_job(folder: Path, **settings: Any) -> None:
    """One run that keeps a file, a folder, a table and tensors."""
    (folder / "raw.csv").write_text("a,b\n" + "1,2\n" * 40)
    (folder / "images" / "deep").mkdir(parents=True, exist_ok=True)
    for name in ("1", "deep/2"):
        (folder / "images" / name).write_bytes(name.encode() * 100)
    with contextlib.chdir(folder):
        lineage = Lineage(namespace="n", store=True, environ=settings)
        with lineage.run("train") as run:
            run.input(folder / "raw.csv", role="raw")
            run.input(folder / "images", role="images")
            run.output(FRAME, name="features", role="features")
            run.output(STATE, name="model", role="model")
        assert lineage.close()


def objects(folder: Path) -> Store:
    return open_store(folder / ".relineage" / "store", folder)


def grow_old(folder: Path) -> None:
    for path in (folder / ".relineage" / "store").rglob("*"):
        if path.is_file():
            os.utime(path, (OLD, OLD))


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    (folder / ".relineage").mkdir()
    run_job(folder)
    return folder


@pytest.fixture
def project(kept_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a project with a store, as the working directory."""
    shutil.copytree(kept_once, tmp_path / "p", symlinks=True)
    monkeypatch.chdir(tmp_path / "p")
    return tmp_path / "p"


def test_ls_lists_every_object_the_latest_first(project: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("store", "ls", "--format", "json")

    assert said.code == 0
    assert sorted(one["kind"] for one in said.json) == ["bytes"] * 3 + ["folder", "table", "tensors"]
    assert {one["digest"] for one in said.json} == {one.digest for one in objects(project).scan()}
    assert [one["stored_at"] for one in said.json] == sorted(
        (one["stored_at"] for one in said.json), reverse=True
    )
    table = relineage("store", "ls", "--limit", "2")
    assert table.out.count("b3-") == 2
    assert "there are more" in table.err


def test_ls_of_something_lists_what_holds_its_content(project: Path, relineage: Callable[..., Any]) -> None:
    def digests(x: str) -> set[str]:
        return {one["digest"] for one in relineage("store", "ls", x, "--format", "json").json}

    assert digests("features") == {content_of(FRAME).digests[0]}
    assert digests("train") == {content_of(FRAME).digests[0], content_of(STATE).digests[0]}
    assert digests("./raw.csv") == {content_of(project / "raw.csv").digests[-1]}
    assert relineage("store", "ls", "nothing").code == 2


def test_get_writes_what_a_name_stands_for(
    project: Path, kept_once: Path, relineage: Callable[..., Any]
) -> None:
    assert relineage("store", "get", "features", "-o", "f.parquet").code == 0
    assert relineage("store", "get", "model", "-o", "m.safetensors").code == 0
    shutil.move("raw.csv", "moved.csv")
    shutil.move("images", "moved")
    assert relineage("store", "get", f"dataset:{kept_once}/raw.csv", "-o", "raw.csv").code == 0
    assert relineage("store", "get", f"dataset:{kept_once}/images", "-o", "images").code == 0

    pd.testing.assert_frame_equal(pd.read_parquet("f.parquet"), FRAME, check_dtype=False)
    assert content_of(Path("m.safetensors")).digests[0] == content_of(STATE).digests[0]
    assert Path("raw.csv").read_bytes() == Path("moved.csv").read_bytes()
    assert content_of(Path("images")).digests == content_of(Path("moved")).digests


def test_get_by_a_digest_asks_no_database_and_names_the_file_by_it(
    project: Path, relineage: Callable[..., Any]
) -> None:
    shutil.rmtree(project / ".relineage" / "events")
    digest = content_of(FRAME).digests[0]
    said = relineage("store", "get", digest)

    name = f"{digest.partition(':')[2][:16]}.parquet"
    assert said.out == f"{digest}  {name}\n"
    assert content_of(Path(name)).digests[0] == digest
    assert not (project / ".relineage" / "lineage.duckdb").exists()


def test_get_of_several_things_names_them(project: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("store", "get", "train")

    assert said.code == 2
    assert said.err.splitlines()[0] == "relineage: train is 2 objects; name one of them:"
    assert {line.strip() for line in said.err.splitlines()[1:]} == {
        content_of(one).digests[0] for one in (FRAME, STATE)
    }


def test_get_overwrites_nothing(project: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("store", "get", "features", "-o", "raw.csv")

    assert said.code == 2
    assert said.err == "relineage: raw.csv is there already: name another path\n"
    assert Path("raw.csv").read_text().startswith("a,b")


@pytest.mark.parametrize(
    "x", ["../../etc/passwd", "b3-bytes1:../../x", "b3-bytes1:" + "0" * 64, "\x1b[31m", ""]
)
def test_what_is_not_there_is_one_line_and_writes_nothing(
    project: Path, relineage: Callable[..., Any], x: str
) -> None:
    before = sorted(project.iterdir())
    for said in (relineage("store", "get", x), relineage("store", "verify", x)):
        assert said.code == 2
        assert said.err.startswith("relineage: ")
        assert "\x1b" not in said.err
    assert [path for path in sorted(project.iterdir()) if path.name != ".relineage"] == before[1:]


def damaged(folder: Path, kind: str) -> str:
    """Change one bit of an object of a kind; its digest."""
    found = next(one for one in objects(folder).scan() if one.kind == kind)
    file = folder / ".relineage" / "store" / found.name
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    return found.digest


def test_verify_says_that_all_is_well(project: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("store", "verify")

    assert (said.code, said.out) == (0, "")
    assert said.err.startswith("relineage: 6 objects, ")
    assert said.err.endswith("none damaged\n")


@pytest.mark.parametrize("kind", ["table", "tensors", "bytes", "folder"])
def test_verify_says_which_object_is_damaged_and_get_does_not_give_it(
    project: Path, relineage: Callable[..., Any], kind: str
) -> None:
    digest = damaged(project, kind)

    said = relineage("store", "verify")
    assert said.code == 1
    assert [line.partition("  ")[0] for line in said.out.splitlines()] == [digest]
    assert "6 objects" in said.err
    assert "1 damaged" in said.err
    assert relineage("store", "verify", digest).code == 1
    other = next(
        one.digest for one in objects(project).scan() if one.digest != digest and one.kind != "folder"
    )
    assert relineage("store", "verify", other).code == 0
    got = relineage("store", "get", digest, "-o", "out")
    assert got.code == 2
    assert digest in got.err
    assert not Path("out").exists()


def test_a_folder_with_a_damaged_file_is_damaged(project: Path, relineage: Callable[..., Any]) -> None:
    root = next(one.digest for one in objects(project).scan() if one.kind == "folder")
    for name in ("1", "deep/2"):
        digest = content_of(project / "images" / name).digests[0]
        (project / ".relineage/store/objects/b3-bytes1" / digest[10:12] / digest[12:]).unlink()

    for said in (relineage("store", "verify", root), relineage("store", "verify")):
        assert said.code == 1
        assert said.out.startswith(f"{root}  ")


def test_gc_keeps_what_the_database_refers_to_however_old_it_is(
    project: Path, relineage: Callable[..., Any]
) -> None:
    before = list(objects(project).scan())
    grow_old(project)
    said = relineage("store", "gc", "--yes")

    assert said.code == 0
    assert "nothing to remove" in said.err
    assert len(list(objects(project).scan())) == len(before)


def test_a_version_that_is_a_digest_is_found_by_its_name(
    project: Path, relineage: Callable[..., Any]
) -> None:
    data = np.arange(60.0)
    objects(project).put(content_of(data), data)
    digest = content_of(data).digests[0]
    lineage = Lineage(namespace="n")
    with lineage.run("named") as run:
        run.input(name="declared", version=digest)
    assert lineage.close()

    listed = relineage("store", "ls", "declared", "--format", "json")
    assert [one["digest"] for one in listed.json] == [digest]
    assert relineage("store", "get", "declared", "-o", "d.safetensors").code == 0
    assert content_of(Path("d.safetensors")).digests[0] == digest


@pytest.mark.parametrize("which", ["before", "after"])
def test_a_file_that_is_kept_itself_is_given_back_itself(
    project: Path, relineage: Callable[..., Any], which: str
) -> None:
    """Whoever has kept the table that it holds, earlier or later."""
    FRAME.to_csv("f.csv", index=False)
    table = pd.read_csv("f.csv")
    lineage = Lineage(namespace="n", store=True)
    with lineage.run("reads") as run:
        run.input(Path("f.csv")) if which == "before" else run.output(table, name="t")
    with lineage.run("makes") as run:
        run.output(table, name="t") if which == "before" else run.input(Path("f.csv"))
    assert lineage.close()
    by_table, by_bytes = content_of(Path("f.csv")).digests
    assert by_table == content_of(table).digests[0]

    listed = relineage("store", "ls", "./f.csv", "--format", "json")
    assert {one["digest"] for one in listed.json} == {by_table, by_bytes}
    got = relineage("store", "get", "./f.csv", "-o", "again.csv")
    assert got.out.startswith(by_bytes)
    assert Path("again.csv").read_bytes() == Path("f.csv").read_bytes()


@pytest.mark.parametrize("command", [["ls"], ["verify"], ["gc", "--yes"], ["get", "features"]])
@pytest.mark.parametrize("what", ["a file", "nothing"])
def test_a_named_store_that_is_no_folder_is_said(
    project: Path,
    relineage: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    what: str,
) -> None:
    location = project / ("raw.csv" if what == "a file" else "nowhere")
    monkeypatch.setenv("RELINEAGE_STORE", str(location))
    said = relineage("store", *command)

    assert (said.code, said.out) == (2, "")
    assert said.err == f"relineage: RELINEAGE_STORE names {location}, and there is no folder\n"
    assert not (project / "nowhere").exists()


def test_a_store_of_ones_own_that_is_not_there_yet_is_empty(
    project: Path, relineage: Callable[..., Any]
) -> None:
    shutil.rmtree(project / ".relineage" / "store")

    assert relineage("store", "ls").err == "relineage: none is in the store\n"
    assert relineage("store", "verify").code == 0


def unreferenced(folder: Path) -> list[str]:
    """Two objects that no event names: a table, and a folder of one file."""
    other = FRAME + FRAME
    (folder / "more").mkdir()
    (folder / "more" / "file").write_bytes(b"more" * 30)
    store = objects(folder)
    for data in (other, folder / "more"):
        store.put(content_of(data), data)
    return [
        content_of(other).digests[0],
        *content_of(folder / "more").digests,
        *content_of(folder / "more" / "file").digests,
    ]


def test_gc_keeps_what_any_event_names_whatever_for(
    project: Path, relineage: Callable[..., Any], make_event: Callable[..., dict[str, Any]]
) -> None:
    store = objects(project)
    named = {}
    for number, name in enumerate(("input", "output", "parameter", "facet", "nobody")):
        frame = pd.DataFrame({"c": np.arange(20.0) + number})
        named[name] = content_of(frame).digests[0]
        store.put(content_of(frame), frame)
    lineage = Lineage(namespace="n", environ={})
    with lineage.run("refer", params={"base": named["parameter"]}) as run:
        run.input(name="x", version=named["input"])
        run.output(name="y", version=named["output"])
    assert lineage.close()
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    stranger = make_event(
        outputs=[{"namespace": "n", "name": "m", "facets": {"note": base | {"of": named["facet"]}}}]
    )
    (project / ".relineage" / "events" / "stranger.ndjson").write_text(json.dumps(stranger) + "\n")
    grow_old(project)

    assert relineage("store", "gc", "--yes").code == 0

    left = {one.digest for one in store.scan()}
    assert left >= {digest for name, digest in named.items() if name != "nobody"}
    assert named["nobody"] not in left
    assert [one["digest"] for one in relineage("store", "ls", "x", "--format", "json").json] == [
        named["input"]
    ]


def test_gc_keeps_what_is_named_only_in_what_did_not_fit_into_an_event(
    project: Path, relineage: Callable[..., Any]
) -> None:
    store = objects(project)
    frame = pd.DataFrame({"c": np.arange(20.0)})
    store.put(content_of(frame), frame)
    digest = content_of(frame).digests[0]
    lineage = Lineage(namespace="n", environ={})
    with lineage.run("refer", params={"many": (*range(20_000), digest)}):
        pass
    assert lineage.close()
    assert not any(digest in file.read_text() for file in (project / ".relineage" / "events").iterdir())
    grow_old(project)

    assert relineage("store", "gc", "--yes").code == 0

    assert store.find(digest) is not None


def test_gc_removes_nothing_where_what_did_not_fit_into_events_cannot_be_read(
    project: Path, relineage: Callable[..., Any]
) -> None:
    store = objects(project)
    before = {one.digest for one in store.scan()}
    (project / ".relineage" / "objects" / "b3-bytes1:0.json").mkdir(parents=True)
    frame = pd.DataFrame({"c": np.arange(20.0)})
    store.put(content_of(frame), frame)
    grow_old(project)

    said = relineage("store", "gc", "--yes")

    assert said.code == 2
    assert "b3-bytes1:0.json" in said.err
    assert {one.digest for one in store.scan()} == before | {content_of(frame).digests[0]}


def test_gc_keeps_what_is_named_with_a_colon_that_is_escaped(
    project: Path, relineage: Callable[..., Any], make_event: Callable[..., dict[str, Any]]
) -> None:
    """As other writers of JSON may do it."""
    data = np.arange(60.0)
    objects(project).put(content_of(data), data)
    digest = content_of(data).digests[0]
    facet = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    version = facet | {"datasetVersion": digest}
    event = make_event(inputs=[{"namespace": "n", "name": "m", "facets": {"version": version}}])
    text = json.dumps(event).replace(digest, digest.replace(":", "\\u003a"))
    (project / ".relineage" / "events" / "stranger.ndjson").write_text(text + "\n")
    lost = unreferenced(project)
    grow_old(project)

    assert relineage("store", "gc", "--yes").code == 0
    assert objects(project).find(digest) is not None
    assert objects(project).find(lost[0]) is None


def test_gc_says_first_what_it_would_remove_and_asks(
    project: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {one.digest for one in objects(project).scan()}
    lost = unreferenced(project)
    grow_old(project)
    asked: list[str] = []

    def answer(text: str, **how: Any) -> bool:
        asked.append(text)
        return len(asked) > 1

    monkeypatch.setattr(click, "confirm", answer)
    refused = relineage("store", "gc")
    assert refused.code == 0
    assert all(digest in refused.out for digest in lost)
    assert refused.out.count("b3-") == 3
    assert refused.err.endswith("nothing is removed\n")
    assert {one.digest for one in objects(project).scan()} == before | set(lost)

    done = relineage("store", "gc")
    assert "3 objects removed" in done.err
    assert asked[0].startswith("Remove 3 objects, ")
    assert {one.digest for one in objects(project).scan()} == before
    assert relineage("store", "verify").code == 0


def test_gc_without_a_person_to_ask_removes_nothing(project: Path) -> None:
    unreferenced(project)
    grow_old(project)
    done = in_a_process("store", "gc", cwd=project)

    assert done.returncode == 130
    assert len(list(objects(project).scan())) == 9


def test_gc_leaves_what_is_younger_than_a_day(project: Path, relineage: Callable[..., Any]) -> None:
    """A run keeps first and tells then."""
    unreferenced(project)

    assert "nothing to remove" in relineage("store", "gc", "--yes").err
    assert len(list(objects(project).scan())) == 9


def test_gc_removes_what_killed_writers_left_behind(project: Path, relineage: Callable[..., Any]) -> None:
    (project / ".relineage" / "store" / "tmp" / "half").write_bytes(b"x")
    relineage("store", "gc", "--yes")
    assert (project / ".relineage" / "store" / "tmp" / "half").exists()
    grow_old(project)
    relineage("store", "gc", "--yes")

    assert not (project / ".relineage" / "store" / "tmp" / "half").exists()


@pytest.mark.parametrize(
    "what", ["no database", "an empty database", "no database file", "a folder that stays is damaged"]
)
def test_gc_removes_nothing_where_it_cannot_know(
    project: Path, relineage: Callable[..., Any], empty_database: Path, what: str
) -> None:
    if what == "a folder that stays is damaged":
        damaged(project, "folder")
    unreferenced(project)
    arguments = ["store", "gc", "--yes"]
    if what == "no database":
        (project / "broken.duckdb").write_bytes(b"no database" * 1000)
        arguments += ["--database", "broken.duckdb"]
    elif what == "an empty database":
        shutil.rmtree(project / ".relineage" / "events")
    elif what == "no database file":
        arguments += ["--database", str(empty_database), "--database", "missing.duckdb"]
    grow_old(project)
    before = {one.name for one in objects(project).scan()}

    said = relineage(*arguments)
    assert said.code == 2
    assert said.err.startswith("relineage: ")
    assert {one.name for one in objects(project).scan()} == before


def test_gc_keeps_what_any_of_several_databases_refers_to(
    project: Path, tmp_path: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = {"RELINEAGE_STORE": str(tmp_path / "shared")}
    for name in ("one", "two"):
        (tmp_path / name / ".relineage").mkdir(parents=True)
        run_job(tmp_path / name, **shared)
        with contextlib.chdir(tmp_path / name):
            lineage = Lineage(store=True, environ=shared)
            with lineage.run("own") as run:
                run.output(name.encode() * 50, name="own")
            assert lineage.close()
            monkeypatch.chdir(tmp_path / name)
            assert relineage("consume").code == 0
    store = open_store(tmp_path / "shared", tmp_path)
    for one in store.scan():
        os.utime(tmp_path / "shared" / one.name, (OLD, OLD))
    monkeypatch.setenv("RELINEAGE_STORE", str(tmp_path / "shared"))
    databases = [f"--database={tmp_path / name / '.relineage' / 'lineage.duckdb'}" for name in ("one", "two")]

    assert "nothing to remove" in relineage("store", "gc", "--yes", *databases).err
    alone = relineage("store", "gc", "--yes", databases[0])
    assert "1 object removed" in alone.err
    assert store.find(content_of(b"two" * 50).digests[0]) is None
    assert store.find(content_of(b"one" * 50).digests[0]) is not None


def test_an_object_named_only_in_a_message_that_is_no_event_is_kept(
    project: Path, relineage: Callable[..., Any]
) -> None:
    lost = unreferenced(project)
    with (project / ".relineage" / "events" / "odd.ndjson").open("a") as file:
        file.write('{"not": "an event – ' + lost[0] + '"}\n')
    grow_old(project)
    relineage("store", "gc", "--yes")

    assert objects(project).find(lost[0]) is not None
    assert objects(project).find(lost[1]) is None


def test_a_store_at_a_url_is_asked_in_the_same_way(
    project: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELINEAGE_STORE", "memory://cli/store")
    run_job(project, RELINEAGE_STORE="memory://cli/store")

    assert len(relineage("store", "ls", "--format", "json").json) == 6
    assert relineage("store", "verify").code == 0
    assert relineage("store", "get", "features", "-o", "f.parquet").code == 0
    monkeypatch.setattr(store_command, "YOUNG_HOURS", -1)
    assert "nothing to remove" in relineage("store", "gc", "--yes").err
    open_store("memory://cli/store", project).put(content_of(b"abc"), b"abc")
    assert "1 object removed" in relineage("store", "gc", "--yes").err


@pytest.mark.parametrize("command", [["ls"], ["verify"], ["get", "b3-bytes1:" + "0" * 64], ["gc"]])
def test_a_store_that_cannot_be_reached_is_one_line(
    project: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("RELINEAGE_STORE", "nosuchscheme://user:hunter2@bucket")
    said = relineage("store", *command)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("relineage: nosuchscheme://bucket/: ")
    assert "hunter2" not in said.err


def test_without_a_project_and_a_store_it_says_what_to_name(
    tmp_path: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = relineage("store", "ls")

    assert said.code == 2
    assert "RELINEAGE_STORE names no store" in said.err


def test_gc_keeps_the_sources_of_runs(folder: Path, relineage: Callable[..., Any]) -> None:
    """Outside of git a run keeps its code here, and only names the folder of it."""
    (folder / "job.py").write_text("from relineage.emitter import Lineage\nwith Lineage().run('a'): ...\n")
    subprocess.run([sys.executable, "job.py"], cwd=folder, env=process_environment(), check=True)
    run_job(folder)
    shutil.rmtree(folder / ".relineage" / "events")
    (folder / ".relineage" / "events").mkdir()
    (folder / "job.py").write_text("from relineage.emitter import Lineage\nwith Lineage().run('b'): ...\n")
    subprocess.run([sys.executable, "job.py"], cwd=folder, env=process_environment(), check=True)
    grow_old(folder)

    assert relineage("store", "gc", "--yes").code == 0
    assert sorted(one.kind for one in objects(folder).scan()) == ["bytes", "folder"]
    [kept] = [one for one in objects(folder).scan() if one.kind == "bytes"]
    assert b"run('b')" in (folder / ".relineage" / "store" / kept.name).read_bytes()
