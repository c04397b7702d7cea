"""Every table, view and column says in the file what it is, and plain DuckDB can ask the file everything."""

from pathlib import Path

import duckdb
import pytest
from streams import dataset, encode, event

from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store

OURS = "not internal and database_name not in ('system', 'temp')"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed file with two runs: `load` wrote what `train` read."""
    path = tmp_path_factory.mktemp("commented") / "lineage.duckdb"
    table = dataset(("d", "table"), "v1")
    told = (event(1, 0, outputs=(table,)), event(2, 1, inputs=(table,), job=("etl", "train")))
    with Store.open(path) as store:
        store.ingest(
            Batch([Message(body=encode(one), source="test", offset=n) for n, one in enumerate(told)])
        )
    return path


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("tables", "schema_name || '.' || table_name"),
        ("views", "schema_name || '.' || view_name"),
        ("columns", "schema_name || '.' || table_name || '.' || column_name"),
    ],
)
def test_nothing_in_the_database_is_without_a_comment(what: str, name: str, database: Path) -> None:
    query = f"select {name}, comment from duckdb_{what}() where {OURS} order by all"
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(query).fetchall()
    assert found
    assert [one for one, comment in found if not comment] == []


def test_the_questions_have_comments(database: Path) -> None:
    query = """select function_name, comment from duckdb_functions()
               where schema_name = 'main' and not internal order by all"""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = dict(connection.execute(query).fetchall())
    assert found.keys() >= {"upstream", "downstream", "reproducibility", "run_diff", "why"}
    assert [name for name, comment in found.items() if not comment] == []


def test_plain_duckdb_answers_from_the_file_alone(database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        views = connection.execute(
            f"select view_name from duckdb_views() where schema_name = 'main' and {OURS}"
        ).fetchall()
        assert len(views) >= 18
        for (view,) in views:
            connection.execute(f'from "{view}"').fetchall()
        query = "select depth, how, writer_run_id is not null from upstream('etl/train')"
        assert connection.execute(query).fetchall() == [(0, None, True)]
        query = "select reader_run_id is not null from downstream('d/table')"
        assert connection.execute(query).fetchall() == [(True,)]
        for macro in (
            "reproducibility('etl/train')",
            "run_diff('etl/load', 'etl/train')",
            "why('etl/load', 'etl/train')",
        ):
            connection.execute(f"from {macro}").fetchall()
        with pytest.raises(duckdb.InvalidInputException, match="unknown: nothing is known as nonsense"):
            connection.execute("from upstream('nonsense')").fetchall()
