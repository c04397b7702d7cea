"""The rules on events, merging, states, reads, writes and bindings once more: naive, slow, meant to be read.

Written from docs/data-model.md alone (rules R1 to R6, upstream and downstream); it shares nothing with the
consumer, so that the two can be compared. Everything here is a function of the set of messages; nothing is
kept between calls. It covers what the rules settle. What they leave open (which digest orders two events of
one instant, the names of stub rows) comes in by argument or is left to the comparison. The functions at the
end ask a store for the same rows.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import blake3

Name = tuple[str, str]
"""A namespace and a name: of a job, or of a dataset."""

Digest = Callable[[bytes], str]
"""The digest of an event's bytes, as text that sorts as the digest does."""

STRENGTH = [f"b3-{kind}1" for kind in ("table", "tensors", "estimator", "rows", "weights", "folder", "bytes")]
TERMINALS = ("FAIL", "ABORT", "COMPLETE")  # in the order in which they win
NAMED = {  # what each kind of event must say of itself
    "run": [("run", "runId"), ("job", "namespace"), ("job", "name")],
    "job": [("job", "namespace"), ("job", "name")],
    "dataset": [("dataset", "namespace"), ("dataset", "name")],
}


@dataclass(frozen=True)
class Event:
    """One message (or one element of an array message) that loads."""

    kind: str
    time: datetime
    digest: str
    type: str | None
    run_id: str | None
    job: Name | None
    document: dict[str, Any]

    @property
    def order(self) -> tuple[datetime, str]:
        return self.time, self.digest


@dataclass(frozen=True)
class Letter:
    """A message that does not load; `lacks` are the fields it lacks, none when it is no event at all."""

    body: bytes
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class Touch:
    """A read or a write."""

    run_id: str
    dataset: Name
    version: str | None
    role: str
    at: datetime
    forwarded: bool


@dataclass(frozen=True)
class Bound:
    """A read with the write that it is taken to have seen."""

    read: Touch
    how: str
    write: Touch | None


def mapping(value: Any) -> dict[str, Any]:
    """The object, or an empty one where there is null or something else."""
    return value if isinstance(value, dict) else {}


def instant(text: Any) -> datetime | None:
    """Naive, in UTC; a time without a zone is UTC."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def canonical_run_id(text: str) -> str:
    """The lower-case form of a UUID however it is written; for other text a UUIDv8 from its md5."""
    bare = re.fullmatch(
        r"(?:urn:uuid:)?\{?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})\}?", text.lower()
    )
    if bare:
        return str(UUID(bare[1]))
    number = int.from_bytes(hashlib.md5(text.encode()).digest(), "big")
    number = number & ~(0xF << 76) | 8 << 76  # version
    number = number & ~(0x3 << 62) | 2 << 62  # variant
    return str(UUID(int=number))


def compact(document: Any) -> bytes:
    """The bytes of an element of an array message."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def read_message(body: bytes, digest: Digest) -> list[Event | Letter]:
    """R1: what a message holds."""
    try:
        document = json.loads(body.decode())
    except ValueError:
        return [Letter(body, ())]
    if isinstance(document, list):
        return [read_document(element, compact(element), digest) for element in document]
    return [read_document(document, body, digest)]


def read_document(document: Any, body: bytes, digest: Digest) -> Event | Letter:
    kinds = [kind for kind in ("run", "job", "dataset") if mapping(document).get(kind) is not None]
    if not kinds:
        return Letter(body, ())
    kind = kinds[0]
    lacks = [f"{a}.{b}" for a, b in NAMED[kind] if not isinstance(mapping(document.get(a)).get(b), str)]
    time = instant(document.get("eventTime"))
    if time is None:
        return Letter(body, (*lacks, "eventTime"))
    if lacks:
        return Letter(body, tuple(lacks))
    job = (document["job"]["namespace"], document["job"]["name"]) if kind != "dataset" else None
    run_id = canonical_run_id(document["run"]["runId"]) if kind == "run" else None
    return Event(kind, time, digest(body), document.get("eventType"), run_id, job, document)


def entries(event: Event, side: str) -> Iterator[tuple[Name, dict[str, Any], dict[str, Any]]]:
    """The datasets on one side of an event: name, dataset facets, input or output facets."""
    listed = event.document.get(side)
    for entry in listed if isinstance(listed, list) else []:
        entry = mapping(entry)
        if isinstance(entry.get("namespace"), str) and isinstance(entry.get("name"), str):
            own = mapping(entry.get("inputFacets" if side == "inputs" else "outputFacets"))
            yield (entry["namespace"], entry["name"]), mapping(entry.get("facets")), own


