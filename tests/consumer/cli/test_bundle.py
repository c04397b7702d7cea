"""`relineage bundle`, and every question put to a bundle instead of a database."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cli_projects import Said, git, pipeline, process_environment

from relineage.consumer.bundle.opening import manifest_of, opened
from relineage.consumer.replay.recorded import read_run
from relineage.consumer.store import Store
from relineage.emitter.store import open_store

Relineage = Callable[..., Said]

SCRIPT = """
import pandas as pd
from pathlib import Path
from relineage.emitter import Lineage

lineage = Lineage(namespace="fraud")
with lineage.run("load", seed=1) as run:
    frame = run.output(pd.read_csv(run.input(Path("raw.csv"), role="raw")), name="frame")
with lineage.run("train", seed=1) as run:
    frame = run.input(frame, role="train")
    Path("model.txt").write_text(f"{frame.sample(frac=0.5).a.tolist()}")
    run.output(Path("model.txt"), role="model")
"""


def train(folder: Path) -> None:
    subprocess.run([sys.executable, "train.py"], cwd=folder, env=process_environment(), check=True)


@pytest.fixture(scope="module")
def made_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean repository with a script that has run on a file that git ignores."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text(".relineage\nraw.csv\nmodel.txt\n*.lineage\n")
    (folder / "train.py").write_text(SCRIPT)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    (folder / "raw.csv").write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(200)))
    train(folder)
    return folder


@pytest.fixture
def project(made_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """For tests that leave it as it is, but for files in `out`."""
    shutil.rmtree(made_project / "out.lineage", ignore_errors=True)
    (made_project / "out.lineage").mkdir()
    monkeypatch.chdir(made_project)
    return made_project


@pytest.fixture(scope="module")
def bundles(made_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model.lineage` and, with contents, `data.lineage`."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, options in (("model", []), ("data", ["--data"])):
        script = "from relineage.consumer.cli import main; main()"
        file = str(folder / f"{name}.lineage")
        command = [sys.executable, "-c", script, "bundle", "./model.txt", *options, "-o", file]
        done = subprocess.run(
            command, cwd=made_project, env=process_environment(), capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def elsewhere(bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of another machine, but for the bundles."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(bundles, folder)
    monkeypatch.chdir(folder)
    return folder


QUESTIONS = [
    "trace {} --format json",
    "trace {} --down --format json",
    "trace {}",
    "trace {} --all-producers --format json",
    "why {} {} --format json",
    "diff {} {} --format json",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_to_the_bundle_has_the_answer_of_the_database(
    question: str, project: Path, bundles: Path, relineage: Relineage
) -> None:
    [content] = [
        row["digest"]
        for row in relineage("trace", "./model.txt", "--format", "json").json
        if not row["depth"]
    ]
    expected = relineage(*question.format(content, content).split())
    bundle = bundles / "model.lineage"
    said = relineage(*question.format(bundle, bundle).split())
    assert said.code == expected.code
    assert said.out.replace(str(bundle), content) == expected.out


def test_a_verdict_on_the_bundle_is_that_of_where_it_was_made_but_for_what_it_looks_at(
    project: Path, bundles: Path, relineage: Relineage
) -> None:
    def verdict(x: str | Path) -> dict[tuple[str, str], tuple[str, str]]:
        rows = relineage("verify", x, "--format", "json").json
        return {(row["job_name"], row["check_name"]): (row["status"], row["reason"]) for row in rows}

    here, with_data, without = (
        verdict(x) for x in ("./model.txt", bundles / "data.lineage", bundles / "model.lineage")
    )
    looked = {("load", "inputs_unchanged"), ("load", "code_reachable"), ("train", "code_reachable")}
    assert {key: value for key, value in with_data.items() if here[key] != value}.keys() == looked
    assert {key: value[0] for key, value in with_data.items()} == {
        key: value[0] for key, value in here.items()
    }
    raw = f"{project}/raw.csv"
    assert with_data["load", "inputs_unchanged"] == ("passed", f"{raw} is in the bundle as it was read")
    assert without["load", "inputs_unchanged"] == (
        "unknown", f"{raw} is not in the bundle; --data puts it there",
    )  # fmt: skip
    deep = relineage("verify", "--deep", bundles / "data.lineage", "--format", "json").json
    [reason] = [
        row["reason"]
        for row in deep
        if row["check_name"] == "outputs_unchanged" and row["job_name"] == "load"
    ]
    assert reason == "fraud/frame is not in the bundle"  # and --data would not put it there
    status, reason = without["load", "code_reachable"]
    assert status == "passed"
    assert re.fullmatch("commit [0-9a-f]{12} is in the bundle", reason)


def test_files_at_the_paths_of_another_machine_are_not_looked_at(
    made_project: Path, tmp_path: Path, relineage: Relineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    shutil.copytree(made_project, project)
    train(project)
    monkeypatch.chdir(project)
    relineage("bundle", "./model.txt", "-o", tmp_path / "x.lineage")
    (project / "raw.csv").write_text("a,b\n1,2\n")

    rows = relineage("verify", tmp_path / "x.lineage", "--format", "json").json

    assert {row["status"] for row in rows if row["check_name"] == "inputs_unchanged"} == {"passed", "unknown"}


def test_without_git_the_code_in_a_bundle_is_unknown(
    elsewhere: Path, relineage: Relineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(elsewhere))
    rows = relineage("verify", "model.lineage", "--format", "json").json
    found = {(row["status"], row["reason"]) for row in rows if row["check_name"] == "code_reachable"}
    [(status, reason)] = found
    assert status == "unknown"
    assert reason.endswith("cannot be looked for: git is not installed here")


def test_what_is_in_the_bundle_can_be_asked_for_as_in_a_database(
    elsewhere: Path, relineage: Relineage
) -> None:
    assert (
        relineage("trace", "frame", "--database", "model.lineage", "--format", "json").json[0][
            "writer_job_name"
        ]
        == "load"
    )
    runs = relineage("runs", "--database", "model.lineage", "--format", "json").json
    assert {run["job_name"] for run in runs} == {"load", "train"}
    query = "select count(distinct run_id) as n from events"
    counted = relineage("sql", query, "--database", "model.lineage", "--format", "json")
    assert counted.json == [{"n": 2}]
    assert relineage("rebuild", "--database", "model.lineage").code == 2


def test_the_bundle_says_what_is_in_it(elsewhere: Path, relineage: Relineage) -> None:
    said = relineage("show", "data.lineage")
    assert said.out.startswith("bundle\n")
    assert "train" in said.out
    [manifest] = relineage("show", "data.lineage", "--format", "json").json["bundle"]
    assert (manifest["data"], manifest["missing"]) == (True, [])
    assert manifest["events"] >= 4
    assert len(manifest["runs"]) == 2
    assert [one["name"].split("/")[0] for one in manifest["members"]] == [
        "events.ndjson", "code", "objects", "objects",
    ]  # fmt: skip


def test_its_members_are_what_its_manifest_says_for_anybody_with_unzip(elsewhere: Path) -> None:
    with zipfile.ZipFile("data.lineage") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for member in manifest["members"]:
            content = archive.read(member["name"])
            assert (len(content), sha256(content).hexdigest()) == (member["size"], member["sha256"])
        archive.extract("code/sha1.bundle")
        assert [entry.date_time for entry in archive.infolist()] == [(1980, 1, 1, 0, 0, 0)] * 6
    heads = subprocess.run(
        ["git", "bundle", "list-heads", "code/sha1.bundle"], capture_output=True, text=True, check=True
    )
    assert heads.stdout.split()[0] == manifest["commits"][0]


def test_events_in_it_are_the_bytes_that_were_recorded(elsewhere: Path, made_project: Path) -> None:
    recorded = {
        line
        for file in (made_project / ".relineage" / "events").glob("*.ndjson")
        for line in file.read_bytes().splitlines()
    }
    with zipfile.ZipFile("model.lineage") as archive:
        assert set(archive.read("events.ndjson").splitlines()) == recorded


def test_contents_are_listed_and_taken_out_of_a_bundle_as_of_the_store(
    elsewhere: Path, made_project: Path, relineage: Relineage
) -> None:
    listed = relineage("store", "ls", "data.lineage", "--format", "json").json
    assert [row["kind"] for row in listed] == ["bytes"]
    assert relineage("store", "get", "data.lineage", "-o", "model.txt").code == 0
    assert Path("model.txt").read_bytes() == (made_project / "model.txt").read_bytes()
    raw = f"dataset:{made_project}/raw.csv"
    assert relineage("store", "get", raw, "--database", "data.lineage", "-o", "raw.csv").code == 0
    assert Path("raw.csv").read_bytes() == (made_project / "raw.csv").read_bytes()
    said = relineage("store", "get", "model.lineage")
    assert said.code == 2
    assert "--data puts them there" in said.err


@pytest.mark.parametrize("options", [[], ["--data"]])
def test_the_bundle_of_a_bundle_is_that_bundle(
    options: list[str], elsewhere: Path, relineage: Relineage
) -> None:
    said = relineage("bundle", "data.lineage", *options, "-o", "again.lineage")
    assert said.code == 0
    same = "data.lineage" if options else "model.lineage"
    assert Path("again.lineage").read_bytes() == Path(same).read_bytes()


def test_making_it_again_leaves_it_as_it_is_and_anything_else_is_refused(
    project: Path, relineage: Relineage
) -> None:
    output = project / "out.lineage" / "m.lineage"
    assert relineage("bundle", "./model.txt", "-o", output).code == 0
    before = (output.read_bytes(), output.stat().st_mtime_ns, output.stat().st_ino)
    again = relineage("bundle", "./model.txt", "-o", output)
    assert again.code == 0
    assert again.out.endswith("(it was there already)\n")
    other = relineage("bundle", "frame", "-o", output)
    assert other.code == 2
    assert "is there already, and another bundle: remove it, or name another file" in other.err
    assert (output.read_bytes(), output.stat().st_mtime_ns, output.stat().st_ino) == before
    refused = relineage("bundle", "./model.txt", "-o", "train.py")
    assert refused.code == 2
    assert "train.py is there already, and is no bundle" in refused.err
    assert (project / "train.py").read_text() == SCRIPT
    link = project / "out.lineage" / "link"
    link.symlink_to("nowhere")
    assert relineage("bundle", "./model.txt", "-o", link).code == 2
    assert sorted(path.name for path in output.parent.iterdir()) == ["link", "m.lineage"]


def test_a_bundle_with_contents_is_its_owner_s_alone(project: Path, relineage: Relineage) -> None:
    for name, options, mode in (("a", [], 0o644), ("b", ["--data"], 0o600)):
        output = project / "out.lineage" / name
        assert relineage("bundle", "./model.txt", *options, "-o", output).code == 0
        assert output.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("place", ["nowhere/m.lineage", "/proc/m.lineage"])
def test_a_place_that_cannot_be_written_is_an_error(place: str, project: Path, relineage: Relineage) -> None:
    said = relineage("bundle", "./model.txt", "-o", place)
    assert said.code == 2
    assert said.err.startswith("relineage: ")
    assert "Traceback" not in said.err


def test_what_could_not_be_had_is_said_and_noted_and_stays_so(
    folder: Path,
    relineage: Relineage,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline(folder)
    (folder / "raw.csv").write_text("a,b\n1,2\n")

    said = relineage("bundle", "models/fraud", "--data", "-o", "m.lineage")

    assert said.code == 1
    missing = {
        (one.what, one.name.split("@")[0]): one.reason for one in manifest_of(Path("m.lineage")).missing
    }
    assert missing["input", f"{folder}/raw.csv"] == (
        f"there is no store of contents; {folder}/raw.csv is not what it was"
    )
    assert missing["output", "fraud/models/fraud"] == "there is no store of contents"
    assert {"input", "output"} <= {what for what, _ in missing}
    for (what, name), reason in missing.items():
        assert f"relineage: {what} {name}" in said.err
        assert reason in said.err

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    again = relineage("bundle", folder / "m.lineage", "--data", "-o", "again.lineage")
    assert again.code == 1
    assert Path("again.lineage").read_bytes() == (folder / "m.lineage").read_bytes()


def test_contents_come_from_the_store_in_their_forms(folder: Path, relineage: Relineage) -> None:
    from relineage.emitter import Lineage

    (folder / "images").mkdir()
    for name in ("a", "b"):
        (folder / "images" / name).write_bytes(name.encode() * 100)
    lineage = Lineage(namespace="fraud", environ={}, store=True)
    with lineage.run("train", seed=1) as run:
        run.input(folder / "images", role="images")
        run.output({"column": list(range(100))}, name="models/fraud")
    assert lineage.close()
    shutil.rmtree(folder / "images")

    said = relineage("bundle", "models/fraud", "--data", "-o", "m.lineage")

    manifest = manifest_of(Path("m.lineage"))
    assert {one.what for one in manifest.missing} <= {"code"}, said.err
    with opened(Path("m.lineage")) as bundle:
        assert bundle.objects is not None
        store = open_store(bundle.objects, bundle.objects)
        kinds = sorted(one.kind for one in store.scan())
        [images] = [one for one in store.scan() if one.kind == "folder"]
        store.fetch(images.digest, folder / "back")
        for one in store.scan():
            store.check(one)
    assert {"folder", "bytes"} <= set(kinds)
    assert (folder / "back" / "a").read_bytes() == b"a" * 100


def test_a_folder_is_taken_from_its_path_as_well(folder: Path, relineage: Relineage) -> None:
    from relineage.emitter import Lineage

    (folder / "images" / "deep").mkdir(parents=True)
    (folder / "images" / "deep" / "a").write_bytes(b"a" * 100)
    with Lineage(namespace="fraud", environ={}).run("train", seed=1) as run:
        run.input(folder / "images", role="images")
        run.output({"column": list(range(100))}, name="models/fraud")

    relineage("bundle", "models/fraud", "--data", "-o", "m.lineage")

    with opened(Path("m.lineage")) as bundle:
        assert bundle.objects is not None
        store = open_store(bundle.objects, bundle.objects)
        [images] = [one for one in store.scan() if one.kind == "folder"]
        store.fetch(images.digest, folder / "back")
    assert (folder / "back" / "deep" / "a").read_bytes() == b"a" * 100


def test_why_asks_two_bundles_or_a_bundle_and_the_database(
    folder: Path,
    relineage: Relineage,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline(folder, seed=42)
    relineage("bundle", "models/fraud", "-o", "42.lineage")
    pipeline(folder, seed=43)
    relineage("bundle", "models/fraud", "-o", "43.lineage")
    versions = relineage(
        "sql", "select version from dataset_versions where name = 'models/fraud' order by first_written_at",
        "--format", "json",
    )  # fmt: skip
    one, two = (f"models/fraud@{row['version']}" for row in versions.json)
    expected = relineage("why", one, two, "--format", "json")
    assert expected.code == 1
    assert any(cause["what"] == "seed" for cause in expected.json)

    assert relineage("why", "42.lineage", "43.lineage", "--format", "json") == expected
    assert relineage("why", "42.lineage", "models/fraud", "--format", "json") == expected
    assert relineage("why", one, "43.lineage", "--format", "json") == expected
    assert relineage("diff", "42.lineage", two, "--format", "json") == relineage(
        "diff", one, two, "--format", "json"
    )
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert relineage("why", folder / "42.lineage", folder / "43.lineage", "--format", "json") == expected
    assert relineage("why", folder / "42.lineage", folder / "42.lineage").code == 0


def test_two_records_of_one_run_that_are_not_the_same_are_told(
    made_project: Path, tmp_path: Path, relineage: Relineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle is not signed: only who has another record of the run can see that one was changed."""
    folders = [tmp_path / name for name in ("one", "changed", "begun")]
    for folder in folders:
        (folder / ".relineage").mkdir(parents=True)
        shutil.copytree(made_project / ".relineage" / "events", folder / ".relineage" / "events")
    for file in (folders[1] / ".relineage" / "events").glob("*.ndjson"):
        file.write_text(file.read_text().replace('"entropy":"1"', '"entropy":"2"'))
    for file in (folders[2] / ".relineage" / "events").glob("*.ndjson"):  # the last event is missing
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    for folder in folders:
        monkeypatch.chdir(folder)
        assert relineage("bundle", "job:load", "-o", "x.lineage").code in (0, 1)
    one, changed, begun = (folder / "x.lineage" for folder in folders)

    said = relineage("why", one, changed)
    assert f"relineage: {one} and {changed} tell of run " in said.err
    assert "otherwise: one of the records was changed" in said.err
    for other in (one, begun):
        assert "otherwise" not in relineage("why", one, other).err


