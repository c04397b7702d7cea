"""git, as the consumer asks it: for so long and no longer, and deaf to what was meant for somebody else."""

import os
import time
from pathlib import Path

import pytest
from cli_projects import git as by_hand

from relineage.consumer.git import GitError, NoGit, git, has_commit, refusal


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    by_hand(tmp_path, "init", "--quiet")
    (tmp_path / "a.txt").write_text("a")
    by_hand(tmp_path, "add", "a.txt")
    by_hand(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_git_that_takes_too_long_is_ended_with_all_that_it_has_started(repository: Path) -> None:
    slow = "alias.slow=!echo $$ > pid && sleep 60"

    with pytest.raises(GitError, match=r"^git slow was not done after 1 seconds$"):
        git(repository, "-c", slow, "slow", seconds=1)

    started = int((repository / "pid").read_text())
    for _ in range(50):
        try:
            os.kill(started, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError(f"process {started} is still there")


def test_what_git_refuses_is_told_with_the_question(repository: Path) -> None:
    with pytest.raises(GitError, match=r"^git cat-file: fatal: Not a valid object name nothing$"):
        git(repository, "cat-file", "-p", "nothing")


def test_where_git_takes_a_repository_for_another_users_its_advice_is_told(
    repository: Path, tmp_path: Path, distrusting_git: None
) -> None:
    """It was: the advice alone, which stands in the last line."""
    said = (
        rf"^git rev-parse: fatal: detected dubious ownership in repository at '{repository}'; "
        rf"if you trust it: git config --global --add safe\.directory {repository}$"
    )
    with pytest.raises(GitError, match=said):
        git(repository, "rev-parse", "HEAD")
    assert "dubious ownership" in (refusal(repository) or "")


@pytest.mark.parametrize("folder", [".", "nowhere", "a.txt"])
def test_where_there_is_no_repository_nothing_is_refused(
    folder: str, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert refusal(repository / folder) is None
    assert refusal(tmp_path_factory.mktemp("outside")) is None


@pytest.mark.parametrize("folder", ["nowhere", "a.txt", "x" * 5000, "a\0b"])
def test_what_is_no_folder_has_no_commits(repository: Path, folder: str) -> None:
    commit = by_hand(repository, "rev-parse", "HEAD")

    assert has_commit(repository, commit)
    assert not has_commit(repository / folder, commit)


def test_variables_and_replaced_objects_are_not_heeded(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = by_hand(repository, "rev-parse", "HEAD")
    (repository / "a.txt").write_text("forged")
    by_hand(repository, "commit", "--quiet", "-am", "second")
    by_hand(repository, "replace", first, "HEAD")
    assert by_hand(repository, "show", f"{first}:a.txt") == "forged"
    monkeypatch.setenv("GIT_DIR", str(repository / "nowhere"))

    assert git(repository, "show", f"{first}:a.txt") == "a"


def test_without_git_it_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))

    with pytest.raises(NoGit, match="git is not installed here"):
        git(repository, "status")
