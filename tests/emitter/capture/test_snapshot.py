"""The work tree as a commit of its own, on real repositories in all their states."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.capture.code import Repositories
from relineage.emitter.capture.snapshot import Snapshot, is_secret_file, take


def git(folder: Path, *arguments: str, given: bytes | None = None) -> str:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
        "GIT_ALLOW_PROTOCOL": "file",
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=environment, capture_output=True, check=True, input=given
    )
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def make(folder: Path, *options: str) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "train.py").write_text("print(1)\n")
    (folder / "lib").mkdir()
    (folder / "lib" / "helper.py").write_text("def f(): ...\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clean work tree."""
    return make(tmp_path / "project")


def taken(folder: Path, seconds: float = 30.0) -> Snapshot:
    found = Repositories().at(folder)
    assert found is not None
    return take(found.root, found.git_folder, found.common_folder, seconds=seconds)


def kept(folder: Path) -> tuple[dict[str, str], Snapshot]:
    """Path → `mode content` of what a snapshot holds."""
    snapshot = taken(folder)
    assert snapshot.failure is None
    assert snapshot.id is not None
    lines = git(folder, "ls-tree", "-r", "-z", snapshot.id).split("\0")
    found = {}
    for line in filter(None, lines):
        meta, path = line.split("\t", 1)
        mode, kind, oid = meta.split()
        found[path] = f"{mode} {git(folder, 'cat-file', 'blob', oid) if kind == 'blob' else oid}"
    assert snapshot.paths == set(found)
    return found, snapshot


def test_a_clean_work_tree_is_the_tree_of_its_commit(tree: Path) -> None:
    snapshot = taken(tree)

    assert git(tree, "rev-parse", f"{snapshot.id}^{{tree}}") == git(tree, "rev-parse", "HEAD^{tree}")
    assert (snapshot.left_out, snapshot.failure) == ({}, None)


def test_changed_untracked_staged_and_deleted_files_are_kept_as_they_lie_there(tree: Path) -> None:
    (tree / "train.py").write_text("print(2)\n")
    (tree / "new").mkdir()
    (tree / "new" / "é b\n.py").write_text("x")
    (tree / "staged.py").write_text("staged")
    git(tree, "add", "staged.py")
    (tree / "staged.py").write_text("changed after that")
    (tree / "lib" / "helper.py").unlink()
    (tree / "run.log").write_text("ignored")

    files, snapshot = kept(tree)

    assert files == {
        ".gitignore": "100644 *.log",
        "train.py": "100644 print(2)",
        "new/é b\n.py": "100644 x",
        "staged.py": "100644 changed after that",
    }
    assert snapshot.left_out == {}


def state_of(folder: Path) -> dict[str, object]:
    """All that a snapshot must not touch."""
    files = {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.is_file() and path.read_bytes(),
        )
        for path in folder.rglob("*")
        if ".git/objects" not in path.as_posix()
        and ".git/refs" not in path.as_posix()
        and path != folder / ".git"
    }
    refs = git(folder, "for-each-ref", "--format=%(refname) %(objectname)")
    return {**files, "refs": [line for line in refs.splitlines() if "refs/relineage/" not in line]}


