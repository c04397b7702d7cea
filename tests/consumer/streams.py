"""Streams of events for the tests of the consumer: how events are written, and hypothesis strategies.

A stream has few runs, datasets, versions and instants, so that collisions and ties are common. `streams()`
draws only what the rules of docs/data-model.md give one meaning, so that it can be compared with the oracle;
`streams(wide=True)` adds what they leave open, for laws that hold without knowing the answer: circles of
parents, a parent or an origin that changes, a digest told by a dataset event, an instant that cannot be read.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

PRODUCER = "https://example.org/tests"
BASE = datetime(2026, 3, 1, 12, tzinfo=UTC)

Json = dict[str, Any]
Stream = list[bytes]


# How events are written.


def at(second: int, form: str = "zulu") -> str:
    """An instant of the stream, in one of the forms that producers use."""
    time = BASE + timedelta(seconds=second)
    bare = time.replace(tzinfo=None)
    return {
        "zulu": bare.isoformat() + "Z",
        "milliseconds": bare.isoformat(timespec="milliseconds") + "Z",
        "nanoseconds": bare.isoformat(timespec="microseconds") + "000Z",
        "offset": time.astimezone(timezone(timedelta(hours=2))).isoformat(timespec="microseconds"),
        "naive": bare.isoformat(),
    }[form]


def moment(second: int) -> datetime:
    """The same instant as the views give it."""
    return (BASE + timedelta(seconds=second)).replace(tzinfo=None)


def run_id(number: int) -> str:
    return f"0198c0de-0000-7000-8000-{number:012d}"


def facet(**fields: Any) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": "https://example.org/facet.json#/$defs/Facet", **fields}


def dataset(
    name: tuple[str, str],
    version: str | None = None,
    *,
    digests: list[str] | None = None,
    distinctive: bool | None = None,
    io: Json | None = None,
    **facets: Any,
) -> Json:
    """An entry of inputs or outputs; `io` becomes relineage_io on both sides (readers look at their own)."""
    if version is not None:
        facets["version"] = facet(datasetVersion=version)
    if digests is not None:
        told = {} if distinctive is None else {"distinctive": distinctive}
        facets["relineage_content"] = facet(digests=digests, kind="table", **told)
    entry: Json = {"namespace": name[0], "name": name[1], "facets": facets}
    if io is not None:
        entry |= {"inputFacets": {"relineage_io": io}, "outputFacets": {"relineage_io": io}}
    return entry


def occurrence(role: str, second: int, origin: str = "declared") -> Json:
    return facet(role=role, instant=at(second), origin=origin)


def event(
    run: int | str,
    second: int,
    kind: str | None = "COMPLETE",
    *,
    inputs: Any = (),
    outputs: Any = (),
    job: tuple[str, str] = ("etl", "load"),
    run_facets: Json | None = None,
    job_facets: Json | None = None,
    form: str = "zulu",
) -> Json:
    """A run event."""
    document: Json = {
        "eventTime": at(second, form),
        "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id(run) if isinstance(run, int) else run, "facets": run_facets or {}},
        "job": {"namespace": job[0], "name": job[1], "facets": job_facets or {}},
        "inputs": list(inputs) if isinstance(inputs, tuple) else inputs,
        "outputs": list(outputs) if isinstance(outputs, tuple) else outputs,
    }
    if kind is not None:
        document["eventType"] = kind
    return document


def parent(
    run: int | str,
    root: int | str | None = None,
    *,
    forwarded: Json | None = None,
    job: tuple[str, str] = ("etl", "dag"),
) -> Json:
    """A parent facet, with or without a root and the parent's own facets."""

    def named(identifier: int | str) -> Json:
        return {
            "run": {"runId": run_id(identifier) if isinstance(identifier, int) else identifier},
            "job": {"namespace": job[0], "name": job[1]},
        }

    told = named(run)
    if forwarded is not None:
        told["run"]["facets"] = forwarded
    return facet(**told, **({} if root is None else {"root": named(root)}))


