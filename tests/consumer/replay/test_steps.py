"""Decorated steps, done again: with their program, and by themselves."""

import shutil

import pytest
from replay_projects import Project

STEPS = """
import pandas as pd
lineage = Lineage(namespace="fraud", store=STORE)

@lineage.step
def augment(frame: pd.DataFrame, noise: float, columns: list) -> pd.DataFrame:
    return frame.assign(**{c: frame[c] + np.random.normal(scale=noise, size=len(frame)) for c in columns})

@lineage.step(seed=7)
def batches(frame, size=20):
    for i in range(0, len(frame), size):
        yield frame.iloc[np.random.permutation(len(frame))[:size]].reset_index(drop=True)
"""
PROGRAM = """
import pandas as pd
from steps import augment, batches, lineage
frame = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60.0)})
for epoch in range(2):
    augment(frame, 0.5, ["a", "b"])
    list(batches(frame))
with lineage.run("around", seed=5):
    augment(frame, 0.5, ["a", "b"])
"""


@pytest.mark.parametrize("stored", [False, True], ids=["with their program", "by themselves"])
def test_each_call_of_a_step_comes_out_the_same(project: Project, stored: bool) -> None:
    project.write(steps=STEPS.replace("STORE", str(stored)), program=PROGRAM)
    project.run("program.py")
    with project.store() as store:
        rows = store.connection.execute(
            "select run_id, outcome from runs where job_name <> 'around' order by started_at"
        ).fetchall()

    assert len({outcome for _, outcome in rows}) == 5  # each epoch has its own
    for run_id, _ in rows:
        verdict = project.replay(f"run:{run_id}")
        assert verdict.verdict == "bitwise", verdict
        assert [one.partition(" was ")[2] for one in verdict.notes] == ["called by itself"] * stored


MANY = """
lineage = Lineage(namespace="fraud", store=True)

@lineage.step
def shifted(values: np.ndarray, by: tuple, scale: int = 1) -> np.ndarray:
    return values + sum(by) * scale + np.random.random(len(values))
"""
CALLED_WITH_MANY = """
from steps import shifted
shifted(np.arange(60.0), tuple(range(20_000)), 3)
"""


@pytest.fixture
def with_many_parameters(project: Project) -> Project:
    """A step whose parameters do not fit into a facet; the object with them lies beside the database."""
    project.write(steps=MANY, program=CALLED_WITH_MANY)
    project.run("program.py")
    kept = project.folder / ".relineage" / "objects"
    assert list(kept.iterdir())
    shutil.copytree(kept, project.folder.parent / "objects")
    return project


def test_a_step_whose_parameters_did_not_fit_into_its_event_is_called_with_all_of_them(
    with_many_parameters: Project,
) -> None:
    verdict = with_many_parameters.replay("shifted")

    assert (verdict.verdict, verdict.notes) == ("bitwise", ("steps:shifted was called by itself",)), verdict


@pytest.mark.parametrize("harm", ["removed", "forged"])
def test_without_all_of_its_parameters_a_step_is_not_called_by_itself(
    with_many_parameters: Project, harm: str
) -> None:
    for file in (with_many_parameters.folder.parent / "objects").iterdir():
        file.unlink() if harm == "removed" else file.write_text(file.read_text().replace("19999", "19998"))

    verdict = with_many_parameters.replay("shifted")

    assert (verdict.verdict, verdict.notes) == ("bitwise", ()), verdict
