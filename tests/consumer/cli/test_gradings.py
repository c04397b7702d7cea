"""What was planted, and how it is graded: by `verify`, which looks, and by `replay`, which tries."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_projects import Said, git
from replay_projects import Project, new_project

TRAIN = """
import wobble
with lineage.run("train", seed=1) as run:
    text = run.input(Path("raw.bin"), role="raw").read_text()
    weights = np.random.random(9) * len(text) * wobble.VALUE
    run.output({"a": np.arange(9.0), "w": weights}, name="models/m", role="model")
"""


@dataclass(frozen=True)
class Planted:
    """Something done to a project before or after its job has run, and what is to be said of it."""

    name: str
    plant: Callable[[Project], None]
    first: bool  # before the job has run
    checks: dict[str, str]
    code: int
    words: str
    cause: str | None = None
    snapshot: str = "off"


def unseeded(project: Project) -> None:
    project.write(train=TRAIN.replace("np.random.random(9)", "np.random.default_rng().random(9)"))


def another_library(project: Project) -> None:
    shutil.rmtree(project.folder.parent / "site-packages")
    library(project.folder.parent / "site-packages", "2.0", value=2.0)


def another_library_without_effect(project: Project) -> None:
    shutil.rmtree(project.folder.parent / "site-packages")
    library(project.folder.parent / "site-packages", "1.1", value=1.0)


def a_dirty_file(project: Project) -> None:
    with (project.folder / "train.py").open("a") as file:
        file.write("# not committed\n")


def an_untracked_file(project: Project) -> None:
    (project.folder / "more.py").write_text("nobody committed it")


def an_untracked_module(project: Project) -> None:
    (project.folder / "helper.py").write_text("VALUE = 2.0")
    text = (project.folder / "train.py").read_text()
    (project.folder / "train.py").write_text(text.replace("import wobble", "import wobble, helper"))


def a_lost_input(project: Project) -> None:
    (project.folder / "raw.bin").unlink()


def a_link_to_nothing(project: Project) -> None:
    a_lost_input(project)
    (project.folder / "raw.bin").symlink_to("gone.bin")


def a_forged_input(project: Project) -> None:
    (project.folder / "raw.bin").write_text("something else")


def moved_code(project: Project) -> None:
    git(project.folder, "commit", "--quiet", "--amend", "-m", "another history")
    git(project.folder, "reflog", "expire", "--expire=now", "--all")
    git(project.folder, "gc", "--quiet", "--prune=now")


def nothing(project: Project) -> None:
    pass


def an_input_that_is_in_the_store(project: Project) -> None:
    project.write(train=TRAIN.replace('role="raw")', 'role="raw", store=True)'))


CASES = [
    Planted("nothing", nothing, False, {"inputs_unchanged": "passed", "code_reachable": "passed",
            "code_recorded": "passed", "setting_equal": "passed"}, 0, "reproduced bitwise"),
    Planted("unseeded generator", unseeded, True, {"inputs_unchanged": "passed"}, 1,
            "output model fraud/models/m: tensor w: ", "non-determinism"),
    Planted("changed library", another_library, False, {"setting_equal": "failed"}, 1,
            "output model fraud/models/m: tensor w: ", "package wobble"),
    Planted("changed library without effect", another_library_without_effect, False,
            {"setting_equal": "failed"}, 0, "reproduced bitwise"),
    Planted("dirty file", a_dirty_file, True, {"code_recorded": "failed"}, 2,
            "its work tree differed from commit "),
    Planted("untracked file", an_untracked_file, True, {"code_recorded": "failed"}, 2,
            "its work tree differed from commit "),
    Planted("dirty file, kept", a_dirty_file, True, {"code_recorded": "passed", "code_reachable": "passed"}, 0,
            "reproduced bitwise", snapshot="on"),
    Planted("untracked file, kept", an_untracked_module, True, {"code_recorded": "passed"}, 0,
            "reproduced bitwise", snapshot="on"),
    Planted("moved code, kept", moved_code, False, {"code_reachable": "passed"}, 0, "reproduced bitwise",
            snapshot="on"),
    Planted("lost input", a_lost_input, False, {"inputs_unchanged": "unknown"}, 2, "raw.bin is lost: "),
    Planted("link to nothing", a_link_to_nothing, False, {"inputs_unchanged": "unknown"}, 2, "raw.bin is lost: "),
    Planted("forged input", a_forged_input, False, {"inputs_unchanged": "failed"}, 2,
            "raw.bin is not what was read: it was b3-bytes1:"),
    Planted("moved code", moved_code, False, {"code_reachable": "unknown"}, 2, "git fetch"),
]  # fmt: skip


def library(folder: Path, version: str, *, value: float) -> None:
    """A package that is installed, as far as anybody can tell."""
    (folder / f"wobble-{version}.dist-info").mkdir(parents=True)
    (folder / "wobble.py").write_text(f"VALUE = {value}\n")


@pytest.fixture
def project(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = new_project(tmp_path / "project", empty_database)
    shutil.copy(empty_database, made.folder / ".relineage" / "lineage.duckdb")
    (made.folder / "raw.bin").write_text("what was read " * 9)
    library(tmp_path / "site-packages", "1.0", value=1.0)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site-packages"))
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))  # verify compares with this process
    monkeypatch.chdir(made.folder)
    made.write(train=TRAIN)
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_planted_is_graded(case: Planted, project: Project, relineage: Callable[..., Said]) -> None:
    if case.first:
        case.plant(project)
    project.run("train.py", RELINEAGE_SNAPSHOT=case.snapshot)
    if not case.first:
        case.plant(project)

    verified = relineage("verify", "job:fraud/train", "--format", "json")
    replayed = relineage("replay", "job:fraud/train", "--yes", "--format", "json")

    assert {one["check_name"]: one["status"] for one in verified.json}.items() >= case.checks.items()
    [verdict] = replayed.json
    assert replayed.code == case.code, verdict
    assert case.words in (verdict["reason"] or "reproduced " + verdict["verdict"])
    assert [one["what"] for one in verdict["causes"]][:1] == ([case.cause] if case.cause else [])
    changed = [line for line in verdict["setting"] if "wobble" in line]
    assert len(changed) == ("library" in case.name)


def test_an_input_that_is_lost_or_forged_is_taken_from_the_store(
    project: Project, relineage: Callable[..., Said]
) -> None:
    an_input_that_is_in_the_store(project)
    project.run("train.py")

    for change in (a_forged_input, a_lost_input):
        change(project)
        checks = {one["check_name"]: one for one in relineage("verify", "train", "--format", "json").json}
        assert checks["inputs_unchanged"]["status"] == "passed"
        assert "what was read is in the store" in checks["inputs_unchanged"]["reason"]
        assert relineage("replay", "train", "--yes").code == 0
    assert not (project.folder / "raw.bin").exists()


def test_a_damaged_object_is_found_by_looking_deep(project: Project, relineage: Callable[..., Said]) -> None:
    an_input_that_is_in_the_store(project)
    project.run("train.py")
    [stored] = (project.folder / ".relineage" / "store" / "objects" / "b3-bytes1").rglob("*/*")
    stored.chmod(0o600)
    stored.write_text("forged")

    shallow, deep = (
        {
            one["check_name"]: one["status"]
            for one in relineage("verify", "train", *more, "--format", "json").json
        }
        for more in ([], ["--deep"])
    )

    assert shallow["inputs_unchanged"] == "passed"
    assert deep["inputs_unchanged"] == "failed"
    assert "outputs_unchanged" in deep
    a_lost_input(project)
    said = relineage("replay", "train", "--yes")
    assert said.code == 2
    assert "raw.bin is lost" in said.out
    assert "it does not come out of the store: b3-bytes1:" in " ".join(said.out.split())


def test_what_was_written_and_changed_since_is_found_by_looking_deep(
    project: Project, relineage: Callable[..., Said]
) -> None:
    project.write(
        train="""
