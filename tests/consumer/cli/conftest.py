"""Projects with a real history, and the command line in this process."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_projects import Said, git, pipeline

from relineage.consumer.cli import main
from relineage.consumer.store import Store


@pytest.fixture
def relineage(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """Runs the command line in the working directory."""
    log = logging.getLogger("relineage")
    before = (log.handlers, log.level, log.propagate)

    def run(*arguments: str | Path) -> Said:
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        assert isinstance(exited.value.code, int)
        return Said(exited.value.code, *capsys.readouterr())

    yield run
    log.handlers, log.level, log.propagate = before


@pytest.fixture(scope="session")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of the pipeline in a git repository; for tests that only ask."""
    folder = tmp_path_factory.mktemp("shared")
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("raw.csv\n")
    git(folder, "add", ".gitignore")
    git(folder, "commit", "--quiet", "-m", "first")
    pipeline(folder, seed=42)
    pipeline(folder, seed=43)
    return folder


@pytest.fixture
def asked(shared_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared project as the working directory."""
    monkeypatch.chdir(shared_project)
    return shared_project


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copying it is quicker than making the tables and views for every test."""
    path = tmp_path_factory.mktemp("empty") / "lineage.duckdb"
    Store.open(path).close()
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: Path) -> Path:
    """An empty project as the working directory."""
    monkeypatch.chdir(tmp_path)
    return begun(tmp_path, empty_database)


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """An empty project for the tests of a module that only ask, somewhere."""
    return begun(tmp_path_factory.mktemp("project"), empty_database)


def begun(folder: Path, empty_database: Path) -> Path:
    (folder / ".relineage" / "events").mkdir(parents=True)
    shutil.copy(empty_database, folder / ".relineage")
    return folder


@pytest.fixture(scope="session")
def tell(make_event: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A COMPLETE event: `tell(folder, job, hour, reads=[…], writes=[…])`, datasets as (name, version[, namespace])."""

    def dataset(name: str, version: str | None, namespace: str = "n") -> dict[str, Any]:
        base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
        facets = {} if version is None else {"version": base | {"datasetVersion": version}}
        return {"namespace": namespace, "name": name, "facets": facets}

    def told(
        folder: Path,
        job: str,
        hour: int,
        *,
        reads: list[tuple[Any, ...]] | None = None,
        writes: list[tuple[Any, ...]] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        event = make_event(
            **{
                "eventType": "COMPLETE",
                "eventTime": f"2026-01-31T{hour:02}:00:00Z",
                "job": {"namespace": "n", "name": job},
                "inputs": [dataset(*one) for one in reads or []],
                "outputs": [dataset(*one) for one in writes or []],
                **fields,
            }
        )
        with (folder / ".relineage" / "events" / "told.ndjson").open("a") as file:
            file.write(json.dumps(event) + "\n")
        return event

    return told
