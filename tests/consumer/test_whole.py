"""Whether a commit has all its files, and they are its own."""

import subprocess
from pathlib import Path

import pytest
from cli_projects import change_object, git

from relineage.consumer.whole import spoilt


@pytest.fixture(params=["sha1", "sha256"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", f"--object-format={request.param}")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a b\n.py").write_text("x = 1\n")
    (tmp_path / "empty.py").write_text("")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


@pytest.mark.parametrize("packed", [False, True])
def test_a_commit_that_is_whole_is_not_spoilt(packed: bool, repository: Path) -> None:
    if packed:
        git(repository, "repack", "-adq")

    assert spoilt(repository, git(repository, "rev-parse", "HEAD"), deep=False) is None
    assert spoilt(repository, git(repository, "rev-parse", "HEAD"), deep=True) is None


def test_a_file_or_folder_that_is_lost_is_named(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    for path in ("lib/a b\n.py", "lib"):
        name = git(repository, "rev-parse", f"HEAD:{path}")
        (repository / ".git" / "objects" / name[:2] / name[2:]).unlink()
        for deep in (False, True):
            said = spoilt(repository, head, deep=deep)
            assert said is not None
            assert name[:12] in said
            assert path == "lib" or path in said


def test_an_object_that_was_changed_is_found_by_its_digest(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    change_object(repository, git(repository, "rev-parse", "HEAD:lib/a b\n.py"), b"x = 1", b"x = 2")

    assert git(repository, "show", "HEAD:lib/a b\n.py") == "x = 2"  # git believes it
    assert spoilt(repository, head, deep=False) is None
    assert (spoilt(repository, head, deep=True) or "").startswith("lib/a b\n.py is not what its id, ")


@pytest.mark.parametrize(
    ("part", "old", "new"), [("HEAD^{tree}", b"empty.py", b"other.py"), ("HEAD", b"first", b"other")]
)
def test_nor_is_a_folder_or_the_commit_believed(part: str, old: bytes, new: bytes, repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    change_object(repository, git(repository, "rev-parse", part), old, new)

    assert spoilt(repository, head, deep=True) is not None


def test_a_partial_clone_lacks_its_files_and_fetches_none(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    subprocess.run(
        ["git", "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", str(partial)],
        check=True,
    )

    for deep in (False, True):
        assert spoilt(partial, git(repository, "rev-parse", "HEAD"), deep=deep) is not None
