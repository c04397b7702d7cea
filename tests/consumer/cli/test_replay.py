"""`relineage replay`: whether it asks, what it says, what it leaves behind."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_projects import Said, command_line, git, process_environment
from replay_projects import Project, new_project
from validation import validate_event

TRAIN = """
with lineage.run("train", seed=1) as run:
    run.input("an input that is always the same, for the answer to why" * 2, role="text")
    chance = np.random.default_rng().random(9) if "--wobble" in sys.argv else np.random.random(9)
    run.output({"w": chance}, name="models/m", role="model")
print("trained \\x1b[31m")
"""


@pytest.fixture
def project(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = new_project(tmp_path / "project", empty_database)
    shutil.copy(empty_database, made.folder / ".relineage" / "lineage.duckdb")
    monkeypatch.chdir(made.folder)
    made.write(train=TRAIN)
    return made


def test_without_a_terminal_and_without_yes_nothing_is_run(
    project: Project, relineage: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("train.py")
    with open("/dev/null") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        said = relineage("replay", "models/m")

    assert said.code == 2
    assert said.err == (
        "relineage: a replay runs recorded code, and there is no terminal to ask at: --yes agrees to it"
        " (relineage replay --help)\n"
    )


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130)])
def test_at_a_terminal_it_asks_and_says_what_would_be_run(
    project: Project, answer: str, code: int, tmp_path: Path
) -> None:
    import pty

    (project.folder / "openlineage.yml").write_text("facets: {environment_variables: [FACTOR]}\n")
    project.run("train.py", "--epochs", "3", FACTOR="2")
    master, slave = pty.openpty()
    with open(master, "wb", buffering=0) as keyboard, open(slave, "rb", buffering=0) as terminal:
        keyboard.write(f"{answer}\n".encode())
        done = subprocess.run(
            command_line("replay", "models/m"), cwd=project.folder, stdin=terminal, capture_output=True,
            env=process_environment(), check=False,
        )  # fmt: skip

    assert done.returncode == code
    assert b"relineage: this runs recorded code, with your rights:\n" in done.stderr
    assert b"  FACTOR=2 train.py --epochs 3 (code " in done.stderr
    assert (b"reproduced" in done.stdout) == (answer == "y")


def test_a_reproduced_run_is_said_to_be_so_and_the_programs_words_go_to_standard_error(
    project: Project, relineage: Callable[..., Said]
) -> None:
    project.run("train.py")

    said = relineage("replay", "models/m", "--yes")

    assert said.code == 0
    assert said.out.splitlines()[0].startswith("✓ reproduced bitwise: fraud/train ")
    assert said.out.splitlines()[1] == "  ✓ model fraud/models/m bitwise"
    assert said.err == "│ trained \\x1b[31m\n"


def test_a_run_that_is_not_reproduced_ends_with_why(project: Project, relineage: Callable[..., Said]) -> None:
    project.run("train.py", "--wobble")

    said = relineage("replay", "models/m", "--yes")

    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0].startswith("✗ not reproduced: fraud/train ")
    assert (
        lines[1] == "  output model fraud/models/m: tensor w: values differ; the original is not in the store"
    )
    assert "why, then → now" in lines
    assert " 1  non-determinism in train" in lines
    assert "reproduced bitwise" not in said.out
    tail = said.out.partition("non-determinism in train")[2]
    assert "switches that were off" in tail
    assert "not covered by a seed" in tail
    assert "a numpy generator without a seed (train.py:" in tail


def test_a_replay_is_recorded_as_a_run_that_writes_nothing(
    project: Project, relineage: Callable[..., Said]
) -> None:
    project.run("train.py", "--wobble")
    run_id = project.recorded("models/m").run_id
    before = set((project.folder / ".relineage" / "events").iterdir())

    relineage("replay", "models/m", "--yes", "--tolerance", "ulps=4")

    [file] = set((project.folder / ".relineage" / "events").iterdir()) - before
    for line in file.read_bytes().splitlines():
        validate_event(line)
    rows = relineage("sql", "from replays", "--format", "json").json
    assert [(row["original_run_id"], row["verdict"], row["tolerance"]) for row in rows] == [
        (run_id, "not reproduced", "ulps=4")
    ]
    shown = relineage("show", f"run:{run_id}", "--format", "json").json
    assert [one["verdict"] for one in shown["replays"]] == ["not reproduced"]
    of = relineage("show", f"run:{rows[0]['run_id']}", "--format", "json").json
    assert of["run"][0]["state"] == "COMPLETE"
    assert (of["run"][0]["job_namespace"], of["run"][0]["job_name"]) == ("relineage", "replay")
    assert of["replay_of"][0]["of_run_id"] == run_id
    assert (of["inputs"], of["outputs"]) == ([], [])
    assert relineage("models", "--format", "json").json[0]["run_id"] == run_id
    assert (
        "  replays" in relineage("show", f"run:{run_id}").out
        or "replays\n" in relineage("show", f"run:{run_id}").out
    )


def test_many_runs_of_one_job_are_one_line_and_one_file(
    project: Project, relineage: Callable[..., Said]
) -> None:
    project.write(
        loop="""
@lineage.step
def draw(index):
    return np.random.random(9)
with lineage.run("loop", seed=1):
    for index in range(11):
        draw(index)