with lineage.run("train", seed=1) as run:
    Path("m.bin").write_bytes(b"weights" * 9)
    run.output(Path("m.bin"))
"""
    )
    project.run("train.py")

    def outputs() -> Any:
        rows = relineage("verify", "job:train", "--deep", "--format", "json").json
        return {one["check_name"]: (one["status"], one["reason"]) for one in rows}["outputs_unchanged"]

    assert outputs() == ("passed", f"{project.folder}/m.bin is as it was written")
    (project.folder / "m.bin").write_bytes(b"other weights" * 9)
    assert outputs()[0] == "failed"
    assert outputs()[1].startswith(f"{project.folder}/m.bin is not what was written: it is b3-bytes1:")


def test_the_packages_that_differ_are_listed(project: Project, relineage: Callable[..., Said]) -> None:
    project.run("train.py")
    another_library(project)

    rows = relineage("verify", "models/m", "--format", "json").json

    [reason] = [one["reason"] for one in rows if one["check_name"] == "setting_equal"]
    assert reason == "package wobble 1.0, here 2.0"


def test_another_machine_leaves_the_setting_unknown(project: Project, relineage: Callable[..., Said]) -> None:
    project.run("train.py")
    [events] = (project.folder / ".relineage" / "events").glob("*.ndjson")
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    for line in lines:
        line["run"]["facets"].get("relineage_environment", {})["cpu"] = "Abacus × 1"
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))

    rows = relineage("verify", "models/m", "--format", "json").json

    [found] = [one for one in rows if one["check_name"] == "setting_equal"]
    assert found["status"] == "unknown"
    assert found["reason"].startswith("another machine: processor Abacus × 1, here ")


def test_the_last_replay_is_told_with_the_verdict(project: Project, relineage: Callable[..., Said]) -> None:
    project.run("train.py")
    assert "last replay" not in relineage("verify", "models/m").out
    relineage("replay", "models/m", "--yes")
    relineage("replay", "models/m", "--yes")

    last = relineage("verify", "models/m").out.splitlines()[-1]

    assert "; last replay, " in last
    assert last.endswith("UTC: reproduced bitwise, done again 2 times")


def test_an_attempt_that_was_no_replay_hides_none(project: Project, relineage: Callable[..., Said]) -> None:
    project.run("train.py")
    relineage("replay", "models/m", "--yes")
    raw = project.folder / "raw.bin"
    text = raw.read_text()
    raw.unlink()
    relineage("replay", "models/m", "--yes")
    raw.write_text(text)

    last = relineage("verify", "models/m").out.splitlines()[-1]

    assert last.endswith("UTC: reproduced bitwise, and could not be replayed since")
    assert "1 of 9 checks of 1 run is unknown" in last


def test_what_the_snapshot_does_not_hold_is_told_though_it_fails_nothing(
    project: Project, relineage: Callable[..., Said]
) -> None:
    (project.folder / "large.data").write_bytes(b"x" * 1_500_000)
    project.run("train.py", RELINEAGE_SNAPSHOT="on")

    said = relineage("verify", "models/m").out

    assert "✓ code recorded  train: not in the snapshot: large.data: 1.5 MB, more than 1" in said
