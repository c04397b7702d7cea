"""The files of queries/ have the form that their loader promises."""

from pathlib import Path

import duckdb
import pytest

from relineage.consumer import named as module
from relineage.consumer.named import named

TOPICS = sorted(file.stem for file in (Path(module.__file__).parent / "queries").glob("*.sql"))


@pytest.mark.parametrize("topic", TOPICS)
def test_each_name_stands_for_one_statement_and_a_sentence(topic: str) -> None:
    assert named(topic)
    for name, text in named(topic).items():
        assert len(duckdb.extract_statements(text)) == 1, name
        assert text.strip().startswith("-- "), name


def test_a_name_cannot_stand_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "twice.sql").write_text("-- name: a\nselect 1;\n-- name: a\nselect 2;\n")
    monkeypatch.setattr(module, "_QUERIES", tmp_path)

    with pytest.raises(ValueError, match="two statements have one name"):
        named("twice")
