"""A real DuckDB store that takes bare messages, for tests of what becomes of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import COLD_TABLES, HOT_TABLES, Store


class TestStore:
    """A store, and the few ways in which tests look into it."""

    __test__ = False

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.store = Store.open(path)
        self.connection = self.store.connection
        self.connection.execute("set threads = 1")  # as ingest does; tests run on all cores as it is
        self._offsets: Counter[str] = Counter()

    def ingest(self, messages: list[bytes], source: str = "test") -> None:
        """Store messages as one batch, each at the next offset of its source; any database error is raised."""
        placed = []
        for body in messages:
            placed.append(Message(body=body, source=source, offset=self._offsets[source]))
            self._offsets[source] += 1
        self.store._store(Batch(placed).staged())

    def sql(self, query: str, params: dict[str, Any] | list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(query, params).fetchall()

    def truth(
        self, tables: Iterable[str] = HOT_TABLES
    ) -> dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]:
        """Per hot table: its rows, and those that its truth view demands; both sorted."""
        result = {}
        for table in tables:
            columns = ", ".join(f'"{row[0]}"' for row in self.sql(f"describe store.{table}"))
            result[table] = (
                self.sql(f"select {columns} from store.{table} order by all"),
                self.sql(f"select {columns} from truth.{table} order by all"),
            )
        return result

    def clear(self) -> None:
        """Empty all tables."""
        for table in (*HOT_TABLES, *COLD_TABLES):
            self.connection.execute(f"delete from store.{table}")
        self._offsets.clear()

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def new_store() -> Iterator[Callable[..., TestStore]]:
    """Makes stores, in memory or at a path, and closes them."""
    stores: list[TestStore] = []

    def new(path: Path | str = ":memory:") -> TestStore:
        stores.append(TestStore(path))
        return stores[-1]

    yield new
    for store in stores:
        store.close()
