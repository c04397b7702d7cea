"""Where files lie in a replay, and what the command becomes."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relineage.consumer.replay.command import moved_command, program_of, variables_for
from relineage.consumer.replay.places import Places, places
from relineage.consumer.replay.recorded import Member, Recorded
from relineage.consumer.replay.verdicts import NotReplayed

MEMBER = Member(
    run_id="r",
    namespace="fraud",
    job="train",
    state="COMPLETE",
    ordinal=0,
    entropy="ab",
    given=False,
    outer=None,
)
RUN = Recorded(
    not_covered=(),
    run_id="r", namespace="fraud", job="train", state="COMPLETE", process="p", command=("train.py",),
    python_path=(),
    directory="/home/a/project", root="/home/a/project", commit="0" * 40, dirty=False, snapshot=None, repository=None,
    python="3.11.2", packages={}, callable=None, variables={}, members=(MEMBER,), parameters=(), read=(), outputs=(),
    events=(),
)  # fmt: skip


def placed(*arguments: str, directory: str = "/home/a/project", files: tuple[str, ...] = ()) -> Places:
    return places(
        root="/home/a/project", directory=directory, arguments=arguments, files=files, checkout=Path("/t/code"),
        scratch=Path("/t/data"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "now"),
    [
        ("/home/a/project", "/t/code"),
        ("/home/a/project/data/raw.csv", "/t/code/data/raw.csv"),
        ("/home/a/projector", None),
        ("/home/a", None),
        ("/data/raw.csv", None),
        ("/home/a/project/../../../etc/passwd", None),
    ],
)
def test_what_lies_in_the_work_tree_moves_with_it(path: str, now: str | None) -> None:
    where = placed("train.py")

    assert where.now(path) == (Path(now) if now else None)
    assert where.then(now or path) == path


@pytest.mark.parametrize(
    ("arguments", "directory", "files", "path", "now"),
    [
        (("t.py", "/data/raw.csv"), "/home/a/project", ("/data/raw.csv",), "/data/raw.csv", "/t/data/1/raw.csv"),
        (("t.py", "/data"), "/home/a/project", ("/data/x/raw.csv",), "/data/x/raw.csv", "/t/data/1/data/x/raw.csv"),
        (("t.py", "--in=/data"), "/home/a/project", ("/data/raw.csv",), "/data/raw.csv", "/t/data/1/data/raw.csv"),
        (("t.py", "../raw.csv"), "/home/a/project", ("/home/a/raw.csv",), "/home/a/raw.csv", "/t/data/1/raw.csv"),
        (("t.py", "/data"), "/home/a/project", (), "/data/raw.csv", None),
        (("t.py", "/"), "/home/a/project", ("/data/raw.csv",), "/data/raw.csv", None),
        (("t.py", "/home"), "/home/a/project", ("/home/raw.csv",), "/home/raw.csv", None),
        (("/home/a/project/t.py",), "/data/1", ("/data/1/raw.csv",), "/data/1/raw.csv", "/t/data/directory/raw.csv"),
    ],
)  # fmt: skip
def test_what_an_argument_names_moves_too(
    arguments: tuple[str, ...], directory: str, files: tuple[str, ...], path: str, now: str | None
) -> None:
    found = placed(*arguments, directory=directory, files=files).now(path)

    assert found == (Path(now) if now else None)


@pytest.mark.parametrize(
    ("command", "moved"),
    [
        (("train.py", "--epochs", "3", "a b"), ("train.py", "--epochs", "3", "a b")),
        (("-m", "fraud.train", "data/raw.csv"), ("-m", "fraud.train", "data/raw.csv")),
        (("/home/a/project/train.py",), ("/t/code/train.py",)),
        (("-W", "error", "t.py", "--out=/home/a/project/x"), ("-W", "error", "t.py", "--out=/t/code/x")),
        (("t.py", "/data/raw.csv"), ("t.py", "/t/data/1/raw.csv")),
        (("t.py", "../raw.csv"), ("t.py", "/t/data/1/raw.csv")),
        (
            ("-c", "print('/home/a/project')", "/home/a/project"),
            ("-c", "print('/home/a/project')", "/t/code"),
        ),
        (("-WError", "-XE", "-u", "t.py", "-I"), ("-WError", "-XE", "-u", "t.py", "-I")),
        ((f"{sys.prefix}/bin/pytest", "-q"), (f"{sys.prefix}/bin/pytest", "-q")),
    ],
)
def test_arguments_that_are_paths_are_those_of_the_replay(
    command: tuple[str, ...], moved: tuple[str, ...]
) -> None:
    where = placed(*command, files=("/data/raw.csv", "/home/a/raw.csv"))

    assert tuple(moved_command(replace(RUN, command=command), where, Path(sys.executable).parent)) == moved


def test_the_program_of_a_package_is_the_one_that_the_interpreter_has(tmp_path: Path) -> None:
    scripts, checkout, then = tmp_path / "bin", tmp_path / "code", tmp_path / "then"
    for file in (scripts / "train", checkout / "tools" / "train", then / ".venv" / "bin" / "only-there"):
        file.parent.mkdir(parents=True)
        file.touch()
    (then / ".venv" / "pyvenv.cfg").touch()
    where = places(
        root=str(then),
        directory=str(then),
        arguments=(),
        files=(),
        checkout=checkout,
        scratch=tmp_path / "data",
    )

    def program(*command: str) -> str:
        run = replace(RUN, root=str(then), directory=str(then), command=(*command, "--epochs"))
        *_, found, _ = moved_command(run, where, scripts)
        return found

    assert program(".venv/bin/train") == str(scripts / "train")
    assert program("-X", "dev", "/gone/bin/train") == str(scripts / "train")
    assert program(".venv/bin/only-there") == str(then / ".venv" / "bin" / "only-there")
    assert program("tools/train") == "tools/train"  # code of the run
    assert program("/gone/bin/unknown") == "/gone/bin/unknown"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": ()}, "it was typed at a prompt, or the producer does not say"),
        ({"command": (), "process": None}, "only runs of this package's emitter can be replayed"),
        ({"command": ("-i",)}, "it was typed at a prompt"),
        ({"command": ("-",)}, "standard input"),
        ({"command": ("-I", "t.py")}, "Python was started with -I, which keeps out what guards your files"),
        ({"command": ("-W", "error", "-BE", "-m", "t")}, "Python was started with -BE"),
        ({"command": ("-m", "ipykernel_launcher", "-f", "x.json")}, "it ran in a notebook"),
        ({"command": ("/usr/bin/ipython", "t.py")}, "it ran in a notebook"),
        (
            {"command": ("-c", "from multiprocessing.spawn import spawn_main; spawn_main(3)")},
            "in a worker process",
        ),
        ({"command": ("t.py", "--token=[redacted]")}, "held a secret"),
        ({"directory": None}, "is not recorded"),
    ],
)
def test_what_cannot_be_started_again_says_why(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(NotReplayed, match=words):
        program_of(replace(RUN, **fields))


def test_the_new_process_has_the_recorded_variables_and_none_that_send_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "RELINEAGE_KAFKA",
        "OPENLINEAGE_URL",
        "OMP_NUM_THREADS",
        "PYTHONHASHSEED",
        "GIT_DIR",
        "KEPT",
    ):
        monkeypatch.setenv(name, "the caller's")
    monkeypatch.setenv("PYTHONPATH", f"/home/a/project/src{os.pathsep}/usr/lib/more")
    run = replace(RUN, variables={"PYTHONHASHSEED": "5", "MY_TOKEN": "[redacted]"})

    found = variables_for(run, placed("train.py"), Path("/t/plan.json"), Path("/t/guard"))

    assert {name: found.get(name) for name in ("KEPT", "PYTHONHASHSEED", "RELINEAGE_NAMESPACE")} == {
        "KEPT": "the caller's", "PYTHONHASHSEED": "5", "RELINEAGE_NAMESPACE": "fraud",
    }  # fmt: skip
    assert not {"RELINEAGE_KAFKA", "OPENLINEAGE_URL", "OMP_NUM_THREADS", "GIT_DIR", "MY_TOKEN"} & found.keys()
    assert found["RELINEAGE_REPLAY"] == "/t/plan.json"
    first, *others = found["PYTHONPATH"].split(os.pathsep)
    assert first == "/t/guard"
    assert others[-2:] == ["/t/code/src", "/usr/lib/more"]
