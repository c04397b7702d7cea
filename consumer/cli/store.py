"""`relineage store`: lists, takes out, verifies and removes what runs have kept in the store of contents.

Decides what is listed, asked and said, and that nothing is removed unless a database was read that refers to
something. What an object is and how it is checked is decided by the emitter's store.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ...emitter.digests import Refused, content_of
from ...emitter.errors import Damaged, StoreError
from ...emitter.store import Object, Store
from .. import engine
from ..ask import Ask, question_errors
from ..display import printable
from ..errors import QuestionError, SourceError
from ..named import named
from .asked import asked, is_in_bundle
from .contents import YOUNG_HOURS, contents, databases_option, each_database, objects_beside, yes_option
from .listing import TABLE_LIMIT
from .output import Section, print_json, print_table
from .session import database_option, format_option, limit_option, question
from .subject import meant

NAMED_BY_DIGITS = 16
_DIGEST = re.compile(r"b3-[a-z0-9]+:[0-9a-f]{64}")
# A version that was a file is given back as it was, before the table that it held.
_PREFERRED = ("folder", "bytes", "table", "tensors")


@click.group("store")
def command() -> None:
    """Look into the store of contents, take out of it, tidy it.

    The store is what RELINEAGE_STORE names, a folder or a URL, else .relineage/store. Runs put there what they read and
    make if told to: Lineage(store=True), run.output(…, store=True). Objects are named by the digest of their content.
    """


@command.command("ls")
@click.argument("x", metavar="[X]", required=False)
@limit_option
@format_option("table", "json")
@database_option
def list_objects(x: str | None, limit: int | None, format_: str, database: Path | None) -> int:
    """List the objects, the latest first; with X those that hold its content.

    For a file: itself, and the table or tensors that it holds. The time is when an object was put there or referred to
    last, in UTC. A folder is a list of its files, which are objects of their own.
    """
    if x is None:
        with contents() as store:
            objects = list(store.scan())
    elif is_in_bundle(x, database):
        with _bundled(x, database) as (store, connection, thing):
            versions = _digests(connection, thing, thing)
            objects = _found(store, (digest for digests in versions for digest in digests))
    else:
        with contents() as store, question(database) as found:
            versions = _digests(found.connection, x, meant(found.connection, x))
            objects = _found(store, (digest for digests in versions for digest in digests))
    objects.sort(key=lambda one: (-one.modified, one.digest))
    _print(objects, limit, format_)
    return 0


@command.command("get")
@click.argument("x", metavar="DIGEST|X")
@click.option(
    "-o", "--output", metavar="PATH", type=click.Path(path_type=Path),
    help="Where to write it. Default: the beginning of the digest, here.",
)  # fmt: skip
@database_option
def get(x: str, output: Path | None, database: Path | None) -> int:
    """Write the content of X to a file or folder that is not there yet.

    Tables come as Parquet, tensors as safetensors, files byte for byte, folders with the names and bytes of their
    files; empty folders and modes are not kept. A file that is kept both itself and as the table that it holds comes
    itself. It is digested again first: what is not what its name says is never written. With a whole digest that is in
    the store, no database is asked. Of a bundle, what is in it is given.
    """
    if is_in_bundle(x, database):
        with _bundled(x, database) as (store, connection, thing):
            found = _one(store, connection, thing)
            target = _fetched(store, found, output)
    else:
        with contents() as store:
            known = store.find(x.removeprefix("digest:"))
            if known is None:
                with question(database) as asked_:
                    known = _one(store, asked_.connection, x)
            found, target = known, _fetched(store, known, output)
    click.echo(f"{found.digest}  {printable(str(target))}")
    return 0


@command.command("verify")
@click.argument("digests", metavar="[DIGEST...]", nargs=-1)
def verify(digests: tuple[str, ...]) -> int:
    """Digest objects again, all of them by default. Exit code 1 when one is not what its name says.

    One line an object that is not: its digest, two spaces, what is wrong.
    """
    broken = 0
    with contents() as store:
        for digest in digests:
            if store.find(digest) is None:
                raise QuestionError(f"{printable(digest)} is not in the store")
        objects = (
            [one for digest in digests if (one := store.find(digest))] if digests else list(store.scan())
        )
        for one in objects:
            try:
                store.check(one, files=bool(digests))  # all of them: a folder's files have their own turn
            except Damaged as damaged:
                reason = str(damaged)
            except (StoreError, OSError) as error:
                reason = f"cannot be read: {error}"
            else:
                continue
            broken += 1
            click.echo(f"{one.digest}  {printable(reason)}")
    size = sum(one.bytes for one in objects)
    click.echo(f"relineage: {_counted(len(objects))}, {size} bytes: {broken or 'none'} damaged", err=True)
    return 1 if broken else 0


@command.command("gc")
@yes_option
@databases_option
def collect(yes: bool, databases: tuple[Path, ...]) -> int:
    """Remove what no database refers to, after saying what that is and asking.

    Kept is whatever is named by its digest anywhere in an event that was taken in, in what did not fit into one
    (.relineage/objects), or in a message that could not be read as one, and all that was put there or referred to
    within the last 24 hours: its event may be on its way. So take in all events first, and where several databases
    refer to one store, name them all. Nothing is removed where one of them cannot be read.
    """
    with contents() as store:
        before = time.time() - YOUNG_HOURS * 3600
        referred: set[str] = set()
        for connection in each_database(databases):
            referred.update(row[0] for row in connection.execute(named("objects")["referred"]).fetchall())
            for text in objects_beside(connection):
                referred.update(_DIGEST.findall(text))
        unused = store.unused(referred, before)
        if not unused:
            store.sweep(before)
            click.echo("relineage: nothing to remove: all is referred to, or younger than a day", err=True)
            return 0
        if not referred:
            raise QuestionError(
                "the database refers to nothing at all: is it the right one? nothing is removed"
            )
        _print(unused, len(unused), "table")
        size = sum(one.bytes for one in unused)
        if not yes and not click.confirm(f"Remove {_counted(len(unused))}, {size} bytes?", err=True):
            click.echo("relineage: nothing is removed", err=True)
            return 0
        gone = [one for one in unused if store.remove(one, before)]
        store.sweep(before)
    size = sum(one.bytes for one in gone)
    click.echo(f"relineage: {_counted(len(gone))} removed, {size} bytes", err=True)
    return 0


def _digests(connection: engine.DuckDBPyConnection, x: str, thing: str) -> list[list[str]]:
    """The digests of each version that x stands for, before them those of the file or folder that it may be."""
    with question_errors():
        rows = connection.execute(named("objects")["of_thing"], {"x": thing}).fetchall()
    versions = [row[0] for row in rows]
    if thing != x and thing.startswith("digest:"):  # by its content
        path = Path(x).expanduser()
        try:
            versions.insert(0, list(content_of(path).digests))
        except Refused as refused:
            raise QuestionError(f"{printable(str(path))} cannot be digested: {refused}") from None
    return versions


@contextmanager
def _bundled(x: str, database: Path | None) -> Iterator[tuple[Store, engine.DuckDBPyConnection, str]]:
    """The contents in a bundle, the database of its events, and what to ask it for."""
    with asked(database, x) as found:
        store = found.objects()
        if store is None:
            raise QuestionError("no contents are in the bundle: --data puts them there when it is made")
        try:
            yield store, found.connection, found.x[0]
        except (StoreError, OSError) as error:
            raise SourceError(str(error)) from error


def _fetched(store: Store, found: Object, output: Path | None) -> Path:
    target = output or Path(found.digest.partition(":")[2][:NAMED_BY_DIGITS] + _suffix(found))
    store.fetch(found.digest, target)
    return target


def _found(store: Store, digests: Iterable[str]) -> list[Object]:
    return [one for digest in dict.fromkeys(digests) if (one := store.find(digest)) is not None]


def _one(store: Store, connection: engine.DuckDBPyConnection, x: str) -> Object:
    """The object that holds the content of x."""
    thing = meant(connection, x)
    versions = [_found(store, digests) for digests in _digests(connection, x, thing)]
    chosen = {
        one.digest: one
        for objects in versions
        if objects
        for one in [min(objects, key=lambda object_: _PREFERRED.index(object_.kind))]
    }
    if not chosen:
        raise QuestionError(f"nothing of {printable(x)} is in the store: a run keeps it with store=True")
    if len(chosen) > 1 and Ask(connection).thing(thing).kind != "digest":
        lines = [f"  {one.digest}" for one in chosen.values()]
        raise QuestionError(
            "\n".join([f"{printable(x)} is {len(chosen)} objects; name one of them:", *lines])
        )
    return next(iter(chosen.values()))


def _suffix(found: Object) -> str:
    return "" if found.kind == "folder" else Path(found.name).suffix


def _print(objects: list[Object], limit: int | None, format_: str) -> None:
    limit = limit if limit is not None or format_ == "json" else TABLE_LIMIT
    rows: list[list[Any]] = [
        [one.digest, one.kind, one.bytes, datetime.fromtimestamp(one.modified, UTC).replace(tzinfo=None)]
        for one in objects[:limit]
    ]
    section = Section("", ["digest", "kind", "bytes", "stored_at"], rows)
    if format_ == "json":
        print_json(section.objects())
    elif rows:
        print_table(section)
    else:
        click.echo("relineage: none is in the store", err=True)
    if limit is not None and len(objects) > limit:
        click.echo(f"relineage: these are the first {limit}, there are more: --limit N lists more", err=True)


def _counted(objects: int) -> str:
    return f"{objects} object{'s'[: objects != 1]}"
