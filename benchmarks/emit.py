"""What emitting an event costs the job that emits it: 20 columns, Kafka there and not there, and files."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from relineage.emitter import Lineage
from relineage.emitter.transport.files import FileTransport
from relineage.emitter.transport.kafka import KafkaConfig, KafkaTransport

TITLE = "time of `emit` on the caller's side, for a COMPLETE event about 20 columns"
NEEDS_KAFKA = True
EVENTS = 2000
PAUSE_SECONDS = 0.001  # a job does something else between events
NOBODY = "127.0.0.1:9"  # the port of the discard protocol: no broker


class Kept:
    """A transport that keeps the events."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []

    def emit(self, event: Mapping[str, Any]) -> None:
        """Keep one."""
        self.events.append(event)


def complete_event() -> dict[str, Any]:
    """What a run that made a table of 20 columns says at its end."""
    kept = Kept()
    values = np.random.default_rng(7).normal(size=(1000, 20))
    table = pd.DataFrame(values, columns=[f"feature_{number:02}" for number in range(20)])
    lineage = Lineage(namespace="benchmark", transport=kept)
    with lineage.run("train", seed=7, params={"rate": 0.1}) as run:
        run.output(table, name="features", role="train")
    lineage.close()
    return dict(kept.events[-1])


def timed(emit: Callable[[Any], Any], event: dict[str, Any]) -> str:
    """Median, 99th percentile and longest of many calls."""
    times = []
    for _ in range(EVENTS):
        event["run"] = {**event["run"], "runId": str(uuid4())}
        began = time.perf_counter()
        emit(event)
        times.append(time.perf_counter() - began)
        time.sleep(PAUSE_SECONDS)
    times.sort()
    middle, high = times[EVENTS // 2], times[EVENTS * 99 // 100]
    return f"median {middle * 1e3:.2f} ms, 99 % {high * 1e3:.2f} ms, longest {times[-1] * 1e3:.1f} ms"


def measure(kafka: str) -> Iterator[tuple[str, str]]:
    """The same event through each transport."""
    from relineage.emitter.transport import message

    event = complete_event()
    yield "size of the event", f"{len(message.serialise(event)[1]) / 1000:.1f} kB"
    yield "making its bytes alone (checked, redacted, JSON)", timed(message.serialise, event)

    logging.getLogger("relineage").setLevel(logging.CRITICAL)  # that nobody is at one of the ports is known
    topic = f"bench-{uuid4().hex[:12]}"
    for place, address in (("Kafka", kafka), ("Kafka, no broker there", NOBODY)):
        transport = KafkaTransport(KafkaConfig(bootstrap_servers=(address,), topic=topic))
        result = timed(transport.emit, event)
        transport.close(30 if address == kafka else 0)
        assert transport.lost == 0
        yield place, f"{result}; {transport.delivered} of {EVENTS} delivered at the end"
    with tempfile.TemporaryDirectory() as folder:
        files = FileTransport(Path(folder) / "events")
        result = timed(files.emit, event)
        files.close()
        assert files.lost == 0
        yield "files", result
