"""How long tracing takes in a store of many runs, beside one hash join over the same tables."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store

TITLE = "upstream and downstream in a store of 400,000 reads and 400,000 writes"
NEEDS_KAFKA = False
DEPTH = 50  # steps, one after the other
WIDTH = 20  # pipelines of a group, which read from each other
GROUPS = 200
BATCH_MESSAGES = 20_000
REPETITIONS = 5
BEGIN = datetime(2026, 1, 15, tzinfo=UTC)
HASH_JOIN = """select count(*) from store.read r join store.write w using (version_key)
               where r.run_id <> w.run_id and r.holds and w.holds"""


def run_id(group: int, step: int, pipeline: int) -> str:
    """A run id that says where the run stands."""
    return str(UUID(int=(7 << 76) | (2 << 62) | (group * DEPTH + step) * WIDTH + pipeline))


def entry(group: int, step: int, pipeline: int, table: int) -> dict[str, Any]:
    """A version of a table: every step writes two."""
    version = {"datasetVersion": f"{group}.{step}.{pipeline}.{table}"}
    name = f"g{group}/p{pipeline}/s{step}/t{table}"
    return {"namespace": "lake", "name": name, "facets": {"version": version}}


def message(group: int, step: int, pipeline: int) -> bytes:
    """A step: it reads a table of its own pipeline and one of the next pipeline, and writes two."""
    neighbour = (pipeline + 1) % WIDTH
    document = {
        "eventType": "COMPLETE",
        "eventTime": (BEGIN + timedelta(minutes=step, seconds=group)).isoformat(),
        "run": {"runId": run_id(group, step, pipeline)},
        "job": {"namespace": "benchmark", "name": f"step-{step}"},
        "inputs": [entry(group, step - 1, pipeline, 0), entry(group, step - 1, neighbour, 1)],
        "outputs": [entry(group, step, pipeline, 0), entry(group, step, pipeline, 1)],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def fill(store: Store) -> None:
    """All groups, in the order in which their events would come."""
    bodies: list[Message] = []
    for step in range(DEPTH):
        for group in range(GROUPS):
            for pipeline in range(WIDTH):
                body = message(group, step, pipeline)
                bodies.append(Message(body=body, source="benchmark", offset=len(bodies)))
                if len(bodies) == BATCH_MESSAGES:
                    store.ingest(Batch(bodies))
                    bodies = []
    store.ingest(Batch(bodies))


def median_ms(work: Callable[[], Any]) -> float:
    """Of a few repetitions after a first one."""
    work()
    times = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times) * 1000


def measure(kafka: str) -> Iterator[tuple[str, str]]:
    """In memory, both ways from the middle group."""
    with Store.open() as store:
        fill(store)

        def rows(query: str, **values: str) -> list[tuple[Any, ...]]:
            return store.connection.execute(query, values).fetchall()

        [counts] = rows("select (select count(*) from store.read), (select count(*) from store.write)")
        yield "reads and writes", f"{counts[0]:,} and {counts[1]:,}"
        last, first = run_id(GROUPS // 2, DEPTH - 1, 3), run_id(GROUPS // 2, 0, 3)
        hash_ms = median_ms(lambda: rows(HASH_JOIN))
        yield "one hash join over both tables", f"{hash_ms:.0f} ms"
        for macro, x in (("upstream", last), ("downstream", first)):
            query = f"from {macro}($x)"
            found = rows(f"select count(*), max(depth), count(distinct reader_run_id) from {macro}($x)", x=x)
            took_ms = median_ms(lambda query=query, x=x: rows(query, x=x))  # type: ignore[misc]
            yield (
                f"{macro} of one run",
                f"{took_ms:.0f} ms: {found[0][0]:,} rows, {found[0][1]} deep, {found[0][2]} readers",
            )
            yield f"**{macro} / hash join**", f"**{took_ms / hash_ms:.1f}** (aim: 2)"
        tiny_ms = median_ms(lambda: rows("from upstream($x)", x=run_id(0, 0, 0)))
        yield "upstream of a run that reads raw data", f"{tiny_ms:.0f} ms"