CACHED = """
import sys
import numpy as np
from relineage.emitter import Lineage

lineage = Lineage(namespace="fraud", store=True)

@lineage.step
def load(power):
    return np.arange(1000.0) ** power

@lineage.step(cache="dirty")
def square(x):
    return x**2

square(load(int(sys.argv[1])))
"""


def test_why_of_a_bundle_follows_a_cached_step_to_what_was_computed(
    folder: Path,
    relineage: Relineage,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "cached.py").write_text(CACHED)
    for power in ("2", "2", "3"):
        subprocess.run(
            [sys.executable, "cached.py", power], cwd=folder, env=process_environment(), check=True
        )
    runs = relineage(
        "sql", "select run_id, job_name from runs order by started_at", "--format", "json"
    ).json  # fmt: skip
    computed, served, other = (row["run_id"] for row in runs if row["job_name"] == "square")
    expected = relineage("why", served, other, "--format", "json")
    causes = [(one["what"], one["run_a"]) for one in expected.json if one["grade"] == "cause"]
    assert causes == [("parameter power", runs[0]["run_id"])]

    relineage("bundle", served, "-o", "served.lineage")
    relineage("bundle", other, "-o", "other.lineage")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    one, two = folder / "served.lineage", folder / "other.lineage"

    assert relineage("why", one, two, "--format", "json").json == expected.json
    assert served in manifest_of(one).runs
    assert {computed, runs[0]["run_id"]} <= set(manifest_of(one).besides)


