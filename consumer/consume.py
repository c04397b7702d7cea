"""The loop: take a batch from a source, store it, take the next.

Decides nothing about messages. After any crash it goes on from the offsets in the database, which were committed
with the rows.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .ingest.batch import Batch
from .sources import files
from .store import Store


@dataclass(frozen=True)
class Progress:
    """How far a consumption is: messages and bytes stored; of how many bytes, where that is known."""

    messages: int
    bytes: int
    total_bytes: int | None


@dataclass(frozen=True)
class Summary:
    """What was taken in: events, dead letters, and lines left because their file does not end in a whole one."""

    events: int
    letters: int
    unfinished: tuple[files.Unfinished, ...] = ()


Report = Callable[[Progress], None]


def take_in(
    store: Store,
    paths: Sequence[Path | files.Pipe],
    *,
    progress: Report | None = None,
    stop: threading.Event | None = None,
) -> Summary:
    """Store what is new in files, folders and standard input (`-`).

    Raises:
        SourceError: A path does not exist or cannot be read; what was read before is stored.
    """
    expanded = files.expand(paths)
    unfinished: list[files.Unfinished] = []

    def reached(source: str) -> files.Reached | None:
        row = store.reached(source)
        return files.Reached(*row) if row else None

    total = None if "-" in expanded else files.new_bytes(expanded, reached)
    batches = files.batches(expanded, reached, sys.stdin.buffer, unfinished)
    events, letters = _store_all(store, batches, progress, stop or threading.Event(), total)
    return Summary(events, letters, tuple(unfinished))


def consume_kafka(
    store: Store,
    *,
    bootstrap: str,
    topics: Sequence[str],
    until_current: bool,
    stop: threading.Event,
    progress: Report | None = None,
    when_gone: Literal["fail", "earliest", "latest"] = "fail",
) -> Summary:
    """Store what topics hold, until `stop`; with `until_current` until what was there at the beginning is stored.

    Raises:
        SourceError: No broker answers, a topic is missing, or an offset is gone.
    """
    from .sources.kafka import KafkaSource  # kafka takes 0.1 s to import

    def next_offset(source: str, partition: int) -> int | None:
        row = store.reached(source, partition)
        return row[0] if row else None

    source = KafkaSource(bootstrap=bootstrap, topics=topics, next_offset=next_offset, when_gone=when_gone)
    try:
        batches = source.batches(until_current=until_current, stop=stop)
        return Summary(*_store_all(store, batches, progress, stop, None))
    finally:
        source.close()


def _store_all(
    store: Store,
    batches: Iterable[Batch],
    progress: Report | None,
    stop: threading.Event,
    total_bytes: int | None,
) -> tuple[int, int]:
    """Events and dead letters stored."""
    before = store.counts()
    messages = size = 0
    with store.one_thread():
        for batch in batches:
            store.ingest(batch)
            messages += len(batch.messages)
            size += batch.bytes
            if progress is not None:
                progress(Progress(messages, size, total_bytes))
            if stop.is_set():
                break
    after = store.counts()
    return after[0] - before[0], after[1] - before[1]
