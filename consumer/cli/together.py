"""Two things of which one is a bundle: both brought into one database, with all that belongs to each.

Decides what is taken over of each. Leaves what they are to asked.py.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..bundle.archive import EVENTS
from ..bundle.closure import Closure
from ..bundle.opening import Bundle, unpack
from ..consume import take_in
from ..display import printable
from ..errors import BundleError
from ..home import DATABASE
from ..named import named
from ..store import Store
from .asked import asked

log = logging.getLogger("relineage")


@contextmanager
def together(
    database: Path | None, xs: Sequence[str], files: Sequence[Path | None], *, by_content_only: bool
) -> Iterator[tuple[Store, Sequence[str], Sequence[Bundle]]]:
    """A database with both, what they are called there, and the bundles.

    Args:
        database: In which those that are no bundle are looked for.
        xs: As typed.
        files: Of those that are bundles.
        by_content_only: As in `meant`.

    Raises:
        ConsumerError: One of them is unknown, or several, or cannot be read.
    """
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
        yield store, whole, bundles


@contextmanager
def _fresh() -> Iterator[tuple[Store, Path]]:
    with tempfile.TemporaryDirectory(prefix="relineage-") as name:
        folder = Path(name)
        with Store.open(folder / DATABASE) as store:
            yield store, folder


def _brought(database: Path | None, x: str, store: Store, folder: Path, *, by_content_only: bool) -> str:
    """Take what belongs to x over into another database; what it is called there."""
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