def described(event: Event) -> Iterator[tuple[Name, dict[str, Any]]]:
    """Every dataset that an event says something about."""
    for side in ("inputs", "outputs"):
        for name, facets, _ in entries(event, side):
            yield name, facets
    if event.kind == "dataset":
        dataset = event.document["dataset"]
        yield (dataset["namespace"], dataset["name"]), mapping(dataset.get("facets"))


def strongest(digests: Iterable[str]) -> str | None:
    def strength(digest: str) -> tuple[int, str]:
        label = digest.split(":")[0]
        return (STRENGTH.index(label) if label in STRENGTH else len(STRENGTH)), digest

    return min(digests, key=strength, default=None)


def digests_in(facets: dict[str, Any]) -> list[str]:
    listed = mapping(facets.get("relineage_content")).get("digests")
    return [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []


def version_in(facets: dict[str, Any]) -> str | None:
    text = mapping(facets.get("version")).get("datasetVersion")
    return text if isinstance(text, str) else strongest(digests_in(facets))


class Oracle:
    """What a set of messages says, by the rules."""

    def __init__(self, messages: Iterable[bytes], digest: Digest) -> None:
        found = [item for body in set(messages) for item in read_message(body, digest)]
        self.letters = {item for item in found if isinstance(item, Letter)}
        self.events = sorted(
            {item.digest: item for item in found if isinstance(item, Event)}.values(),
            key=lambda event: event.order,
        )
        self.events_of: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            if event.run_id:
                self.events_of[event.run_id].append(event)
        self.parents = {run_id: self._parent_and_root(events) for run_id, events in self.events_of.items()}
        self.run_ids = {*self.events_of, *(parent for parent, _ in self.parents.values() if parent)}
        self.root_ids = {root for event in self.events if (root := self._parent_and_root([event])[1])}
        self.canonical = self._canonical_names()
        self.digests, self.distinctive = self._contents()
        self.reads = [touch for run_id in self.events_of for touch in self._touches(run_id, "inputs")]
        self.writes = [touch for run_id in self.events_of for touch in self._touches(run_id, "outputs")]
        self.bound = [self._bind(read) for read in self.reads]

    # Rule R3, runs.

    def jobs(self, run_id: str) -> set[Name]:
        """The jobs a run says it belongs to; for a run known only as a parent, those its children name."""
        if run_id in self.events_of:
            return {event.job for event in self.events_of[run_id] if event.job}
        named = set()
        for event in self.events:
            parent = self._parent_facet([event])
            job, told = mapping(parent.get("job")), mapping(parent.get("run")).get("runId")
            if isinstance(told, str) and canonical_run_id(told) == run_id and "name" in job:
                named.add((job["namespace"], job["name"]))
        return named

    def state(self, run_id: str) -> tuple[str | None, datetime | None, datetime | None]:
        """state, started_at, ended_at."""
        events = self.events_of.get(run_id, [])
        if not events:
            return None, None, None
        starts = [event.time for event in events if event.type == "START"]
        ends = {
            end: max(event.time for event in events if event.type == end)
            for end in TERMINALS
            if self._has(events, end)
        }
        after = {end: time for end, time in ends.items() if not starts or time > max(starts)}
        standing = after or ends  # a terminal not after the latest START is void only beside one that is
        if standing:
            state = next(end for end in TERMINALS if end in standing)
        else:
            state = "RUNNING" if starts or self._has(events, "RUNNING") else "OTHER"
        return state, min(starts or [event.time for event in events]), max(standing.values(), default=None)

    @staticmethod
    def _has(events: list[Event], type_: str) -> bool:
        return any(event.type == type_ for event in events)

    @staticmethod
    def _parent_facet(events: list[Event]) -> dict[str, Any]:
        told = [
            facet
            for event in events
            for key in ("parentRun", "parent")
            if (facet := mapping(mapping(mapping(event.document.get("run")).get("facets")).get(key)))
        ]
        return told[-1] if told else {}

    def _parent_and_root(self, events: list[Event]) -> tuple[str | None, str | None]:
        """The parent and the declared root: of the latest parent facet, taken whole."""
        facet = self._parent_facet(events)
        parent = mapping(facet.get("run")).get("runId")
        root = mapping(mapping(facet.get("root")).get("run")).get("runId")
        return (
            canonical_run_id(parent) if isinstance(parent, str) else None,
            canonical_run_id(root) if isinstance(root, str) else None,
        )

    def root(self, run_id: str) -> str:
        """The declared root, else the parent's, else the run itself; what a circle has is said nowhere."""
        passed = []
        while run_id not in passed:
            passed.append(run_id)
            parent, root = self.parents.get(run_id, (None, None))
            if root:
                return root
            run_id = parent or run_id
        return run_id

    # Rule R4, facets.

    def run_facets(self) -> dict[tuple[str, str], Any]:
        """(run id, key) → the latest whole facet; what a child forwards ranks below the parent's own."""
        forwarded, own = {}, {}
        for event in self.events:
            facets = mapping(mapping(event.document.get("run")).get("facets"))
            for key, facet in facets.items():
                if isinstance(facet, dict) and event.run_id:
                    own[event.run_id, key] = facet
            parent = mapping(self._parent_facet([event]).get("run"))
            for key, facet in mapping(parent.get("facets")).items():
                if isinstance(facet, dict):
                    forwarded[canonical_run_id(parent["runId"]), key] = facet
        return {**forwarded, **own}

    def job_facets(self) -> dict[tuple[str, str, str], Any]:
        """(namespace, name, key) → the latest whole facet, of a run event or a job event; not the deleted."""
        latest = {}
        for event in self.events:
            for key, facet in mapping(mapping(event.document.get("job")).get("facets")).items():
                if isinstance(facet, dict) and event.job:
                    latest[*event.job, key] = facet
        return {identity: facet for identity, facet in latest.items() if facet.get("_deleted") is not True}

    # Datasets and versions

    def _canonical_names(self) -> dict[Name, Name]:
        """Each dataset with the least of its names (symlinks and renames, whenever they were told)."""
        groups: list[set[Name]] = []
        for event in self.events:
            for name, facets in described(event):
                others = mapping(facets.get("symlinks")).get("identifiers")
                others = list(others) if isinstance(others, list) else []
                change = mapping(facets.get("lifecycleStateChange"))
                if change.get("lifecycleStateChange") == "RENAME":
                    others.append(change.get("previousIdentifier"))
                named = [other for other in map(mapping, others) if "namespace" in other and "name" in other]
                group = {name, *((other["namespace"], other["name"]) for other in named)}
                for other in [other for other in groups if other & group]:
                    groups.remove(other)
                    group |= other
                groups.append(group)
        return {name: min(group) for group in groups for name in group}

    def _contents(self) -> tuple[dict[tuple[Name, str], set[str]], dict[tuple[Name, str], bool]]:
        """Per dataset version: every digest said of it, and whether nobody called it not distinctive."""
        digests: dict[tuple[Name, str], set[str]] = defaultdict(set)
        distinctive: dict[tuple[Name, str], bool] = {}
        for event in self.events:
            for name, facets in described(event):
                version, content = version_in(facets), facets.get("relineage_content")
                if version is not None and isinstance(content, dict):
                    digests[name, version] |= set(digests_in(facets))
                    distinctive[name, version] = (
                        distinctive.get((name, version), True) and content.get("distinctive") is not False
                    )
        return digests, distinctive

    def digest_of(self, dataset: Name, version: str | None) -> str | None:
        return strongest(self.digests.get((dataset, version), ())) if version is not None else None

    # Rule R5, reads and writes.

    def streaming(self, run_id: str) -> bool:
        told = [
            facet
            for event in self.events_of[run_id]
            if (facet := mapping(mapping(mapping(event.document.get("job")).get("facets")).get("jobType")))
        ]
        return bool(told) and told[-1].get("processingType") == "STREAMING"

    def _touches(self, run_id: str, side: str) -> Iterator[Touch]:
        first = (side == "inputs") is not self.streaming(run_id)  # which end of the run counts
        plain: dict[Name, list[tuple[Event, str | None]]] = defaultdict(list)
        exact: dict[tuple[Name, str, str | None], list[tuple[datetime, bool]]] = defaultdict(list)
        for event in self.events_of[run_id]:
            for name, facets, own in entries(event, side):
                io = mapping(own.get("relineage_io"))
                if io:
                    at = instant(io.get("instant")) or event.time
                    exact[name, io.get("role") or "", version_in(facets)].append(
                        (at, io.get("origin") == "forwarded")
                    )
                else:
                    plain[name].append((event, version_in(facets)))
        for (name, role, version), told in exact.items():
            times = [at for at, _ in told]
            forwarded = all(forwarded for _, forwarded in told)
            yield Touch(run_id, name, version, role, min(times) if first else max(times), forwarded)
        for name, mentions in plain.items():
            if any(name == other for other, _, _ in exact):
                continue  # displaced by the entries that are exact
            times = [event.time for event, _ in mentions]
            declaring = [event.order for event, version in mentions if version is not None]
            versions: set[str | None] = {None}
            if declaring:
                chosen = min(declaring) if first else max(declaring)
                versions = {
                    version for event, version in mentions if event.order == chosen and version is not None
                }
            for version in versions:
                yield Touch(run_id, name, version, "", min(times) if first else max(times), False)

    # Rule R6, bindings.

    def same(self, dataset: Name) -> Name:
        return self.canonical.get(dataset, dataset)

    def _candidates(self, reader: str, writes: Iterable[Touch]) -> list[Touch]:
        """Writes of other runs; a forwarded one only where its version has no other."""
        others = [write for write in writes if write.run_id != reader]
        proper = {(self.same(write.dataset), write.version) for write in others if not write.forwarded}
        return [w for w in others if not w.forwarded or (self.same(w.dataset), w.version) not in proper]

    @staticmethod
    def _latest(writes: list[Touch]) -> Touch:
        """Ties: the least run id, then the least version; a write of no version comes last."""
        newest = max(write.at for write in writes)
        return min(
            (w for w in writes if w.at == newest),
            key=lambda w: (w.run_id, w.version is None, w.version or ""),
        )

    def _bind(self, read: Touch) -> Bound:
        here = [write for write in self.writes if self.same(write.dataset) == self.same(read.dataset)]
        if read.version is None:
            earlier = [write for write in self._candidates(read.run_id, here) if write.at <= read.at]
            return Bound(read, "inferred", self._latest(earlier)) if earlier else Bound(read, "unknown", None)
        same = self._candidates(read.run_id, [write for write in here if write.version == read.version])
        earlier = [write for write in same if write.at <= read.at]
        if earlier:
            return Bound(read, "version", self._latest(earlier))
        if same:
            soonest = min(write.at for write in same)
            return Bound(read, "version-late", self._latest([write for write in same if write.at == soonest]))
        alike = self._candidates(
            read.run_id, [write for write in self.writes if self._same_content(read, write)]
        )
        earlier = [write for write in alike if write.at <= read.at]
        if earlier:
            return Bound(read, "content", self._nearest(read, earlier))
        return Bound(read, "unknown", None)

    def _same_content(self, read: Touch, write: Touch) -> bool:
        if write.version is None or read.version is None:
            return False
        mine, theirs = (read.dataset, read.version), (write.dataset, write.version)
        return bool(
            self.digests.get(mine, set()) & self.digests.get(theirs, set())
            and self.distinctive.get(mine)
            and self.distinctive.get(theirs)
        )

    def _nearest(self, read: Touch, writes: list[Touch]) -> Touch:
        def near(write: Touch) -> tuple[bool, bool]:
            namespaces = [
                {namespace for namespace, _ in self.jobs(run_id)} for run_id in (read.run_id, write.run_id)
            ]
            return self.root(write.run_id) == self.root(read.run_id), namespaces[0] == namespaces[1]

        nearest = max(near(write) for write in writes)
        return self._latest([write for write in writes if near(write) == nearest])

    # The answers, as rows of the public views and macros

    def runs(self) -> dict[str, tuple[Any, ...]]:
        """run id → state, started_at, ended_at, parent_run_id, root_run_id."""
        return {
            run_id: (*self.state(run_id), self.parents.get(run_id, (None, None))[0], self.root(run_id))
            for run_id in self.run_ids
        }

    def inputs(self) -> list[tuple[Any, ...]]:
        """run_id, dataset_namespace, dataset_name, version, digest, role, read_at, how, writer_run_id."""
        return [
            (b.read.run_id, *self._shown(b), b.read.role, b.read.at, b.how, b.write and b.write.run_id)
            for b in self.bound
        ]

    def _shown(self, bound: Bound) -> tuple[Any, ...]:
        """A read's dataset, version and digest: the declared version, else that of the bound write."""
        read, write = bound.read, bound.write
        if read.version is None and write is not None:
            return *read.dataset, write.version, self.digest_of(write.dataset, write.version)
        return *read.dataset, read.version, self.digest_of(read.dataset, read.version)

    def outputs(self) -> list[tuple[Any, ...]]:
        """run_id, dataset_namespace, dataset_name, version, digest, role, written_at."""
        return [
            (w.run_id, *w.dataset, w.version, self.digest_of(w.dataset, w.version), w.role, w.at)
            for w in self.writes
        ]

    def upstream(self, run_id: str) -> list[tuple[Any, ...]]:
        """For a run with outputs: depth, dataset_namespace, dataset_name, version, digest, role, how,
        writer_run_id, writer_state, reader_run_id.
        """
        state = self.state(run_id)[0]
        rows: list[tuple[Any, ...]] = [
            (0, *row[1:6], None, run_id, state, None) for row in self.outputs() if row[0] == run_id
        ]
        depth, frontier, expanded = 0, {run_id}, {run_id}
        while frontier:
            depth += 1
            found = [bound for bound in self.bound if bound.read.run_id in frontier]
            for b in found:
                writer = b.write and b.write.run_id
                state = self.state(writer)[0] if writer else None
                rows.append((depth, *self._shown(b), b.read.role, b.how, writer, state, b.read.run_id))
            frontier = {b.write.run_id for b in found if b.write} - expanded
            expanded |= frontier
        return rows

    def downstream(self, run_id: str) -> set[tuple[int, str, str]]:
        """(depth, writer, reader) of every read of what the run or a reader found on the way wrote."""
        rows: set[tuple[int, str, str]] = set()
        depth, frontier, expanded = 0, {run_id}, {run_id}
        while frontier:
            found = {
                (b.write.run_id, b.read.run_id) for b in self.bound if b.write and b.write.run_id in frontier
            }
            rows |= {(depth, writer, reader) for writer, reader in found}
            frontier = {reader for _, reader in found} - expanded
            expanded |= frontier
            depth += 1
        return rows


# The same rows, asked of a store.


class Store(Protocol):
    """What the tests use of a store; made by the fixture `new_store`."""

    def ingest(self, messages: list[bytes], source: str = "test") -> Any: ...
    def sql(self, query: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]: ...
    def truth(self) -> dict[str, tuple[list[Any], list[Any]]]: ...
    def clear(self) -> None: ...


HASHES: dict[str, Digest] = {
    "md5": lambda body: hashlib.md5(body).hexdigest(),
    "sha1": lambda body: hashlib.sha1(body).hexdigest(),
    "sha256": lambda body: hashlib.sha256(body).hexdigest(),
    "first 128 bits of sha256": lambda body: hashlib.sha256(body).hexdigest()[:32],
    "blake3": lambda body: blake3.blake3(body).hexdigest(),
}


def event_digest(store: Store) -> Digest:
    """The digest by which this store orders events of one instant, recognised in the view `events`.

    The store is empty before and after.
    """
    body = b'{"eventTime":"2026-01-01T00:00:00Z","job":{"namespace":"a","name":"b"}}'
    store.ingest([body])
    [row] = store.sql("from events")
    store.clear()
    shown = {value.hex() if isinstance(value, bytes) else str(value) for value in row}
    texts = {text.split(":")[-1].replace("-", "").lower() for text in shown}
    [name] = [name for name, function in HASHES.items() if function(body) in texts]
    return HASHES[name]


def runs_of(store: Store) -> dict[str, tuple[Any, ...]]:
    rows = store.sql("select run_id, state, started_at, ended_at, parent_run_id, root_run_id from runs")
    answer = {row[0]: row[1:] for row in rows}
    assert len(answer) == len(rows), "a run has two rows"
    return answer


def inputs_of(store: Store) -> list[tuple[Any, ...]]:
    return store.sql(
        """select run_id, dataset_namespace, dataset_name, version, digest, coalesce(role, ''), read_at, how,
                  writer_run_id
           from inputs"""
    )


def outputs_of(store: Store) -> list[tuple[Any, ...]]:
    return store.sql(
        """select run_id, dataset_namespace, dataset_name, version, digest, coalesce(role, ''), written_at
           from outputs"""
    )


def upstream_of(store: Store, x: str) -> list[tuple[Any, ...]]:
    return store.sql(
        """select depth, dataset_namespace, dataset_name, version, digest, coalesce(role, ''), how,
                  writer_run_id, writer_state, reader_run_id
           from upstream($x)""",
        {"x": x},
    )


def downstream_of(store: Store, x: str) -> list[tuple[Any, ...]]:
    """depth, writer_run_id, reader_run_id."""
    return store.sql("select depth, writer_run_id, reader_run_id from downstream($x)", {"x": x})


def in_order(rows: Iterable[Any]) -> list[Any]:
    """Sorted, whatever nulls, lists or NaN are among the values."""
    return sorted(rows, key=repr)
