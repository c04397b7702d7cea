"""Where `.relineage/` is: rule R8."""

from pathlib import Path

import pytest

from relineage.emitter.home import find_home, make_folder


def test_the_home_is_found_upwards_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".relineage").mkdir()
    inside = tmp_path / "project" / "deep"
    inside.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()  # a home further up comes before the git root
    assert find_home(inside) == tmp_path / ".relineage"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_without_one_it_is_made_at_the_git_root(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        (tmp_path / ".git").mkdir()
    else:
        (tmp_path / ".git").write_text("gitdir: elsewhere\n")  # a worktree
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert find_home(inside) == tmp_path / ".relineage"
    assert find_home(inside) == find_home(tmp_path)


def test_without_git_it_is_made_in_the_working_directory(tmp_path: Path) -> None:
    assert find_home(tmp_path) == tmp_path / ".relineage"


def test_a_new_home_is_ignored_by_git(tmp_path: Path) -> None:
    assert (find_home(tmp_path) / ".gitignore").read_text() == "*\n"


def test_a_relative_start_is_the_working_directorys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_home(Path()) == tmp_path / ".relineage"


def test_a_file_of_that_name_is_no_home(tmp_path: Path) -> None:
    (tmp_path / ".relineage").write_text("notes")
    inside = tmp_path / "project"
    inside.mkdir()
    assert find_home(inside) == inside / ".relineage"


def test_a_folder_that_exists_keeps_its_gitignore(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("!events\n")
    make_folder(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "!events\n"


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "events")
