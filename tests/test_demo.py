"""The demo as people run it: in a folder of its own, and through a real broker."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_projects import git, process_environment
from emitted import events_in
from once import once
from validation import validate_event

ROOT = Path(__file__).resolve().parents[1]
RELINEAGE = Path(sysconfig.get_path("scripts")) / "relineage"
MODELS = ("as-it-is/model.joblib", "another-seed/model.joblib", "one-cell-changed/model.joblib")


@dataclass(frozen=True)
class Demo:
    """A demo that has run: the folder it made, and what it printed."""

    folder: Path
    text: str
    errors: str

    def answer(self, *words: str) -> str:
        """What it printed below the line that starts with these words, up to the next question."""
        after = self.text.split(f"$ relineage {' '.join(words)}", 1)[1].partition("\n")[2]
        return re.split(r"^[#$] ", after, maxsplit=1, flags=re.MULTILINE)[0]

    def ask(self, *words: str) -> list[dict[str, Any]]:
        """What the command answers now, as records."""
        ran = subprocess.run(
            [RELINEAGE, *words, "--format", "json"], cwd=self.folder, capture_output=True, text=True
        )
        assert ran.returncode in (0, 1), ran.stderr
        answered = json.loads(ran.stdout)
        assert isinstance(answered, list)
        return answered


def run_demo(folder: Path, *arguments: str, code: int = 0) -> Demo:
    """Run `python -m demo` in a folder."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENLINEAGE", "RELINEAGE"))
    }
    ran = subprocess.run(
        [sys.executable, "-m", "demo", *arguments],
        cwd=folder, env=environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == code, ran.stdout + ran.stderr
    return Demo(folder / ".relineage-demo", ran.stdout, ran.stderr)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    def make(folder: Path) -> None:
        made = run_demo(folder)
        (folder / "printed.json").write_text(json.dumps([made.text, made.errors]))

    folder = once(tmp_path_factory, "demo", make)
    return Demo(folder / ".relineage-demo", *json.loads((folder / "printed.json").read_text()))


def test_it_complains_of_nothing(demo: Demo) -> None:
    # What the replayed program prints has a bar in front of it.
    assert [line for line in demo.errors.splitlines() if not line.startswith("│ ")] == []


def test_it_ends_with_a_training_that_is_reproduced_bitwise(demo: Demo) -> None:
    answer = demo.answer("replay", MODELS[0])
    assert answer.startswith("✓ reproduced bitwise: demo/train ")
    replays = demo.ask(
        "sql", "select verdict, job_name from replays join runs on runs.run_id = original_run_id"
    )
    assert replays == [{"verdict": "bitwise", "job_name": "train"}]


def test_every_event_of_it_is_valid(demo: Demo) -> None:
    events = events_in(demo.folder)
    ends = Counter(event["eventType"] for event in events)
    assert (ends["START"], ends["COMPLETE"], ends["FAIL"]) == (25, 25, 0)  # the replay is a run, too
    for event in events:
        validate_event(event)


def test_the_model_comes_from_the_raw_file(demo: Demo) -> None:
    steps = ["train", "augment", "split", "clean", "load"]
    rows = demo.ask("trace", MODELS[0])
    assert [row["writer_job_name"] for row in rows] == [*steps, None]
    assert rows[-1]["dataset_name"] == str(demo.folder / "as-it-is" / "raw.csv")
    printed = demo.answer("trace", MODELS[0])
    places = [printed.index(word) for word in ["model.joblib", *steps[1:], "as-it-is/raw.csv"]]
    assert places == sorted(places)


def test_the_verdict_has_every_check(demo: Demo) -> None:
    checks = {
        "inputs_known", "inputs_unchanged", "nothing_unrecorded", "code_recorded", "code_reachable",
        "seeds_complete", "setting_recorded", "setting_equal", "weights_known",
    }  # fmt: skip
    verdict = {(row["job_name"], row["check_name"]): row["status"] for row in demo.ask("verify", MODELS[0])}
    assert verdict["load", "inputs_unchanged"] == "passed"
    jobs = {"load", "clean", "split", "augment", "train"}
    assert set(verdict) == {(job, check) for job in jobs for check in checks}
    printed = demo.answer("verify", MODELS[0])
    assert all(re.search(rf"^{job} .*✓", printed, re.MULTILINE) for job in jobs)
    assert f"{MODELS[0]}: " in printed.splitlines()[-2]


@pytest.mark.parametrize(
    ("other", "job", "cause"), [(MODELS[1], "split", "seed"), (MODELS[2], "load", "column worst area")]
)
def test_the_first_cause_is_what_was_changed(demo: Demo, other: str, job: str, cause: str) -> None:
    first = demo.ask("why", MODELS[0], other)[0]
    assert (first["rank"], first["job_name"], first["what"]) == (1, job, cause)
    assert cause in demo.answer("why", MODELS[0], other)


def test_the_lines_to_try_work(demo: Demo) -> None:
    lines = re.findall(r"^\$ (relineage sql .*)$", demo.text, re.MULTILINE)
    metrics, statistics, sensitive = (demo.ask(*shlex.split(line)[1:]) for line in lines)
    assert [row["name"] for row in metrics] == ["accuracy", "auc"] * 3
    assert len({row["max"] for row in statistics}) == 2
    assert sensitive == [{"job_name": "split", "recipes": 2, "outcomes": 2}]


def test_the_training_is_reproduced_bitwise_from_a_bundle_alone_in_an_empty_folder(
    demo: Demo, tmp_path: Path
) -> None:
    code, project, empty = (tmp_path / name for name in ("code", "project", "empty"))
    for folder in (code, project / "data", empty):
        folder.mkdir(parents=True)
    (project / ".relineage").mkdir()
    shutil.copy(ROOT / "demo" / "pipeline.py", code)
    git(code, "init", "--quiet")
    git(code, "add", "pipeline.py")
    git(code, "commit", "--quiet", "-m", "the pipeline")
    shutil.copy(demo.folder / "as-it-is" / "raw.csv", project / "data")

    def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=folder, env=process_environment(), capture_output=True, text=True, check=True
        )

    run(sys.executable, code / "pipeline.py", "data", "--seed", "42", folder=project)
    # The forest in memory has no form in a store: that it is not in the bundle is told.
    made = subprocess.run(
        [RELINEAGE, "bundle", "data/model.joblib", "--data", "-o", empty / "model.lineage"],
        cwd=project, env=process_environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode in (0, 1), made.stderr
    assert made.stderr.count("\n") <= 1, made.stderr
    shutil.rmtree(code)
    shutil.rmtree(project)

    replayed = run(RELINEAGE, "replay", "model.lineage", "--yes", folder=empty)

    assert "reproduced bitwise" in replayed.stdout
    assert list(empty.iterdir()) == [empty / "model.lineage"]
    traced = run(RELINEAGE, "trace", "model.lineage", "--format", "json", folder=empty)
    steps = [row["writer_job_name"] for row in json.loads(traced.stdout)]
    assert steps == ["train", "augment", "split", "clean", "load", None]


def test_a_folder_that_is_not_its_own_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    refused = run_demo(tmp_path, "mine", code=1)
    assert "name another folder" in refused.errors
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def shape(tree: str) -> str:
    """A tree without what differs from one demo to the next: where the folder is, and the ids of runs."""
    return re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]*", "#", re.sub(r"/\S*/\.relineage-demo/", "", tree))


