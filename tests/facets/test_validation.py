"""The validator that every emitted event passes: it accepts what is right and catches what is not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shared import SHARED
from validation import validate_event

from relineage.facets import LibrarySeed, RelineageIoInputDatasetFacet, RelineageSeedsRunFacet, encode

PRODUCER = "https://example.com/producer"
SPEC = "https://openlineage.io/spec/facets"
Event = dict[str, Any]


def standard(url: str, **fields: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/{url}", **fields}


def event() -> Event:
    seeds = RelineageSeedsRunFacet(given=True, libraries=(LibrarySeed(library="numpy", seed=42),))
    read = RelineageIoInputDatasetFacet.model_validate(
        {"role": "train", "instant": "2026-01-01T00:00:00Z", "origin": "declared"}
    )
    nominal = standard(
        "1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet", nominalStartTime="2026-01-01T00:00:00Z"
    )
    version = standard(
        "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet", datasetVersion="v1"
    )
    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {
            "runId": "0199a1b2-0000-7000-8000-000000007a1c",
            "facets": {"nominalTime": nominal, "relineage_seeds": seeds.to_wire(PRODUCER)},
        },
        "job": {"namespace": "fraud", "name": "train"},
        "inputs": [
            {
                "namespace": "fraud",
                "name": "features",
                "facets": {"version": version},
                "inputFacets": {"relineage_io": read.to_wire(PRODUCER)},
            }
        ],
    }


def test_a_right_event_passes_as_bytes_and_parsed():
    validate_event(encode(event()))
    validate_event(event())


def changed(path: str, value: Any) -> Callable[[Event], None]:
    """A fault: the value at a dotted path is another; `...` takes it away."""
    *way, last = path.split(".")

    def change(document: Any) -> None:
        for step in way:
            document = document[int(step) if step.isdecimal() else step]
        if value is ...:
            del document[last]
        else:
            document[last] = value

    return change


RUN_FACETS = "run.facets"
OURS = f"{RUN_FACETS}.relineage_seeds"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("run.runId", "run 7"), r'\$\.run\.runId: "run 7" is not a "uuid"'),
        (changed("eventTime", "2026-01-01T00:00:00"), r'"2026-01-01T00:00:00" is not a "date-time"'),
        (changed("producer", "not a uri"), r'"not a uri" is not a "uri"'),
        (changed("producer", "https://example.com/ü"), r'is not a "uri"'),
        (changed(f"{OURS}._producer", "relineage"), r'"relineage" is not a "uri"'),
        (changed("eventType", "DONE"), r'"DONE" is not one of'),
        (changed("job.name", ...), r'"name" is a required property'),
        (changed(f"{RUN_FACETS}.nominalTime.nominalStartTime", ...), r'"nominalStartTime" is a required'),
        (changed(f"{RUN_FACETS}.nominalTime.nominalStartTime", "noon"), r'"noon" is not a "date-time"'),
        (changed("inputs.0.facets.version.datasetVersion", 7), r'inputs\[0\].*7 is not of type "string"'),
        (changed(f"{OURS}.given", "yes"), r'relineage_seeds: \$\.given: "yes" is not of type "boolean"'),
        (changed(f"{OURS}.libraries", [{"seed": "1"}]), r'libraries\[0\]: "library" is a required property'),
        (changed("inputs.0.inputFacets.relineage_io.instant", "2026-01-01T00:00:00"), r'not a "date-time"'),
        (changed(f"{OURS}._schemaURL", ...), r'"_schemaURL" is a required property'),
        (
            changed(f"{OURS}._schemaURL", "urn:relineage:facet:RelineageSeedsRunFacet:9-0-0#/$defs/X"),
            r"names no published schema",
        ),
        (changed(f"{RUN_FACETS}.x", standard("9-9-9/NoFacet.json")), r"facets\.x: .*no published schema"),
        (
            changed(f"{RUN_FACETS}.x", standard("1-0-1/NominalTimeRunFacet.json#/$defs/Nothing")),
            r"no such definition",
        ),
        (changed(f"{RUN_FACETS}.x", {"_producer": PRODUCER}), r'"_schemaURL" is a required property'),
        (
            lambda document: document["run"]["facets"].update(
                relineage_chance=document["run"]["facets"].pop("relineage_seeds")
            ),
            r"stands under 'relineage_chance', not 'relineage_seeds'",
        ),
        (
            lambda document: document["job"].update(
                facets={"relineage_seeds": document["run"]["facets"].pop("relineage_seeds")}
            ),
            r"job\.facets\.relineage_seeds: RelineageSeedsRunFacet stands where a JobFacet belongs",
        ),
        (changed("x", float("nan")), "no JSON"),
        (changed("x", b"bytes"), "no JSON"),
    ],
)
def test_a_fault_is_caught_and_named(change: Callable[[Event], None], message: str):
    document = copy.deepcopy(event())
    change(document)

    with pytest.raises(AssertionError, match=message):
        validate_event(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(event()).replace('"42"', "NaN"), "NaN is no JSON"),
        (json.dumps(event()).replace('"42"', "-Infinity"), "-Infinity is no JSON"),
        ('{"run": {}, "run": {}}', "the key 'run' is there twice"),
        (json.dumps(event())[:-1], "no JSON"),
        (json.dumps([event()]), "an event is a JSON object, not list"),
    ],
)
def test_what_only_pythons_parser_takes_for_json_is_refused(text: str, message: str):
    with pytest.raises(AssertionError, match=message):
        validate_event(text.encode())


def test_bytes_that_are_no_utf_8_are_refused():
    with pytest.raises(AssertionError, match="no JSON: 'utf-8' codec"):
        validate_event(json.dumps(event()).encode().replace(b"fraud", b"fr\xffud"))


def test_all_faults_are_told_at_once():
    document = {**event(), "eventTime": "now", "producer": "me"}

    with pytest.raises(AssertionError, match=r'(?s)"now" is not a "date-time".*"me" is not a "uri"'):
        validate_event(document)


def test_a_facet_of_another_producer_only_has_to_be_a_facet():
    foreign = {"_producer": PRODUCER, "_schemaURL": "https://example.com/MyFacet.json", "anything": [None]}
    document = event()
    document["run"]["facets"]["my_facet"] = foreign

    validate_event(document)


def test_what_a_parent_hands_on_is_validated_too():
    parent = standard(
        "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
        run={"runId": "0199a1b2-0000-7000-8000-000000007a1c"},
        job={"namespace": "n", "name": "j", "facets": {"ownership": standard("1-0-1/NoSuchFacet.json")}},
    )
    document = event()
    document["run"]["facets"]["parent"] = parent

    with pytest.raises(AssertionError, match=r"parent\.job\.facets\.ownership: .*no published schema"):
        validate_event(document)


@pytest.mark.parametrize("kind", ["job", "dataset"])
def test_static_events_are_events(kind: str):
    document = event()
    static = {key: document[key] for key in ("eventTime", "producer", "schemaURL")}

    validate_event({**static, kind: {"namespace": "n", "name": "x"}})


def test_the_clients_example_of_a_full_event_is_valid():
    path = SHARED / "corpus" / "openlineage-client-python" / "example_full_event.json"

    validate_event(path.read_bytes())


# Examples of the specification that name a schema which was never published, or that of another facet.
MISNAMED = {
    "BaseSubsetDatasetFacet": "names no published schema",
    "ExtractionErrorRunFacet": "names no published schema",
    "DatasetTypeDatasetFacet": '"datasetVersion" is a required property',
    "LifecycleStateChangeDatasetFacet": '"datasetVersion" is a required property',
    "ProcessingEngineRunFacet": '"engine_version" is a required property',
}


@pytest.mark.parametrize(
    "path",
    sorted((SHARED / "spec" / "tests").rglob("*.json")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_specifications_own_examples_pass_unless_they_are_misnamed(path: Path):
    document = json.loads(path.read_text(encoding="utf-8"))
    if "eventTime" in document:
        validate_event(document)
        return
    ((key, facet),) = document.items()
    location = "run" if path.parent.name.endswith("RunFacet") else "job"
    carrier = event()
    carrier[location].setdefault("facets", {})[key] = facet
    if path.parent.name in MISNAMED:
        with pytest.raises(AssertionError, match=MISNAMED[path.parent.name]):
            validate_event(carrier)
    else:
        validate_event(carrier)
