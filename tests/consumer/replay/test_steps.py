"""Decorated steps, done again: with their program, and by themselves."""

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
from steps import augment, batches
frame = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60.0)})
for epoch in range(2):
    augment(frame, 0.5, ["a", "b"])
    list(batches(frame))
"""


@pytest.mark.parametrize("stored", [False, True], ids=["with their program", "by themselves"])
def test_each_call_of_a_step_comes_out_the_same(project: Project, stored: bool) -> None:
    project.write(steps=STEPS.replace("STORE", str(stored)), program=PROGRAM)
    project.run("program.py")
    with project.store() as store:
        rows = store.connection.execute("select run_id, outcome from runs order by started_at").fetchall()

    assert len({outcome for _, outcome in rows}) == 4  # each epoch has its own
    for run_id, _ in rows:
        verdict = project.replay(f"run:{run_id}")
        assert verdict.verdict == "bitwise", verdict
        assert bool(verdict.notes) == stored
