"""`relineage verify`: what files and git add to the verdict of the macro."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import Said, change_object, git, pipeline, process_environment

from relineage.consumer import ask
from relineage.consumer.named import named
from relineage.consumer.store import Store


@pytest.fixture
def project(folder: Path) -> Path:
    """One run of the pipeline."""
    pipeline(folder)
    return folder


SCRIPT = """
from relineage.emitter import Lineage
with Lineage(namespace="fraud").run("train", seed=1) as run:
    run.output({"n": list(range(99))}, name="models/fraud")
"""

STEP = """
import threading
from relineage.emitter import Lineage
BUSY = threading.Event()
@Lineage(namespace="fraud").step(names={"output": "models/fraud"})
def fit():
    return {"n": list(range(99 + BUSY.is_set()))}
fit()
"""


@pytest.fixture
def repository(folder: Path) -> Path:
    """A clean git repository whose script has run once."""
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", "https://example.com/a/b.git")
    (folder / ".gitignore").write_text(".relineage\n")
    (folder / "train.py").write_text(SCRIPT)
    git(folder, "add", ".gitignore", "train.py")
    git(folder, "commit", "--quiet", "-m", "first")
    run_again(folder)
    return folder


@pytest.fixture
def status(relineage: Callable[..., Any]) -> Callable[..., tuple[str, str]]:
    """(status, reason) of one check of one job's run."""

    def of(job: str, check: str, *arguments: str | Path) -> tuple[str, str]:
        [found] = [
            (row["status"], row["reason"])
            for row in relineage("verify", "models/fraud", "--format", "json", *arguments).json
            if (row["job_name"], row["check_name"]) == (job, check)
        ]
        return found

    return of


def test_a_file_that_is_as_it_was_read_is_unchanged(project: Path, status: Callable[..., Any]) -> None:
    assert status("prepare", "inputs_unchanged") == ("passed", f"{project}/raw.csv is as it was read")


def test_what_an_earlier_run_wrote_is_unchanged(project: Path, status: Callable[..., Any]) -> None:
    assert status("train", "inputs_unchanged") == ("passed", "fraud/features/train is what split wrote")


def test_a_file_that_changed_fails(project: Path, status: Callable[..., Any]) -> None:
    (project / "raw.csv").write_text("a,b\n1,2\n")

    verdict, reason = status("prepare", "inputs_unchanged")

    assert verdict == "failed"
    assert reason.startswith(f"{project}/raw.csv is not what was read: it is b3-bytes1:")


FROM_A_PICKLE = """
import pickle
from pathlib import Path
from relineage.emitter import Lineage
Path("base.pkl").write_bytes(pickle.dumps({"weight": list(range(99))}))
with Lineage(namespace="fraud").run("tune", seed=1) as run:
    weights = pickle.loads(run.input(Path("base.pkl"), role="base").read_bytes())
    run.output(weights, name="models/fraud")
"""


def test_a_pickle_that_is_named_like_a_model_counts_as_weights(
    folder: Path, status: Callable[..., Any]
) -> None:
    (folder / "tune.py").write_text(FROM_A_PICKLE)
    subprocess.run([sys.executable, "tune.py"], cwd=folder, env=process_environment(), check=True)
    assert status("tune", "weights_known") == ("passed", f"{folder}/base.pkl is as it was read")

    (folder / "base.pkl").unlink()

    assert status("tune", "weights_known") == ("unknown", f"{folder}/base.pkl is not on this machine")


def test_a_file_that_is_not_here_is_unknown(project: Path, status: Callable[..., Any]) -> None:
    (project / "raw.csv").unlink()

    assert status("prepare", "inputs_unchanged") == (
        "unknown",
        f"{project}/raw.csv is not on this machine",
    )


READING = """
from pathlib import Path
from relineage.emitter import Lineage
with Lineage(namespace="fraud").run("train", seed=1) as run:
    text = run.input(Path("raw.csv"), role="raw").read_text()
    run.output({"n": list(range(len(text)))}, name="models/fraud")
"""


