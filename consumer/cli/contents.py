"""Which store of contents a command looks into, and what all that tidy something share.

Decides that what is younger than a day is never removed: a run keeps first and tells then. What an object is and how
it is checked is decided by the emitter's store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from ...emitter.errors import StoreError
from ...emitter.store import Store, open_store
from .. import engine
from ..display import printable
from ..errors import SourceError
from ..home import find_home
from ..replay.details import OBJECTS, beside, every_object
from .session import question

VARIABLE = "RELINEAGE_STORE"
# Events may take a while to arrive.
YOUNG_HOURS = 24

databases_option = click.option(
    "--database", "databases", metavar="FILE", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    help="A database that refers to something; name each. Default: that of the .relineage found upwards.",
)  # fmt: skip
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@contextmanager
def contents() -> Iterator[Store]:
    """The store; what it or the disk does not let us do is one of our errors.

    Raises:
        SourceError: There is none, it cannot be reached, or an object is not what its name says.
    """
    explicit = os.environ.get(VARIABLE)
    location: str | Path
    if explicit:
        location = explicit
    else:
        home = find_home(Path.cwd())
        if home is None:
            raise SourceError(
                f"there is no .relineage in {Path.cwd()} or above, and {VARIABLE} names no store"
            )
        location = home / "store"
    try:
        store = open_store(location, Path.cwd())
        if explicit and not store.there():
            raise SourceError(f"{VARIABLE} names {printable(explicit)}, and there is no folder")
        yield store
    except (StoreError, OSError) as error:
        raise SourceError(str(error)) from error


def objects_of(folder: Path) -> Store | None:
    """The store of a folder's project: what `RELINEAGE_STORE` names, else that of the `.relineage` found upwards; null
    where there is none.

    Raises:
        SourceError: `RELINEAGE_STORE` names a folder of another machine.
    """
    home = find_home(folder)
    location = os.environ.get(VARIABLE) or (home / "store" if home is not None else None)
    if location is None:
        return None
    try:
        store = open_store(location, folder)
    except StoreError as error:
        raise SourceError(str(error)) from error
    return store if store.there() else None


def each_database(databases: Sequence[Path]) -> Iterator[engine.DuckDBPyConnection]:
    """The connections of the databases that were named, one after the other; without names, of the one found upwards.

    Raises:
        ConsumerError: One of them cannot be read.
    """
    for database in databases or (None,):
        with question(database) as asked:
            yield asked.connection


def objects_beside(connection: engine.DuckDBPyConnection) -> Iterator[str]:
    """What did not fit into events: the text of each object beside a database, and in the `.relineage` found upwards.

    Raises:
        SourceError: One cannot be read.
    """
    home = find_home(Path.cwd())
    try:
        for folder in {beside(connection), None if home is None else home / OBJECTS}:
            yield from every_object(folder)
    except OSError as error:
        raise SourceError(str(error)) from error
