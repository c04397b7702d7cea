"""Steps that are called again by themselves. Here functions that open their own run stand for decorated ones: events
say of them what they say of a step.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from replay_projects import Project, git

from relineage.consumer.replay.closure import Wanted, replay_closure

STEPS = """
def scale(data, path, factor, columns):
    with lineage.run("scale", params={"factor": factor, "columns": columns}) as run:
        run.input(data, role="data", store=True)
        run.input(path, role="path")
        data = data[:, columns] * factor + np.random.random((len(data), len(columns))) + len(path.read_text())
        return run.output(data, name="scaled", role="scaled")
"""
PROGRAM = """
import steps
with lineage.run("make") as run:
    data = run.output(np.arange(18.0).reshape(9, 2), name="made")
for factor in (2.0, 3.0):
    steps.scale(data, Path("text.txt"), factor, [0, 1])
"""
INDEXED = (
    """__import__("pandas").DataFrame({"a": np.arange(9.0), "b": np.arange(9.0)}, index=range(9, 0, -1))"""
)


def as_steps(project: Project, callable_: str) -> None:
    """Say of the runs of `scale` that they were calls of a step."""
    for file in (project.folder / ".relineage" / "events").glob("*.ndjson"):
        lines = []
        for line in file.read_text().splitlines():
            event: dict[str, Any] = json.loads(line)
            if event["job"]["name"] == "scale" and "relineage_step" in event["run"]["facets"]:
                event["run"]["facets"]["relineage_step"]["callable"] = callable_
            lines.append(json.dumps(event) + "\n")
        file.write_text("".join(lines))


@pytest.fixture
def ran(project: Project) -> Project:
    (project.folder / "text.txt").write_text("a text " * 9)
    project.write(steps=STEPS, program=PROGRAM)
    project.run("program.py")
    return project


def test_a_step_of_a_module_is_called_by_itself_with_its_own_chance(ran: Project) -> None:
    # The second of its job: by itself it is the first.
    as_steps(ran, "steps:scale")

    verdict = ran.replay("scaled")

    assert verdict.verdict == "bitwise", verdict
    assert verdict.notes == ("steps:scale was called by itself",)


def test_a_step_of_a_notebook_can_be_called_by_itself(ran: Project) -> None:
    as_steps(ran, "steps:scale")
    for file in (ran.folder / ".relineage" / "events").glob("*.ndjson"):
        file.write_text(
            file.read_text().replace('["program.py"]', '["-m", "ipykernel_launcher", "-f", "x.json"]')
        )

    assert ran.replay("scaled").verdict == "bitwise"
    assert ran.replay("made").verdict == "not replayed"


@pytest.mark.parametrize("callable_", ["__main__:scale", "steps:Class.scale", "steps:nothing"])
def test_what_is_no_function_of_a_module_is_replayed_with_its_program(ran: Project, callable_: str) -> None:
    as_steps(ran, callable_)

    verdict = ran.replay("scaled")

    assert (verdict.verdict, verdict.notes) == ("bitwise", ())


def test_nothing_but_a_function_of_the_recorded_code_is_called_by_itself(
    ran: Project, tmp_path: Path
) -> None:
    """Events are anybody's: whoever agrees to a replay agrees to run the code of the snapshot."""
    as_steps(ran, "os:system")
    parameters = ({"name": "command", "type": "str", "value": f"touch {tmp_path / 'made'}"},)
    run = replace(ran.recorded("scaled"), parameters=parameters, read=())

    [[verdict]] = replay_closure([Wanted(run=run, run_ids=(run.run_id,))], ran.means())

    assert not (tmp_path / "made").exists()
    assert (verdict.verdict, verdict.notes) == ("bitwise", ())


def test_a_step_that_comes_out_otherwise_by_itself_is_replayed_with_its_program(ran: Project) -> None:
    # An index is in no digest, and is not kept: by itself the step gets another one.
    ran.write(
        steps=STEPS.replace("data[:, columns]", "data.iloc[data.index.argsort(), columns]"),
        program=PROGRAM.replace("np.arange(18.0).reshape(9, 2)", INDEXED),
    )
    ran.run("program.py")
    as_steps(ran, "steps:scale")

    verdict = ran.replay("scaled")

    assert (verdict.verdict, verdict.notes) == ("bitwise", ())


@pytest.mark.parametrize("lost", [True, False])
def test_what_a_program_has_set_up_is_no_reason_to_say_not_reproduced_of_a_step(
    ran: Project, lost: bool
) -> None:
    """By itself the step has another factor; whether the program has it, too, only the program can tell."""
    ran.write(
        steps="SCALE = {}\n" + STEPS.replace("* factor", "* factor * SCALE.get('by', 1)"),
        program=PROGRAM.replace(
            "import steps", "import steps\nsteps.SCALE['by'] = float(open('by.cfg').read())"
        ),
    )
    (ran.folder / ".gitignore").write_text("by.cfg\n.relineage\n")
    (ran.folder / "by.cfg").write_text("4")
    ran.run("program.py")
    as_steps(ran, "steps:scale")
    if not lost:
        git(ran.folder, "add", "--force", "by.cfg")
        ran.run("program.py")
        as_steps(ran, "steps:scale")

    verdict = ran.replay("scaled")

    assert verdict.verdict == ("not replayed" if lost else "bitwise"), verdict
    if lost:
        assert verdict.reason is not None
        assert "FileNotFoundError" in verdict.reason
        assert (
            "those of the snapshot; called by itself, without that program, it came to something else: "
            in verdict.reason
        )
