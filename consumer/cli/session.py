"""Which database a command works on, and bringing it up to date before a question.

Decides when events are taken in unasked: only those beside the database that is asked, never into another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import engine
from ..bundle.mark import is_bundle
from ..consume import take_in
from ..errors import ConsumerError, DatabaseUnreadable, SourceError
from ..home import DATABASE, EVENTS, find_home
from ..store import Store

Function = TypeVar("Function", bound=Callable[..., Any])

database_option = click.option(
    "--database",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The database. Default: that of the .relineage found upwards.",
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="List at most that many. Default: 50 in tables, else all.",
)


def format_option(*formats: str) -> Callable[[Function], Function]:
    """`--format`, the first one being the default."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="The output.",
    )


@contextmanager
def question(database: Path | None) -> Iterator[Store]:
    """The open database for a question, with what is new in its `.relineage/events` taken in; or that of a bundle.

    Raises:
        ConsumerError: There is none, or it cannot be opened or written.
    """
    if database is not None and is_bundle(database):
        from ..bundle.opening import opened as opened_bundle  # most questions are put to no bundle

        with opened_bundle(database) as bundle:
            yield bundle.store
        return
    home = find_home(Path.cwd())
    own = None if home is None else home / DATABASE
    path = own if database is None else database
    if path is None:
        raise SourceError(
            f"there is no .relineage in {Path.cwd()} or above: run something with relineage.emitter there first, "
            "take events in with relineage consume, or name a --database"
        )
    beside = home / EVENTS if home is not None and own is not None and _same(path, own) else None
    if beside is None and not path.exists():
        raise SourceError(f"{path} does not exist; relineage consume --database {path} makes it")
    with opened(path) as store:
        if beside is not None and beside.is_dir():
            letters = take_in(store, [beside]).letters
            if letters:
                click.echo(
                    f"relineage: {letters} new message{'s'[: letters > 1]} in {beside} could not be read as events; "
                    "relineage letters lists them",
                    err=True,
                )
        yield store


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """The open database; what the disk does not let us do is one of our errors.

    Raises:
        ConsumerError: It cannot be opened or written.
    """
    try:
        with Store.open(path) as store:
            yield store
    except ConsumerError:
        raise
    except (engine.IOException, engine.TransactionException, OSError) as error:
        raise DatabaseUnreadable(f"{path}: {error}") from error


def _same(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)
