"""Is this an event that any OpenLineage consumer must accept? Judged by the specification's own schemas,
without network.

An event is checked against the newest published OpenLineage.json (2-0-2) whatever its own `schemaURL`
says, and each facet against the schema its `_schemaURL` names: the specification's, in every published
version, or ours. A URL on openlineage.io or under `urn:relineage:` that no schema has is an error; a facet
of another producer only has to be a facet. Formats (uuid, date-time, uri) count, and so do the rules of
JSON that Python's parser waves through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

# In Rust: most tests emit events, and in Python an event took 0.1 s and the grammar of URIs 2 s to import.
from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind
from shared import SHARED

import relineage.facets

OPENLINEAGE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
OUR_SCHEMAS = Path(relineage.facets.__file__).parent / "schemas"

# Where facets sit on an entity, and the base their schema must extend there.
_RUN = {"facets": "RunFacet"}
_JOB = {"facets": "JobFacet"}
_DATASET = {"facets": "DatasetFacet"}
_INPUT = {**_DATASET, "inputFacets": "InputDatasetFacet"}
_OUTPUT = {**_DATASET, "outputFacets": "OutputDatasetFacet"}


def validate_event(event: bytes | Mapping[str, Any]) -> None:
    """Raise an AssertionError that lists everything wrong with an event.

    Args:
        event: the bytes on the wire, or an event already parsed.
    """
    problems: list[str] = []
    document = _parse(event if isinstance(event, bytes) else _dump(event, problems), problems)
    if isinstance(document, dict):
        problems += _event_problems(document)
        for path, base, key, facet in _facets(document):
            problems += [f"{path}: {message}" for message in facet_problems(key, facet, base)]
    elif not problems:
        problems.append(f"an event is a JSON object, not {type(document).__name__}")
    if problems:
        raise AssertionError("not a valid OpenLineage event:\n" + "\n".join(f"- {one}" for one in problems))


def facet_problems(key: str, facet: Any, base: str) -> list[str]:
    """What is wrong with one facet under its key, by the schema that it names.

    Args:
        key: the key under which it stands in the event.
        facet: the facet's JSON value.
        base: the definition of OpenLineage.json that its place asks for, such as `RunFacet`.
    """
    url = facet.get("_schemaURL") if isinstance(facet, dict) else None
    if not isinstance(url, str):
        return []  # the event's own schema says so already
    document_url, _, pointer = url.partition("#")
    if not document_url.startswith(("https://openlineage.io/", "http://openlineage.io/", "urn:relineage:")):
        return []
    schema = _schemas().get(document_url)
    if schema is None:
        return [f"_schemaURL {url!r} names no published schema"]
    if not pointer:
        own_key = next(iter(schema.get("properties", {key: None})))
        return _messages(document_url, {own_key: facet})
    problems = []
    if document_url.startswith("urn:relineage:"):
        name = pointer.removeprefix("/$defs/")
        if list(schema["properties"]) != [key]:
            problems.append(f"{name} stands under {key!r}, not {next(iter(schema['properties']))!r}")
        extends = schema["$defs"].get(name, {}).get("allOf", [{}])[0].get("$ref")
        if extends != f"{OPENLINEAGE}#/$defs/{base}":
            problems.append(f"{name} stands where a {base} belongs")
    return problems + _messages(url, facet)


def _dump(event: Mapping[str, Any], problems: list[str]) -> bytes:
    try:
        return json.dumps(event, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        problems.append(f"no JSON: {error}")
        return b"null"


def _parse(event: bytes, problems: list[str]) -> Any:
    def refuse(constant: str) -> None:
        problems.append(f"{constant} is no JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        problems.extend(f"the key {key!r} is there twice" for key in set(keys) if keys.count(key) > 1)
        return dict(pairs)

    try:
        return json.loads(event.decode("utf-8"), parse_constant=refuse, object_pairs_hook=unique)
    except ValueError as error:
        problems.append(f"no JSON: {error}")
        return None


def _event_problems(event: dict[str, Any]) -> list[str]:
    """By the definition the event's keys point to, since `oneOf` alone only says that none of three fits."""
    if "run" in event and "job" in event:
        definition = "RunEvent"
    elif "dataset" in event:
        definition = "DatasetEvent"
    else:
        definition = "RunEvent" if "run" in event else "JobEvent"
    problems = _messages(f"{OPENLINEAGE}#/$defs/{definition}", event)
    return problems or _messages(OPENLINEAGE, event)


def _facets(event: dict[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """(path, base, key, facet) of every facet, those that a parent hands on included."""
    places: list[tuple[str, Any, dict[str, str]]] = [
        ("run", event.get("run"), _RUN),
        ("job", event.get("job"), _JOB),
        ("dataset", event.get("dataset"), _DATASET),
    ]
    for side, bases in (("inputs", _INPUT), ("outputs", _OUTPUT)):
        datasets = event.get(side)
        if isinstance(datasets, list):
            places += [(f"{side}[{index}]", dataset, bases) for index, dataset in enumerate(datasets)]
    while places:
        path, entity, bases = places.pop(0)
        if not isinstance(entity, dict):
            continue
        for location, base in bases.items():
            facets = entity.get(location)
            for key, facet in facets.items() if isinstance(facets, dict) else ():
                here = f"{path}.{location}.{key}"
                yield here, base, key, facet
                if key == "parent" and base == "RunFacet" and isinstance(facet, dict):
                    root = facet.get("root")
                    for name, parent in ((here, facet), (f"{here}.root", root)):
                        if isinstance(parent, dict):
                            places.append((f"{name}.run", parent.get("run"), _RUN))
                            places.append((f"{name}.job", parent.get("job"), _JOB))


def _messages(url: str, instance: Any) -> list[str]:
    """What is wrong with a value by the schema at a URL."""
    try:
        errors = sorted(_validator(url).iter_errors(instance), key=_place)
    except ValidationError as error:  # of the reference, not of the value
        return [f"no such definition: {error.message}"]
    return list(dict.fromkeys(message for error in errors for message in _leaves(error)))


def _leaves(error: ValidationError) -> Iterator[str]:
    """The messages that name a fault; `anyOf` and `oneOf` only say that no choice fits."""
    if isinstance(error.kind, ValidationErrorKind.AnyOf | ValidationErrorKind.OneOfNotValid):
        for choice in error.kind.context:
            for inner in choice:
                yield from _leaves(inner)
    else:
        yield f"{_place(error)}: {error.message}"


def _place(error: ValidationError) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    return "$" + "".join(steps)


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    """Every schema document by its `$id`: all published versions of the specification's, and ours."""
    files = [
        *(SHARED / "spec" / "published").rglob("*.json"),
        *(SHARED / "spec" / "facets").glob("*.json"),
        *OUR_SCHEMAS.glob("*.json"),
    ]
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return {document["$id"]: document for document in documents}


@cache
def _validator(url: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": url}, retriever=_schemas().__getitem__, validate_formats=True)
