"""Exit codes: 0 an answer, 1 something was found, 2 an error, told in one line."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CODES = [
    ("trace models/fraud", 0),
    ("trace models/fraud --down", 0),
    ("trace --up --format table train", 0),
    ("trace nothing", 2),
    ("verify models/fraud", 1),
    ("verify nothing", 2),
    ("show models/fraud", 0),
    ("show nothing", 2),
    ("replay nothing --yes", 2),
    ("replay models/fraud", 2),  # nobody to ask
    ("replay models/fraud --yes --tolerance 3", 2),
    ("why models/fraud models/fraud", 0),
    ("why models/fraud nothing", 2),
    ("why split train", 2),  # no output has a counterpart
    ("diff train train", 0),
    ("diff train evaluate", 1),
    ("diff train nothing", 2),
    ("runs", 0),
    ("datasets", 0),
    ("models", 0),
    ("letters", 0),
    ("letters 12345678", 2),
    ("status", 0),
    ("rebuild", 0),
    ("sql", 2),
    ("digest raw.csv", 0),
    ("digest nothing.csv", 2),
    ("store ls --format json", 0),
    ("store ls nothing", 2),
    ("store get models/fraud", 2),  # nobody has kept it
    ("store verify nothing", 2),
    ("consume", 0),
    ("consume nothing.ndjson", 2),
    ("consume --topic t", 2),
    ("consume --kafka localhost:1 raw.csv", 2),
    ("trace", 2),
    ("trace a b", 2),
    ("trace --sideways models/fraud", 2),
    ("trace models/fraud --format xml", 2),
    ("trace models/fraud --database /nowhere/at/all.duckdb", 2),
    ("runs --limit 0", 2),
    ("nothing", 2),
    ("--nothing", 2),
    ("--help", 0),
    ("--version", 0),
    ("trace --help", 0),
]


@pytest.mark.parametrize(("line", "code"), CODES, ids=[line for line, _ in CODES])
def test_each_command_ends_with_its_code(
    line: str, code: int, asked: Path, relineage: Callable[..., Any]
) -> None:
    said = relineage(*line.split())

    assert said.code == code, said
    if code == 2:
        assert said.out == ""
        assert said.err.startswith("relineage: ")
        assert "Traceback" not in said.err
    else:
        assert said.out or line in ("consume", "letters", "rebuild") or line.startswith(("why", "diff"))


def test_the_command_alone_shows_its_help(relineage: Callable[..., Any]) -> None:
    said = relineage()

    assert said.code == 2
    assert "Commands:" in said.err


def test_an_unknown_x_lists_the_nearest_one_a_line(asked: Path, relineage: Callable[..., Any]) -> None:
    first, *candidates = relineage("trace", "models/frud").err.splitlines()

    assert first == "relineage: nothing is known as models/frud; nearest:"
    assert "  dataset:fraud/models/fraud" in candidates


def test_an_ambiguous_x_lists_what_it_may_be_one_a_line(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "train", 1, writes=[("a", "1"), ("a", "1", "m")])

    said = relineage("trace", "a")

    assert said.code == 2
    assert said.err.splitlines()[0].startswith("relineage: a is 2 things; put run:, job:")
    assert said.err.splitlines()[1:] == ["  dataset:m/a", "  dataset:n/a"]


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path, relineage: Callable[..., Any]) -> None:
    file = tmp_path / "x.duckdb"
    file.write_bytes(b"no database" * 1000)

    said = relineage("runs", "--database", file)

    assert said.code == 2
    assert said.err.startswith(f"relineage: {file} cannot be opened as a DuckDB database")
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("line", ["verify models/fraud", "why models/fraud", "replay models/fraud --yes"])
def test_a_damaged_database_is_an_error_and_no_answer(
    line: str, asked: Path, tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    """It was a traceback, with which Python ends by code 1: `verify` had failed, `why` had found a difference."""
    assert relineage("runs").code == 0
    data = bytearray((asked / ".relineage" / "lineage.duckdb").read_bytes())
    data[16_384:] = bytes(byte ^ 0xFF for byte in data[16_384:])  # behind the headers
    file = tmp_path / "x.duckdb"
    file.write_bytes(data)

    said = relineage(*line.split(), "--database", file)

    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert said.err.startswith("relineage: the database gives no answer: ")


@pytest.mark.parametrize("most_bytes", [8_192, 300_000], ids=["header", "tables"])
def test_a_full_disk_is_one_line_and_the_next_question_begins_anew(
    folder: Path, tell: Callable[..., Any], most_bytes: int
) -> None:
    """It was a traceback, or a file that no later question could open."""
    tell(folder, "train", 1, writes=[("a", "1")])
    (folder / ".relineage" / "lineage.duckdb").unlink()
    ask = [sys.executable, "-c", "from relineage.consumer.cli import main; main()", "runs"]

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # nor are half modules to be left
    full = subprocess.run(
        ask, cwd=folder, env=environment, preexec_fn=limited, capture_output=True, text=True
    )
    assert (full.returncode, full.stdout, len(full.stderr.splitlines())) == (2, "", 1)
    assert "File too large" in full.stderr

    again = subprocess.run(ask, cwd=folder, capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (0, "")
    assert "train" in again.stdout


def test_outside_of_any_project_a_question_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relineage: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)

    said = relineage("runs")

    assert said.code == 2
    assert said.err.startswith(f"relineage: there is no .relineage in {tmp_path} or above")
    assert list(tmp_path.iterdir()) == []