def test_neither_index_nor_branches_nor_stash_nor_files_are_touched(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"  # its own: other tests have theirs at the same time
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    (tree / "train.py").write_text("stashed\n")
    git(tree, "stash")
    (tree / "staged.py").touch()
    git(tree, "add", "staged.py")
    (tree / "train.py").write_text("print(2)\n")
    (tree / "new.py").touch()
    before = state_of(tree)

    assert taken(tree).failure is None

    assert state_of(tree) == before
    assert list(scratch.iterdir()) == []


def test_one_tree_is_one_commit_wherever_and_whenever_it_is_made(tree: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "elsewhere")
    for folder in (tree, other):
        (folder / "new.py").write_text("x = 1\n")
    git(other, "config", "user.name", "somebody")
    git(other, "config", "commit.gpgSign", "true")
    git(other, "config", "i18n.commitEncoding", "latin1")

    one, again, two = taken(tree), taken(tree), taken(other)

    assert one.id == again.id == two.id
    assert git(tree, "for-each-ref", "--format=%(objectname)", "refs/relineage") == one.id
    assert git(tree, "rev-list", "--count", str(one.id)) == "1"
    assert git(tree, "fsck", "--strict") == ""


def test_the_snapshot_outlives_a_rebase_and_gc(tree: Path) -> None:
    (tree / "train.py").write_text("print(2)\n")
    snapshot = taken(tree)
    git(tree, "checkout", "-q", "train.py")
    git(tree, "reflog", "expire", "--expire=all", "--all")
    git(tree, "gc", "-q", "--prune=now")

    assert git(tree, "show", f"{snapshot.id}:train.py") == "print(2)"
    git(tree, "pack-refs", "--all")
    (tree / "train.py").write_text("print(2)\n")
    assert taken(tree).id == snapshot.id


def unborn(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def detached(folder: Path) -> Path:
    git(make(folder), "checkout", "-q", "--detach")
    return folder


def linked(folder: Path) -> Path:
    git(make(folder), "worktree", "add", "-q", "-b", "side", str(folder.parent / "side"))
    return folder.parent / "side"


def shallow(folder: Path) -> Path:
    git(make(folder.parent / "origin"), "commit", "-q", "--allow-empty", "-m", "two")
    git(folder.parent, "clone", "-q", "--depth=1", f"file://{folder.parent}/origin", str(folder))
    return folder


def sha256(folder: Path) -> Path:
    return make(folder, "--object-format=sha256")


def split_index(folder: Path) -> Path:
    git(make(folder), "update-index", "--split-index")
    return folder


def untracked_cache(folder: Path) -> Path:
    git(make(folder), "update-index", "--force-untracked-cache")
    git(folder, "status")
    return folder


def below(folder: Path) -> Path:
    return make(folder) / "lib"


def configured(folder: Path) -> Path:
    make(folder)
    for setting in (
        "status.showUntrackedFiles no", "status.renames copies", "core.autocrlf input", "core.safecrlf true",
        "core.splitIndex true", "commit.gpgSign true", "core.quotePath true", "submodule.recurse true",
        "diff.ignoreSubmodules all",
    ):  # fmt: skip
        git(folder, "config", *setting.split())
    return folder


def locked(folder: Path) -> Path:
    (make(folder) / ".git" / "index.lock").touch()  # as a git that is running holds it
    return folder


def separated(folder: Path) -> Path:
    git(make(folder), "init", "-q", "--separate-git-dir", str(folder.parent / "elsewhere.git"))
    return folder


STATES = [
    unborn,
    detached,
    linked,
    shallow,
    sha256,
    split_index,
    untracked_cache,
    below,
    configured,
    locked,
    separated,
]


@pytest.mark.parametrize("state", STATES)
def test_it_works_in_a_repository_that_is(tmp_path: Path, state: Callable[[Path], Path]) -> None:
    folder = state(tmp_path / "project")
    (folder / "new.py").write_text("x = 1\r\n")

    snapshot = taken(folder)

    assert snapshot.failure is None
    prefix = "lib/" if state is below else ""
    assert f"{prefix}new.py" in snapshot.paths
    assert git(folder, "show", f"{snapshot.id}:{prefix}new.py") == "x = 1"
    assert git(folder, "for-each-ref", "--format=%(objectname)", "refs/relineage") == snapshot.id
    locks = [path for path in tmp_path.rglob("*.lock") if state is not locked]
    assert locks == []


def test_links_and_modes_are_kept(tree: Path) -> None:
    (tree / "run.sh").write_text("x")
    (tree / "run.sh").chmod(0o755)
    (tree / "link").symlink_to("train.py")
    (tree / "nowhere").symlink_to("/nonexistent")
    (tree / "folder").symlink_to("lib")

    files, _ = kept(tree)

    assert files["run.sh"] == "100755 x"
    assert (files["link"], files["nowhere"]) == ("120000 train.py", "120000 /nonexistent")
    assert files["folder"] == "120000 lib"


def test_files_and_folders_that_take_each_others_place_are_kept(tree: Path) -> None:
    shutil.rmtree(tree / "lib")
    (tree / "lib").write_text("a file now")
    (tree / "train.py").unlink()
    (tree / "train.py").mkdir()
    (tree / "train.py" / "x.py").write_text("a folder now")

    files, _ = kept(tree)

    assert set(files) == {".gitignore", "lib", "train.py/x.py"}


def test_a_folder_that_became_a_link_is_kept(tree: Path) -> None:
    (tree / "lib").rename(tree / "real")
    (tree / "lib").symlink_to("real")

    files, _ = kept(tree)

    assert set(files) == {".gitignore", "lib", "real/helper.py", "train.py"}


def test_line_ends_are_kept_as_git_would(tree: Path) -> None:
    git(tree, "config", "core.autocrlf", "true")
    (tree / "dos.py").write_bytes(b"a\r\nb\r\n")
    snapshot = taken(tree)

    assert (
        subprocess.check_output(["git", "-C", tree, "cat-file", "blob", f"{snapshot.id}:dos.py"]) == b"a\nb\n"
    )


def test_a_clean_filter_runs_as_for_git_status(tree: Path) -> None:
    """Git LFS is one: without it, each of its files would look changed."""
    git(tree, "config", "filter.up.clean", "tr a-z A-Z")
    (tree / ".gitattributes").write_text("*.txt filter=up\n")
    (tree / "a.txt").write_text("hello")

    files, _ = kept(tree)

    assert files["a.txt"] == "100644 HELLO"


def test_a_filter_that_never_ends_is_ended_with_its_children(tree: Path, tmp_path: Path) -> None:
    git(tree, "config", "filter.slow.clean", f"echo $$ > {tmp_path}/pid; sleep 1000")
    (tree / ".gitattributes").write_text("*.txt filter=slow\n")
    (tree / "a.txt").write_text("hello")
    began = time.monotonic()

    snapshot = taken(tree, seconds=4)

    assert time.monotonic() - began < 20
    assert snapshot.failure is None
    assert snapshot.left_out["a.txt"] == "git had not read it in time"
    pid = int((tmp_path / "pid").read_text())
    time.sleep(0.1)
    # Ended, whether or not whoever has inherited it has noted that yet.
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert list(tree.rglob("*.lock")) == []


def test_no_hook_runs(tree: Path, tmp_path: Path) -> None:
    hooks = tree / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "reference-transaction", "pre-commit", "post-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\n")
        (hooks / name).chmod(0o755)
    (tree / "new.py").touch()

    assert taken(tree).failure is None
    assert list(tmp_path.glob("ran-*")) == []


def test_variables_meant_for_another_git_do_not_lead_astray(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/nonexistent")
    (tree / "new.py").touch()

    assert "new.py" in taken(tree).paths


def test_a_file_that_git_was_told_to_take_for_unchanged_is_looked_at(tree: Path) -> None:
    git(tree, "update-index", "--assume-unchanged", "train.py")
    (tree / "train.py").write_text("print(2)\n")

    assert kept(tree)[0]["train.py"] == "100644 print(2)"
    assert git(tree, "ls-files", "-v", "train.py") == "h train.py"


def test_a_change_of_the_same_size_in_the_same_instant_is_seen(tree: Path) -> None:
    """Git takes a file for unchanged only if it is older than the index: so the copy must be as old as the index."""
    git(tree, "config", "core.trustctime", "false")
    git(tree, "config", "core.checkStat", "minimal")
    instant = time.time_ns() - 5_000_000_000
    os.utime(tree / "train.py", ns=(instant, instant))
    git(tree, "update-index", "--refresh")
    os.utime(tree / ".git" / "index", ns=(instant, instant))
    (tree / "train.py").write_text("print(3)\n")
    os.utime(tree / "train.py", ns=(instant, instant))

    assert kept(tree)[0]["train.py"] == "100644 print(3)"


def test_files_in_conflict_are_kept_as_they_lie_there(tree: Path) -> None:
    git(tree, "checkout", "-q", "-b", "side")
    (tree / "train.py").write_text("side\n")
    git(tree, "commit", "-qam", "side")
    git(tree, "checkout", "-q", "main")
    (tree / "train.py").write_text("main\n")
    git(tree, "commit", "-qam", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git(tree, "merge", "side")

    assert "<<<<<<<" in kept(tree)[0]["train.py"]


def test_a_sparse_work_tree_is_kept_whole(tree: Path) -> None:
    git(tree, "sparse-checkout", "set", "other")
    assert not (tree / "lib").exists()
    (tree / "new.py").touch()

    files, _ = kept(tree)

    assert set(files) == {".gitignore", "lib/helper.py", "new.py", "train.py"}


@pytest.fixture
def with_submodule(tree: Path, tmp_path: Path) -> Path:
    make(tmp_path / "part")
    git(
        tree,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(tmp_path / "part"),
        "part",
    )
    git(tree, "commit", "-qm", "with a part")
    return tree


def test_a_submodules_commit_is_kept_and_its_changes_are_not_covered(with_submodule: Path) -> None:
    assert taken(with_submodule).left_out == {}
    git(with_submodule / "part", "commit", "-q", "--allow-empty", "-m", "two")
    (with_submodule / "part" / "train.py").write_text("changed")

    files, snapshot = kept(with_submodule)

    assert files["part"] == f"160000 {git(with_submodule / 'part', 'rev-parse', 'HEAD')}"
    assert snapshot.left_out == {"part": "a submodule that has changes of its own; its commit is kept"}


def test_caches_of_a_submodule_are_no_changes_of_it(with_submodule: Path) -> None:
    """They were: whatever was imported from a submodule counted as lost, and the work tree as dirty."""
    (with_submodule / "part" / "__pycache__").mkdir()
    (with_submodule / "part" / "__pycache__" / "train.cpython-311.pyc").touch()

    assert taken(with_submodule).left_out == {}
    seen = Repositories().at(with_submodule)
    assert seen is not None
    assert seen.dirty is False
    (with_submodule / "part" / "new.py").touch()
    assert list(taken(with_submodule).left_out) == ["part"]
    seen = Repositories().at(with_submodule)
    assert seen is not None
    assert seen.dirty is True


def big(folder: Path, name: str = "big.bin") -> None:
    (folder / name).write_bytes(b"x" * 1_000_001)


def test_a_large_untracked_file_is_left_out(tree: Path) -> None:
    big(tree)
    (tree / "fits.bin").write_bytes(b"x" * 1_000_000)

    files, snapshot = kept(tree)

    assert "fits.bin" in files
    assert snapshot.left_out == {"big.bin": "1.0 MB, more than 1"}


def test_of_a_large_changed_file_gits_own_version_is_kept(tree: Path) -> None:
    big(tree, "train.py")

    files, snapshot = kept(tree)

    assert files["train.py"] == "100644 print(1)"
    assert snapshot.left_out == {"train.py": "1.0 MB, more than 1; git's own version is kept instead"}


def test_a_large_file_that_git_has_already_is_kept(tree: Path) -> None:
    big(tree)
    git(tree, "add", "big.bin")

    assert "big.bin" in kept(tree)[0]


def test_when_too_much_has_changed_the_code_comes_first(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relineage.emitter.capture.snapshot._MOST_FILES", 3)
    for number in range(4):
        (tree / f"{number}.bin").write_bytes(b"x" * number)
    (tree / "new.py").write_bytes(b"x" * 100)
    (tree / "train.py").write_text("print(2)\n")

    files, snapshot = kept(tree)

    assert set(files) == {".gitignore", "lib/helper.py", "train.py", "new.py", "0.bin"}
    assert set(snapshot.left_out) == {"1.bin", "2.bin", "3.bin"}


def test_what_does_not_fit_into_the_time_is_listed_and_the_code_is_kept(tree: Path) -> None:
    git(tree, "config", "filter.slow.clean", "sleep 1000")
    (tree / ".gitattributes").write_text("*.dat filter=slow\n")
    for number in range(60):
        (tree / f"new{number}.py").write_text(f"print({number})\n")
    (tree / "train.py").write_text("print(2)\n")
    (tree / "more.dat").write_text("2\n")

    snapshot = taken(tree, seconds=8)
    assert snapshot.failure is None
    there = git(tree, "ls-tree", "-r", "--name-only", snapshot.id or "").splitlines()

    assert snapshot.left_out["more.dat"] == "git had not read it in time"
    assert "more.dat" not in there
    assert git(tree, "show", f"{snapshot.id}:train.py") == "print(2)"
    assert snapshot.paths == set(there)
    assert len(set(there) & {f"new{number}.py" for number in range(60)}) >= 49


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (".env", True), ("conf/.env.local", True), ("prod.env", True), ("a/server.PEM", True), ("id_rsa", True),
        (".aws/config", True), ("secrets.yaml", True), ("credentials.json", True), (".netrc", True),
        ("client_secret_1.json", True), ("x.key", True), (".env.example", False), ("id_rsa.pub", False),
        ("train.py", False), ("environment.py", False), ("keys.py", False), ("monkey.txt", False),
        ("secretary.py", False),
    ],
)  # fmt: skip
def test_files_are_taken_for_secret_by_their_names(tree: Path, path: str, secret: bool) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text("hunter2")

    snapshot = taken(tree)

    assert is_secret_file(path) is secret
    assert (path in snapshot.paths) is not secret
    assert (path in snapshot.left_out) is secret
    found = subprocess.run(
        ["git", "-C", tree, "cat-file", "-e", "c2c53af9a4cf0ab8d3ed2d2c9b1bd3f6"], check=False
    )
    assert found.returncode != 0
    oid = git(tree, "hash-object", "--stdin", given=b"hunter2")
    known = subprocess.run(["git", "-C", tree, "cat-file", "-e", oid], check=False).returncode == 0
    assert known is not secret


def test_caches_are_left_out_silently_and_packages_in_one_line(tree: Path) -> None:
    for path in (
        "__pycache__/a.cpython-311.pyc", "lib/.ipynb_checkpoints/x.ipynb", ".pytest_cache/README.md", "old.pyc",
        "venv/pyvenv.cfg", "venv/lib/a.py", "venv/lib/b.py", "web/node_modules/x/index.js", "web/app.js",
    ):  # fmt: skip
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).touch()

    files, snapshot = kept(tree)

    assert set(files) == {".gitignore", "lib/helper.py", "train.py", "web/app.js"}
    assert snapshot.left_out == dict.fromkeys(
        ["venv/", "web/node_modules/"], "a folder of installed packages"
    )


def test_a_repository_within_is_left_out(tree: Path) -> None:
    make(tree / "vendor" / "other")

    assert taken(tree).left_out == {"vendor/other/": "a git repository of its own"}


def test_what_is_no_file_is_left_out_and_not_waited_for(tree: Path) -> None:
    (tree / "train.py").unlink()
    os.mkfifo(tree / "train.py")

    files, snapshot = kept(tree)

    assert files["train.py"] == "100644 print(1)"
    assert snapshot.left_out == {"train.py": "no file; git's own version is kept instead"}


def blocked_objects(tree: Path) -> None:
    """As on a read-only disk, for root too: where the object's folder would be there is a file."""
    oid = git(tree, "hash-object", "--stdin", given=b"x = 1\n")
    (tree / ".git" / "objects" / oid[:2]).write_text("")


def blocked_refs(tree: Path) -> None:
    (tree / ".git" / "refs" / "relineage").write_text("")


def broken_index(tree: Path) -> None:
    (tree / ".git" / "index").write_bytes(b"DIRC" + b"\0" * 50)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (blocked_objects, "git update-index failed: "),
        (blocked_refs, "git update-ref failed: "),
        (broken_index, "git ls-files failed: "),
    ],
)
def test_what_git_cannot_do_is_a_reason(tree: Path, harm: Callable[[Path], None], reason: str) -> None:
    (tree / "new.py").write_text("x = 1\n")
    found = Repositories().at(tree)
    assert found is not None
    harm(tree)

    snapshot = take(found.root, found.git_folder, found.common_folder)

    assert snapshot.id is None
    assert str(snapshot.failure).startswith(reason)
    assert list(tree.rglob("*.lock")) == []