def encode(document: Any) -> bytes:
    """The bytes of a message. A float NaN is written bare, as some producers do."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


# What streams are made of.

TABLE_A, TABLE_B = "b3-table1:" + "aa" * 32, "b3-table1:" + "bb" * 32
ROWS, BYTES = "b3-rows1:" + "11" * 32, "b3-bytes1:" + "22" * 32
TENSORS, WEIGHTS = "b3-tensors1:" + "cc" * 32, "b3-weights1:" + "dd" * 32
CONTENTS = {  # A shares with the file, the file with B, A and B share nothing: sharing is not transitive
    "A": [TABLE_A, ROWS],
    "file": [ROWS, BYTES],
    "B": [TABLE_B, BYTES],
    "model": [TENSORS, WEIGHTS],
}
ALIASED = [("warehouse", "db.a"), ("file", "/data/a"), ("warehouse", 'it\'s; drop table "b" --')]
PLAIN = [("lake", "d🕷/été"), ("lake", "e")]  # these never get a second name
TYPES = ["START", "START", "COMPLETE", "COMPLETE", "FAIL", "ABORT", "RUNNING", "OTHER", None, "INVALID_TYPE"]
JOBS = [("etl", "load"), ("etl", "train"), ("ml", "score")]
STREAMING_JOB = ("etl", "tail")
NO_UUID = "nightly/2026-03-01 🕷"
RUN_IDS = [
    "0198c0de-0000-7000-8000-00000000000a",
    "4b1d0a3e-7f2c-4d55-9a60-3a5f0c1e2d00",
    NO_UUID,
    "f69a6e9b-9bac-3c9a-9cf6-eacb70ecc9a9",
]
OUTSIDE = "0198c0de-0000-7000-8000-0000000000ff"  # a run that sends no events
SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    lambda t: f"urn:uuid:{t}",
    lambda t: f"{{{t}}}",
    lambda t: t.replace("-", ""),
]
FORMS = ["zulu", "milliseconds", "nanoseconds", "offset", "naive"]
BAD = [
    b"",
    b"not json",
    b'{"eventTime": "2026-03-01T12:00:00Z", "run": {"runId"',
    b"\xff\xfe{}",
    b"{}",
    b'{"subset": {"inputCondition": {"type": "location"}}}',
    encode(event("", 0) | {"run": {"facets": {}}}),
    encode(event(1, 0) | {"job": {"namespace": "etl"}}),
    encode(event(1, 0) | {"job": {"name": "load"}}),
    encode(event(1, 0) | {"eventTime": "{{RUN_START_TIME}}"}),
    encode(event(1, 0) | {"eventTime": None}),
    encode({"eventTime": at(0), "dataset": {"namespace": "lake"}}),
]


@dataclass(frozen=True)
class Setting:
    """What stays the same throughout one stream."""

    run_ids: list[str]
    names: list[tuple[str, str]]  # of datasets
    contents: list[str]
    jobs: list[list[tuple[str, str]]]  # per run: one or two
    parents: list[str | None]
    roots: list[str | None]
    parent_keys: list[str]
    content_of: dict[str, str | None]  # version text → content, or None for a version of another producer
    distinctive: dict[str, bool | None]  # content → what is said where names may have aliases
    forwarding: list[bool]  # per run: whether it hands on what an inner run wrote
    wide: bool


@st.composite
def settings_of_a_stream(draw: st.DrawFn, wide: bool) -> Setting:
    contents = draw(st.lists(st.sampled_from(list(CONTENTS)), min_size=1, max_size=3, unique=True))
    run_ids = RUN_IDS[: draw(st.sampled_from([2, 3, 3, 4]))]
    jobs, parents, roots = [], [], []
    for number in range(len(run_ids)):
        streaming = draw(st.integers(0, 4)) == 4
        one = STREAMING_JOB if streaming else draw(st.sampled_from(JOBS))
        other = ("etl", "train") if one == ("etl", "load") and draw(st.booleans()) else one
        jobs.append([one, other])
        possible = [None, OUTSIDE, *(run_ids if wide else run_ids[:number])]
        parents.append(draw(st.sampled_from(possible)))
        roots.append(draw(st.sampled_from([None, OUTSIDE, run_ids[0]])) if parents[-1] else None)
    return Setting(
        run_ids=run_ids,
        names=draw(st.lists(st.sampled_from(ALIASED + PLAIN), min_size=2, max_size=4, unique=True)),
        contents=contents,
        jobs=jobs,
        parents=parents,
        roots=roots,
        parent_keys=[draw(st.sampled_from(["parent", "parent", "parentRun"])) for _ in run_ids],
        content_of={text: draw(st.sampled_from([None, *contents])) for text in ("v1", "v2")},
        distinctive={name: draw(st.sampled_from([None, True, True, False])) for name in CONTENTS},
        forwarding=[draw(st.integers(0, 2)) == 2 for _ in run_ids],
        wide=wide,
    )


@st.composite
def mentions(draw: st.DrawFn, setting: Setting, number: int, side: str) -> Any:
    """One entry of inputs or outputs of a run event."""
    shape = draw(st.integers(0, 24))
    if shape == 24:
        return draw(st.sampled_from([None, "text", {"namespace": "lake"}, {"name": "e", "facets": None}]))
    name = draw(st.sampled_from(setting.names))
    version, content = None, None
    match draw(st.integers(0, 4)):
        case 0 | 1:
            version = draw(st.sampled_from(["v1", "v2"]))
            content = setting.content_of[version]
        case 2:
            content = draw(st.sampled_from(setting.contents))
    digests, distinctive = None, None
    if content is not None:
        digests, distinctive = CONTENTS[content], setting.distinctive[content]
        if name in PLAIN:  # each statement may say less, and another thing
            digests = draw(st.lists(st.sampled_from(digests), min_size=1, unique=True))
            distinctive = draw(st.sampled_from([None, True, True, False]))
    facets: Json = {}
    if name in ALIASED:
        facets |= draw(aliases(name))
    if side == "outputs":
        change = draw(st.sampled_from([None, None, None, "OVERWRITE", "TRUNCATE", "DROP", "CREATE"]))
        if change and "lifecycleStateChange" not in facets:
            facets["lifecycleStateChange"] = facet(lifecycleStateChange=change)
    io = None
    forwarding = setting.forwarding[number] and side == "outputs"
    if forwarding or draw(st.integers(0, 2)) == 2:
        forwarded = forwarding and (version or digests) is not None
        origin = "forwarded" if forwarded else "declared"
        if setting.wide:
            origin = draw(st.sampled_from(["declared", "observed", "forwarded"]))
        io = occurrence(draw(st.sampled_from(["left", "right"])), draw(st.integers(0, 5)), origin)
        if setting.wide and draw(st.integers(0, 5)) == 0:
            io["instant"] = draw(st.sampled_from(["soon", None]))
    entry = dataset(name, version, digests=digests, distinctive=distinctive, io=io, **facets)
    if shape == 23 and not digests:
        entry["facets"]["relineage_content"] = None
        entry["facets"].setdefault("version", draw(st.sampled_from([None, "v3"])))
    if shape == 22 and not entry["facets"]:
        entry["facets"] = draw(st.sampled_from([None, "text", []]))
    if shape == 21 and io is None:
        entry["inputFacets"] = entry["outputFacets"] = draw(st.sampled_from([None, {"relineage_io": None}]))
    return entry


@st.composite
def aliases(draw: st.DrawFn, name: tuple[str, str]) -> Json:
    """Facets that give a dataset another name, or none."""
    kind = draw(st.integers(0, 9))
    other = draw(st.sampled_from([other for other in ALIASED if other != name])) if kind < 3 else ("", "")
    identifier = {"namespace": other[0], "name": other[1], "type": "TABLE"}
    match kind:
        case 0:
            return {"symlinks": facet(identifiers=[identifier])}
        case 1:
            change = facet(lifecycleStateChange="RENAME", previousIdentifier=identifier)
            return {"lifecycleStateChange": change}
        case 2:
            return {"symlinks": facet(identifiers=None)}
    return {}


@st.composite
def run_events(draw: st.DrawFn, setting: Setting) -> Json:
    number = draw(st.integers(0, len(setting.run_ids) - 1))
    run = setting.run_ids[number]
    job = draw(st.sampled_from(setting.jobs[number]))
    sides: dict[str, Any] = {}
    for side in ("inputs", "outputs"):
        sides[side] = [
            draw(mentions(setting, number, side)) for _ in range(draw(st.sampled_from([1, 0, 1, 2])))
        ]
        if not sides[side]:
            sides[side] = draw(st.sampled_from([(), (), None, {}, "text"]))
    run_facets: Json = {}
    if setting.parents[number] is not None and draw(st.booleans()):
        told: str | None = setting.parents[number]
        if setting.wide and draw(st.integers(0, 3)) == 0:
            told = draw(st.sampled_from([OUTSIDE, *setting.run_ids]))
        root = setting.roots[number] if draw(st.booleans()) else None
        forwarded = (
            {"tags": facet(tags=[], n=draw(st.integers(0, 2)))} if draw(st.integers(0, 3)) == 0 else None
        )
        run_facets[setting.parent_keys[number]] = parent(told or OUTSIDE, root, forwarded=forwarded)
    match draw(st.integers(0, 7)):
        case 0:
            run_facets["tags"] = facet(tags=[], n=draw(st.integers(3, 5)))
        case 1:
            run_facets["tags"] = None
        case 2:
            run_facets["acme_loss"] = facet(value=float("nan"))
        case 3:
            run_facets["acme.dotted-key"] = facet(_deleted=True, n=draw(st.integers(0, 1)))
    job_facets: Json = {}
    if job == STREAMING_JOB and draw(st.booleans()):
        job_facets["jobType"] = STREAMING
    job_facets |= draw(documentation())
    document = event(
        run if run == NO_UUID else draw(st.sampled_from(SPELLINGS))(run),
        draw(st.integers(0, 5)),
        draw(st.sampled_from(TYPES)),
        job=job,
        run_facets=run_facets,
        job_facets=job_facets,
        form=draw(st.sampled_from(FORMS)),
        **sides,
    )
    match draw(st.integers(0, 15)):
        case 0 if not run_facets:
            document["run"]["facets"] = None
        case 1 if not job_facets:
            document["job"]["facets"] = draw(st.sampled_from([None, "text"]))
        case 2:
            document["eventType"] = document.get("eventType")
    return document


STREAMING = facet(processingType="STREAMING", integration="FLINK", jobType="QUERY")


@st.composite
def documentation(draw: st.DrawFn) -> Json:
    """A job or dataset facet that changes, and may be deleted."""
    match draw(st.integers(0, 6)):
        case 0:
            return {"documentation": facet(description=draw(st.sampled_from(["", "old", "new"])))}
        case 1:
            return {"documentation": facet(_deleted=True)}
        case 2:
            return {"documentation": None}
    return {}


@st.composite
def job_events(draw: st.DrawFn) -> Json:
    name = draw(st.sampled_from(ALIASED + PLAIN))
    return {
        "eventTime": at(draw(st.integers(0, 5))),
        "producer": PRODUCER,
        "job": dict(zip(("namespace", "name"), draw(st.sampled_from(JOBS)), strict=True))
        | {"facets": draw(documentation())},
        "inputs": [dataset(name, **(draw(aliases(name)) if name in ALIASED else {}))],
        "outputs": None,
    }


@st.composite
def dataset_events(draw: st.DrawFn, wide: bool) -> Json:
    name = draw(st.sampled_from(ALIASED + PLAIN))
    facets = draw(documentation()) | (draw(aliases(name)) if name in ALIASED else {})
    if wide and draw(st.booleans()):
        facets["version"] = facet(datasetVersion=draw(st.sampled_from(["v1", "v2"])))
        facets["relineage_content"] = facet(digests=[ROWS], distinctive=draw(st.booleans()))
    return {
        "eventTime": at(draw(st.integers(0, 5))),
        "producer": PRODUCER,
        "dataset": {"namespace": name[0], "name": name[1], "facets": facets},
    }


@st.composite
def streams(draw: st.DrawFn, *, wide: bool = False, max_events: int = 10) -> Stream:
    """A list of messages, in no particular order."""
    setting = draw(settings_of_a_stream(wide))
    documents: list[Json] = draw(st.lists(run_events(setting), min_size=3, max_size=max_events))
    for number, (job, _) in enumerate(setting.jobs):
        # A streaming run says so at least once, on whichever of its events.
        own = [document for document in documents if document["job"]["name"] == job[1] == STREAMING_JOB[1]]
        own = [
            document
            for document in own
            if _spelled(document["run"]["runId"]) == _spelled(setting.run_ids[number])
        ]
        if own and not any("jobType" in (document["job"]["facets"] or {}) for document in own):
            own[draw(st.integers(0, len(own) - 1))]["job"]["facets"] = {"jobType": STREAMING}
    documents += draw(st.lists(st.one_of(job_events(), dataset_events(wide)), max_size=2))
    messages = [encode(document) for document in documents]
    if len(documents) > 3 and draw(st.booleans()):
        inside = [document for document in documents[:2] if b"NaN" not in encode(document)]
        if inside:
            messages[0] = encode(inside)
    return messages + draw(st.lists(st.sampled_from(BAD), max_size=2, unique=True))


def _spelled(text: str) -> str:
    return text.lower().removeprefix("urn:uuid:").strip("{}").replace("-", "")


@st.composite
def arrangements(draw: st.DrawFn, size: int) -> list[list[int]]:
    """Batches of the numbers below `size`: each at least once, some again, in any order."""
    again = draw(st.lists(st.integers(0, size - 1), max_size=3))
    order = draw(st.permutations([*range(size), *again]))
    cuts = draw(st.lists(st.integers(1, len(order)), max_size=3, unique=True).map(sorted))
    batches = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return [list(batch) for batch in batches if batch]
