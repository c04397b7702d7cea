"""What files were digested to, so that a file that has not changed need not be read again.

Decides when that may be believed. A file is known by device, inode, size and the instants of its last
modification and change; and, as in git (Documentation/technical/racy-git.txt), only a file that had been at
rest for two seconds when its reading began is kept, since a second write within one tick of the file
system's clock leaves all of these as they are (ticks: 4 ms on ext4, 1 s on some network file systems, 2 s on
FAT). Every entry carries a checksum of its own, so that a damaged cache can lose entries but not change them.

The cache is one SQLite file of bounded size, without fsync: what is lost is read again. Whatever goes wrong
here (locked, damaged, read-only, full) is a missing entry and never an error. A file that is written through
a memory map may change without its times: `relineage digest --no-cache` reads it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path

from .files import State, state_of
from .formats import kind_of
from .framing import digest, frame
from .records import Column, Content, Model, Refused, Tensor
from .safetensors import INDEX_SUFFIX

log = logging.getLogger("relineage")

FILE = "digests1.sqlite"
_AT_REST_NS = 2_000_000_000
_BUSY_SECONDS = 0.2
_PAGE_BYTES = 4096
_MOST_PAGES = 32_768  # 128 MiB, a million files
_ENTRIES_A_TRANSACTION = 10_000
_CHECK_BYTES = 16
_LARGEST_BYTES = 4 << 20  # of one entry: the leaves of a very long table are not worth it


class DigestCache:
    """Digests by the state of files, in one folder. Nothing in here raises.

    Args:
        folder: is made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        """Open nothing yet: a connection lives as long as one call, so a fork never inherits one."""
        self._file = folder.absolute() / FILE
        self.hits = 0
        """How many entries were found and believed."""

    def knows(self, path: Path) -> bool:
        """Whether all of a file's digests are kept; never of a folder, nor of an index, whose shards are read again."""
        if path.name.lower().endswith(INDEX_SUFFIX):
            return False
        try:
            state = state_of(path)
        except Refused:
            return False
        kind = kind_of(path)
        return state in self.bytes_digests([state]) and (
            kind is None or self.content(state, kind) is not None
        )

    def lies_in(self, folder: Path) -> bool:
        """Whether the cache is below `folder`."""
        try:
            return self._file.resolve().is_relative_to(folder.resolve())
        except (OSError, RuntimeError):  # a loop of links
            return True

    def bytes_digests(self, states: Iterable[State]) -> dict[State, bytes]:
        """The 32 bytes of BLAKE3 of the files whose digests are kept."""
        return self._get(states, "bytes")

    def keep_bytes_digests(self, digests: Mapping[State, bytes], began_ns: int) -> None:
        """Keep digests of bytes.

        Args:
            digests: by the state before the first byte was read.
            began_ns: Unix time before those states were looked at.
        """
        self._put(digests, "bytes", began_ns)

    def content(self, state: State, kind: str) -> Content | None:
        """What was found inside a file of a known format; `kind` says which reader was meant."""
        found = self._get([state], _edition(kind)).get(state)
        if found is None:
            return None
        try:
            return _decoded(found)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def keep_content(self, state: State, kind: str, content: Content, began_ns: int) -> None:
        """Keep what was found inside a file; arguments as above."""
        self._put({state: _encoded(content)}, _edition(kind), began_ns)

    def _get(self, states: Iterable[State], kind: str) -> dict[State, bytes]:
        found: dict[State, bytes] = {}

        def look(connection: sqlite3.Connection) -> None:
            for state in states:
                key = _key(state, kind)
                row = connection.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
                if row is not None and _checked(key, row[0]):
                    found[state] = row[0][_CHECK_BYTES:]
                    self.hits += 1

        self._connected("rw", look)
        return found

    def _put(self, values: Mapping[State, bytes], kind: str, began_ns: int) -> None:
        now = time.time_ns()
        rows = [
            (key := _key(state, kind), _check(key, value) + value, now)
            for state, value in values.items()
            if max(state.modified, state.changed) < began_ns - _AT_REST_NS and len(value) <= _LARGEST_BYTES
        ]
        if not rows:
            return

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB NOT NULL, at INTEGER NOT NULL)"
                " WITHOUT ROWID"
            )
            for start in range(0, len(rows), _ENTRIES_A_TRANSACTION):
                some = rows[start : start + _ENTRIES_A_TRANSACTION]
                try:
                    _insert(connection, some)
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                        raise
                    _forget_the_older_half(connection)
                    _insert(connection, some)

        try:
            self._file.parent.mkdir(exist_ok=True)
        except OSError as error:
            log.debug("no cache of digests: %s", error)
        else:
            self._connected("rwc", keep)

    def _connected(self, mode: str, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do some work, which is left where SQLite fails; a file that is no database is removed."""
        try:
            uri = f"{self._file.as_uri()}?mode={mode}"
            with closing(
                sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")
                work(connection)
        except sqlite3.OperationalError as error:  # not there, locked, read-only, full
            log.debug("no cache of digests: %s", error)
        except sqlite3.DatabaseError as error:  # damaged
            log.debug("the cache of digests is made anew: %s", error)
            for name in (FILE, f"{FILE}-journal"):
                try:
                    self._file.with_name(name).unlink(missing_ok=True)
                except OSError:
                    return


def _insert(connection: sqlite3.Connection, rows: list[tuple[bytes, bytes, int]]) -> None:
    with _transaction(connection):
        connection.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)


def _forget_the_older_half(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        half = "SELECT at FROM kept ORDER BY at LIMIT 1 OFFSET (SELECT count(*) / 2 FROM kept)"
        connection.execute(f"DELETE FROM kept WHERE at <= ({half})")  # noqa: S608 - no value in it


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it by itself where the disk is full
            connection.execute("ROLLBACK")
        raise


def _key(state: State, kind: str) -> bytes:
    return ":".join([*map(str, state), kind]).encode()


def _check(key: bytes, value: bytes) -> bytes:
    return digest("cache entry", frame(key), frame(value))[:_CHECK_BYTES]


def _checked(key: bytes, kept: object) -> bool:
    return isinstance(kept, bytes) and kept[:_CHECK_BYTES] == _check(key, kept[_CHECK_BYTES:])


def _edition(kind: str) -> str:
    """The kind, with what decides how a content looks: another release may find more in the same file."""
    from importlib.metadata import version

    names = [field.name for record in (Content, Column, Model, Tensor) for field in fields(record)]
    return f"{kind} {version('relineage')} {','.join(names)}"


def _encoded(content: Content) -> bytes:
    return json.dumps(asdict(content), default=lambda data: data.hex()).encode()


def _decoded(data: bytes) -> Content:
    said = json.loads(data)
    columns = tuple(Column(**one | {"leaves": bytes.fromhex(one["leaves"])}) for one in said["columns"])
    model = said["model"]
    if model is not None:
        tensors = tuple(Tensor(**one | {"shape": tuple(one["shape"])}) for one in model["tensor_digests"])
        aliases = tuple(tuple(names) for names in model["aliases"])
        model = Model(**model | {"tensor_digests": tensors, "aliases": aliases})
    return Content(**said | {"digests": tuple(said["digests"]), "columns": columns, "model": model})
