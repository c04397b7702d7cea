"""Where HEAD stands, on files as git writes them. (On real repositories: test_code.py.)"""

import os
from pathlib import Path

import pytest

from relineage.emitter.capture.head import Head


@pytest.mark.parametrize("settled", [False, True])
def test_a_repository_whose_refs_have_no_files_has_moved_when_its_tables_have(
    tmp_path: Path, settled: bool
) -> None:
    """`git init --ref-format=reftable`: the file HEAD is a stub that never changes."""
    (tmp_path / "reftable").mkdir()
    stub, tables = tmp_path / "HEAD", tmp_path / "reftable" / "tables.list"
    stub.write_text("ref: refs/heads/.invalid\n")
    tables.write_text("0x000000000001-0x000000000001-b5b4a5e0.ref\n")
    if settled:
        for file in (stub, tables):
            os.utime(file, (1_000_000_000, 1_000_000_000))
    head = Head(tmp_path, tmp_path)

    assert not head.has_moved()
    tables.write_text("0x000000000001-0x000000000002-c5b4a5e0.ref\n")
    os.utime(tables, (1_000_000_001, 1_000_000_001))
    assert head.has_moved()
    assert not head.has_moved()
