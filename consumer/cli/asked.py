"""What a question is put to, where X, or the database, may be a bundle.

Decides what a bundle means on the command line: as X the thing that it is of, asked among its own events; as
`--database` a database like any other, in which X is looked for. A bundle's paths are those of another machine: they
are not looked at, and its own code and contents stand for them. Leaves two things of which one is a bundle to
together.py.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import engine
from ..bundle.mark import is_bundle
from ..display import printable
from ..errors import BundleError
from ..home import find_home
from ..store import Store
from .session import question
from .subject import looks_like_a_file, meant

if TYPE_CHECKING:
    from ...emitter.store import Store as Objects
    from ..bundle.opening import Bundle


@dataclass(frozen=True)
class Asked:
    """A database for a question, and what it is about.

    Attributes:
        store: The database.
        x: As to be put to the macros, in the order in which they were typed.
        bundles: Those that were opened; none for a question to an ordinary database.
    """

    store: Store
    x: Sequence[str]
    bundles: Sequence[Bundle]

    @property
    def connection(self) -> engine.DuckDBPyConnection:
        """Of the database."""
        return self.store.connection

    @property
    def elsewhere(self) -> bool:
        """Whether the events come from another machine, so that nothing but the bundles is to be looked at."""
        return bool(self.bundles)

    def packed(self) -> list[Path] | None:
        """The repositories of the bundle; null for an ordinary database. None where git is not installed.

        Raises:
            BundleError: git refuses what is in it.
        """
        if not self.bundles:
            return None
        from shutil import which

        if which("git") is None:
            return []
        return [repository for bundle in self.bundles for repository in bundle.repositories]

    def repositories(self) -> list[Path]:
        """Where code is looked for: the bundle's own repositories, else around the working directory.

        Raises:
            BundleError: git refuses what is in the bundle.
        """
        packed = self.packed()
        return [Path.cwd()] if packed is None else packed

    def objects(self) -> Objects | None:
        """The contents in the bundle, else the store of the project; null if there is none.

        Raises:
            BundleError: What is in the bundle is not what it says.
            SourceError: There is a store, and it is not for this machine.
        """
        # The emitter takes 0.1 s to import, and few questions need it.
        from ...emitter.store import open_store
        from .contents import objects_of

        if not self.bundles:
            return objects_of(Path.cwd())
        folders = [folder for bundle in self.bundles if (folder := bundle.objects) is not None]
        return open_store(folders[0], folders[0]) if folders else None


@contextmanager
def asked(
    database: Path | None, *xs: str, by_content_only: bool = False, names_pass: bool = False
) -> Iterator[Asked]:
    """The database for a question about some things.

    Args:
        database: As the command was given it; a bundle will do.
        xs: As typed.
        by_content_only: As in `meant`.
        names_pass: As in `meant`.

    Raises:
        ConsumerError: It cannot be opened, or one of the things is unknown, or several.
    """
    with _importing("rich.console", "rich.table"), _asked(database, xs, by_content_only, names_pass) as found:
        yield found


@contextmanager
def _importing(*modules: str) -> Iterator[None]:
    """What shows the answer is imported meanwhile: the database takes longer."""
    thread = threading.Thread(target=lambda: [import_module(name) for name in modules])
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def _asked(
    database: Path | None, xs: Sequence[str], by_content_only: bool, names_pass: bool
) -> Iterator[Asked]:
    files = [_bundle(x) for x in xs]
    if not any(files):
        if database is None or not is_bundle(database):
            if database is None and find_home(Path.cwd()) is None:
                _refuse_what_can_only_be_a_bundle(xs)
            with question(database) as store:
                whole = [
                    meant(store.connection, x, by_content_only=by_content_only, names_pass=names_pass)
                    for x in xs
                ]
                yield Asked(store, whole, ())
            return
        from ..bundle.opening import opened  # most questions are put to no bundle

        with opened(database) as bundle:
            whole = [meant(bundle.store.connection, x, by_content_only=by_content_only) for x in xs]
            yield Asked(bundle.store, whole, (bundle,))
        return
    if database is not None and all(files):
        raise click.UsageError("a bundle is its own database: leave --database out")
    from .together import together

    with together(database, xs, files, by_content_only=by_content_only) as (store, known_as, bundles):
        yield Asked(store, known_as, bundles)


def work_tree(folder: Path) -> Path:
    """The one around a folder, or the folder itself: what lay in that of a run may be at the same place in it."""
    from ...emitter.capture.code import Repositories

    repository = Repositories().at(folder)
    return folder if repository is None else repository.root


def is_in_bundle(x: str, database: Path | None) -> bool:
    """Whether X, or the database in which it is looked for, is a bundle."""
    return _bundle(x) is not None or (database is not None and is_bundle(database))


def _bundle(x: str) -> Path | None:
    path = Path(x)
    return path if "\0" not in x and is_bundle(path) else None


def _refuse_what_can_only_be_a_bundle(xs: Sequence[str]) -> None:
    """Where there is no database, a file can only have been meant as a bundle.

    Raises:
        BundleError: One of them is a file, or looks like one and is not there.
    """
    for x in xs:
        if "\0" in x or not os.path.isfile(x):  # noqa: PTH113 - never raises
            if looks_like_a_file(x) and not os.path.lexists(x):
                raise BundleError(
                    f"there is no file {printable(x)} here, and no .relineage here or above that could know a run, "
                    "job, dataset or digest of that name: name a bundle (relineage bundle), a --database, or ask in "
                    "the folder of the project"
                )
            continue
        try:
            Path(x).open("rb").close()
        except OSError as error:
            raise BundleError(f"{printable(x)} cannot be read: {error.strerror}") from error
        raise BundleError(
            f"{printable(x)} is no bundle, and there is no .relineage here or above that could know it"
        )
