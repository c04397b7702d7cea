"""How long `why` takes to name the cause between two models with 100,000 runs upstream each.

The yardstick, in the same database and run: one hash join over all reads and writes, and reading once what all runs say
of their parameters and seeds. Nobody can tell why two results differ everywhere without doing both. Each database is a
file that is opened anew, as people have it; the command is timed from outside, beside a bare interpreter.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from relineage.consumer.ask import Ask
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store

TITLE = "two models with 100,000 runs upstream each"
NEEDS_KAFKA = False
COLUMNS = ("wall", "CPU")
DEEP, CHAINS = 1_000, 100  # chains of steps that end in one model
ALL, ONE, NONE = range(CHAINS), (17,), ()
HEAP = 100_000  # a binary tree of steps, the model on top
LAYERS, WIDE = 100, 1_000  # layers of steps, each of which reads two of the layer below
BATCH_MESSAGES = 20_000
REPETITIONS = 5
BEGIN = datetime(2026, 1, 15, tzinfo=UTC)
HASH_JOIN = """select count(*) from store.read r join store.write w using (version_key)
               where r.run_id <> w.run_id and r.holds and w.holds"""
FACETS = """select count(distinct hash(body ->> ['$.parameters', '$.code', '$.entropy'])) from store.facet
            where key in ('relineage_step', 'relineage_seeds')"""
BASE = {"_producer": "https://example.com/benchmark", "_schemaURL": "https://example.com/schema"}
PACKAGES = {f"package-{n}": f"{n}.{n % 7}.{n % 3}" for n in range(40)}


def digest(label: str, *parts: object) -> str:
    """A digest of its own for everything that is told apart."""
    return f"b3-{label}1:{sha256(repr(parts).encode()).hexdigest()}"


def run_id(side: int, number: int) -> str:
    """A run id that says which run of which of the executions it is."""
    return str(UUID(int=(7 << 76) | (2 << 62) | side << 32 | number))


def entry(name: str, role: str | None, content: str, instant: datetime, io: str) -> dict[str, Any]:
    """One version of a dataset, as the emitter tells it; as others do, without a role."""
    told = {
        "version": BASE | {"datasetVersion": content},
        "relineage_content": BASE
        | {"digests": [content], "kind": "table", "rows": 1000, "distinctive": True},
    }
    facets = {"relineage_io": BASE | {"role": role, "instant": instant.isoformat(), "origin": "declared"}}
    return {"namespace": "lake", "name": name, "facets": told, io: {} if role is None else facets}


def message(
    side: int,
    number: int,
    job: str,
    reads: list[tuple[str, str]],
    writes: tuple[str, str],
    minute: int,
    alpha: str = "0.1",
    *,
    roles: bool = True,
) -> bytes:
    """A run: of (dataset, content) pairs it reads many and writes one."""
    at = BEGIN + timedelta(days=side, minutes=minute)
    inputs = [
        entry(name, f"input {place}" if roles else None, content, at, "inputFacets")
        for place, (name, content) in enumerate(reads)
    ]
    step = {
        "operation": job, "code": digest("code", job), "task": digest("task", reads, alpha),
        "recipe": digest("recipe", reads, alpha), "outcome": digest("outcome", writes),
        "parameters": [{"name": "alpha", "type": "float", "value": alpha}, {"name": "n", "type": "int", "value": "3"}],
    }  # fmt: skip
    libraries = [{"library": name, "seed": "1" * 39, "stateBefore": digest("bytes", name),
                  "stateAfter": digest("bytes", name, number)} for name in ("random", "numpy")]  # fmt: skip
    seeds = {"entropy": "2a", "given": True, "derivation": "seedsequence1", "libraries": libraries}
    environment = {
        "python": "3.12.3", "platform": "Linux-6.8-x86_64", "packages": PACKAGES, "argv": ["pipeline.py"],
        "process": str(UUID(int=side)),
    }  # fmt: skip
    document = {
        "eventType": "COMPLETE",
        "eventTime": (at + timedelta(seconds=30)).isoformat(),
        "run": {
            "runId": run_id(side, number),
            "facets": {
                "relineage_step": BASE | step,
                "relineage_seeds": BASE | seeds,
                "relineage_environment": BASE | environment,
            },
        },
        "job": {"namespace": "benchmark", "name": job},
        "inputs": inputs,
        "outputs": [
            entry(
                writes[0], "output" if roles else None, writes[1], at + timedelta(seconds=20), "outputFacets"
            )
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def deep(
    side: int, changed: Collection[int], folder: str = "deep", steps: int = DEEP, chains: int = CHAINS
) -> Iterator[bytes]:
    """Chains of steps that end in one model; of those `changed` the raw data is another one on each side."""

    def table(chain: int, step: int) -> tuple[str, str]:
        return f"{folder if step else 'raw'}/{chain}/{step}", digest(
            "table", chain, step, side if chain in changed else 0
        )

    for step in range(steps):
        for chain in range(chains):
            read, write = table(chain, step), table(chain, step + 1)
            yield message(side, step * chains + chain, f"step-{step}", [read], write, step)
    ends = [table(chain, steps) for chain in range(chains)]
    model = (f"{folder}/model", digest("tensors", side))
    yield message(side, steps * chains, "fit", ends, model, steps)


def deep_one(side: int) -> Iterator[bytes]:
    """One step."""
    yield message(side, 0, "step", [("raw", digest("table", side))], ("out", digest("table", side, 1)), 0)


def heap(side: int, alpha: str) -> Iterator[bytes]:
    """A binary tree: step n reads what 2n + 1 and 2n + 2 wrote; all steps have another parameter on each side."""

    def table(number: int) -> tuple[str, str]:
        variant = side if 2 * number + 1 < HEAP or number < HEAP else 0  # the raw data is the same
        return f"heap/{number}", digest("table", "heap", number, variant)

    for number in reversed(range(HEAP)):
        reads = [table(child) for child in (2 * number + 1, 2 * number + 2)]
        minute = HEAP.bit_length() - (number + 1).bit_length()
        yield message(side, HEAP * 10 + number, f"merge-{number % 50}", reads, table(number), minute, alpha)


def layers(side: int) -> Iterator[bytes]:
    """Layers of steps of another producer, which names no roles; one of the raw tables is another one on each side."""
    draw = random.Random(5)
    below = [("raw/0", digest("table", "raw", 0, side))]
    below += [(f"raw/{place}", digest("table", "raw", place)) for place in range(1, WIDE)]
    for layer in range(LAYERS):
        above = []
        for place in range(WIDE):
            reads = draw.sample(below, 2)
            above.append((f"{layer}/{place}", digest("table", reads)))
            yield message(side, layer * WIDE + place, f"step-{layer}", reads, above[-1], layer, roles=False)
        below = above
    yield message(side, LAYERS * WIDE, "fit", below, ("model", digest("tensors", below)), LAYERS, roles=False)


def fill(store: Store, bodies: Iterator[bytes]) -> None:
    """Take the messages in."""
    batch: list[Message] = []
    for offset, body in enumerate(bodies):
        batch.append(Message(body=body, source="benchmark", offset=offset))
        if len(batch) == BATCH_MESSAGES:
            store.ingest(Batch(batch))
            batch = []
    store.ingest(Batch(batch))


def ask(store: Store, query: str, values: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    """All rows."""
    return store.connection.execute(query, values).fetchall()


def cpu_seconds() -> float:
    """Of all threads, and of processes that were waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU, the medians of a few repetitions after a first one."""
    work()
    wall, cpu = [], []
    for _ in range(REPETITIONS):
        began, cpu_began = time.perf_counter(), cpu_seconds()
        work()
        wall.append(time.perf_counter() - began)
        cpu.append(cpu_seconds() - cpu_began)
    return median(wall), median(cpu)


def row(what: str, work: Callable[[], Any], note: str = "") -> tuple[str, str, str]:
    """A line of the table."""
    wall, cpu = seconds(work)
    return what + note, f"{wall * 1000:,.0f} ms", f"{cpu * 1000:,.0f} ms"


def process(*arguments: str) -> None:
    """A Python process of its own, whatever its exit code."""
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)


def command(path: Path, a: str, b: str) -> None:
    """`relineage why` as it is typed."""
    process(str(Path(sys.executable).with_name("relineage")), "why", a, b, "--database", str(path))


def yardsticks(store: Store) -> Iterator[tuple[str, str, str]]:
    """What cannot be done without."""
    [(runs,)] = ask(store, "select count(*) from store.run")
    yield row(f"{runs:,} runs: one hash join over reads and writes", partial(ask, store, HASH_JOIN))
    yield row("reading parameters, code and seeds of all of them", partial(ask, store, FACETS))


def measure(kafka: str) -> Iterator[tuple[str, str, str]]:
    """Each question in a file that was opened anew, beside the yardsticks in the same one."""
    with tempfile.TemporaryDirectory(prefix="relineage-") as folder:
        yield from _measure(Path(folder))


def _measure(folder: Path) -> Iterator[tuple[str, str, str]]:
    top = DEEP * CHAINS
    two, pair, loop, chains, folders, layered, tree = (
        folder / f"{name}.duckdb" for name in ("two", "pair", "loop", "chains", "folders", "layered", "tree")
    )
    executions = {
        two: (deep_one(1), deep_one(2)),
        pair: (deep(1, ONE), deep(2, NONE)),
        loop: (deep(1, (0,), steps=top, chains=1), deep(2, NONE, steps=top, chains=1)),
        chains: (deep(1, ALL), deep(2, ALL), deep(3, ONE), deep(4, NONE), deep(5, NONE)),
        folders: (deep(1, ONE, "runs/1"), deep(2, NONE, "runs/2")),
        layered: (layers(1), layers(2)),
        tree: (heap(1, "0.1"), heap(2, "0.2")),
    }
    for path, sides in executions.items():
        with Store.open(path) as store:
            for bodies in sides:
                fill(store, bodies)
    questions = (
        (two, 0, (("in a store of two runs (DuckDB plans the question)", 1, 2),)),
        (pair, top, (("one raw input differs, 1,000 steps up", 1, 2),)),
        (loop, top, (("one raw input differs, 100,000 steps up", 1, 2),)),
        (
            chains,
            top,
            (
                ("the same, among five models", 4, 3),
                ("nothing recorded differs but the model", 4, 5),
                ("everything differs, 1,000 steps deep", 1, 2),
            ),
        ),
        (folders, top, (("one raw input differs, each model in a folder of its own", 1, 2),)),
        (
            layered,
            LAYERS * WIDE,
            (("one raw input differs, 100 layers of 1,000 runs that read two each", 1, 2),),
        ),
        (tree, HEAP * 10, (("another parameter in each step, 17 steps deep", 1, 2),)),
    )
    yield row("a bare interpreter", partial(process, "-c", "pass"))
    yield row("`import duckdb`", partial(process, "-c", "import duckdb"))
    for path, last, asked in questions:
        with Store.open(path) as store:
            yield from yardsticks(store)
            for what, a, b in asked:
                question = partial(Ask(store.connection).why, run_id(a, last), run_id(b, last))
                yield row(f"**{what}**", question, f": {len(question())} causes")
        for what, a, b in asked:
            yield row(
                f"the same, the command: {what}", partial(command, path, run_id(a, last), run_id(b, last))
            )