def test_over_kafka_it_is_the_same(demo: Demo, kafka: str, tmp_path: Path) -> None:
    # A former demo is no obstacle, and nothing of it is left.
    (tmp_path / ".relineage-demo").mkdir()
    (tmp_path / ".relineage-demo" / ".gitignore").write_text((demo.folder / ".gitignore").read_text())
    (tmp_path / ".relineage-demo" / "old.txt").write_text("of the last time")

    over_kafka = run_demo(tmp_path, "--kafka", kafka)

    assert not (over_kafka.folder / "old.txt").exists()
    assert {event["job"]["name"] for event in events_in(over_kafka.folder)} == {"replay"}
    of_jobs = "from events where topic is not null"
    [row] = over_kafka.ask("sql", f"select count(distinct source) as sources, min(topic) as topic {of_jobs}")
    assert row["sources"] == 1
    assert row["topic"].startswith("relineage-demo-")
    # Every seed makes the same again, whatever the folder: runs, what was asked of them, and what came out.
    computed = "select job_name, state, task, recipe, outcome from runs order by all"
    assert over_kafka.ask("sql", computed) == demo.ask("sql", computed)
    assert shape(over_kafka.answer("trace", MODELS[0])) == shape(demo.answer("trace", MODELS[0]))
    for other in MODELS[1:]:
        found = [one.ask("why", MODELS[0], other)[0]["what"] for one in (demo, over_kafka)]
        assert found[0] == found[1]