def test_a_git_that_is_gone_is_a_reason(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Repositories().at(tree)
    assert found is not None
    monkeypatch.setenv("PATH", "/nonexistent")

    assert (
        take(found.root, found.git_folder, found.common_folder).failure
        == "git could not be started (FileNotFoundError)"
    )


def test_a_repository_of_another_user_is_a_reason_with_the_advice_of_git(
    tree: Path, distrusting_git: None
) -> None:
    repositories = Repositories()

    assert repositories.at(tree) is None
    assert repositories.refusal(tree) == (
        f"git rev-parse failed: detected dubious ownership in repository at '{tree}'; "
        f"if you trust it: git config --global --add safe.directory {tree}"
    )


def test_a_program_in_a_repository_of_another_user_is_told_once_that_its_commit_is_not_recorded(
    tree: Path, distrusting_git: None
) -> None:
    (tree / "train.py").write_text(
        "from relineage.emitter import Lineage\n"
        "lineage = Lineage(namespace='n')\n"
        "for _ in range(3):\n"
        "    with lineage.run('train'): pass\n"
    )

    done = subprocess.run([sys.executable, "train.py"], cwd=tree, capture_output=True, text=True, check=True)

    (told,) = done.stderr.splitlines()
    assert told.startswith(
        "the commit of the code is not recorded: git rev-parse failed: detected dubious ow"
    )
    assert told.endswith(f"if you trust it: git config --global --add safe.directory {tree}")


def test_outside_of_any_repository_nothing_was_refused(tmp_path: Path) -> None:
    repositories = Repositories()

    assert repositories.at(tmp_path) is None
    assert repositories.refusal(tmp_path) is None


def test_many_at_once_make_the_same_snapshot(tree: Path) -> None:
    (tree / "new.py").write_text("x = 1\n")
    program = (
        "import sys; from pathlib import Path\n"
        "from relineage.emitter.capture.code import Repositories\n"
        "from relineage.emitter.capture.snapshot import take\n"
        "r = Repositories().at(Path(sys.argv[1]))\n"
        "s = take(r.root, r.git_folder, r.common_folder, seconds=60)\n"
        "print(s.id or s.failure)"
    )

    def once(_: int) -> str:
        command = [sys.executable, "-c", program, str(tree)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with ThreadPoolExecutor(8) as pool:
        printed = set(pool.map(once, range(8)))

    assert printed == {taken(tree).id}


PATHS = ("train.py", "lib/helper.py", "d/a.py", "run.log")
CONTENTS = ("", "1\n", "2\n", "3\n")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(PATHS), st.sampled_from(CONTENTS)),
        st.tuples(st.just("delete"), st.sampled_from(PATHS), st.none()),
        st.tuples(st.just("run"), st.sampled_from(PATHS), st.none()),
        st.tuples(st.just("add"), st.sampled_from(PATHS), st.none()),
        st.tuples(st.just("forget"), st.sampled_from(PATHS), st.none()),
        st.tuples(st.just("commit"), st.none(), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_the_tree_is_what_git_add_all_would_make(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str | None, str | None]]
) -> None:
    tree = make(tmp_path_factory.mktemp("law") / "project")
    for step, name, content in steps:
        path = tree / str(name)
        if step == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(content))
        elif step == "commit":
            git(tree, "commit", "-q", "--allow-empty", "-m", "more")
        elif step == "forget":
            git(tree, "rm", "-q", "--cached", "--force", "--ignore-unmatch", str(name))
        elif path.exists():
            if step == "delete":
                path.unlink()
            elif step == "run":
                path.chmod(path.stat().st_mode ^ stat.S_IXUSR)
            else:
                git(tree, "add", "--force", str(name))
    snapshot = taken(tree)
    git(tree, "add", "-A")

    assert git(tree, "rev-parse", f"{snapshot.id}^{{tree}}") == git(tree, "write-tree")
