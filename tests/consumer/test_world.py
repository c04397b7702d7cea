"""A world of unrelated pipelines: everything upstream of a model is its own pipeline's runs, and all of them.

One hundred daily pipelines of five steps run for thirty days (load, clean, features, split, train). Raw data
change on some days only, so that the same content is written again and again; the table of rejects is empty
on most days and handed from step to step, and empty tables are the same content everywhere; in some pipelines
cleaning changes nothing, so that two datasets hold the same content; some leave out steps when nothing
changed; some read a table by its path. Binding by content alone, by name alone or to every writer all fail.

The generator keeps what each run really read; the world is told once with our facets and once with nothing
but the standard `version` facet. The tables in the source system are read without a digest: were they
digested, a source that did not change would be taken for yesterday's copy of it.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from oracle import Store, downstream_of, upstream_of
from soak import SOAKING
from streams import PRODUCER, Json, encode, facet

from relineage.facets.content import RelineageContentDatasetFacet
from relineage.facets.io import RelineageIoInputDatasetFacet, RelineageIoOutputDatasetFacet

PIPELINES, DAYS = 100, 30
FIRST_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 (a fixed instant, written with Z)
EMPTY = "an empty table"
Name = tuple[str, str]


@dataclass
class Step:
    """One run: what it read, from which run, and what it wrote. Equal texts stand for equal contents."""

    run_id: str
    job: Name
    started: datetime
    reads: list[tuple[str, Name, str | None, str | None]] = field(default_factory=list)
    """(role, the name it was read by, content or None where nobody looked, the run that wrote it or None)"""
    writes: list[tuple[str, Name, str]] = field(default_factory=list)

    @property
    def read_at(self) -> datetime:
        return self.started + timedelta(seconds=1)

    @property
    def written_at(self) -> datetime:
        return self.started + timedelta(seconds=60)


@dataclass
class World:
    steps: list[Step]
    trained: dict[tuple[int, int], Step]
    """(pipeline, day) → the run that trained that day's model"""

    def ancestors(self, run_id: str) -> set[str]:
        return reachable(run_id, {step.run_id: {w for *_, w in step.reads if w} for step in self.steps})

    def descendants(self, run_id: str) -> set[str]:
        readers: dict[str, set[str]] = defaultdict(set)
        for step in self.steps:
            for *_, writer in step.reads:
                if writer:
                    readers[writer].add(step.run_id)
        return reachable(run_id, readers) - {run_id}


def reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    found, frontier = {start}, [start]
    while frontier:
        new = edges.get(frontier.pop(), set()) - found
        found |= new
        frontier += new
    return found


@cache
def world(by_path: bool) -> World:
    """The same world at every call. With `by_path`, some pipelines read some tables by their path."""
    chance = random.Random(20260101)
    made = World([], {})
    for pipeline in range(PIPELINES):
        Pipeline(pipeline, chance, made, by_path).live()
    made.steps.sort(key=lambda step: step.started)
    return made


class Pipeline:
    """Runs one pipeline day by day over a small disk, which knows who wrote each table last."""

    def __init__(self, number: int, chance: random.Random, world: World, by_path: bool) -> None:
        self.number, self.chance, self.world = number, chance, world
        self.by_path = by_path
        self.disk: dict[str, tuple[str, str]] = {}  # table → content, writer
        self.cleans_nothing = number % 4 == 0
        self.leaves_out = number % 5 == 0
        self.unseeded = number % 2 == 1

    def live(self) -> None:
        change = 0
        for day in range(DAYS):
            changed = day == 0 or self.chance.random() < 0.4
            change += changed
            if change > 2 and self.chance.random() < 0.1:
                change -= 2  # last week's raw data are back: an old content again
                changed = True
            self.day(day, change, changed)

    def day(self, day: int, change: int, changed: bool) -> None:
        start = FIRST_DAY + timedelta(days=day, minutes=3 * self.number)
        raw = f"{self.number} raw {change}"
        step = self.step("load", start)
        step.reads.append(("source", ("erp", f"table-{self.number:03}"), None, None))
        self.write(step, "raw", raw)

        step = self.step("clean", start + timedelta(minutes=10))
        self.read(step, "raw")
        self.write(step, "clean", raw if self.cleans_nothing else f"{self.number} clean {change}")
        rejects = f"{self.number} rejects {change}" if self.chance.random() < 0.15 else EMPTY
        self.write(step, "rejects", rejects)

        if changed or not self.leaves_out:
            step = self.step("features", start + timedelta(minutes=20))
            self.read(step, "clean")
            passed = self.read(step, "rejects")
            self.write(step, "features", f"{self.number} features {change}")
            self.write(step, "rejects/features", passed)

            step = self.step("split", start + timedelta(minutes=30))
            features = self.read(step, "features", path=self.number % 2 == 1)
            self.write(step, "train", f"{features} train")
            self.write(step, "test", f"{features} test")
            self.write(step, "rejects/split", self.read(step, "rejects/features"))

        step = self.step("train", start + timedelta(minutes=40))
        train, _ = self.read(step, "train"), self.read(step, "test")
        self.read(step, "rejects/split", path=self.number % 3 == 0)
        self.write(step, "model", f"{train} model {day if self.unseeded else ''}")
        self.world.trained[self.number, day] = step

    def step(self, name: str, started: datetime) -> Step:
        run_id = str(UUID(int=self.chance.getrandbits(128), version=4))
        step = Step(run_id, (f"team-{self.number % 10}", f"pipeline-{self.number:03}.{name}"), started)
        self.world.steps.append(step)
        return step

    def read(self, step: Step, table: str, path: bool = False) -> str:
        content, writer = self.disk[table]
        name = ("lake", f"pipeline-{self.number:03}/{table}")
        if path and self.by_path:
            name = ("file", f"/data/pipeline-{self.number:03}/{table}.parquet")
            if content == EMPTY:
                writer = ""  # nothing tells this empty table from any other: it must stay unknown
        step.reads.append((table, name, content, writer or None))
        return content

    def write(self, step: Step, table: str, content: str) -> None:
        self.disk[table] = content, step.run_id
        step.writes.append((table, ("lake", f"pipeline-{self.number:03}/{table}"), content))


