"""`relineage verify`: what files and git add to the verdict of the macro."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import git, pipeline, process_environment


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


@pytest.fixture
def repository(folder: Path) -> Path:
    """A clean git repository whose script has run once."""
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", "https://example.com/a/b.git")
    (folder / ".gitignore").write_text(".relineage\n")
    (folder / "train.py").write_text(SCRIPT)
    git(folder, "add", ".gitignore", "train.py")
    git(folder, "commit", "--quiet", "-m", "first")
    subprocess.run([sys.executable, "train.py"], cwd=folder, env=process_environment(), check=True)
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


def test_a_file_that_is_not_here_is_unknown(project: Path, status: Callable[..., Any]) -> None:
    (project / "raw.csv").unlink()

    assert status("prepare", "inputs_unchanged") == (
        "unknown",
        f"{project}/raw.csv is not on this machine",
    )


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


def test_a_commit_that_is_here_can_be_reached(repository: Path, status: Callable[..., Any]) -> None:
    commit = git(repository, "rev-parse", "HEAD")

    assert status("train", "code_reachable") == ("passed", f"commit {commit[:12]} is in {repository}")


def test_a_commit_is_looked_for_in_the_work_tree_of_the_run_too(
    repository: Path, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    status("train", "code_reachable")  # takes the events in
    (repository / "other").mkdir()
    git(repository / "other", "init", "--quiet")
    monkeypatch.chdir(repository / "other")

    assert status("train", "code_reachable") == ("passed", f"commit {commit[:12]} is in {repository}")


def test_a_commit_of_another_repository_is_unknown(
    repository: Path, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    status("train", "code_reachable")
    shutil.rmtree(repository / ".git")
    (repository / "other").mkdir()
    git(repository / "other", "init", "--quiet")
    monkeypatch.chdir(repository / "other")

    verdict, reason = status("train", "code_reachable")

    assert verdict == "unknown"
    assert reason == f"commit {commit[:12]} is not in {repository}/other, which may be another repository"


def test_a_commit_that_its_own_repository_lost_fails(repository: Path, status: Callable[..., Any]) -> None:
    git(repository, "commit", "--quiet", "--amend", "-m", "another")
    git(repository, "reflog", "expire", "--expire=now", "--all")
    git(repository, "gc", "--quiet", "--prune=now")

    verdict, reason = status("train", "code_reachable")

    assert verdict == "failed"
    assert "perhaps git fetch brings it" in reason


def test_outside_of_any_repository_the_code_is_unknown(
    repository: Path,
    status: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    status("train", "code_reachable")
    shutil.rmtree(repository / ".git")
    outside = tmp_path_factory.mktemp("outside")
    monkeypatch.chdir(outside)

    database = repository / ".relineage" / "lineage.duckdb"
    assert status("train", "code_reachable", "--database", database) == (
        "unknown",
        f"{outside} is in no git repository",
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