"""
    )
    project.run("loop.py")
    events = project.folder / ".relineage" / "events"
    before = len(list(events.iterdir()))

    said = relineage("replay", "loop", "--yes")

    assert (said.code, said.out) == (0, "✓ reproduced bitwise: fraud/draw, 11 runs\n")
    assert len(list(events.iterdir())) == before + 1
    [row] = relineage("sql", "select count(*) as n from replays", "--format", "json").json
    assert row["n"] == 11


def test_what_cannot_be_replayed_is_recorded_as_failed(
    project: Project, relineage: Callable[..., Said]
) -> None:
    with (project.folder / "train.py").open("a") as file:
        file.write("# not committed")
    project.run("train.py", RELINEAGE_SNAPSHOT="off")

    said = relineage("replay", "models/m", "--yes")

    assert said.code == 2
    assert said.out.startswith("? not replayed: fraud/train ")
    assert "its work tree differed from commit" in said.out
    [row] = relineage("sql", "select state from runs where job_name = 'replay'", "--format", "json").json
    assert row["state"] == "FAIL"


def test_a_replay_is_not_replayed(project: Project, relineage: Callable[..., Said]) -> None:
    project.run("train.py")
    relineage("replay", "models/m", "--yes")

    said = relineage("replay", "relineage/replay", "--yes")

    assert said.code == 2
    assert "it is a replay itself: replay the run that it did again" in said.out


@pytest.mark.parametrize(
    "line",
    [
        "replay nothing --yes", "replay models/m --tolerance much --yes", "replay",
        "replay models/m --yes --keep train.py",
    ],
)  # fmt: skip
def test_what_is_no_run_or_no_option_is_an_error(
    project: Project, relineage: Callable[..., Said], line: str
) -> None:
    project.run("train.py")

    said = relineage(*line.split())

    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("relineage: ")


def test_the_replays_own_events_and_outputs_can_be_kept(
    project: Project, relineage: Callable[..., Said], tmp_path: Path
) -> None:
    project.run("train.py")

    relineage("replay", "models/m", "--yes", "--keep", tmp_path / "kept")

    events = [
        json.loads(line)
        for file in (tmp_path / "kept" / "events").glob("*.ndjson")
        for line in file.read_text().splitlines()
    ]
    assert {event["job"]["name"] for event in events} == {"train"}
    assert list((tmp_path / "kept" / "store" / "objects" / "b3-tensors1").rglob("*.safetensors"))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_leaves_neither_process_nor_work_tree(
    project: Project, tmp_path: Path, sign: signal.Signals
) -> None:
    marker = tmp_path / "marker"
    project.write(
        slow="""
import os, time
if len(sys.argv) > 1 and Path(sys.argv[1]).exists():
    Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(600)
with lineage.run("train") as run:
    run.output(np.random.random(9), name="models/m")
"""
    )
    project.run("slow.py", str(marker))
    marker.write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    replaying = subprocess.Popen(
        command_line("replay", "models/m", "--yes"), cwd=project.folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=process_environment() | {"TMPDIR": str(temporary)},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not marker.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(git(project.folder, "worktree", "list").splitlines()) == 2

    replaying.send_signal(sign)
    replaying.communicate(timeout=60)

    assert replaying.returncode == 130
    assert len(git(project.folder, "worktree", "list").splitlines()) == 1
    assert list(temporary.iterdir()) == []
    assert (
        not Path(f"/proc/{marker.read_text()}/cmdline").exists()
        or not Path(f"/proc/{marker.read_text()}/cmdline").read_bytes()
    )


@pytest.mark.parametrize("given", ["", ', name="numbers"'], ids=["unnamed", "named"])
def test_a_closure_is_replayed_in_order_each_on_what_the_one_before_has_made(
    project: Project, relineage: Callable[..., Said], given: str
) -> None:
    project.write(
        first=f"""
with lineage.run("draw") as run:
    Path("numbers.bin").write_bytes(np.random.bytes(99))
    run.output(Path("numbers.bin"), role="numbers"{given})
""",
        second=f"""
with lineage.run("sum") as run:
    data = run.input(Path("numbers.bin"), role="numbers"{given}).read_bytes()
    run.output({{"w": np.frombuffer(data, "u1").astype("f8") + np.random.random(99)}}, name="models/sum", role="model")
""",
    )
    project.run("first.py")
    project.run("second.py")
    (project.folder / "numbers.bin").unlink()

    alone = relineage("replay", "models/sum", "--yes", "--format", "json")
    together = relineage("replay", "models/sum", "--yes", "--closure", "--format", "json")

    assert alone.code == 2
    assert "numbers.bin is lost" in alone.json[0]["reason"]
    assert [(one["job"], one["verdict"], one["notes"]) for one in together.json] == [
        ("fraud/draw", "bitwise", []), ("fraud/sum", "bitwise", []),
    ]  # fmt: skip
    assert together.code == 0
    assert not (project.folder / "numbers.bin").exists()


def test_in_a_closure_what_came_out_otherwise_is_told_of_those_that_read_it(
    project: Project, relineage: Callable[..., Said]
) -> None:
    project.write(
        first="""
import os
with lineage.run("draw") as run:
    Path("numbers.bin").write_bytes(os.urandom(99))
    run.output(Path("numbers.bin"), role="numbers")
""",
        second="""
with lineage.run("sum") as run:
    run.output(run.input(Path("numbers.bin"), role="numbers").read_bytes() * 2, name="doubled")
""",
    )
    project.run("first.py")
    project.run("second.py")

    said = relineage("replay", "doubled", "--yes", "--closure", "--format", "json")

    assert said.code == 1
    assert [one["verdict"] for one in said.json] == ["not reproduced", "not reproduced"]
    path = project.folder / "numbers.bin"
    assert said.json[1]["notes"] == [f"{path} is what its writer's replay made, and not what was read then"]
    assert said.json[1]["causes"][0]["what"] == "input"
