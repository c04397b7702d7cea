"""What a question is put to, where X, or the database, may be a bundle.

Decides what a bundle means on the command line: as X the thing that it is of, asked among its own events; as
`--database` a database like any other, in which X is looked for. Of two things of which one is a bundle, both are
brought into one database, with all that belongs to each. A bundle's paths are those of another machine: they are not
looked at, and its own code and contents stand for them.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import engine
from ..bundle.mark import is_bundle
from ..consume import take_in
from ..display import printable
from ..errors import BundleError
from ..home import DATABASE, find_home
from ..named import named
from ..store import Store
from .session import question
from .subject import looks_like_a_file, meant

if TYPE_CHECKING:
    from ...emitter.store import Store as Objects
    from ..bundle.opening import Bundle

log = logging.getLogger("relineage")


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
        if shutil.which("git") is None:
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
    from ..bundle.opening import unpack

    with ExitStack() as stack:
        store, folder = stack.enter_context(_fresh())
        bundles, whole = [], []
        for x, file in zip(xs, files, strict=True):
            if file is not None:
                bundle = stack.enter_context(unpack(file, store, folder))
                bundles.append(bundle)
                whole.append(bundle.manifest.of.x)
            else:
                whole.append(_brought(database, x, store, folder, by_content_only=by_content_only))
        _warn_of_two_stories(store, xs)
        yield Asked(store, whole, bundles)


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


@contextmanager
def _fresh() -> Iterator[tuple[Store, Path]]:
    with tempfile.TemporaryDirectory(prefix="relineage-") as name:
        folder = Path(name)
        with Store.open(folder / DATABASE) as store:
            yield store, folder


def _brought(database: Path | None, x: str, store: Store, folder: Path, *, by_content_only: bool) -> str:
    """Take what belongs to x over into another database; what it is called there."""
    from ..bundle.archive import EVENTS
    from ..bundle.closure import Closure

    with asked(database, x, by_content_only=by_content_only) as own:
        try:
            closure = Closure(own.connection, own.x[0])
        except BundleError:
            raise BundleError(f"no run is known that made {printable(x)}") from None
        try:
            events = Path(tempfile.mkdtemp(dir=folder))
            with (events / EVENTS).open("wb") as lines:
                for event in closure.events():
                    if event.is_line:
                        lines.write(event.body + b"\n")
                    else:
                        (events / f"{event.digest}.json").write_bytes(event.body)
            _bring_details(own.store.folder(), folder, closure.details())
        finally:
            closure.close()
    take_in(store, [events])
    return closure.of.x


def _warn_of_two_stories(store: Store, xs: Sequence[str]) -> None:
    """Who brings two records of one run, and not the same, must know: the answer mixes them."""
    runs = [run_id for (run_id,) in store.connection.execute(named("closure")["told_otherwise"]).fetchall()]
    if runs:
        more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        log.warning(
            "%s tell of run %s%s otherwise: one of the records was changed", " and ".join(xs), runs[0], more
        )


def _bring_details(source: Path | None, target: Path, digests: Sequence[str]) -> None:
    """What did not fit into events lies beside each database."""
    (target / "objects").mkdir(exist_ok=True)
    for digest in digests:
        name = f"{digest}.json"
        kept = None if source is None else source / "objects" / name
        if (
            kept is not None
            and "/" not in name
            and kept.is_file()
            and not (target / "objects" / name).exists()
        ):
            (target / "objects" / name).write_bytes(kept.read_bytes())
