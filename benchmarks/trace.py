"""How long tracing takes in a store of many runs, beside one hash join over the same tables."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
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
CHAIN = 5_000  # runs, one after the other
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


def message(group: int, step: int, pipeline: int, inputs: list[dict[str, Any]] | None = None) -> bytes:
    """A step: it reads a table of its own pipeline and one of the next pipeline, unless told, and writes two."""
    neighbour = (pipeline + 1) % WIDTH
    document = {
        "eventType": "COMPLETE",
        "eventTime": (BEGIN + timedelta(minutes=step, seconds=group)).isoformat(),
        "run": {"runId": run_id(group, step, pipeline)},
        "job": {"namespace": "benchmark", "name": f"step-{step}"},
        "inputs": inputs or [entry(group, step - 1, pipeline, 0), entry(group, step - 1, neighbour, 1)],
        "outputs": [entry(group, step, pipeline, 0), entry(group, step, pipeline, 1)],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def chain() -> list[Message]:
    """A training loop: each run reads what the one before it wrote."""
    bodies = [message(0, step, 0, [entry(0, step - 1, 0, 0)]) for step in range(CHAIN)]
    return [Message(body=body, source="benchmark", offset=offset) for offset, body in enumerate(bodies)]


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


def ask(store: Store, query: str, values: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    """All rows."""
    return store.connection.execute(query, values).fetchall()


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
    planning_ms = {}
    with Store.open() as store:
        store.ingest(Batch([Message(body=message(0, 0, 0), source="benchmark", offset=0)]))
        for macro in ("upstream", "downstream"):
            values = {"x": run_id(0, 0, 0)}
            planning_ms[macro] = median_ms(partial(ask, store, f"from {macro}($x)", values))
            yield f"{macro} in a store of one run (DuckDB plans the query)", f"{planning_ms[macro]:.0f} ms"
    with Store.open() as store:
        store.ingest(Batch(chain()))
        for macro, step in (("upstream", CHAIN - 1), ("downstream", 0)):
            took_ms = median_ms(partial(ask, store, f"from {macro}($x)", {"x": run_id(0, step, 0)}))
            step_us = (took_ms - planning_ms[macro]) / CHAIN * 1000
            yield (f"{macro} of a chain of {CHAIN:,} runs, beyond planning", f"{step_us:.0f} µs a run")
    with Store.open() as store:
        fill(store)
        rows = partial(ask, store)

        [counts] = rows("select (select count(*) from store.read), (select count(*) from store.write)")
        yield "reads and writes", f"{counts[0]:,} and {counts[1]:,}"
        hash_ms = median_ms(partial(rows, HASH_JOIN))
        yield "one hash join over both tables", f"{hash_ms:.0f} ms"
        for macro, step in (("upstream", DEPTH - 1), ("downstream", 0)):
            values = {"x": run_id(GROUPS // 2, step, 3)}
            [found] = rows(
                f"select count(*), max(depth), count(distinct reader_run_id) from {macro}($x)", values
            )
            took_ms = median_ms(partial(rows, f"from {macro}($x)", values))
            yield (
                f"{macro} of one run",
                f"{took_ms:.0f} ms: {found[0]:,} rows, {found[1]} deep, {found[2]} readers",
            )
            beyond = (took_ms - planning_ms[macro]) / hash_ms
            yield f"**{macro}, beyond planning / hash join**", f"**{beyond:.1f}** (aim: 2)"
