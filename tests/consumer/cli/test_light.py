"""The command line where only the emitter is installed, and what importing it costs."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_projects import command_line, in_a_process

from relineage.consumer.cli import COMMANDS
from relineage.consumer.cli import relineage as group
from relineage.consumer.cli.generate import PAGE, page

WITHOUT_CONSUMER = """
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('duckdb', '_duckdb', 'rich', 'pandas', 'pytz'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Hidden())
"""


def test_help_and_digest_work_without_the_consumer(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")

    helped = in_a_process("--help", cwd=tmp_path, before=WITHOUT_CONSUMER)
    digested = in_a_process("digest", "a.txt", cwd=tmp_path, before=WITHOUT_CONSUMER)

    assert helped.returncode == 0
    assert all(f"  {name} ".encode() in helped.stdout for name in COMMANDS)
    assert digested.returncode == 0, digested.stderr
    assert digested.stdout.startswith(b"b3-bytes1:")
    assert digested.stdout.endswith(b"  a.txt\n")


def test_known_formats_are_digested_without_the_consumer_too(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2]})
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("x\n1\n2\n")
    (tmp_path / ".relineage").mkdir()

    done = in_a_process("digest", "t.parquet", "t.csv", cwd=tmp_path, before=WITHOUT_CONSUMER)

    assert done.stderr == b""
    assert [line.partition(b":")[0] for line in done.stdout.splitlines()] == [b"b3-table1", b"b3-bytes1"] * 2


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "digest"])
def test_all_other_commands_say_what_to_install(name: str, tmp_path: Path) -> None:
    done = in_a_process(name, cwd=tmp_path, before=WITHOUT_CONSUMER)

    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(f"relineage: {name} needs the consumer (".encode())
    assert done.stderr.endswith(b"pip install 'relineage[consumer]'\n")


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    script = "import json, sys, relineage.consumer.cli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    heavy = {
        "duckdb",
        "rich",
        "pandas",
        "pyarrow",
        "numpy",
        "kafka",
        "pydantic",
        "relineage.emitter",
        "relineage.consumer.store",
    }
    assert heavy & set(json.loads(done.stdout)) == set()


def test_taking_in_events_imports_no_pandas_and_asking_not_even_duckdbs_python(
    folder: Path, tell: Callable[..., Any]
) -> None:
    tell(folder, "train", 9, writes=[("model", "v1")])
    told = "import atexit, json; atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))"

    first, second = (in_a_process("runs", cwd=folder, before=told) for _ in range(2))

    assert b"train" in first.stdout
    assert second.stdout == first.stdout
    loaded = set(json.loads(first.stderr.splitlines()[-1]))
    assert {"duckdb", "pyarrow"} <= loaded
    assert {"pandas", "pyarrow.compute"} & loaded == set()
    loaded = set(json.loads(second.stderr.splitlines()[-1]))
    assert "_duckdb" in loaded
    assert {"duckdb", "pyarrow", "importlib.metadata"} & loaded == set()


def test_a_duckdb_that_arranges_its_modules_otherwise_is_used_too(
    folder: Path, tell: Callable[..., Any]
) -> None:
    tell(folder, "train", 9, writes=[("model", "v1")])
    # Names that are promised are there, those that are not are elsewhere.
    otherwise = "import duckdb; sys.modules['_duckdb'] = type(sys)('_duckdb')"

    done = in_a_process("runs", cwd=folder, before=f"import sys; {otherwise}")

    assert b"train" in done.stdout
    assert done.stderr == b""


def test_the_page_of_commands_is_their_help() -> None:
    """When this fails: `python -m relineage.consumer.cli.generate`."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_own_help_says(name: str) -> None:
    import click

    command = group.get_command(click.Context(group), name)

    assert command is not None
    assert command.name == name
    assert command.help


def test_a_pipe_that_closes_early_is_no_traceback(asked: Path, relineage: Callable[..., Any]) -> None:
    relineage("runs")
    command = command_line("sql", "select * from range(200000)", "--format", "json")
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(command)} | head -1"], cwd=asked, capture_output=True, check=True
    )

    assert done.stdout == b"[\n"
    assert b"Traceback" not in done.stderr
