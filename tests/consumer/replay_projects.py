"""Repositories with a job that really ran, and what replaying it needs."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cli_projects import git, process_environment

from relineage.consumer.cli.replay import run_meant
from relineage.consumer.consume import take_in
from relineage.consumer.replay.closure import read_closure, replay_closure, wanted
from relineage.consumer.replay.means import Means
from relineage.consumer.replay.recorded import Recorded, read_run
from relineage.consumer.replay.verdicts import Replayed
from relineage.consumer.store import Store
from relineage.emitter.store import open_store

HEAD = """
import random, sys
from pathlib import Path
import numpy as np
from relineage.emitter import Lineage
lineage = Lineage(namespace="fraud")
"""


@dataclass
class Project:
    """A git repository in a folder; what ran in it is in its `.relineage`."""

    folder: Path
    empty: Path  # a database without anything: copying it is quicker than making one

    def write(self, **scripts: str) -> None:
        """Scripts by their names, each behind the usual imports, committed with all else that lies there."""
        for name, text in scripts.items():
            (self.folder / f"{name}.py").write_text(HEAD + text)
        self.commit()

    def commit(self) -> str:
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "-m", "a change")
        return git(self.folder, "rev-parse", "HEAD")

    def run(
        self,
        *arguments: str,
        check: bool = True,
        cwd: Path | None = None,
        stdin: str | None = None,
        **variables: str,
    ) -> None:
        """A job in a process of its own."""
        environment = process_environment() | variables
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stderr

    def store(self) -> Store:
        """A new database of all that ran."""
        file = self.folder.parent / f"{uuid4()}.duckdb"
        shutil.copy(self.empty, file)
        store = Store.open(file)
        take_in(store, [self.folder / ".relineage" / "events"])
        return store

    def recorded(self, x: str) -> Recorded:
        with self.store() as store:
            return read_run(store.connection, run_meant(store.connection, x))

    def replay(self, x: str, **means: Any) -> Replayed:
        [verdict] = self.replay_within(x, **means)
        return verdict

    def replay_within(self, x: str, **means: Any) -> list[Replayed]:
        """The verdicts of a run, or of the runs within one that has no outputs of its own."""
        [verdicts] = replay_closure([wanted(self.recorded(x))], self.means(**means))
        return verdicts

    def replay_closure(self, x: str, **means: Any) -> list[Replayed]:
        with self.store() as store:
            processes = read_closure(store.connection, x)
        return [one for verdicts in replay_closure(processes, self.means(**means)) for one in verdicts]

    def means(self, **means: Any) -> Means:
        objects = open_store(self.folder / ".relineage" / "store", self.folder)
        return Means(**({"repositories": [], "objects": objects} | means))

    def files(self) -> dict[str, bytes]:
        """Every file of the work tree and of git's folder, but for what git writes for its own speed."""
        return {
            str(file.relative_to(self.folder)): file.read_bytes()
            for file in sorted(self.folder.rglob("*"))
            if file.is_file() and file.name != "index"
        }


def new_project(folder: Path, empty: Path) -> Project:
    """A repository in which binary files are ignored."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text(".relineage\n__pycache__\n*.bin\n")
    (folder / ".relineage").mkdir()
    return Project(folder, empty)
