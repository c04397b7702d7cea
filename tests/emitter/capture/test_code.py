"""What git and the running program say about the code, on real repositories and in real processes."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from relineage.emitter.capture.code import Repositories, running_code


def git(folder, *arguments):
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def work_tree(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("print(1)\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_a_clean_work_tree_has_its_commit_and_branch(work_tree):
    found = Repositories().at(work_tree)

    assert found.root == work_tree
    assert found.commit == git(work_tree, "rev-parse", "HEAD")
    assert (found.branch, found.dirty, found.remote, found.not_covered) == ("main", False, None, ())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "train.py").write_text("print(2)\n"), id="changed"),
        pytest.param(lambda folder: (folder / "new.py").touch(), id="untracked"),
        pytest.param(lambda folder: (folder / "train.py").unlink(), id="deleted"),
        pytest.param(
            lambda folder: ((folder / "train.py").write_text("x"), git(folder, "add", "train.py")),
            id="staged",
        ),
    ],
)
def test_a_work_tree_that_differs_is_dirty(work_tree, change):
    change(work_tree)

    assert Repositories().at(work_tree).dirty is True


@pytest.mark.parametrize("folder", ["__pycache__", "lib/__pycache__"])
def test_what_python_caches_makes_nothing_dirty(work_tree, folder):
    """The first import would, in a repository that does not ignore it."""
    (work_tree / "lib").mkdir()
    (work_tree / "lib" / "helper.py").touch()
    git(work_tree, "add", ".")
    git(work_tree, "commit", "-q", "-m", "two")
    (work_tree / folder).mkdir()
    (work_tree / folder / "helper.cpython-311.pyc").touch()

    assert Repositories().at(work_tree).dirty is False


def test_ignored_files_make_nothing_dirty(work_tree):
    (work_tree / ".git" / "info").mkdir(exist_ok=True)
    (work_tree / ".git" / "info" / "exclude").write_text("*.log\n")
    (work_tree / "run.log").touch()

    assert Repositories().at(work_tree).dirty is False


def test_it_is_looked_at_again_when_head_has_moved(work_tree):
    repositories = Repositories()
    before = repositories.at(work_tree)
    assert repositories.at(work_tree) is before

    (work_tree / "train.py").write_text("print(2)\n")
    git(work_tree, "commit", "-q", "-a", "-m", "two")

    assert repositories.at(work_tree).commit == git(work_tree, "rev-parse", "HEAD") != before.commit


@pytest.mark.parametrize("aged", [True, False])
@pytest.mark.parametrize(
    "move",
    [
        ("commit", "-q", "--allow-empty", "-m", "two"),
        ("checkout", "-q", "-b", "side"),
        ("checkout", "-q", "--detach"),
        ("pack-refs", "--all"),
    ],
)
def test_a_head_whose_files_are_not_read_again_is_still_seen_to_move(work_tree, move, aged):
    repositories = Repositories()
    if aged:  # then only their states are asked; younger ones are read each time
        for file in (work_tree / ".git").rglob("*"):
            os.utime(file, (1e9, 1e9))
    before = repositories.at(work_tree)
    assert repositories.at(work_tree) is before
    for _ in range(2):
        git(work_tree, *move) if _ == 0 else None
        found = repositories.at(work_tree)
        assert (found.commit, found.branch) == (
            git(work_tree, "rev-parse", "HEAD"),
            git(work_tree, "branch", "--show-current") or None,
        )


def test_a_head_that_is_written_twice_within_one_tick_of_the_clock_is_seen(work_tree):
    file = work_tree / ".git" / "HEAD"
    state = file.stat()
    repositories = Repositories()
    for branch in ("aaaa", "bbbb", "cccc"):
        git(work_tree, "branch", "-f", branch)
        with file.open("r+") as head:  # in place, the same size and time
            head.write(f"ref: refs/heads/{branch}\n")
            head.truncate()
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

        assert repositories.at(work_tree).branch == branch


def test_a_fork_waits_for_no_lock_of_its_parent(work_tree):
    repositories = Repositories()
    before = repositories.at(work_tree)
    repositories._lock.acquire()  # as another thread of the parent would hold it
    child = os.fork()
    if child == 0:
        os._exit(0 if repositories.at(work_tree) is before else 1)
    repositories._lock.release()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_branch_that_only_packed_refs_know_is_found(work_tree):
    git(work_tree, "pack-refs", "--all")

    assert Repositories().at(work_tree).commit == git(work_tree, "rev-parse", "HEAD")


def test_a_repository_without_a_commit_has_none(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")

    found = Repositories().at(tmp_path)

    assert (found.commit, found.branch, found.dirty) == (None, "main", False)


def test_a_detached_head_has_no_branch(work_tree):
    git(work_tree, "checkout", "-q", "--detach")

    assert Repositories().at(work_tree).branch is None


def test_a_linked_work_tree_is_one_of_its_own(work_tree, tmp_path):
    git(work_tree, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))

    found = Repositories().at(tmp_path / "side")

    assert (found.root, found.branch) == (tmp_path / "side", "side")


def test_outside_of_any_repository_there_is_none(tmp_path):
    assert Repositories().at(tmp_path) is None


def test_without_git_there_is_none(work_tree, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")

    assert Repositories().at(work_tree) is None


def test_a_program_that_the_repository_names_is_not_run(work_tree, tmp_path):
    """A work tree may come from anywhere; `core.fsmonitor` would run what its configuration says."""
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    hook.chmod(0o755)
    git(work_tree, "config", "core.fsmonitor", str(hook))

    assert Repositories().at(work_tree).dirty is False
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("remote", "told", "url"),
    [
        (
            "https://x:hunter2@github.com/o/r.git",
            "https://github.com/o/r.git",
            "https://github.com/o/r/blob/{}/a%20b.py",
        ),
        ("git@github.com:o/r.git", "git@github.com:o/r.git", "https://github.com/o/r/blob/{}/a%20b.py"),
        (
            "ssh://git@gitlab.com:22/o/r",
            "ssh://git@gitlab.com:22/o/r",
            "https://gitlab.com/o/r/-/blob/{}/a%20b.py",
        ),
        ("https://git.example/o/r.git", "https://git.example/o/r.git", "https://git.example/o/r"),
        ("/srv/git/r.git", "/srv/git/r.git", "file:///srv/git/r.git"),
    ],
)
def test_a_remote_is_told_without_credentials_and_with_an_address(work_tree, remote, told, url):
    git(work_tree, "remote", "add", "backup", "https://elsewhere.example/r")
    git(work_tree, "remote", "add", "origin", remote)

    found = Repositories().at(work_tree)

    assert found.remote == told
    assert found.web_url("a b.py") == url.format(found.commit)


def test_the_digest_is_of_the_scripts_text_not_of_its_place(tmp_path):
    one, other = tmp_path / "a.py", tmp_path / "b.py"
    one.write_text("print(1)\n")
    other.write_text("print(1)\n")

    assert of_script(one) == of_script(other)
    other.write_text("print(2)\n")
    assert of_script(one) != of_script(other)


def of_script(path, caller=None):
    main = ModuleType("__main__")
    main.__file__ = str(path)
    return running_code(main, caller, None, ["python", str(path)]).digest


def test_the_file_that_opened_the_run_counts_too(tmp_path):
    """A console script is three lines that never change."""
    script, module = tmp_path / "cli", tmp_path / "pipeline.py"
    script.write_text("main()\n")
    module.write_text("def main(): ...\n")
    before = of_script(script, module)
    module.write_text("def main(): pass\n")

    assert of_script(script, module) != before
    assert of_script(script, script) == of_script(script)


def test_a_notebooks_executed_cells_are_its_code():
    main = ModuleType("__main__")

    def of_cells(cells):
        return running_code(main, None, cells, ["python"]).digest

    assert of_cells(["a = 1", "b = 2"]) == of_cells(["a = 1", "b = 2"])
    assert of_cells(["a = 1", "b = 2"]) != of_cells(["a = 1b = 2"])
    assert of_cells(["a = 1", "b = 2"]) != of_cells(["b = 2", "a = 1"])


PROGRAM = """
import sys
from relineage.emitter.capture.code import running_code
code = running_code(sys.modules["__main__"], None, None, sys.orig_argv)
print(code.digest, "|", code.missing)
"""


def printed(arguments, tmp_path, **options):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True, **options
    )
    return done.stdout.strip().split(" | ")


def test_code_given_on_the_command_line_is_known(tmp_path):
    digest, missing = printed(["-c", PROGRAM], tmp_path)

    assert digest.startswith("b3-code1:")
    assert missing == "None"
    assert printed(["-c", PROGRAM + "#"], tmp_path)[0] != digest


def test_code_that_is_piped_in_is_not_known_and_says_so(tmp_path):
    digest, missing = printed(["-"], tmp_path, input=PROGRAM)

    assert digest == "None"
    assert "piped in" in missing


def test_a_script_and_a_module_are_known(tmp_path):
    (tmp_path / "job.py").write_text(PROGRAM)

    assert printed(["job.py"], tmp_path)[0] == printed(["-m", "job"], tmp_path)[0]
    assert printed(["job.py"], tmp_path)[0] == of_script(Path(tmp_path / "job.py"))
