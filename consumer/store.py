"""The one owner of the DuckDB connection: its settings, the schema, and one batch in one transaction.

Decides how the file is opened and kept (storage format, checkpoints, memory) and which SQL files make up the
database. Leaves what a message means to ingest/*.sql, what may be asked to views/ and macros/, and where the blank
database is that a new one begins with to blank.py.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from . import engine
from .errors import DatabaseBusy, DatabaseUnreadable
from .ingest.batch import Batch, Staged
from .named import named

log = logging.getLogger("relineage")

MIGRATIONS = ("0001_tables.sql", "0002_run_facts.sql", "0003_served_runs.sql")
# Replaced at every start; in this order, as later ones use earlier ones.
DEFINITIONS = (
    "ingest/keys.sql",
    "ingest/rules.sql",
    "views/truth/truth.sql",
    "macros/natural.sql",
    "macros/bind.sql",
    "views/public.sql",
    "macros/resolve.sql",
    "macros/trace.sql",
    "macros/compare.sql",
    "macros/edges.sql",
    "macros/facts.sql",
    "macros/differences.sql",
    "macros/why.sql",
    "views/chance.sql",
    "macros/versions.sql",
)
# In the order in which the truth views need them, see `rebuild`.
HOT_TABLES = (
    "job", "run", "dataset", "dataset_alias", "version", "version_digest", "read", "write", "inferred_read",
)  # fmt: skip
COLD_TABLES = ("event", "facet", "dead_letter", "event_problem", "source_offset")

# What a message can cause; anything else is ours, or the machine's, and is raised.
DATA_ERRORS = (
    engine.DataError, engine.IntegrityError, engine.InvalidInputException, engine.OutOfMemoryException,
)  # fmt: skip
BUSY_WAIT_SECONDS = 10.0
_MAY_NOT_BE_WRITTEN = ("Permission denied", "Read-only file system")
_EMPTY_BYTES = 3 * 4096  # DuckDB's three headers


@cache
def text(path: str) -> str:
    """One of our SQL files."""
    return (Path(__file__).parent / path).read_text("utf-8")


@cache
def statements(path: str) -> tuple[engine.Statement, ...]:
    """The statements of one of our SQL files, in order; parsed, which is a seventh of what a small batch takes."""
    return tuple(engine.extract_statements(text(path)))


def digest_of(paths: Iterable[str]) -> str:
    """What tells some of our SQL files from what they were: of their texts, as taking them apart takes 0.1 s."""
    return sha256("".join(map(text, paths)).encode()).hexdigest()


class Store:
    """An open lineage database.

    Attributes:
        connection: The connection; questions are asked on `connection.cursor()`.
    """

    def __init__(self, connection: engine.DuckDBPyConnection) -> None:
        self.connection = connection

    @classmethod
    def open(cls, path: Path | str = ":memory:", *, busy_wait_seconds: float = BUSY_WAIT_SECONDS) -> Self:
        """Open a lineage database for reading and writing, making or upgrading it where needed.

        Raises:
            DatabaseBusy: Another process has it, and still had it after `busy_wait_seconds`.
            DatabaseUnreadable: It is no DuckDB file, or one of a newer format.
        """
        store = cls(_connect(str(path), busy_wait_seconds))
        if store._up_to_date():
            return store
        [(tables, ours)] = store.connection.execute(named("store")["tables"]).fetchall()
        if tables and not ours:
            store.close()
            raise DatabaseUnreadable(
                f"{path} is a DuckDB database, but no lineage database: name another file"
            )
        if not tables:
            store._begin_with_a_blank()
        store._migrate()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was committed is safe with or without it."""
        self.connection.close()

    def ingest(self, batch: Batch) -> None:
        """Store a batch: events, facts, hot state, dead letters and offsets, in one transaction.

        A batch for which memory does not suffice is tried again in halves. A message on which the database fails
        becomes a dead letter with the error as its reason: one message never stops the stream.

        Raises:
            engine.IOException: The file cannot be written; nothing of the batch is stored.
        """
        try:
            self._store(batch.staged())
        except DATA_ERRORS as error:
            if len(batch.messages) > 1:
                for half in batch.halves():
                    self.ingest(half)
            elif batch.messages and not isinstance(error, engine.OutOfMemoryException):
                log.warning("a message could not be stored and is now a dead letter: %s", error)
                self._store(batch.as_letter(f"could not be stored: {error}"))
            else:
                raise

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """For ingest: a batch is too small to be shared, and a second thread makes it slower and dearer."""
        self.connection.execute(named("store")["one_thread"])
        try:
            yield
        finally:
            self.connection.execute(named("store")["all_threads"])

    def reached(self, source: str, partition: int = 0) -> tuple[int, str | None] | None:
        """Next offset and fingerprint of a source; None for one that was never read."""
        rows = self.connection.execute(
            named("store")["reached"], {"source": source, "partition": partition}
        ).fetchall()  # an unfinished result would block the connection
        return rows[0] if rows else None

    def counts(self) -> tuple[int, int]:
        """Deliveries of events and of dead letters stored so far."""
        [row] = self.connection.execute(named("store")["counts"]).fetchall()
        return row[0], row[1]

    def folder(self) -> Path | None:
        """Where the database lies, and beside it what did not fit into events; None for one in memory."""
        [(path,)] = self.connection.execute(named("store")["file"]).fetchall()
        return Path(path).parent if path else None

    def rebuild(self) -> None:
        """Make the hot tables again from the facts."""
        with self.transaction():
            for table in HOT_TABLES:
                self.connection.execute(f"delete from store.{table}")  # noqa: S608 - our names
                self.connection.execute(f"insert into store.{table} by name from truth.{table}")

    def transaction(self) -> Transaction:
        """A transaction on this store's connection: committed at the end, rolled back on an error."""
        return Transaction(self.connection)

    def _store(self, staged: Staged) -> None:
        engine.use_arrow()
        relations = {"message": staged.message, "letter": staged.letter, "moved": staged.moved}
        for name, table in relations.items():
            self.connection.register(name, table)
        try:
            with self.transaction():
                for path in ("ingest/parse.sql", "ingest/merge.sql"):
                    self._run(path)
        finally:
            for name in relations:
                self.connection.unregister(name)

    def _begin_with_a_blank(self) -> None:
        """Copy all tables, views and macros, or leave them to `_migrate`, which takes thirty times as long."""
        from . import blank  # seldom needed

        paths = (*(f"migrations/{name}" for name in MIGRATIONS), *DEFINITIONS)
        try:
            blank.copy_into(self.connection, blank.file(digest_of(paths), _make_blank))
        except (OSError, engine.Error):
            log.debug("there is no blank database to begin with", exc_info=True)

    def _up_to_date(self) -> bool:
        """Whether tables, views and macros are what this version has, as nearly always: one question, not three."""
        try:
            done = dict(self.connection.execute(named("store")["migrations"]).fetchall())
        except engine.CatalogException:
            return False
        return done.keys() >= set(MIGRATIONS) and done.get("definitions") == digest_of(DEFINITIONS)

    def _migrate(self) -> None:
        """Bring tables, views and macros to what this version has."""
        with self.transaction():
            queries = named("store")
            self.connection.execute(queries["make_schema"])
            self.connection.execute(queries["make_migration"])
            done = dict(self.connection.execute(queries["migrations"]).fetchall())
            for name in MIGRATIONS:
                if name not in done:
                    self._run(f"migrations/{name}")
                    self._note(name, "")
            digest = digest_of(DEFINITIONS)
            if done.get("definitions") != digest:
                for path in DEFINITIONS:
                    self._run(path)
                self.connection.execute(queries["forget_migration"], {"name": "definitions"})
                self._note("definitions", digest)

    def _note(self, name: str, digest: str) -> None:
        self.connection.execute(named("store")["note_migration"], {"name": name, "digest": digest})

    def _run(self, path: str) -> None:
        for statement in statements(path):
            self.connection.execute(statement)


