"""Modules with steps in them, as a user has them: a file of their own in a project of their own."""

import importlib.util
import itertools
import logging
import sys
import textwrap

import pytest
from cli_projects import git
from emitted import events_in

_NUMBERS = itertools.count()
HEAD = """
import asyncio, dataclasses, logging, typing
from pathlib import Path
import numpy as np
import pandas as pd
from relineage.emitter import Lineage, current_run
lineage = Lineage(namespace="n", environ={})
def note(what): logging.getLogger("ran").info("%s", what)
"""


class Project(logging.Handler):
    """A git repository with a `.relineage`, as the working directory.

    `ran` is what functions have noted since the last module was imported. They do not note it in a variable of theirs,
    whose value would be a part of their code.
    """

    def __init__(self, folder, monkeypatch):
        super().__init__()
        self.folder = folder
        self.ran = []
        self._monkeypatch = monkeypatch

    def emit(self, record):
        self.ran.append(record.getMessage())

    def module(self, text, *, file="steps.py", commit=True):
        """The module of a text, imported anew, as in another process."""
        path = self.folder / file
        path.write_text(HEAD + textwrap.dedent(text))
        if commit:
            git(self.folder, "add", ".")
            git(self.folder, "commit", "--quiet", "--allow-empty", "-m", "more")
        name = f"project_{next(_NUMBERS)}"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        self._monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        self.ran.clear()
        return module

    def ends(self, job=None):
        """The last event of each run, in the order in which they ended."""
        events = [e for e in events_in(self.folder) if e["eventType"] in ("COMPLETE", "FAIL", "ABORT")]
        return [e for e in events if job is None or e["job"]["name"] == job]

    def end(self, job=None):
        """The last event of the only run."""
        (event,) = self.ends(job)
        return event


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / ".relineage").mkdir(parents=True)
    (folder / ".relineage" / ".gitignore").write_text("*\n")
    (folder / ".gitignore").write_text("__pycache__\n")  # else whatever is imported makes it dirty
    monkeypatch.chdir(folder)
    git(folder, "init", "--quiet")
    project = Project(folder, monkeypatch)
    log = logging.getLogger("ran")
    log.setLevel(logging.INFO)
    log.addHandler(project)
    yield project
    log.removeHandler(project)
