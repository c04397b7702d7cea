"""Messages from Kafka.

Decides what a source is: a partition of a topic of a cluster, by their ids, so that a topic made anew is seen as
another one. One database has one writer, so this assigns itself all partitions (a group would split one lineage over
two files) and looks for new ones. Offsets come from the database alone. Leaves storing to consume.py.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from ..errors import SourceError
from ..ingest.batch import Batch, Message, Moved

log = logging.getLogger("relineage")

DEFAULT_TOPIC = "openlineage.events"
BATCH_BYTES = 16 << 20
BATCH_SECONDS = 0.25
LOOK_AGAIN_SECONDS = 30.0
CONNECT_SECONDS = 10.0

WhenGone = Literal["fail", "earliest", "latest"]


@dataclass(frozen=True)
class Partition:
    """One partition under its ids: `source` is what the database knows it by."""

    topic: str
    number: int
    source: str


class KafkaSource:
    """An open connection that hands out batches.

    Args:
        bootstrap: HOST:PORT, or several with commas.
        topics: Names of topics.
        next_offset: The next offset of (source, partition) by the database; None for one never read.
        when_gone: What to do when the broker no longer has that offset: fail, or go on at an end.

    Raises:
        SourceError: The broker does not answer.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        topics: Sequence[str],
        next_offset: Callable[[str, int], int | None],
        when_gone: WhenGone = "fail",
    ) -> None:
        self._topics = list(topics)
        self._next_offset = next_offset
        self._when_gone = when_gone
        self._partitions: dict[TopicPartition, Partition] = {}
        self._missing: set[str] = set()
        self._jumped: dict[TopicPartition, Moved] = {}
        knock(bootstrap)
        settings = {
            "bootstrap_servers": bootstrap.split(","),
            "bootstrap_timeout_ms": int(CONNECT_SECONDS * 1000),
        }
        try:
            self._admin = KafkaAdminClient(**settings)
            self._consumer = KafkaConsumer(
                **settings,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",  # what a producer took back was never said
                max_poll_records=20_000,
                fetch_max_bytes=50_000_000,
                max_partition_fetch_bytes=16_000_000,
            )
            self._cluster = self._admin.describe_cluster()["cluster_id"]
        except (KafkaError, OSError, ValueError) as error:
            raise SourceError(f"no Kafka broker answers at {bootstrap}: {error}") from error

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
        self._admin.close()

    def batches(self, *, until_current: bool, stop: threading.Event) -> Iterator[Batch]:
        """Batches of about 16 MB or 250 ms, until `stop`; or until what was there at the beginning is read.

        Raises:
            SourceError: A topic is not there (with `until_current`), or an offset is gone.
        """
        self._look()
        if until_current and self._missing:
            there = ", ".join(
                sorted(topic for topic in self._consumer.topics() if not topic.startswith("__"))
            )
            raise SourceError(
                f"the broker has no topic {', '.join(sorted(self._missing))}; it has: {there or 'none'}"
            )
        ends = self._consumer.end_offsets(list(self._partitions)) if until_current else {}
        looked = time.monotonic()
        while not stop.is_set():
            if until_current and all(self._consumer.position(place) >= end for place, end in ends.items()):
                return
            if (batch := self._poll(stop)) is not None:
                yield batch
            if time.monotonic() - looked > LOOK_AGAIN_SECONDS:
                self._look()
                looked = time.monotonic()

    def _look(self) -> None:
        """Take in partitions that are new, at the offset where the database says, or at their beginning."""
        found: dict[TopicPartition, Partition] = {}
        missing = set(self._topics)
        for topic in self._admin.describe_topics(self._topics):
            if topic["error_code"] or not topic["partitions"]:
                continue
            missing.discard(topic["name"])
            source = f"kafka:{self._cluster}/{topic['topic_id']}"
            for partition in topic["partitions"]:
                number = partition["partition_index"]
                found[TopicPartition(topic["name"], number)] = Partition(topic["name"], number, source)
        for name in sorted(missing - self._missing):
            log.warning("waiting for topic %s, which the broker does not have", name)
        self._missing = missing
        new = [place for place in found if self._partitions.get(place) != found[place]]
        if not new:
            return
        going_on = {place: self._consumer.position(place) for place in found if place not in new}
        self._partitions = found
        self._consumer.assign(list(found))
        for place, offset in going_on.items():
            self._consumer.seek(place, offset)
        beginnings = self._consumer.beginning_offsets(new)
        for place in new:
            known = self._next_offset(found[place].source, place.partition)
            self._consumer.seek(place, beginnings[place] if known is None else known)

    def _poll(self, stop: threading.Event) -> Batch | None:
        messages: list[Message] = []
        moved: dict[TopicPartition, Moved] = {}
        size = 0
        deadline: float | None = None
        while size < BATCH_BYTES and (deadline is None or time.monotonic() < deadline) and not stop.is_set():
            wait_seconds = BATCH_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
            for place, records in self._records(wait_seconds).items():
                partition = self._partitions[place]
                for record in records:
                    messages.append(
                        Message(
                            body=record.value,
                            source=partition.source,
                            offset=record.offset,
                            topic=partition.topic,
                            partition=partition.number,
                        )
                    )
                    size += len(record.value or b"")
                moved[place] = self._moved(place, records[-1].offset + 1)
                deadline = deadline or time.monotonic() + BATCH_SECONDS
            moved = self._jumped | moved
            self._jumped = {}
            if deadline is None:
                break
        return Batch(messages, list(moved.values())) if moved else None

    def _moved(self, place: TopicPartition, next_offset: int) -> Moved:
        known = self._partitions[place]
        return Moved(source=known.source, partition=known.number, topic=known.topic, next_offset=next_offset)

    def _records(self, wait_seconds: float) -> dict[TopicPartition, list[Any]]:
        try:
            records: dict[TopicPartition, list[Any]] = self._consumer.poll(
                timeout_ms=int(wait_seconds * 1000)
            )
            return records
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            if self._when_gone == "fail":
                raise SourceError(
                    f"the broker no longer has the offset at which this database goes on ({error}): "
                    "messages in between were deleted unread. "
                    "Choose: --when-gone earliest (go on with the oldest that is left) or latest"
                ) from error
            places = list(self._partitions)
            bounds = self._consumer.beginning_offsets(places), self._consumer.end_offsets(places)
            for place in places:
                if not bounds[0][place] <= self._consumer.position(place) <= bounds[1][place]:
                    target = bounds[self._when_gone == "latest"][place]
                    log.warning(
                        "%s: offset %d is gone, going on at %d", place, self._consumer.position(place), target
                    )
                    self._consumer.seek(place, target)
                    self._jumped[place] = self._moved(place, target)
            return {}


def knock(bootstrap: str) -> None:
    """See whether anything listens at all: kafka-python would try for long, and leave a thread behind.

    Raises:
        SourceError: Nothing does, or an address is none.
    """
    reasons = []
    for address in bootstrap.split(","):
        host, colon, port = address.strip().rpartition(":")
        if not colon or not port.isdigit():
            raise SourceError(f"{address!r} is no Kafka address: it takes HOST:PORT")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            reasons.append(f"{address}: {error.strerror or error}")
        else:
            return
    raise SourceError(f"no Kafka broker answers at {'; '.join(reasons)}")