class Transaction:
    """Begin on entry; commit at the end, or roll back when an error passes."""

    def __init__(self, connection: engine.DuckDBPyConnection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.connection.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.connection.commit()
        else:
            try:
                self.connection.rollback()
            except engine.Error:  # an error at commit has ended the transaction already
                log.debug("nothing to roll back", exc_info=True)


def _make_blank(path: Path) -> None:
    with Store(_connect(str(path), BUSY_WAIT_SECONDS)) as store:
        store._migrate()


def _settings() -> dict[str, str | bool | int | float | list[str]]:
    return {
        # A file made by 2.0 with its own default cannot be opened by 1.4 and 1.5.
        "storage_compatibility_version": "v1.4.0",
        # The default (16 MB) checkpoints at nearly every batch.
        "checkpoint_threshold": "256MB",
        "preserve_insertion_order": "false",
        # It takes half of the time in which a question of many parts is planned, and gains nothing for ours.
        "disabled_optimizers": "projection_pullup",
        # What is asked of so many runs is read only where their facets are. The default is 50.
        "dynamic_or_filter_threshold": "1000",
        "memory_limit": f"{_memory_bytes() // 2 >> 20}MiB",
    }


def _memory_bytes() -> int:
    """What this process may use: the machine's memory, or its control group's limit if that is lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        try:
            total = min(total, int(limit.read_text()))
        except (OSError, ValueError):
            continue
    return total


def _remove_half_made(path: Path) -> None:
    """What a full disk has left of a new database, which nobody could open, then or later."""
    with suppress(OSError):
        if path.stat().st_size <= _EMPTY_BYTES:
            path.unlink()


def _connect(path: str, busy_wait_seconds: float) -> engine.DuckDBPyConnection:
    deadline = time.monotonic() + busy_wait_seconds
    new = not Path(path).exists()
    while True:
        try:
            connection = engine.connect(path, config=_settings())
        except engine.IOException as error:
            if "lock" not in str(error).lower():
                if new:
                    _remove_half_made(Path(path))
                if any(reason in str(error) for reason in _MAY_NOT_BE_WRITTEN):
                    raise DatabaseUnreadable(
                        f"{path} may not be written here, and questions take in what is new: copy "
                        f"{Path(path).parent} to where it may be, and ask there"
                    ) from error
                raise DatabaseUnreadable(f"{path} cannot be opened as a DuckDB database: {error}") from error
            if time.monotonic() >= deadline:
                raise DatabaseBusy(
                    f"{path} is in use by another process, for {busy_wait_seconds:.0f} s now: {error}"
                ) from error
            time.sleep(0.2)
            continue
        # Times without a zone are UTC, whatever the machine's zone is.
        connection.execute("set TimeZone = 'UTC'")
        return connection
