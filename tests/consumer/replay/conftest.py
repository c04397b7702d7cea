"""Repositories with a job that really ran, and a folder for what replays make."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from replay_projects import Project, new_project

from relineage.consumer.store import Store


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copying it is quicker than making the tables and views for every test."""
    path = tmp_path_factory.mktemp("empty") / "lineage.duckdb"
    Store.open(path).close()
    return path


@pytest.fixture
def project(tmp_path: Path, empty: Path) -> Project:
    return new_project(tmp_path / "project", empty)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """Replays make their folders in one of this test's; what lies there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return lambda: list(folder.iterdir())