def test_details_that_did_not_fit_into_events_come_along(
    folder: Path,
    relineage: Relineage,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    import pandas as pd

    from relineage.emitter import Lineage

    wide = pd.DataFrame({f"a rather long name of a column, number {n}": range(10) for n in range(1500)})
    many = {"many": tuple(range(20_000))}
    with Lineage(namespace="fraud", environ={}).run("make", seed=1, params=many) as run:
        run.output(wide, name="wide")
    assert list((folder / ".relineage" / "objects").iterdir())
    relineage("bundle", "wide", "-o", "wide.lineage")
    changed = wide.assign(**{wide.columns[-1]: 0})
    changed.to_parquet("changed.parquet")
    expected = relineage("digest", "--compare", "wide", "changed.parquet")
    assert wide.columns[-1] in expected.out

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    file, other = folder / "wide.lineage", folder / "changed.parquet"
    assert [one.what for one in manifest_of(file).missing if one.what == "details"] == []
    said = relineage("digest", "--compare", "wide", other, "--database", file)
    assert said.out == expected.out
    with opened(file) as bundle:
        connection = bundle.store.connection
        [(run_id,)] = connection.execute("select run_id from runs").fetchall()
        [parameter] = read_run(connection, run_id).parameters
    assert parameter == {"name": "many", "type": "tuple", "value": str(many["many"])}

    shutil.rmtree(folder / ".relineage" / "objects")
    monkeypatch.chdir(folder)
    again = relineage("bundle", "wide", "-o", "less.lineage")
    assert again.code == 1
    assert "relineage: object b3-bytes1:" in again.err


def test_nothing_is_bundled_where_no_run_is_known(project: Path, relineage: Relineage) -> None:
    said = relineage("bundle", f"dataset:{project}/raw.csv", "-o", project / "out.lineage" / "x")
    assert said.code == 2
    assert "no run is known that made" in said.err
    assert list((project / "out.lineage").iterdir()) == []


ERRORS = [
    "trace broken.lineage",
    "verify broken.lineage",
    "show broken.lineage",
    "why model.lineage broken.lineage",
    "runs --database broken.lineage",
    "bundle broken.lineage -o x",
    "trace model.lineage --database data.lineage",
    "trace nothing --database model.lineage",
    "bundle nothing --database model.lineage -o x",
    "bundle model.lineage",
    "consume --database model.lineage",
]


@pytest.mark.parametrize("line", ERRORS)
def test_errors_are_told_in_one_line(line: str, elsewhere: Path, relineage: Relineage) -> None:
    (elsewhere / "broken.lineage").write_bytes((elsewhere / "model.lineage").read_bytes()[:-9])
    before = (elsewhere / "model.lineage").read_bytes()

    said = relineage(*line.split())

    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("relineage: ")
    assert "Traceback" not in said.err
    assert (elsewhere / "model.lineage").read_bytes() == before
    assert not (elsewhere / "x").exists()


@pytest.mark.parametrize("line", ["trace {}", "verify {}", "replay {} --yes", "why {} model.lineage"])
def test_a_file_that_is_no_bundle_is_named_where_no_database_could_know_it(
    line: str, elsewhere: Path, relineage: Relineage
) -> None:
    (elsewhere / "other.lineage").write_bytes(b"XX" + (elsewhere / "model.lineage").read_bytes()[2:])

    said = relineage(*line.format("other.lineage").split())

    assert said.code == 2
    assert said.err == (
        "relineage: other.lineage is no bundle, and there is no .relineage here or above that could know it\n"
    )


def test_a_bundle_holds_what_the_process_did_besides_and_nothing_of_others(
    folder: Path, relineage: Relineage
) -> None:
    pipeline(folder, seed=42)
    from relineage.emitter import Lineage

    with Lineage(namespace="fraud", environ={}).run("unrelated", seed=1) as run:
        run.output({"n": list(range(99))}, name="models/other")
    subprocess.run(
        [sys.executable, "-c", "from relineage.emitter import Lineage\nwith Lineage(namespace='x').run('far'): pass"],
        cwd=folder, env=process_environment(), check=True,
    )  # fmt: skip
    relineage("bundle", "models/fraud", "-o", "m.lineage")
    with opened(Path("m.lineage")) as bundle, Store.open(folder / ".relineage" / "lineage.duckdb") as whole:
        jobs = {name for (name,) in bundle.store.connection.execute("select job_name from runs").fetchall()}
        every = {name for (name,) in whole.connection.execute("select job_name from runs").fetchall()}
    assert {"prepare", "split", "train", "evaluate", "unrelated"} == jobs  # one process
    assert every - jobs == {"far"}


@pytest.fixture
def moved(
    made_project: Path, bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty folder with the bundles, on a machine on which the project never was."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(bundles, folder)
    monkeypatch.chdir(folder)
    away = made_project.with_name("away")
    made_project.rename(away)
    yield folder
    away.rename(made_project)


def test_a_training_is_reproduced_bitwise_from_a_bundle_alone_in_an_empty_folder(
    moved: Path, relineage: Relineage
) -> None:
    said = relineage("replay", "data.lineage", "--yes", "--format", "json")
    [verdict] = said.json
    assert (said.code, verdict["verdict"]) == (0, "bitwise"), said
    assert said.err == "relineage: the replay is not recorded, as there is no .relineage here or above\n"
    assert [output["verdict"] for output in verdict["outputs"]] == ["bitwise"]
    assert sorted(path.name for path in moved.iterdir()) == ["data.lineage", "model.lineage"]

    whole = relineage("replay", "data.lineage", "--closure", "--yes", "--format", "json")
    assert {one["verdict"] for one in whole.json} == {"bitwise"}


def test_without_data_nothing_is_replayed_and_the_reason_is_told(moved: Path, relineage: Relineage) -> None:
    said = relineage("replay", "model.lineage", "--yes", "--format", "json")
    [verdict] = said.json
    assert (said.code, verdict["verdict"]) == (2, "not replayed")
    assert "raw.csv" in verdict["reason"]
    assert verdict["reason"].endswith(
        "what was read is not in the bundle: --data puts it there when it is made"
    )


def test_without_data_it_is_replayed_by_whoever_puts_the_data_beside_it(
    moved: Path, made_project: Path, relineage: Relineage
) -> None:
    shutil.copy(made_project.with_name("away") / "raw.csv", moved)
    said = relineage("replay", "model.lineage", "--yes", "--format", "json")
    assert (said.code, said.json[0]["verdict"]) == (0, "bitwise"), said


def test_a_replay_of_a_bundle_asks_first_as_any_other(
    moved: Path, relineage: Relineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/null") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        said = relineage("replay", "data.lineage")
    assert said.code == 2
    assert "runs recorded code" in said.err


def test_a_content_that_is_another_one_is_found_whatever_the_manifest_says(
    moved: Path, relineage: Relineage
) -> None:
    """Somebody has forged an object, and the manifest with it."""
    with zipfile.ZipFile("data.lineage") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    raw = max((name for name in members if name.startswith("objects/")), key=lambda name: len(members[name]))
    members[raw] = members[raw].replace(b"7", b"8")
    for one in manifest["members"]:
        one["size"], one["sha256"] = len(members[one["name"]]), sha256(members[one["name"]]).hexdigest()
    with zipfile.ZipFile("forged.lineage", "w") as archive:
        for name, content in [*members.items(), ("manifest.json", json.dumps(manifest).encode())]:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)

    rows = relineage("verify", "forged.lineage", "--format", "json").json
    assert [row["status"] for row in rows if row["check_name"] == "inputs_unchanged"].count("failed") == 1
    said = relineage("replay", "forged.lineage", "--yes", "--format", "json")
    assert (said.code, said.json[0]["verdict"]) == (2, "not replayed")
