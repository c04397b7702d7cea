"""`relineage digest`: what a file or folder would be recorded as. Needs nothing but the emitter.

Decides that a bar is shown only to a person (standard error is a terminal) who waits, and only where rich is
installed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ...emitter.digests import Content, Refused, cache_in, content_of
from ...emitter.home import existing_home
from ..display import printable

if TYPE_CHECKING:
    from ...emitter.digests.cache import DigestCache

WAITED_SECONDS = 0.5


@click.command("digest")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--compare", "compared", is_flag=True, help="What differs between two: files, or X as in trace."
)
@click.option(
    "--tolerance",
    metavar="atol=,rtol=,ulps=",
    help="With --compare of what is a file or in the store: how far apart values may be.",
)
@click.option(
    "--database",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --compare. Default: that of the .relineage found upwards.",
)
@click.option(
    "--rows", is_flag=True, help="Of tables also the digest of their rows in any order: b3-rows1. 1 µs a row."
)
@click.option(
    "--no-cache",
    is_flag=True,
    help="Read every file, also one that has the size and times it had when it was digested before.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["lines", "json"]),
    default="lines",
    show_default=True,
    help="The output.",
)
def command(
    paths: tuple[str, ...],
    compared: bool,
    tolerance: str | None,
    database: Path | None,
    rows: bool,
    no_cache: bool,
    format_: Literal["lines", "json"],
) -> int:
    """Digest files and folders.

    One line a digest, the strongest first: the digest, two spaces, the path. A Parquet, Arrow, CSV, npy, npz or
    safetensors file has one for what it holds and one for its bytes; the first finds the same table in another file.
    What was digested is remembered in `.relineage/cache`, where there is a .relineage. Exit code 2 if a path could not
    be digested; the others are.

    --compare A B names the columns, the rows (in steps of 65,536) and the tensors that differ, of recorded versions
    too, without their data. Exit code 1 when something does.
    """
    cache = None if no_cache else cache_in(existing_home(Path.cwd()))
    if compared:
        return _compare(paths, tolerance, format_, database, rows, cache)
    if tolerance is not None or database is not None:
        raise click.UsageError("--tolerance and --database go with --compare")
    found: list[dict[str, Any]] = []
    for path in map(Path, paths):
        one: dict[str, Any] = {"path": str(path)}
        found.append(one)
        try:
            if path.is_symlink():
                one["link_to"] = str(path.resolve())
                _say(path, f"is a link; digested is {one['link_to']}")
            with _bar(path) as progress:
                content = content_of(path, rows=rows, cache=cache, progress=progress)
        except (
            Refused,
            OSError,
            RuntimeError,
        ) as refused:  # a name may be too long, links may go in a circle
            reason = _reason(path, refused)
            one["error"] = reason
            _say(path, reason)
            continue
        one |= _told(content)
        if format_ == "lines":
            for digest in content.digests:
                click.echo(f"{digest}  {printable(str(path))}")
        if content.absent:
            _say(path, _without(path, content.absent))
    if format_ == "json":
        text = json.dumps(found, ensure_ascii=False, indent=2)
        click.echo(text.encode("utf-8", "backslashreplace"))
    return 2 if any("error" in one for one in found) else 0


def _compare(
    paths: tuple[str, ...],
    tolerance: str | None,
    format_: Literal["lines", "json"],
    database: Path | None,
    rows: bool,
    cache: DigestCache | None,
) -> int:
    from .comparing import compare_command, parsed_tolerance

    if len(paths) != 2:
        raise click.UsageError("--compare takes two")

    def digested(path: Path) -> Content:
        with _bar(path) as progress:
            return content_of(path, rows=rows, cache=cache, progress=progress)

    allowed = None if tolerance is None else parsed_tolerance(tolerance)
    return compare_command(
        *paths, digested=digested, tolerance=allowed, as_json=format_ == "json", database=database
    )


def _told(content: Content) -> dict[str, Any]:
    return {
        "digests": list(content.digests),
        "kind": content.kind,
        "rows": content.rows,
        "bytes": content.bytes,
        "absent": content.absent,
    }


def _reason(path: Path, error: Exception) -> str:
    """One line without the path, which stands before it."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return _without(path, str(error))


def _without(path: Path, text: str) -> str:
    return text.replace(f"{path}: ", "", 1)


def _say(path: Path, text: str) -> None:
    click.echo(f"relineage: {printable(str(path))}: {printable(text)}", err=True)


@contextmanager
def _bar(path: Path) -> Iterator[Callable[[int, int], None] | None]:
    """Shows how far it is after half a second."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:  # it comes with the consumer
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True, markup=False), transient=True)
    task = bar.add_task(printable(path.name or os.fspath(path)), total=None)
    began = time.monotonic()

    def report(done: int, total: int) -> None:
        if time.monotonic() >= began + WAITED_SECONDS:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        bar.stop()
