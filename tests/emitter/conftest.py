"""What tests of the emitter have in common."""

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
