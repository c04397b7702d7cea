"""What the sketch's verdict got wrong, each with the number it is known by: it fails, ours does not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import Said
from replay_projects import Project, new_project
from sketch_tracker import AILineageTracker, DataArtifact, LineageNode

TWO_INPUTS = """
with lineage.run("train", seed=1) as run:
    for name in ("first", "second"):
        run.input(Path(f"{name}.bin"), role=name)
    run.output(np.random.random(9), name="models/m")
"""


def sketched(**fields: Any) -> AILineageTracker:
    """A tracker that knows `model`, made of `data`."""
    tracker = AILineageTracker()
    tracker.artifacts["data"] = DataArtifact("data", "0" * 64)
    node = LineageNode(**{
        "input_artifacts": ["data"], "output_artifact": "model", "operation_type": "train", "code_version": "HEAD",
        "model_version": None, "hyperparameters": {}, "random_seed": 1, **fields,
    })  # fmt: skip
    tracker.lineage_graph["train"] = node
    return tracker


@pytest.fixture
def project(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = new_project(tmp_path / "project", empty_database)
    shutil.copy(empty_database, made.folder / ".relineage" / "lineage.duckdb")
    monkeypatch.chdir(made.folder)
    for name in ("first", "second"):
        (made.folder / f"{name}.bin").write_text(f"the {name} file " * 9)
    made.write(train=TWO_INPUTS)
    return made


def statuses(said: Said) -> dict[str, str]:
    return {row["check_name"]: row["status"] for row in said.json}


@pytest.mark.parametrize("x", ["nothing", "first.bin"])
def test_v1_what_is_unknown_or_has_no_run_is_no_yes(
    project: Project, relineage: Callable[..., Said], x: str
) -> None:
    assert sketched().verify_reproducibility("nothing")
    assert sketched().verify_reproducibility("data")

    project.run("train.py")
    said = relineage("verify", x)

    assert said.code == (2 if x == "nothing" else 1)
    assert "✓" not in said.out


def test_v2_chance_code_and_setting_are_looked_at(project: Project, relineage: Callable[..., Said]) -> None:
    assert sketched(random_seed=None, code_version="a dirty tree").verify_reproducibility("model")

    (project.folder / "more.py").write_text("nobody committed it")
    project.run("train.py", RELINEAGE_SNAPSHOT="off")
    [events] = (project.folder / ".relineage" / "events").glob("*.ndjson")
    events.write_text(events.read_text().replace('"uncovered":[', '"uncovered":["torch (not seeded)",'))

    found = statuses(relineage("verify", "models/m", "--format", "json"))

    assert (found["seeds_complete"], found["code_recorded"], found["setting_equal"]) == (
        "failed", "failed", "passed",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["first", "second"])
def test_v3_all_inputs_are_digested_again(
    project: Project, relineage: Callable[..., Said], name: str
) -> None:
    tracker = sketched(input_artifacts=["data", "forged"])
    tracker.artifacts["forged"] = DataArtifact("forged", "of something else")
    assert tracker.verify_reproducibility("model")

    project.run("train.py")
    assert statuses(relineage("verify", "models/m", "--format", "json"))["inputs_unchanged"] == "passed"
    (project.folder / f"{name}.bin").write_text("forged")

    assert statuses(relineage("verify", "models/m", "--format", "json"))["inputs_unchanged"] == "failed"


def test_v3_the_output_itself_is_digested_again(project: Project, relineage: Callable[..., Said]) -> None:
    project.write(
        train="""
with lineage.run("train", seed=1) as run:
    Path("m.bin").write_bytes(np.random.bytes(99))
    run.output(Path("m.bin"), name="models/m")
"""
    )
    project.run("train.py")
    (project.folder / "m.bin").write_text("forged")

    assert relineage("verify", "./m.bin").code == 2  # by its content it is nothing that is known
    found = statuses(relineage("verify", "dataset:fraud/models/m", "--deep", "--format", "json"))
    assert found["outputs_unchanged"] == "failed"


def test_v4_what_only_looks_well_is_found_out_by_doing_it_again(
    project: Project, relineage: Callable[..., Said]
) -> None:
    assert sketched().verify_reproducibility("model")
    assert not hasattr(AILineageTracker, "replay")

    project.write(train=TWO_INPUTS.replace("np.random.random(9)", "np.random.default_rng().random(9)"))
    project.run("train.py")

    assert relineage("replay", "models/m", "--yes").code == 1


def test_v5_a_verdict_is_graded_and_has_reasons(project: Project, relineage: Callable[..., Said]) -> None:
    assert type(sketched().verify_reproducibility("model")) is bool

    project.run("train.py")
    rows = relineage("verify", "models/m", "--format", "json").json

    assert len(rows) == 9
    assert all(row["status"] in ("passed", "failed", "unknown") and row["reason"] for row in rows)
    [verdict] = relineage("replay", "models/m", "--yes", "--format", "json").json
    assert verdict["verdict"] in ("bitwise", "within tolerance", "not reproduced", "not replayed")
    assert {"reason", "setting", "outputs", "causes", "notes"} <= verdict.keys()
