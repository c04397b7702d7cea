"""`relineage consume`: takes events in until they end, or until it is told to stop.

Decides what a signal does: the batch at hand is stored, and the command ends well. Where messages come from and what
becomes of them is decided in sources/ and ingest/.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from .. import consume
from ..display import printable
from ..errors import SourceError
from ..home import EVENTS, default_database, find_home
from ..sources import files
from ..sources.kafka import DEFAULT_TOPIC, knock
from .session import database_option, opened

LINE_SECONDS = 5.0


@click.command("consume")
@click.argument("paths", metavar="[PATH...|-]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--kafka", metavar="HOST:PORT", help="Take events from Kafka; several addresses with commas.")
@click.option(
    "--topic",
    "topics",
    metavar="TOPIC",
    multiple=True,
    help=f"May be given several times. Default: {DEFAULT_TOPIC}.",
)
@click.option("--until-current", is_flag=True, help="Kafka: stop when what is there now is stored.")
@click.option(
    "--when-gone",
    type=click.Choice(["fail", "earliest", "latest"]),
    default="fail",
    show_default=True,
    help="Kafka: what to do when the broker has deleted messages that were not read yet.",
)
@database_option
def command(
    paths: tuple[Path, ...],
    kafka: str | None,
    topics: tuple[str, ...],
    until_current: bool,
    when_gone: Literal["fail", "earliest", "latest"],
    database: Path | None,
) -> int:
    """Take events in.

    PATH is a file, a folder (all *.json, *.jsonl and *.ndjson below it), or - for standard input; without PATH and
    --kafka it is `.relineage/events`. A file is read from where it was left; the command ends when all is read. From
    Kafka it goes on until it is stopped. On SIGTERM or Ctrl-C the batch at hand is stored first.
    """
    if kafka is None and (topics or until_current or when_gone != "fail"):
        raise click.UsageError("--topic, --until-current and --when-gone belong to --kafka HOST:PORT")
    if kafka is not None and paths:
        raise click.UsageError("take events from files or from --kafka, one at a time")
    # What is not there fails here, before a folder and a database are made.
    sources = files.expand(_sources(paths)) if kafka is None else []
    if kafka is not None:
        knock(kafka)
    with (
        opened(database or default_database(Path.cwd())) as store,
        _stopped_by_signals("-" in sources) as stop,
        _told() as report,
    ):
        if kafka is None:
            summary = consume.take_in(store, sources, progress=report, stop=stop)
        else:
            summary = consume.consume_kafka(
                store,
                bootstrap=kafka,
                topics=topics or (DEFAULT_TOPIC,),
                until_current=until_current,
                stop=stop,
                progress=report,
                when_gone=when_gone,
            )
        stopped = stop.is_set()
    for left in summary.unfinished:
        _say(f"{left.path}: a last line of {left.bytes} bytes is not whole yet and was left")
    letters = f", and {summary.letters} that could not be read: relineage letters" if summary.letters else ""
    _say(f"{'stopped: ' * stopped}took in {summary.events} event{'s'[: summary.events != 1]}{letters}")
    return 0


def _sources(paths: tuple[Path, ...]) -> list[Path | Literal["-"]]:
    if paths:
        return ["-" if str(path) == "-" else path for path in paths]
    home = find_home(Path.cwd())
    if home is None:
        raise SourceError(
            f"there is no .relineage in {Path.cwd()} or above; name a PATH, - for standard input, or --kafka HOST:PORT"
        )
    return [home / EVENTS]


@contextmanager
def _stopped_by_signals(reads_stdin: bool) -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; a second one ends the command the hard way (the database stays whole)."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        if reads_stdin:
            # A read that waits goes on after a signal: give it the end of an empty file.
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            os.close(nothing)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _told() -> Iterator[Callable[[consume.Progress], None]]:
    """Tells people how far it is: a bar on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines().report
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[events]} messages"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, events="0")

        def report(progress: consume.Progress) -> None:
            bar.update(
                task, completed=progress.bytes, total=progress.total_bytes, events=f"{progress.messages:,}"
            )

        yield report


class _Lines:
    """A log line at most every five seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINE_SECONDS

    def report(self, progress: consume.Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_SECONDS
            _say(f"{progress.messages:,} messages, {progress.bytes / 1e6:,.0f} MB")


def _say(text: str) -> None:
    click.echo(f"relineage: {printable(text)}", err=True)
