"""Programs keep their code as it really was: in git, outside of git, as scripts, modules and notebooks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from emitted import events_in

from relineage.emitter import Lineage
from relineage.emitter.errors import SettingsError
from relineage.emitter.store import open_store

JOB = """
from relineage.emitter import Lineage
from lib.helper import f
with Lineage().run("train"):
    f()
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A script with a module of its own, in no repository."""
    folder = tmp_path / "project"
    (folder / "lib").mkdir(parents=True)
    (folder / ".relineage").mkdir()
    (folder / ".relineage" / ".gitignore").write_text("*\n")
    (folder / "lib" / "__init__.py").touch()
    (folder / "lib" / "helper.py").write_text("def f(): return 1\n")
    (folder / "job.py").write_text(JOB)
    return folder


def ran(folder: Path, *words: str, given: str | None = None, **variables: str) -> list[dict[str, Any]]:
    """What the events of the program say of its code, the first ones first."""
    before = len(events_in(folder))
    subprocess.run(
        [sys.executable, *(words or ("job.py",))], cwd=folder, env={**os.environ, **variables}, check=True,
        input=given, text=True, capture_output=True,
    )  # fmt: skip
    facets = [event["run"]["facets"].get("relineage_environment") for event in events_in(folder)[before:]]
    return [facet["code"] for facet in facets if facet is not None]


def test_in_a_repository_the_snapshot_is_a_commit_of_the_work_tree(project: Path) -> None:
    git(project, "init", "-q")
    (project / "job.py").write_text("")
    git(project, "add", "job.py")
    git(project, "commit", "-q", "-m", "one")
    (project / "job.py").write_text(JOB)
    [start, end] = ran(project)

    assert start == end
    assert git(project, "show", f"{end['snapshot']}:job.py") == JOB.strip()
    assert git(project, "ls-tree", "-r", "--name-only", end["snapshot"]).split() == [
        "job.py",
        "lib/__init__.py",
        "lib/helper.py",
    ]
    assert (end["root"], end["dirty"], end["notCovered"]) == (str(project), True, [])
    assert end["commit"] == git(project, "rev-parse", "HEAD")


def test_two_processes_with_the_same_code_have_the_same_snapshot(project: Path) -> None:
    git(project, "init", "-q")

    assert ran(project)[-1]["snapshot"] == ran(project)[-1]["snapshot"]
    (project / "lib" / "helper.py").write_text("def f(): return 2\n")
    ran(project)
    assert len(git(project, "for-each-ref", "refs/relineage").splitlines()) == 2


def test_what_is_committed_while_a_script_runs_is_not_what_it_runs(project: Path) -> None:
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")
    commit = git(project, "rev-parse", "HEAD")
    change = "import subprocess\nopen('lib/helper.py', 'w').close()\nsubprocess.run(['git', 'commit', '-qam', 'two'])\n"
    (project / "job.py").write_text(JOB + change + "with Lineage().run('again'): f()\n")
    identity = {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    told = ran(project, **identity)

    assert git(project, "rev-parse", "HEAD") != commit
    assert {one["commit"] for one in told} == {commit}
    assert len({one["snapshot"] for one in told}) == 1
    places = [event["job"]["facets"]["sourceCodeLocation"] for event in events_in(project)]
    assert {place["version"] for place in places} == {commit}


def kept_files(folder: Path, digest: str, target: Path) -> dict[str, str]:
    open_store(folder / ".relineage" / "store", folder).fetch(digest, target)
    return {
        path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()
    }


def test_outside_of_git_the_sources_in_use_are_in_the_store(project: Path, tmp_path: Path) -> None:
    (project / "unused.py").touch()
    [_, end] = ran(project)

    assert kept_files(project, end["snapshot"], tmp_path / "out") == {
        "job.py": JOB, "lib/__init__.py": "", "lib/helper.py": "def f(): return 1\n",
    }  # fmt: skip
    assert (end["root"], end.get("commit"), end["notCovered"]) == (str(project), None, [])


def test_a_module_of_a_package_is_kept_from_where_imports_start(project: Path, tmp_path: Path) -> None:
    (project / "lib" / "job.py").write_text(JOB)
    [_, end] = ran(project, "-m", "lib.job")

    assert end["root"] == str(project)
    assert set(kept_files(project, end["snapshot"], tmp_path / "out")) == {
        "lib/__init__.py",
        "lib/helper.py",
        "lib/job.py",
    }


def test_a_module_that_is_imported_within_the_run_is_kept_too(project: Path, tmp_path: Path) -> None:
    (project / "late.py").write_text("x = 1\n")
    (project / "job.py").write_text(JOB + "    import late\n")
    [start, end] = ran(project)

    assert "late.py" not in kept_files(project, start["snapshot"], tmp_path / "one")
    assert "late.py" in kept_files(project, end["snapshot"], tmp_path / "two")


def test_a_script_counts_as_it_was_when_it_was_read(project: Path, tmp_path: Path) -> None:
    (project / "job.py").write_text(
        JOB + "    from pathlib import Path; Path('job.py').write_text('another'); import json.tool\n"
    )
    (project / "late.py").touch()
    [start, end] = ran(project)

    assert start["snapshot"] == end["snapshot"]
    assert kept_files(project, end["snapshot"], tmp_path / "out")["job.py"].startswith(JOB)


def test_a_module_that_was_changed_and_then_imported_is_not_covered(project: Path) -> None:
    git(project, "init", "-q")
    (project / "late.py").write_text("x = 1\n")
    change = "    import os; open('late.py', 'w').close(); os.utime('late.py', (2e9, 2e9)); import late\n"
    (project / "job.py").write_text(JOB + change)
    [start, end] = ran(project)

    assert start["notCovered"] == []
    assert end["notCovered"] == ["late.py: in use, it has changed since the code was kept"]


def test_a_module_from_elsewhere_is_not_covered(project: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "common.py").touch()
    (project / "job.py").write_text("import common\n" + JOB)
    [_, end] = ran(project, PYTHONPATH=str(tmp_path / "shared"))

    assert end["notCovered"] == [f"{tmp_path}/shared/common.py: in use, it lies elsewhere"]


def test_large_and_secret_modules_are_not_covered(project: Path) -> None:
    (project / "secrets.py").write_text("TOKEN = 'hunter2'\n")
    (project / "table.py").write_text("X = '" + "x" * 1_000_000 + "'\n")
    (project / "job.py").write_text("import sys; sys.path.insert(0, '.')\nimport table, secrets\n" + JOB)
    [_, end] = ran(project)

    assert end["notCovered"] == [
        "secrets.py: in use, it is named like a file of secrets",
        "table.py: in use, 1.0 MB, more than 1",
    ]
    everything = b"".join(file.read_bytes() for file in (project / ".relineage").rglob("*") if file.is_file())
    assert b"hunter2" not in everything


@pytest.mark.parametrize("in_git", [True, False])
@pytest.mark.parametrize("way", ["variable", "argument"])
def test_it_can_be_switched_off(project: Path, in_git: bool, way: str) -> None:
    if in_git:
        git(project, "init", "-q")
    if way == "argument":
        (project / "job.py").write_text(JOB.replace("Lineage()", "Lineage(snapshot=False)"))
    [_, end] = ran(project, RELINEAGE_SNAPSHOT="off" if way == "variable" else "on")

    assert end.get("snapshot") is None
    assert end["notCovered"] == [
        "the code as it was: keeping it is switched off (RELINEAGE_SNAPSHOT, snapshot=False)"
    ]
    assert not (project / ".relineage" / "store").exists()
    assert not in_git or git(project, "for-each-ref") == ""


def test_the_argument_wins_over_the_variable(project: Path) -> None:
    assert not Lineage(snapshot=False, environ={"RELINEAGE_SNAPSHOT": "on"}).settings.snapshot
    assert Lineage(snapshot=True, environ={"RELINEAGE_SNAPSHOT": "off"}).settings.snapshot
    with pytest.raises(SettingsError, match=r"RELINEAGE_SNAPSHOT='perhaps' is unknown; it can be: on, off"):
        Lineage(environ={"RELINEAGE_SNAPSHOT": "perhaps"})


def test_a_store_at_a_url_is_not_waited_for_unasked(project: Path) -> None:
    [_, end] = ran(project, RELINEAGE_STORE="memory://bucket")

    assert end.get("snapshot") is None
    assert end["notCovered"] == [
        "the code as it was: the store is at a URL, which is not waited for unless store=True"
    ]


def test_a_store_that_cannot_be_written_is_a_reason(project: Path) -> None:
    (project / ".relineage" / "store").write_text("a file where the folder would be")
    [_, end] = ran(project)

    assert end.get("snapshot") is None
    assert end["notCovered"][0].startswith("the code as it was: the sources could not be kept: ")


def test_code_that_cannot_be_kept_is_told_once_and_the_job_goes_on(project: Path) -> None:
    git(project, "init", "-q")
    (project / ".git" / "refs" / "relineage").touch()
    (project / "job.py").write_text(
        JOB + "for _ in range(3):\n    with Lineage().run('again'): print('went on')\n"
    )
    done = subprocess.run([sys.executable, "job.py"], cwd=project, capture_output=True, text=True, check=True)

    assert done.stdout == "went on\n" * 3
    [line] = done.stderr.splitlines()
    assert line.startswith(f"the code in {project} is not kept: git update-ref failed: ")
    assert line.endswith("; RELINEAGE_SNAPSHOT=off stops trying")


def test_without_git_the_work_trees_sources_go_to_the_store(project: Path) -> None:
    git(project, "init", "-q")
    [_, end] = ran(project, PATH="/nonexistent")

    assert end["snapshot"].startswith("b3-folder1:")
    assert end["notCovered"] == ["the repository: git could not be started (FileNotFoundError)"]


def test_what_is_piped_in_is_not_covered_and_says_so(project: Path) -> None:
    [_, end] = ran(project, "-", given=JOB)

    assert end["notCovered"] == [
        "the program: in use, the code was typed at a prompt or piped in, and is not kept",
    ]


# What the emitter asks of IPython, which the tests do not need otherwise.
NOTEBOOK = """
    import json, sys, types
    space = {"In": [""]}
    shell = types.SimpleNamespace(user_ns=space)
    sys.modules["IPython"] = types.ModuleType("IPython")
    sys.modules["IPython"].get_ipython = lambda: shell
    sys.ps1 = "In: "
    for cell in json.loads(sys.argv[1]):
        space["In"].append(cell)
        exec(cell, space)
"""


@pytest.mark.parametrize("in_git", [True, False])
def test_the_executed_cells_are_kept_as_a_file(project: Path, tmp_path: Path, in_git: bool) -> None:
    if in_git:
        git(project, "init", "-q")
    cells = [
        "from relineage.emitter import Lineage",
        "run = Lineage().start('explore')",
        "x = 1\npassword = 'hunter2'",
        "run.end()",
    ]
    [start, end] = ran(project, "-c", dedent(NOTEBOOK), json.dumps(cells))

    assert start["snapshot"] != end["snapshot"]
    if in_git:
        text = git(project, "show", f"{end['snapshot']}:__notebook__.py")
    else:
        text = kept_files(project, end["snapshot"], tmp_path / "out")["__notebook__.py"]
    assert [line for line in text.splitlines() if line.startswith("# %%")] == [
        "# %% [1]",
        "# %% [2]",
        "# %% [3]",
        "# %% [4]",
    ]
    assert "x = 1" in text
    assert "hunter2" not in text
    assert "__notebook__.py: secrets in it are redacted" in end["notCovered"]