@pytest.mark.parametrize(("text", "grade"), [("a,b\n1,2\n" * 20, "passed"), ("a,b\n1,3\n" * 20, "failed")])
def test_a_file_of_a_project_that_has_moved_is_looked_for_at_the_same_place(
    folder: Path, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, text: str, grade: str
) -> None:
    (folder / "train.py").write_text(READING)
    (folder / "raw.csv").write_text("a,b\n1,2\n" * 20)
    run_again(folder)
    moved = folder.rename(folder.with_name(f"{folder.name}-moved"))
    monkeypatch.chdir(moved)
    (moved / "raw.csv").write_text(text)

    verdict, reason = status("train", "inputs_unchanged")

    assert verdict == grade
    assert grade == "passed" or reason.startswith(f"{moved}/raw.csv is not what was read")


def test_a_file_with_the_same_table_in_other_bytes_is_unchanged(
    folder: Path, status: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from relineage.emitter import Lineage

    table = pa.table({"x": list(range(100))})
    pq.write_table(table, folder / "x.parquet")
    with Lineage(namespace="fraud", environ={}).run("train", seed=1) as run:
        run.input(folder / "x.parquet", role="raw")
        run.output({"n": list(range(99))}, name="models/fraud")
    pq.write_table(table, folder / "x.parquet", compression="zstd")

    assert status("train", "inputs_unchanged")[0] == "passed"


def test_a_path_that_is_too_long_to_be_one_is_not_looked_at(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    path, version = "/" + "a" * 5000, "b3-bytes1:" + "0" * 64
    tell(folder, "load", 1, reads=[(path, version, "file")], writes=[("b", "1")])

    said = relineage("verify", "b", "--format", "json")

    assert said.code == 1
    assert [row["status"] for row in said.json if row["check_name"] == "inputs_unchanged"] == ["unknown"]


def test_an_input_without_a_digest_is_unknown(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "load", 1, reads=[("a", "7")], writes=[("b", "1")])

    checks = {row["check_name"]: row for row in relineage("verify", "b", "--format", "json").json}

    assert checks["inputs_unchanged"]["status"] == "unknown"
    assert checks["inputs_unchanged"]["reason"] == "no digest of n/a was recorded"


def run_again(folder: Path, **variables: str) -> None:
    """The script, in a process of its own."""
    subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=process_environment() | variables, check=True
    )


def snapshots(folder: Path) -> list[str]:
    return git(folder, "for-each-ref", "--format=%(objectname)", "refs/relineage").split()


def lose_what_no_ref_has(folder: Path) -> None:
    git(folder, "reflog", "expire", "--expire=now", "--all")
    git(folder, "gc", "--quiet", "--prune=now")


def test_a_snapshot_that_is_here_can_be_reached_though_its_commit_was_amended(
    repository: Path, status: Callable[..., Any]
) -> None:
    [snapshot] = snapshots(repository)
    git(repository, "commit", "--quiet", "--amend", "-m", "another")
    lose_what_no_ref_has(repository)

    assert status("train", "code_recorded") == ("passed", f"snapshot {snapshot}")
    assert status("train", "code_reachable") == ("passed", f"snapshot {snapshot[:12]} is in {repository}")


def test_where_git_takes_the_repository_for_another_users_verify_and_replay_say_what_to_do(
    repository: Path, status: Callable[..., Any], relineage: Callable[..., Any], distrusting_git: None
) -> None:
    """It was: that the folder is in no git repository, or that another clone may have the commit."""
    advice = f"; if you trust it: git config --global --add safe.directory {repository}"

    verdict, reason = status("train", "code_reachable")

    assert verdict == "unknown"
    assert reason.startswith("it cannot be looked for: git rev-parse failed: detected dubious ownership")
    assert reason.endswith(advice)
    [replayed] = relineage("replay", "models/fraud", "--yes", "--format", "json").json
    assert replayed["verdict"] == "not replayed"
    assert "cannot be looked for in " in replayed["reason"]
    assert replayed["reason"].endswith(advice)
    bundled = relineage("bundle", "models/fraud", "-o", repository / "fraud.lineage").err
    assert "detected dubious ownership" in bundled
    assert advice in bundled


def test_a_snapshot_that_was_removed_fails(repository: Path, status: Callable[..., Any]) -> None:
    (repository / "train.py").write_text(SCRIPT + "#\n")
    run_again(repository)
    for ref in git(repository, "for-each-ref", "--format=%(refname)", "refs/relineage").split():
        git(repository, "update-ref", "-d", ref)
    lose_what_no_ref_has(repository)

    verdict, reason = status("train", "code_reachable")

    assert verdict == "failed"
    assert reason.endswith(f"is not in {repository} any more")


def test_code_is_not_reachable_without_its_submodules(
    folder: Path, tmp_path: Path, relineage: Callable[..., Any], status: Callable[..., Any]
) -> None:
    part = tmp_path / "part"
    part.mkdir()
    git(part, "init", "--quiet")
    (part / "parts.py").write_text("NUMBERS = list(range(99))\n")
    git(part, "add", "--all")
    git(part, "commit", "--quiet", "-m", "one")
    wanted = git(part, "rev-parse", "HEAD").strip()
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text(".relineage\n")
    (folder / "train.py").write_text(
        "import lib.parts\n" + SCRIPT.replace("list(range(99))", "lib.parts.NUMBERS")
    )
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(part), "lib")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "first")
    run_again(folder)

    assert status("train", "code_reachable")[0] == "passed"
    relineage("bundle", "models/fraud", "-o", tmp_path / "model.bundle")
    packed = json.loads(relineage("verify", tmp_path / "model.bundle", "--format", "json").out)
    [bundled] = [(row["status"], row["reason"]) for row in packed if row["check_name"] == "code_reachable"]
    assert bundled[0] == "unknown"
    assert bundled[1].endswith("is in the bundle, its submodule lib is not")

    git(folder, "submodule", "--quiet", "deinit", "--force", "lib")
    verdict, reason = status("train", "code_reachable")
    assert verdict == "failed"
    assert f"the submodule lib, {wanted[:12]}, is not in {folder}/lib: git submodule update --init" in reason


