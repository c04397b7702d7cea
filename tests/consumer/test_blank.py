"""A new database begins with a copy of a blank one: the same as if its SQL had been run, or that is run."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streams import encode, event, run_id

from relineage.consumer import blank
from relineage.consumer import store as store_module
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "relineage"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which a blank was made."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place))
        Store.open().close()
    return place / "relineage"


@pytest.fixture
def filled(cache: Path, made: Path) -> Path:
    """The cache with a blank, for tests of what becomes of one: it takes a second to make."""
    shutil.copytree(made, cache)
    return cache


def blanks(cache: Path) -> list[Path]:
    return sorted(cache.glob("*"))


def definitions(store: Store) -> dict[str, list[Any]]:
    """Everything that is defined, with every comment, and which SQL files that was."""
    queries = {
        "views": "select schema_name, view_name, sql, comment from duckdb_views()",
        "macros": "select schema_name, function_name, parameters, macro_definition, comment from duckdb_functions()",
        "tables": "select schema_name, table_name, sql, comment from duckdb_tables()",
        "columns": "select schema_name, table_name, column_name, data_type, comment from duckdb_columns()",
    }
    found = {
        name: store.connection.execute(f"{query} where not internal order by all").fetchall()
        for name, query in queries.items()
    }
    return found | {"done": store.connection.execute("from store.migration order by all").fetchall()}


def names(store: Store) -> dict[str, list[Any]]:
    """The same without texts: DuckDB writes them otherwise when it has read them."""
    return {what: [row[:2] for row in rows] for what, rows in definitions(store).items()}


def test_it_is_what_its_sql_makes(cache: Path, tmp_path: Path) -> None:
    store_module._make_blank(tmp_path / "made.duckdb")
    with Store.open(tmp_path / "made.duckdb") as made, Store.open(tmp_path / 'it\'s "new".duckdb') as copied:
        expected = definitions(made)
        assert len(blanks(cache)) == 1
        assert definitions(copied) == expected
        assert {name for name, rows in expected.items() if len(rows) < 3} == set()
        [databases] = copied.connection.execute(
            "select list(database_name) from duckdb_databases() where not internal"
        ).fetchall()
        assert databases == (['it\'s "new"'],)


def test_it_is_made_once_and_never_changed(cache: Path, tmp_path: Path) -> None:
    bodies = []
    for number in range(3):
        with Store.open(tmp_path / f"{number}.duckdb") as store:
            store.ingest(Batch([Message(body=encode(event(number, 0)), source="test", offset=0)]))
            assert store.connection.execute("select run_id from runs").fetchall() == [(run_id(number),)]
        [kept] = blanks(cache)
        bodies.append((kept.stat().st_ino, kept.read_bytes()))
    assert bodies[0] == bodies[1] == bodies[2]


def test_other_sql_is_another_blank(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [before] = blanks(filled)
    monkeypatch.setattr(store_module, "text", with_a_view_more)
    store_module.statements.cache_clear()
    try:
        for _ in range(2):
            with Store.open() as store:
                assert store.connection.execute("from whats_new").fetchall() == [(42,)]
    finally:
        store_module.statements.cache_clear()
    assert len(blanks(filled)) == 2
    assert before in blanks(filled)


def with_a_view_more(path: str, intact: Callable[[str], str] = store_module.text) -> str:
    more = "create or replace view whats_new as select 42 as answer;"
    return intact(path) + (more if path == "views/chance.sql" else "")


def test_only_those_of_some_versions_are_kept(cache: Path, tmp_path: Path) -> None:
    for number in range(blank.KEPT + 3):
        blank.file(f"digest {number:02}", lambda path: path.write_bytes(b"blank"))
    assert [path.stem[-2:] for path in blanks(cache)] == [f"{n:02}" for n in range(3, blank.KEPT + 3)]


@pytest.mark.parametrize("damage", ["cut", "no database", "a folder"])
def test_without_a_whole_one_the_sql_is_run(damage: str, filled: Path) -> None:
    with Store.open() as store:
        expected = names(store)
    [kept] = blanks(filled)
    match damage:
        case "cut":
            kept.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
        case "no database":
            kept.write_bytes(b"no database " * 1000)
        case "a folder":
            kept.unlink()
            kept.mkdir()
    with Store.open() as store:
        assert names(store) == expected


@pytest.mark.parametrize("place", ["/proc/nowhere", "not/absolute"])
def test_without_a_place_to_keep_one_the_sql_is_run(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    with Store.open() as store:
        assert store.connection.execute("from runs").fetchall() == []
    assert list(tmp_path.iterdir()) == []


def test_a_user_without_a_home_has_none(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with Store.open(tmp_path / "one.duckdb") as store:
        assert store.connection.execute("from runs").fetchall() == []


def test_a_database_may_have_its_name(filled: Path, tmp_path: Path) -> None:
    with Store.open(tmp_path / "blank.duckdb") as store:
        assert store.connection.execute("from runs").fetchall() == []
