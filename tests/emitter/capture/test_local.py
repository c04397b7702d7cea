"""Whose a file is."""

import json
import os
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import numpy
import pytest

from relineage.emitter.capture import local
from relineage.emitter.capture.local import file_of, files_in_use, is_own


@pytest.mark.parametrize(
    ("name", "own"),
    [
        (__file__, True),
        ("/home/me/project/train.py", True),
        (numpy.__file__, False),
        (json.__file__, False),
        (os.__file__, False),
        (local.__file__, False),
        ("/usr/lib/python3/dist-packages/x.py", False),
        (str(Path(sysconfig.get_path("scripts")) / "torchrun"), False),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
    ],
)
def test_a_file_is_ones_own_or_not(name: str, own: bool) -> None:
    assert is_own(name) is own


def test_a_link_is_whose_the_file_is_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "linked.py").symlink_to(numpy.__file__)
    (tmp_path / "folder").symlink_to(Path(numpy.__file__).parent)
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "own.py").symlink_to(__file__)  # as an editable installation may have it

    assert not is_own(str(tmp_path / "linked.py"))
    assert not is_own(str(tmp_path / "folder" / "new.py"))
    assert is_own(str(tmp_path / "site-packages" / "own.py"))


def test_a_module_that_is_loaded_lazily_is_not_woken() -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(name)

    assert file_of(Lazy("lazy")) is None


def test_modules_that_were_loaded_meanwhile_are_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_in_use()
    assert Path(__file__) in before
    assert files_in_use() is before
    (tmp_path / "relineage_test_fresh.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    __import__("relineage_test_fresh")
    try:
        assert set(files_in_use()) - set(before) == {tmp_path / "relineage_test_fresh.py"}
    finally:
        del sys.modules["relineage_test_fresh"]
