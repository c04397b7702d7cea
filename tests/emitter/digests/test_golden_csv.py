"""What CSV files are read as: vectors for another implementation, which must never change."""

import json
from pathlib import Path
from typing import Any

import pytest

from relineage.emitter.digests import content_of

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("golden_csv.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_csv_file_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(GOLDEN[name]["csv"].encode())
    found = content_of(tmp_path / "t.csv")
    assert found.digests[0] == GOLDEN[name]["digest"]
    assert [column.type for column in found.columns] == GOLDEN[name]["types"]
