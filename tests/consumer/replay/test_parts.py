"""Arrays that are taken out of a state, from the script that takes them to every answer: whose they are, whether they
are as they were, why they differ, and what comes of it when all that is done again.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_projects import in_a_process
from replay_projects import Project, new_project

from relineage.consumer.ask import Ask
from relineage.consumer.store import Store

STEPS = """
lineage = Lineage(namespace="n", store=True)

@lineage.step
def split(rows: int, seed: int):
    values = np.random.default_rng(seed).normal(size=(rows, 3))
    return {"train": values[: rows // 2], "test": values[rows // 2 :]}

@lineage.step
def fit(train, rate: float):
    return {"w": train.mean(0) * rate, "b": train.std(0)}

@lineage.step
def score(w, test):
    return test @ w
"""
PROGRAM = """
from steps import fit, score, split
parts = split(40, int(sys.argv[1]))
for rate in (0.5, 0.25):
    model = fit(parts["train"], rate)
    score(model["w"], parts["test"])
"""
RESULT = "n/score/output"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Project:
    """A repository in which the program has run twice, with different seeds."""
    project = new_project(tmp_path_factory.mktemp("trained") / "project", empty)
    project.write(steps=STEPS, program=PROGRAM)
    for seed in ("1", "2"):
        project.run("program.py", seed)
    return project


@pytest.fixture
def kept(trained: Project, tmp_path: Path) -> Project:
    """The same, with events of its own."""
    shutil.copytree(trained.folder, tmp_path / "kept", symlinks=True)
    return Project(tmp_path / "kept", trained.empty)


def runs(store: Store, job: str) -> list[str]:
    rows = store.connection.execute(
        "select run_id from runs where job_name = $job order by started_at", {"job": job}
    ).fetchall()
    return [run_id for (run_id,) in rows]


def relineage(project: Project, *arguments: str) -> tuple[int, str]:
    done = in_a_process(*arguments, cwd=project.folder, timeout=300)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def test_what_something_comes_from_is_followed_through_the_parts_of_states(trained: Project) -> None:
    with trained.store() as store:
        hops = Ask(store.connection).upstream(RESULT)
        below = Ask(store.connection).downstream(f"run:{runs(store, 'split')[-1]}")

    assert [(hop.depth, hop.dataset_name, hop.role, hop.how, hop.writer_job_name) for hop in hops] == [
        (0, "score/output", "output", None, "score"),
        (1, "fit/output.w", "w", "version", "fit"),
        (1, "split/output.test", "test", "version", "split"),
        (2, "split/output.train", "train", "version", "split"),
    ]
    assert {hop.dataset_name for hop in below} == {
        "split/output.train", "split/output.test", "fit/output", "fit/output.w", "score/output",
    }  # fmt: skip


def test_trace_tells_no_raw_source_where_there_is_none(trained: Project) -> None:
    code, said = relineage(trained, "trace", RESULT)

    assert (code, said.count("← split"), "raw source" in said) == (0, 2, False), said


def test_a_run_that_tells_a_part_afterwards_is_what_it_was_when_it_ended(trained: Project) -> None:
    with trained.store() as store:
        rows = store.connection.execute(
            """
            select r.state, r.ended_at, r.task, r.recipe, r.outcome, any_value(f.body ->> '$.outcome'),
                   max(e.event_time) filter (where e.event_type = 'COMPLETE'), max(e.event_time)
            from runs r join events e using (run_id)
            join facets f on f.run_id = r.run_id and f.key = 'relineage_step'
            where r.job_name in ('split', 'fit') group by r.run_id, r.state, r.ended_at, r.task, r.recipe, r.outcome
            """
        ).fetchall()

    assert len(rows) == 6
    for state, ended, task, recipe, outcome, said, completed, last in rows:
        assert state == "COMPLETE"
        assert ended == completed < last
        assert task
        assert recipe
        assert outcome == said


def test_the_inputs_of_what_uses_a_part_are_known_and_unchanged(kept: Project) -> None:
    shutil.rmtree(kept.folder / ".relineage" / "store")
    _, said = relineage(kept, "verify", RESULT, "--format", "json")
    found = {(one["job_name"], one["check_name"]): one["status"] for one in json.loads(said)}

    for job in ("split", "fit", "score"):
        assert (found[job, "inputs_known"], found[job, "inputs_unchanged"]) == ("passed", "passed"), said


def test_why_names_what_made_the_state_and_no_part_of_it(trained: Project) -> None:
    with trained.store() as store:
        first, second = runs(store, "score")[0], runs(store, "score")[2]
        causes = Ask(store.connection).why(f"run:{first}", f"run:{second}")

    told = [(one.job_name, one.what, one.a, one.b) for one in causes if one.grade == "cause"]
    assert told == [("split", "parameter seed", "int: 1", "int: 2")], causes


def test_a_part_that_is_used_in_one_of_two_programs_is_no_difference(project: Project) -> None:
    project.write(
        steps=STEPS,
        program="from steps import fit, split\nparts = split(40, 1)\nif sys.argv[1:]:\n    fit(parts['train'], 1.0)\n",
    )
    project.run("program.py")
    project.run("program.py", "used")
    with project.store() as store:
        ask = Ask(store.connection)
        unused, used = (f"run:{one}" for one in runs(store, "split"))

        assert [one.key for one in ask.run_diff(unused, used) if one.what == "output"] == []
        assert list(ask.why(unused, used)) == []


def outputs(verdict: Any) -> list[tuple[str, str]]:
    return [(one.role, one.verdict) for one in verdict.outputs]


def test_what_made_a_state_is_reproduced_also_where_nobody_takes_it_apart(trained: Project) -> None:
    with trained.store() as store:
        found = {job: runs(store, job)[-1] for job in ("split", "fit", "score")}

    for run_id in found.values():
        verdict = trained.replay(f"run:{run_id}")
        assert (verdict.verdict, outputs(verdict)) == ("bitwise", [("output", "bitwise")]), verdict
        assert [one.partition(" was ")[2] for one in verdict.notes] == ["called by itself"], verdict


def test_a_whole_program_that_takes_states_apart_is_reproduced(trained: Project) -> None:
    verdicts = trained.replay_closure(RESULT)

    assert [(one.job, one.verdict) for one in verdicts] == [
        (f"n/{job}", "bitwise") for job in ("split", "fit", "score")
    ]
    assert all(outputs(one) == [("output", "bitwise")] for one in verdicts), verdicts
    assert all(not any("otherwise" in note for note in one.notes) for one in verdicts), verdicts


def test_what_was_recorded_without_its_parts_is_reproduced_by_a_replay_that_tells_them(kept: Project) -> None:
    for file in (kept.folder / ".relineage" / "events").glob("*.ndjson"):
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(one for one in lines if '"eventType":"OTHER"' not in one))
    shutil.rmtree(kept.folder / ".relineage" / "store")  # so that the program has to run
    with kept.store() as store:
        [*_, fitted] = runs(store, "fit")

    verdict = kept.replay(f"run:{fitted}")

    assert (verdict.verdict, outputs(verdict)) == ("bitwise", [("output", "bitwise")]), verdict


def test_a_state_that_is_not_reproduced_is_told_once_with_the_array_that_differs(project: Project) -> None:
    project.write(
        steps=STEPS,
        program="""
import os
from steps import fit, lineage
@lineage.step
def split(rows: int):
    return {"test": np.arange(float(rows)), "train": np.frombuffer(os.urandom(8 * rows), "i8") / 2.0**63}
fit(split(40)["train"], 1.0)
""",
    )
    project.run("program.py")

    verdict = project.replay("split")

    assert verdict.verdict == "not reproduced"
    assert outputs(verdict) == [("output", "different")]
    assert "tensor train" in (verdict.reason or ""), verdict


def test_a_bundle_has_the_parts_and_answers_without_the_project(trained: Project, tmp_path: Path) -> None:
    bundle = tmp_path / "score.lineage"
    code, said = relineage(trained, "bundle", RESULT, "--data", "-o", str(bundle))
    assert code == 0, said
    assert "missing" not in said, said
    away = Project(tmp_path / "away", trained.empty)
    away.folder.mkdir()

    code, traced = relineage(away, "trace", str(bundle))
    assert (code, traced.count("← split"), "raw source" in traced) == (0, 2, False), traced
    code, replayed = relineage(away, "replay", str(bundle), "--yes")
    assert code == 0, replayed
    assert re.search(r"reproduced bitwise: n/score", replayed), replayed


def test_a_state_from_the_cache_has_parts_like_one_that_was_computed(project: Project) -> None:
    cached = STEPS.replace("step\ndef split", "step(cache=True)\ndef split").replace(", store=True", "")
    project.write(steps=cached, program=PROGRAM)
    for _ in range(2):
        project.run("program.py", "1")
    with project.store() as store:
        computed, served = runs(store, "split")
        rows = store.connection.execute(
            "select dataset_name, writer_run_id from inputs where run_id in (select unnest($runs)) order by all",
            {"runs": [runs(store, "fit")[-1], runs(store, "score")[-1]]},
        ).fetchall()
        step = store.connection.execute(
            "select body ->> '$.servedFrom' from facets where run_id = $run and key = 'relineage_step'",
            {"run": served},
        ).fetchone()
        fitted = runs(store, "fit")[-1]
    _, said = relineage(project, "verify", "split", "--deep", "--format", "json")
    verdicts = [project.replay(f"run:{one}") for one in (served, fitted)]

    assert step == (computed,)
    assert rows == [
        ("fit/output.w", fitted), ("split/output.test", served), ("split/output.train", served),
    ]  # fmt: skip
    assert [one.verdict for one in verdicts] == ["bitwise", "bitwise"], verdicts
    graded = {one["status"] for one in json.loads(said) if one["check_name"] == "outputs_unchanged"}
    assert graded == {"passed"}, said  # the parts themselves were never kept