def test_of_a_clean_work_tree_the_commit_in_a_clone_will_do(
    repository: Path, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    status("train", "code_reachable")  # takes the events in
    git(tmp_path, "clone", "--quiet", "--no-local", str(repository), str(tmp_path / "clone"))
    database = tmp_path / "moved.duckdb"
    (repository / ".relineage" / "lineage.duckdb").rename(database)
    (repository / ".git").rename(tmp_path / "away.git")
    monkeypatch.chdir(tmp_path / "clone")

    verdict = status("train", "code_reachable", "--database", database)

    assert verdict == ("passed", f"commit {commit[:12]} is in {tmp_path}/clone")


def test_a_snapshot_of_another_repository_is_unknown(
    repository: Path, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    [snapshot] = snapshots(repository)
    status("train", "code_reachable")  # takes the events in
    (repository / ".git").rename(repository / "away.git")
    (repository / "other").mkdir()
    git(repository / "other", "init", "--quiet")
    monkeypatch.chdir(repository / "other")

    assert status("train", "code_reachable") == (
        "unknown",
        f"snapshot {snapshot[:12]} is not in {repository}/other: it was made in {repository}",
    )


def test_a_commit_that_its_own_repository_lost_fails(repository: Path, status: Callable[..., Any]) -> None:
    run_again(repository, RELINEAGE_SNAPSHOT="off")
    git(repository, "commit", "--quiet", "--amend", "-m", "another")
    lose_what_no_ref_has(repository)

    verdict, reason = status("train", "code_reachable")

    assert verdict == "failed"
    assert "perhaps git fetch brings it" in reason


def test_a_commit_whose_files_are_not_all_there_cannot_be_reached(
    repository: Path, status: Callable[..., Any]
) -> None:
    name = git(repository, "rev-parse", "HEAD:train.py")
    (repository / ".git" / "objects" / name[:2] / name[2:]).unlink()

    verdict, reason = status("train", "code_reachable")

    assert verdict == "failed"
    assert f"but train.py, {name[:12]}, is not there" in reason


def test_code_that_was_changed_among_git_s_objects_is_found_by_looking_deep(
    repository: Path, status: Callable[..., Any]
) -> None:
    change_object(repository, git(repository, "rev-parse", "HEAD:train.py"), b"seed=1", b"seed=2")

    assert status("train", "code_reachable")[0] == "passed"
    verdict, reason = status("train", "code_reachable", "--deep")
    assert verdict == "failed"
    assert "but train.py is not what its id, " in reason


def test_outside_of_any_repository_the_code_is_unknown(
    repository: Path, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    status("train", "code_reachable")
    (repository / ".git").rename(repository / "away.git")

    assert status("train", "code_reachable") == ("unknown", f"{repository} is in no git repository")


def test_a_script_that_git_ignores_is_not_recorded(repository: Path, status: Callable[..., Any]) -> None:
    with (repository / ".gitignore").open("a") as ignored:
        ignored.write("train.py\n")
    git(repository, "rm", "--quiet", "--cached", "train.py")
    run_again(repository)

    assert status("train", "code_recorded") == ("failed", "not kept: train.py: in use, git ignores it")


def test_a_dirty_work_tree_without_a_snapshot_is_not_recorded(
    repository: Path, status: Callable[..., Any]
) -> None:
    (repository / "train.py").write_text(SCRIPT + "#\n")
    run_again(repository, RELINEAGE_SNAPSHOT="off")
    commit = git(repository, "rev-parse", "HEAD")

    assert status("train", "code_recorded") == (
        "failed",
        f"the working tree differed from commit {commit[:12]}, and no snapshot was made; not covered: "
        "the code as it was: keeping it is switched off (RELINEAGE_SNAPSHOT, snapshot=False)",
    )


def test_what_the_digest_of_a_steps_code_leaves_out_is_told(
    repository: Path, status: Callable[..., Any]
) -> None:
    (repository / "train.py").write_text(STEP)
    git(repository, "commit", "--quiet", "-a", "-m", "a step")
    run_again(repository)
    verdict, reason = status("fit", "code_recorded")

    assert verdict == "passed"
    assert reason.endswith("; not in the digest of its code: __main__.BUSY: a threading.Event")


def test_an_object_that_was_handed_to_a_step_may_hold_anything(
    repository: Path, status: Callable[..., Any]
) -> None:
    text = STEP.replace("fit():", "fit(data, size):").replace("fit()", "fit(BUSY, size=3)")
    (repository / "train.py").write_text(text)
    run_again(repository)

    assert status("fit", "inputs_known") == ("unknown", "only the type is known of parameter data")


def test_outside_of_git_the_sources_are_looked_for_in_the_store(
    folder: Path, status: Callable[..., Any]
) -> None:
    (folder / "train.py").write_text(SCRIPT)
    run_again(folder)
    [listed] = (folder / ".relineage" / "store" / "objects" / "b3-folder1").rglob("*.json")
    digest = f"b3-folder1:{listed.parent.name}{listed.stem}"

    assert status("train", "code_recorded") == ("passed", f"snapshot {digest}")
    assert status("train", "code_reachable") == ("passed", f"its sources {digest} are in the store")
    [source] = (folder / ".relineage" / "store" / "objects" / "b3-bytes1").glob("*/*")
    source.chmod(0o600)
    source.write_text(SCRIPT.replace("seed=1", "seed=2"))
    assert status("train", "code_reachable")[0] == "passed"
    assert status("train", "code_reachable", "--deep")[0] == "failed"
    source.unlink()
    assert status("train", "code_reachable")[0] == "failed"
    listed.unlink()
    assert status("train", "code_reachable") == (
        "unknown",
        f"its sources {digest} are not in this store; perhaps in another",
    )


def test_a_commit_that_is_an_option_of_git_is_never_given_to_git(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    git(folder, "init", "--quiet")
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    location = base | {"type": "git", "url": "https://example.com", "version": "--output=pwned"}
    job = {"namespace": "n", "name": "load", "facets": {"sourceCodeLocation": location}}
    event = tell(folder, "load", 1, writes=[("a", "1")])
    events = folder / ".relineage" / "events" / "told.ndjson"
    events.write_text(json.dumps(event | {"job": job}) + "\n")

    checks = {row["check_name"]: row for row in relineage("verify", "a", "--format", "json").json}

    assert checks["code_reachable"]["status"] == "unknown"
    assert checks["code_reachable"]["reason"].endswith("could not be asked for --output=pwned")


CACHED = """
from relineage.emitter import Lineage
@Lineage(namespace="fraud", store=True).step(names={"output": "models/fraud"}, cache=True, seed=1)
def fit(rate):
    return {"n": [rate * n for n in range(99)]}
fit(0.5)
"""


def test_the_run_that_computed_what_came_from_the_cache_is_looked_at_as_well(
    repository: Path, relineage: Callable[..., Any]
) -> None:
    (repository / "train.py").write_text(CACHED)
    git(repository, "commit", "--quiet", "--all", "-m", "a step")
    events = repository / ".relineage" / "events"
    shutil.rmtree(events)
    run_again(repository)
    computed = list(events.iterdir())
    run_again(repository)

    rows = relineage("verify", "models/fraud", "--format", "json").json
    assert [(row["job_name"], row["check_name"]) for row in rows] == 2 * [
        ("fit", row["check_name"]) for row in rows[: len(rows) // 2]
    ]

    for file in computed:
        file.unlink()
    (repository / ".relineage" / "lineage.duckdb").unlink()
    rows = relineage("verify", "models/fraud", "--format", "json").json
    lost = {row["status"] for row in rows if row["job_name"] is None}
    assert lost == {"unknown"}
    assert "nothing is known of it" in relineage("verify", "models/fraud").out


MANY_CACHED = """
import os
from pandas import DataFrame
from relineage.emitter import Lineage
lineage = Lineage(namespace="fraud", store=True)
@lineage.step(cache=True, seed=1)
def feature(number):
    return DataFrame({"n": [number * n for n in range(99)]})
with lineage.run("train", seed=1) as run:
    for number in range(int(os.environ["FEATURES"])):
        run.input(feature(number), role=f"feature {number}")
    run.output(DataFrame({"n": range(99)}), name="models/fraud")
"""


def test_all_runs_that_computed_what_was_served_are_asked_for_together(
    repository: Path, relineage: Callable[..., Any]
) -> None:
    """The database was asked for each of them anew: 200 such runs took minutes."""
    (repository / "train.py").write_text(MANY_CACHED)
    git(repository, "commit", "--quiet", "--all", "-m", "features")
    questions, runs = [], []
    for features in ("2", "12"):
        for _ in range(2):
            run_again(repository, FEATURES=features)
        relineage("status")  # takes the events in
        asked = 0

        def count(frame: Any, kind: str, _: Any) -> None:
            nonlocal asked
            asked += kind == "call" and frame.f_code.co_filename == ask.__file__

        sys.setprofile(count)
        try:
            said = relineage("verify", "models/fraud", "--format", "json")
        finally:
            sys.setprofile(None)
        questions.append(asked)
        runs.append(len({row["run_id"] for row in said.json}))

    assert runs == [1 + 2 * 2, 1 + 12 + 12]
    assert questions[0] == questions[1] > 0


def test_a_verdict_fits_one_screen_and_ends_with_its_sum(
    project: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    (project / "raw.csv").write_text("a,b\n1,2\n")

    said = relineage("verify", "models/fraud")
    lines = [line.rstrip() for line in said.out.splitlines()]

    assert said.code == 1
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == [
        "inputs", "inputs", "nothing", "code", "code", "seeds", "setting", "setting", "weights",
    ]  # fmt: skip
    [prepare] = [line for line in lines if line.startswith("prepare")]
    assert prepare.split()[1:3] == ["✓", "✗"]  # the run's id stands below, where there is room
    assert any(line.startswith("✗ inputs unchanged") for line in lines)
    assert "prepare: " in said.out
    failed = sum(line.count("✗") for line in lines if line.split()[:1] in (["prepare"], ["split"], ["train"]))
    assert lines[-1].startswith(f"✗ models/fraud: {failed} of 27 checks of 3 runs failed")


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("columns", [60, 80])
def test_on_a_narrow_terminal_every_run_has_its_name_and_every_reason_is_whole(
    columns: int,
    deep: bool,
    project: Path,
    relineage: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    (project / "raw.csv").write_text("a,b\n1,2\n")

    said = relineage("verify", "models/fraud", *["--deep"] * deep)
    lines = said.out.splitlines()
    rows = [line.split()[1:3] for line in lines if line.split()[:1] in (["prepare"], ["split"], ["train"])]

    assert "…" not in said.out
    assert len(rows) == 3
    assert [signs for signs in rows if signs == ["✓", "✗"]] == [["✓", "✗"]]
    assert re.search("b3-[a-z]+1:[0-9a-f]{64}now", re.sub(r"\s", "", said.out))
    if columns >= 80:
        assert max(map(len, lines)) <= columns


WIDE = """
import numpy as np
from relineage.emitter import Lineage
lineage = Lineage(namespace="n")
frames = []
for number in range(30):
    with lineage.run(f"load{number}", seed=1) as run:
        if number in (3, 28):
            np.random.default_rng()
        frames.append(run.output(np.arange(50.0) + number, name=f"part{number}"))
frame = frames[0]
for number in range(10):
    with lineage.run("stage", seed=1) as run:
        for position, one in enumerate(frames if number == 0 else [frame]):
            run.input(one, role=f"part{position}")
        frame = run.output(frame + 1, name="chain")
"""


def test_a_wide_upstream_fits_one_screen_and_no_run_is_left_out(
    folder: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (folder / "wide.py").write_text(WIDE)
    subprocess.run([sys.executable, "wide.py"], cwd=folder, env=process_environment(), check=True)

    said = relineage("verify", "chain")
    lines = [line.split() for line in said.out.splitlines()]

    assert len(lines) < 70
    assert ["stage", "10", "runs"] in [line[:3] for line in lines]
    seeds = {" ".join(line[:-9]): line[-4] for line in lines if len(line) > 9 and line[-1] == "✓"}
    assert (seeds.pop("others: 11 runs"), seeds.pop("stage 10 runs")) == ("✓", "✓")
    assert [job for job, sign in seeds.items() if sign == "✗"] == ["load28", "load3"]
    assert len(seeds) == 19
    assert "load28, load3: not covered" in re.sub(r"\s+", " ", said.out)
    assert len(relineage("verify", "chain", "--format", "json").json) == 40 * 9


def test_nothing_failed_and_nothing_unknown_is_the_only_success(
    folder: Path, relineage: Callable[..., Any]
) -> None:
    # No run at all is no success either: nothing was checked.
    from relineage.emitter import Lineage

    (folder / "x.csv").write_text("x\n" * 100)
    with Lineage(namespace="fraud", environ={}).run("read", seed=1) as run:
        run.input(folder / "x.csv", role="raw")

    said = relineage("verify", "x.csv")

    assert said.code == 1
    assert "no run is known that made it" in said.out


@pytest.mark.parametrize(
    ("switches", "status", "words"),
    [
        ({"torch.are_deterministic_algorithms_enabled": "True"}, "passed", "seed was given"),
        (
            {"torch.are_deterministic_algorithms_enabled": "False", "torch.backends.cudnn.benchmark": "True"},
            "unknown",
            "seed was given; switched off: torch.are_deterministic_algorithms_enabled, torch.backends.cudnn.benchmark",
        ),
        ({"torch.backends.cudnn.benchmark": "False", "PYTHONHASHSEED": "random"}, "passed", "seed was given"),
    ],
)
def test_switches_that_are_off_leave_it_unknown_whether_the_seeds_suffice(
    switches: dict[str, str],
    status: str,
    words: str,
    folder: Path,
    tell: Callable[..., Any],
    relineage: Callable[..., Any],
) -> None:
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    seeds = base | {"entropy": "1", "given": True, "libraries": [], "switches": switches, "uncovered": []}
    run = {"runId": "0199a000-0000-7000-8000-00000000000a", "facets": {"relineage_seeds": seeds}}
    tell(folder, "train", 1, writes=[("m", "1")], run=run)

    checks = {row["check_name"]: row for row in relineage("verify", "n/m", "--format", "json").json}

    assert (checks["seeds_complete"]["status"], checks["seeds_complete"]["reason"]) == (status, words)


def test_the_packages_of_a_process_are_read_once(asked: Path, relineage: Callable[..., Said]) -> None:
    """They were read for each of its runs: half the time of `verify` on a training with thousands of steps."""
    relineage("status")  # takes the events in
    with Store.open(asked / ".relineage" / "lineage.duckdb") as store:
        ids = [run_id for (run_id,) in store.connection.execute("select run_id from runs").fetchall()]
        rows = store.connection.execute(named("evidence")["settings"], {"run_ids": ids}).fetchall()

    assert sorted(run_id for run_ids, *_ in rows for run_id in run_ids) == sorted(ids)
    assert len(rows) == 1 < len(ids)
    assert rows[0][-1]["relineage"]
