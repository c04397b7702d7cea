"""Which runs, events and things beside them belong to one x, asked of a database.

The rules stand in queries/closure.sql: the runs that x comes from, with every event of theirs, so that an answer from
the bundle is the answer from the database; those that computed what they were served with from the cache, and what
these come from; those of the same processes, which a replay repeats; the runs around them; and of what only others have
said (that two names are one, that a version has a digest) a run that says it. Decides here what x is called in the
bundle, where its name alone would mean something else than in the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import UUID

from .. import engine
from ..ask import Ask, question_errors
from ..errors import BundleError, QuestionError
from ..ingest.batch import BOM
from ..named import named
from .manifest import Of

PIECE_BYTES = 16 << 20
_ROWS = 2048
_FOLDER = re.compile(r"b3-folder1:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event: its digest as a UUID's hex, its instant in UTC, and its bytes."""

    digest: str
    at: datetime
    body: bytes

    @property
    def is_line(self) -> bool:
        """Whether it is itself again when it is read as a line, from which white space is taken off."""
        return b"\n" not in self.body and self.body == self.body.strip()


@dataclass(frozen=True, kw_only=True)
class RunCode:
    """The code of a run: the commit that was checked out, a snapshot of the work tree (a commit, or a folder in the
    store), whether the two differ, and the folder of the work tree.
    """

    run_id: str
    job_name: str | None
    snapshot: str | None
    commit: str | None
    dirty: bool | None
    root: str | None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.job_name} (run {self.run_id})" if self.job_name else f"run {self.run_id}"

    @property
    def folder(self) -> str | None:
        """The digest of the folder that is the code, where it is none of git's."""
        return self.snapshot if self.snapshot is not None and _FOLDER.fullmatch(self.snapshot) else None

    @property
    def commits(self) -> list[str]:
        """Those that are the code, the best first: the snapshot, or what was checked out where nothing differed."""
        found = [self.snapshot] if self.snapshot is not None and self.folder is None else []
        if self.commit is not None and (self.snapshot is None or self.dirty is False):
            found.append(self.commit)
        return found


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A content that a replay needs: a version of a dataset with its digests, and the paths it was known under."""

    what: Literal["input", "output"]
    namespace: str
    name: str
    version: str | None
    digests: tuple[str, ...]
    paths: tuple[str, ...]


class Closure:
    """What belongs to x. Lives on a cursor of its own, in temporary tables.

    Attributes:
        of: What x is, and what it is called in the bundle.
        runs: The runs that x comes from, by their ids.
        besides: The other runs whose events belong in.
    """

    def __init__(self, connection: engine.DuckDBPyConnection, x: str) -> None:
        """Find the runs.

        Args:
            connection: Of a store.
            x: As the macros understand it.

        Raises:
            QuestionError: x is unknown, or several things.
            BundleError: No run is known that made x.
        """
        self._cursor = connection.cursor()
        self._cursor.execute("set TimeZone = 'UTC'")
        self.of = settled(self._cursor, x)
        self._statements = named("closure")
        with question_errors():
            self._cursor.execute(self._statements["make_came"], {"x": self.of.x})
        for name in ("make_run", "make_version", "make_dataset", "make_said", "add_witnesses"):
            self._cursor.execute(self._statements[name])
        found = self._cursor.execute(self._statements["runs"]).fetchall()
        self.runs = tuple(run_id for run_id, part in found if part == "upstream")
        self.besides = tuple(run_id for run_id, part in found if part != "upstream")
        if not self.runs:
            raise BundleError(f"no run is known that made {x}, so there is nothing to bundle")

    def events(self) -> Iterator[Event]:
        """The events, each once, by their instants; some 16 MB of them are in memory at a time.

        Not by one sorted query, for which the database would hold all of them.
        """
        engine.use_arrow()
        listed = self._cursor.sql(self._statements["events"]).to_arrow_table()
        places: list[int] = []
        size = 0
        for batch in listed.to_batches(_ROWS):
            for place, bytes_ in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                places.append(place)
                size += bytes_
                if size >= PIECE_BYTES:
                    yield from self._bodies(places)
                    places, size = [], 0
        yield from self._bodies(places)

    def _bodies(self, places: list[int]) -> Iterator[Event]:
        rows = self._cursor.execute(self._statements["bodies"], {"places": places}).fetchall()
        for digest, at, body in rows:
            digest = UUID(digest).hex
            yield Event(digest=digest, at=at, body=_as_it_came(body.encode(), digest))

    def details(self) -> list[str]:
        """The digests of the objects that hold what did not fit into events."""
        return [digest for (digest,) in self._cursor.execute(self._statements["details"]).fetchall()]

    def code(self) -> list[RunCode]:
        """The code of each run that may be repeated, or computed what another one was served with."""
        rows = self._cursor.execute(self._statements["code"]).fetchall()
        return [
            RunCode(run_id=a, job_name=b, snapshot=c, commit=d, dirty=e, root=f) for a, b, c, d, e, f in rows
        ]

    def contents(self) -> list[Wanted]:
        """What a replay reads, and what it is compared with."""
        rows = self._cursor.execute(self._statements["contents"], {"x": self.of.x}).fetchall()
        return [
            Wanted(what=a, namespace=b, name=c, version=d, digests=tuple(e), paths=tuple(f))
            for a, b, c, d, e, f in rows
        ]

    def close(self) -> None:
        """Drop the temporary tables."""
        self._cursor.close()


def _as_it_came(body: bytes, digest: str) -> bytes:
    """The message: what stands before it as a byte order mark is in its digest, and not in the database."""
    if sha256(body).hexdigest()[:32] != digest and sha256(BOM + body).hexdigest()[:32] == digest:
        return BOM + body
    return body


def settled(connection: engine.DuckDBPyConnection, x: str) -> Of:
    """What x is now, so that it is the same thing when more, or less, is known: a job is its latest run, a dataset
    the version that was written last.

    Raises:
        QuestionError: x is unknown, or several things.
    """
    thing = Ask(connection).thing(x)
    if thing.kind in ("run", "job"):
        if thing.run_id is None:
            raise QuestionError(f"no run of {x} is known")
        return Of(x=f"run:{thing.run_id}", kind="run", run_id=thing.run_id)
    if thing.kind == "digest":
        return Of(x=f"digest:{thing.digest}", kind="digest", digest=thing.digest)
    namespace, name, version = thing.namespace, thing.name, thing.version
    if thing.kind == "dataset":
        rows = connection.execute(named("closure")["latest_write"], {"x": x}).fetchall()
        namespace, name, version = rows[0] if rows else (namespace, name, version)
    whole = f"dataset:{namespace}/{name}"
    if version is None:
        return Of(x=whole, kind="dataset", namespace=namespace, name=name)
    return Of(x=f"{whole}@{version}", kind="version", namespace=namespace, name=name, version=version)
