"""How commits travel: those that ran and nothing before them, the same bytes each time, and nothing that runs."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cli_projects import change_object, git

from relineage.consumer.bundle.code import pack, unpack
from relineage.consumer.errors import BundleError
from relineage.consumer.git import has_commit


def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    git(folder, "add", name)
    git(folder, "commit", "--quiet", "-m", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def objects_in(repository: Path) -> list[str]:
    told = git(repository, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
    return sorted(told.splitlines())


def test_commits_come_with_their_files_and_without_what_was_before_them(project: Path, into: Path) -> None:
    secret = commit(project, "password.txt", "hunter2")
    git(project, "rm", "--quiet", "password.txt")
    first, second = commit(project, "a.py", "print(1)\n"), commit(project, "b.py", "print(2)\n")

    packed = pack([first, second], [project], into)
    unpack(packed.files["sha1"], "sha1", packed.commits, into / "code.git")

    assert packed.commits == sorted([first, second])
    assert packed.missing == {}
    assert git(into / "code.git", "show", f"{second}:b.py") == "print(2)"
    assert git(into / "code.git", "show", f"{second}:a.py") == "print(1)"
    there = objects_in(into / "code.git")
    assert [one for one in there if one.startswith("commit")] == sorted(
        f"commit {one}" for one in (first, second)
    )
    assert not has_commit(into / "code.git", secret)
    assert git(into / "code.git", "for-each-ref", "--format=%(objectname)").split() == packed.commits


def test_a_work_tree_of_what_was_unpacked_is_the_code(project: Path, into: Path) -> None:
    wanted = commit(project, "train.py", "print('trained')\n")
    packed = pack([wanted], [project], into)
    unpack(packed.files["sha1"], "sha1", packed.commits, into / "code.git")

    git(into / "code.git", "worktree", "add", "--quiet", "--detach", str(into / "tree"), wanted)

    assert (into / "tree" / "train.py").read_text() == "print('trained')\n"


def test_the_same_commits_are_the_same_bytes_whatever_git_has_done_with_them(
    project: Path, into: Path, tmp_path: Path
) -> None:
    text = "".join(f"line {number}\n" for number in range(5000))
    ids = [commit(project, "long.txt", text.replace("line 7\n", f"line {n}\n")) for n in range(8)]
    loose = pack(ids, [project], into).files["sha1"].read_bytes()
    git(project, "gc", "--quiet", "--aggressive")
    (tmp_path / "again").mkdir()
    packed = pack(reversed(ids), [project / ".git"], tmp_path / "again")
    unpack(packed.files["sha1"], "sha1", packed.commits, tmp_path / "code.git")
    (tmp_path / "third").mkdir()
    third = pack(ids, [tmp_path / "code.git"], tmp_path / "third").files["sha1"].read_bytes()

    assert packed.files["sha1"].read_bytes() == loose
    assert third == loose
    assert len(loose) < 2 * len(text) / 4  # eight versions of one file are hardly more than one


def test_several_repositories_give_one_bundle(tmp_path: Path, into: Path) -> None:
    ids = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init", "--quiet")
        ids.append(commit(tmp_path / name, "a.py", name))

    packed = pack(ids, [tmp_path / "one", tmp_path / "two"], into)

    assert packed.commits == sorted(ids)
    assert list(packed.files) == ["sha1"]


def test_ids_of_sha256_have_a_bundle_of_their_own(tmp_path: Path, project: Path, into: Path) -> None:
    (tmp_path / "long").mkdir()
    git(tmp_path / "long", "init", "--quiet", "--object-format=sha256")
    ids = [commit(project, "a", "a"), commit(tmp_path / "long", "a", "a")]

    packed = pack(ids, [project, tmp_path / "long"], into)
    for form, file in packed.files.items():
        unpack(file, form, packed.commits, into / f"{form}.git")

    assert set(packed.files) == {"sha1", "sha256"}
    assert has_commit(into / "sha256.git", ids[1])
    assert not has_commit(into / "sha256.git", ids[0])


def test_what_is_in_no_repository_is_told(project: Path, into: Path, tmp_path: Path) -> None:
    here, nowhere = commit(project, "a", "a"), "0123456789" * 4
    tree = git(project, "rev-parse", "HEAD^{tree}")

    packed = pack([here, nowhere, tree, "ab" * 32], [project, tmp_path / "gone", tmp_path], into)

    assert packed.commits == [here]
    assert packed.missing == {
        nowhere: f"not found: {project}",
        tree: f"not found: {project}",
        "ab" * 32: "not found: there is no git repository of its kind here",
    }
    assert pack([nowhere], [], into).missing == {
        nowhere: "not found: there is no git repository of its kind here"
    }


def test_a_commit_whose_files_are_not_all_there_is_told(project: Path, into: Path, tmp_path: Path) -> None:
    wanted = commit(project, "a", "a")
    git(project, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    subprocess.run(
        ["git", "clone", "--quiet", "--no-checkout", "--filter=blob:none", f"file://{project}", str(partial)],
        check=True,
    )
    shutil.move(project, tmp_path / "away")  # and nothing is fetched

    packed = pack([wanted], [partial], into)

    assert packed.commits == []
    assert "partial clone" in packed.missing[wanted]


def test_a_commit_whose_files_are_not_its_own_is_told(project: Path, into: Path) -> None:
    """Whoever got it would refuse the whole bundle."""
    wanted = commit(project, "a", "text")
    change_object(project, git(project, "rev-parse", "HEAD:a"), b"text", b"tixt")

    packed = pack([wanted], [project], into)

    assert packed.commits == []
    assert packed.missing[wanted].startswith("a is not what its id, ")


def test_submodules_are_told(project: Path, into: Path) -> None:
    inner = commit(project, "a", "a")
    git(project, "update-index", "--add", "--cacheinfo", f"160000,{inner},vendored")
    git(project, "commit", "--quiet", "-m", "with a submodule")
    wanted = git(project, "rev-parse", "HEAD")

    packed = pack([wanted], [project], into)

    assert packed.commits == [wanted]
    assert packed.missing == {wanted: "its submodules are not in the bundle: vendored"}


def test_without_git_nothing_is_packed_and_the_reason_is_told(
    project: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = commit(project, "a", "a")
    packed = pack([wanted], [project], into)
    monkeypatch.setenv("PATH", str(into))

    assert pack([wanted], [project], into).missing == {wanted: "git is not installed here"}
    assert not has_commit(project, wanted)
    with pytest.raises(BundleError, match="git is not installed here, so the code in the bundle cannot be"):
        unpack(packed.files["sha1"], "sha1", [wanted], into / "code.git")


def test_nothing_of_the_repository_is_changed_and_no_program_of_its_settings_runs(
    project: Path, into: Path
) -> None:
    wanted = commit(project, "a.txt", "a")
    evil = project / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {into}/pwned\n")
    evil.chmod(0o755)
    (project / ".gitattributes").write_text("* filter=evil diff=evil\n")
    for key in ("core.fsmonitor", "filter.evil.smudge", "filter.evil.clean", "uploadpack.packObjectsHook",
                "core.pager", "diff.evil.textconv", "core.alternateRefsCommand", "core.sshCommand"):  # fmt: skip
        git(project, "config", key, str(evil))
    (into / "pwned").unlink(missing_ok=True)
    before = {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in project.rglob("*")
        if path.is_file()
    }

    packed = pack([wanted], [project], into)
    unpack(packed.files["sha1"], "sha1", packed.commits, into / "code.git")

    assert packed.commits == [wanted]
    assert not (into / "pwned").exists()
    after = {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in project.rglob("*")
        if path.is_file()
    }
    assert after == before


def test_objects_that_git_refuses_are_refused(project: Path, into: Path) -> None:
    """A tree with a folder `.git` would write hooks where it is checked out."""
    blob = git(project, "hash-object", "-w", str(_hook(project)))
    made = subprocess.run(
        ["git", "-C", str(project), "mktree"], input=f"100755 blob {blob}\tpost-checkout\n", text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    outer = subprocess.run(
        ["git", "-C", str(project), "hash-object", "-w", "-t", "tree", "--stdin", "--literally"],
        input=b"40000 .git\0" + bytes.fromhex(made.stdout.strip()), capture_output=True, check=True,
    )  # fmt: skip
    wanted = git(project, "commit-tree", outer.stdout.decode().strip(), "-m", "evil")

    packed = pack([wanted], [project], into)

    with pytest.raises(BundleError, match="the code in the bundle is refused: git"):
        unpack(packed.files["sha1"], "sha1", packed.commits, into / "code.git")


def _hook(project: Path) -> Path:
    file = project / "hook"
    file.write_text("#!/bin/sh\n")
    return file


@pytest.mark.parametrize("spoilt", ["nothing", "cut", "damaged", "another commit", "a prerequisite"])
def test_a_git_bundle_that_is_not_what_it_says_is_refused(spoilt: str, project: Path, into: Path) -> None:
    wanted = commit(project, "a", "a")
    other = commit(project, "b", "b")
    file = pack([wanted], [project], into).files["sha1"]
    data = file.read_bytes()
    commits = [wanted]
    match spoilt:
        case "nothing":
            data = b""
        case "cut":
            data = data[:-30]
        case "damaged":
            data = data[:-40] + bytes(10) + data[-30:]
        case "another commit":
            commits = [other]
        case "a prerequisite":
            head, _, rest = data.partition(b"\n")
            data = head + f"\n-{other} b\n".encode() + rest
    file.write_bytes(data)

    with pytest.raises(BundleError, match="the code in the bundle is refused: git"):
        unpack(file, "sha1", commits, into / "code.git")


def test_settings_of_the_user_do_not_reach_what_was_unpacked(
    project: Path, into: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = commit(project, "a", "a")
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    (template / "hooks" / "post-checkout").write_text("#!/bin/sh\n")
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[init]\n\ttemplateDir = {template}\n[core]\n\tbare = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", str(project / ".git"))
    packed = pack([wanted], [project], into)
    unpack(packed.files["sha1"], "sha1", packed.commits, into / "code.git")

    assert not (into / "code.git" / "hooks").exists()
    assert has_commit(into / "code.git", wanted)