# The two ways to tell it.


@cache
def digest(content: str) -> str:
    return "b3-table1:" + hashlib.sha256(content.encode()).hexdigest()


@cache
def content_facets(content: str | None) -> Json:
    if content is None:
        return {}
    told = RelineageContentDatasetFacet(
        digests=(digest(content), "b3-bytes1:" + hashlib.sha256(f"file of {content}".encode()).hexdigest()),
        kind="table",
        rows=0 if content == EMPTY else 1000,
        distinctive=content != EMPTY,
    )
    return {
        "version": facet(datasetVersion=digest(content)),
        RelineageContentDatasetFacet.KEY: told.to_wire(PRODUCER),
    }


def zulu(time: datetime) -> str:
    return time.isoformat(timespec="microseconds") + "Z"


def ours(step: Step) -> list[Json]:
    """START says nothing yet; COMPLETE says all, with the instant of each read and write."""
    inputs, outputs = [], []
    for role, (namespace, name), content, _ in step.reads:
        io = RelineageIoInputDatasetFacet(role=role, instant=zulu(step.read_at), origin="observed")
        entry = {"namespace": namespace, "name": name, "facets": content_facets(content)}
        inputs.append(entry | {"inputFacets": {io.KEY: io.to_wire(PRODUCER)}})
    for role, (namespace, name), content in step.writes:
        out = RelineageIoOutputDatasetFacet(role=role, instant=zulu(step.written_at), origin="declared")
        entry = {"namespace": namespace, "name": name, "facets": content_facets(content)}
        outputs.append(entry | {"outputFacets": {out.KEY: out.to_wire(PRODUCER)}})
    return [
        envelope(step, "START", step.started, [], []),
        envelope(step, "COMPLETE", step.written_at + timedelta(seconds=1), inputs, outputs),
    ]


def plain(step: Step) -> list[Json]:
    """What another producer says: the versions read on START, all versions on COMPLETE."""

    def entry(name: Name, content: str | None) -> Json:
        facets = {}
        if content is not None:
            facets["version"] = facet(datasetVersion=hashlib.sha256(content.encode()).hexdigest()[:12])
        return {"namespace": name[0], "name": name[1], "facets": facets}

    inputs = [entry(name, content) for _, name, content, _ in step.reads]
    outputs = [entry(name, content) for _, name, content in step.writes]
    return [
        envelope(step, "START", step.read_at, inputs, []),
        envelope(step, "COMPLETE", step.written_at, inputs, outputs),
    ]


def envelope(step: Step, kind: str, time: datetime, inputs: list[Json], outputs: list[Json]) -> Json:
    return {
        "eventType": kind,
        "eventTime": zulu(time),
        "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": step.run_id},
        "job": {"namespace": step.job[0], "name": step.job[1]},
        "inputs": inputs,
        "outputs": outputs,
    }


def writers(rows: Iterable[tuple[Any, ...]]) -> set[str]:
    return {row[7] for row in rows if row[7] is not None}


@pytest.mark.soak
@pytest.mark.parametrize("tell", [ours, plain], ids=["our facets", "plain versions"])
def test_a_model_comes_from_its_own_pipeline_and_from_all_of_it(tell: Any, new_store: Any) -> None:
    made = world(by_path=tell is ours)
    messages = [encode(document) for step in made.steps for document in tell(step)]
    random.Random(7).shuffle(messages)
    store: Store = new_store()
    for start in range(0, len(messages), 5000):
        store.ingest(messages[start : start + 5000])

    # Every read of every run is bound to the run whose output it really was.
    bound = store.sql("select run_id, dataset_namespace, dataset_name, writer_run_id from inputs")
    true = [(step.run_id, *name, writer) for step in made.steps for _, name, _, writer in step.reads]
    assert len(bound) == len(true)
    assert {*bound} == {*true}

    # Each seventh is of another kind than the one before.
    last_day = [(pipeline, DAYS - 1) for pipeline in range(0, PIPELINES, 1 if SOAKING else 7)]
    other_days = [(pipeline, day) for pipeline in (15, 63) for day in range(0, DAYS, 5)]
    for asked in (*last_day, *other_days):
        train = made.trained[asked]
        assert writers(upstream_of(store, train.run_id)) == made.ancestors(train.run_id), asked

    # By name and version, where only one run wrote that model.
    versions = store.sql(
        """select dataset_name, version, any_value(run_id) from outputs
           where dataset_name like '%/model' group by all having count(*) = 1 order by all"""
    )
    assert len(versions) > PIPELINES
    for name, version, run_id in versions[:: len(versions) // 10]:
        assert writers(upstream_of(store, f"lake/{name}@{version}")) == made.ancestors(run_id)

    for pipeline in (15, 63):
        load = next(step for step in made.steps if step.job[1] == f"pipeline-{pipeline:03}.load")
        readers = {row[2] for row in downstream_of(store, load.run_id)} - {None}
        assert readers == made.descendants(load.run_id)
