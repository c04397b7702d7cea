"""`relineage code`: snapshots are listed with their runs, and go when no database and no young run has them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import git, process_environment

from relineage.emitter.capture.code import Repositories
from relineage.emitter.capture.snapshot import take

SCRIPT = """
from relineage.emitter import Lineage
for job in ("train", "evaluate"):
    with Lineage(namespace="fraud").run(job, seed=1) as run:
        run.output({"n": list(range(99))}, name="models/fraud")
"""
OLD = time.time() - 3 * 86_400


def made_by_hand(folder: Path, text: str) -> str:
    """A snapshot that no event tells of: its commit."""
    (folder / "other.py").write_text(text)
    found = Repositories().at(folder)
    assert found is not None
    snapshot = take(found.root, found.git_folder, found.common_folder, seconds=60)
    (folder / "other.py").unlink()
    assert snapshot.id is not None
    return snapshot.id


def grow_old(folder: Path) -> None:
    for part in ("refs/relineage", "objects", "packed-refs"):
        for path in [folder / ".git" / part, *(folder / ".git" / part).rglob("*")]:
            if path.exists():
                os.utime(path, (OLD, OLD))


def snapshots(folder: Path) -> set[str]:
    return set(git(folder, "for-each-ref", "--format=%(objectname)", "refs/relineage").split())


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    git(folder, "init", "--quiet")
    (folder / "train.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "train.py"], cwd=folder, env=process_environment(), check=True)
    return folder


@pytest.fixture
def project(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: Path) -> Path:
    """A copy of a repository with two runs of one snapshot, as the working directory."""
    shutil.copytree(made_once, tmp_path / "p", symlinks=True)
    shutil.copy(empty_database, tmp_path / "p" / ".relineage")
    monkeypatch.chdir(tmp_path / "p")
    return tmp_path / "p"


def test_ls_lists_the_snapshots_with_their_runs(project: Path, relineage: Callable[..., Any]) -> None:
    [known] = snapshots(project)
    unknown = made_by_hand(project, "1")

    said = relineage("code", "ls", "--format", "json")

    assert said.code == 0
    listed = {row["commit"]: row for row in said.json}
    assert set(listed) == {known, unknown}
    assert (listed[known]["runs"], listed[unknown]["runs"]) == (2, 0)
    assert listed[known]["tree"] == git(project, "rev-parse", f"{known}^{{tree}}")
    shown = relineage("code", "ls", "--limit", "1")
    assert "there are more" in shown.err


def test_gc_removes_what_no_run_has_and_is_old(project: Path, relineage: Callable[..., Any]) -> None:
    [needed] = snapshots(project)
    unneeded = made_by_hand(project, "1")
    grow_old(project)
    young = made_by_hand(project, "2")
    other = git(project, "commit-tree", f"{needed}^{{tree}}", "-m", "somebody's own")
    git(project, "update-ref", "refs/relineage/mine", other)

    said = relineage("code", "gc", "--yes")

    assert said.code == 0
    assert said.out == f"{unneeded}  refs/relineage/{git(project, 'rev-parse', f'{unneeded}^{{tree}}')}\n"
    assert said.err == "relineage: 1 snapshot removed\n"
    assert snapshots(project) == {needed, young, other}
    assert "nothing to remove" in relineage("code", "gc", "--yes").err


def test_one_that_is_made_again_is_young_again(project: Path, relineage: Callable[..., Any]) -> None:
    again = made_by_hand(project, "1")
    grow_old(project)
    assert made_by_hand(project, "1") == again

    relineage("code", "gc", "--yes")

    assert again in snapshots(project)


def test_one_that_git_has_packed_goes_when_it_is_old_and_stays_when_made_again(
    project: Path, relineage: Callable[..., Any]
) -> None:
    first, second = made_by_hand(project, "1"), made_by_hand(project, "2")
    git(project, "gc", "--quiet")
    grow_old(project)
    assert made_by_hand(project, "2") == second

    relineage("code", "gc", "--yes")

    assert second in snapshots(project)
    grow_old(project)
    relineage("code", "gc", "--yes")
    assert not {first, second} & snapshots(project)


def test_gc_asks_first(project: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    unneeded = made_by_hand(project, "1")
    grow_old(project)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)

    assert "nothing is removed" in relineage("code", "gc").err
    assert unneeded in snapshots(project)


def test_gc_asks_every_database_that_is_named(
    project: Path, relineage: Callable[..., Any], tmp_path: Path, empty_database: Path
) -> None:
    """The runs of another database may need what those of the first do not."""
    [needed] = snapshots(project)
    relineage("runs")  # takes the events in
    shutil.copy(project / ".relineage" / "lineage.duckdb", tmp_path / "full.duckdb")
    shutil.copy(empty_database, tmp_path / "empty.duckdb")
    made_by_hand(project, "1")
    grow_old(project)

    alone = relineage("code", "gc", "--yes", "--database", tmp_path / "empty.duckdb")
    assert alone.code == 2
    assert "is it the right one" in alone.err
    both = [word for name in ("empty", "full") for word in ("--database", tmp_path / f"{name}.duckdb")]
    assert relineage("code", "gc", "--yes", *both).code == 0
    assert snapshots(project) == {needed}
    missing = relineage("code", "gc", "--yes", "--database", tmp_path / "missing.duckdb")
    assert missing.code == 2


@pytest.mark.parametrize("asked_there", [True, False])
def test_gc_keeps_what_runs_in_a_linked_work_tree_have(
    asked_there: bool,
    project: Path,
    tmp_path: Path,
    relineage: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was: the snapshots of all other work trees went, since they share their refs."""
    needed = snapshots(project)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "first")
    git(project, "worktree", "add", "--quiet", tmp_path / "linked", "-b", "linked")
    (tmp_path / "linked" / "train.py").write_text(SCRIPT + "# changed\n")
    subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path / "linked", env=process_environment(), check=True
    )
    [there] = snapshots(project) - needed
    if asked_there:
        monkeypatch.chdir(tmp_path / "linked")
        assert relineage("runs").code == 0
        monkeypatch.chdir(project)
        shutil.rmtree(tmp_path / "linked" / ".relineage" / "events")
    unneeded = made_by_hand(project, "1")
    grow_old(project)

    said = relineage("code", "gc", "--yes")

    assert said.out.startswith(unneeded)
    assert snapshots(project) == {*needed, there}
    assert git(project, "branch", "--list", "linked", "--format=%(refname:short)") == "linked"


def test_outside_of_a_repository_it_says_so(folder: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("code", "ls")

    assert (said.code, said.err) == (2, f"relineage: {folder} is in no git repository\n")
