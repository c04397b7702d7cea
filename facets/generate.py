"""`python -m relineage.facets.generate`: writes the facets' JSON Schemas and docs/facets.md from the types.

A tool for a checkout of the repository, and the one place in this package that touches files; nothing
imports it but its tests, which compare what is committed with `documents()`. The schemas have the shape of
OpenLineage's own (one file a facet, `$defs.<ClassName>` extending the base of its entity, the facet's key
as the only property), and are open to unknown fields, as every OpenLineage facet is. Descriptions are the
docstrings.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from . import ALL
from .base import NON_FINITE, Facet, Part

SCHEMAS: Final = Path(__file__).parent / "schemas"
PAGE: Final = Path(__file__).parent.parent / "docs" / "facets.md"
OPENLINEAGE: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json"

_ENTITIES: Final = {
    "RunFacet": "run",
    "DatasetFacet": "dataset",
    "InputDatasetFacet": "input",
    "OutputDatasetFacet": "output",
}
_PAGE_HEAD: Final = """\
# Our facets

Written by `python -m relineage.facets.generate`; [adding a facet](adding-a-facet.md) says how to change it.

What OpenLineage has no standard facet for. Each sits under its key in the facets of its entity, is
replaced whole by a later one, and carries `_producer` and `_schemaURL` besides the fields below. The JSON
Schemas ship in the package (`relineage/facets/schemas/`), each with an example. Fields in **bold** are
always there; a field that has no value is left out. NaN and the infinities are the texts "NaN", "Infinity"
and "-Infinity", an integer beyond ±2^53 is a decimal text, an instant is RFC 3339 in UTC with microseconds
and Z, a digest is `label:hex`.
"""


def documents() -> dict[Path, str]:
    """Every file to be written, with its text."""
    pages = {SCHEMAS / f"{facet.__name__}.json": _json(schema(facet)) for facet in ALL}
    return {**pages, PAGE: page()}


def schema(facet: type[Facet]) -> dict[str, Any]:
    """The JSON Schema of a facet, in the shape of the standard facets' schemas."""
    raw = facet.model_json_schema(mode="validation")
    definitions: dict[str, Any] = raw.pop("$defs", {})
    parts = {part.__name__: part for part in _parts(facet)}
    own = {name: _describe(parts[name], definition) for name, definition in sorted(definitions.items())}
    body = _describe(facet, raw)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": facet.schema_id(),
        "$defs": {
            **own,
            facet.__name__: {
                "description": body.pop("description"),
                "allOf": [{"$ref": f"{OPENLINEAGE}#/$defs/{facet.BASE}"}, body],
                "type": "object",
            },
        },
        "type": "object",
        "properties": {facet.KEY: {"$ref": f"#/$defs/{facet.__name__}"}},
    }


def page() -> str:
    """The text of docs/facets.md."""
    return "\n".join([_PAGE_HEAD, *(_section(facet) for facet in ALL)])


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _parts(part: type[Part]) -> Iterator[type[Part]]:
    """The parts nested in this one, each once, in the order of the fields."""
    seen: list[type[Part]] = []
    for field in part.model_fields.values():
        for inner in _part_types(field.annotation):
            seen += [found for found in (inner, *_parts(inner)) if found not in seen]
    yield from seen


def _part_types(annotation: Any) -> Iterator[type[Part]]:
    if inspect.isclass(annotation) and issubclass(annotation, Part):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _part_types(argument)


def _describe(part: type[Part], raw: dict[str, Any]) -> dict[str, Any]:
    """pydantic's schema of one class: with our descriptions, without titles, nulls and closed objects."""
    meanings = _meanings(part)
    properties = {}
    for name, field in part.model_fields.items():
        wire = field.alias or name
        properties[wire] = {"description": meanings[name], **_without_null(raw["properties"][wire])}
    required = raw.get("required", [])
    described = {"description": _one_line(part.__doc__), "type": "object", "properties": properties}
    return {**described, "required": required} if required else described


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """One field's schema; a field without a value is left out, so null is no value of it."""
    kept = {key: value for key, value in field.items() if key not in ("title", "default", "description")}
    if {"type": "null"} in kept.get("anyOf", ()):
        others = [choice for choice in kept.pop("anyOf") if choice != {"type": "null"}]
        kept = {**kept, **(others[0] if len(others) == 1 else {"anyOf": others})}
    return kept


def _meanings(part: type[Part]) -> dict[str, str]:
    """The docstring under each field, inherited ones included."""
    meanings: dict[str, str] = {}
    for owner in reversed(part.__mro__):
        if not issubclass(owner, Part):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, following in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
            ):
                meanings[statement.target.id] = _one_line(following.value.value)
    return meanings


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())


def _section(facet: type[Facet]) -> str:
    lines = [
        f"## {facet.__name__}",
        "",
        f"`{facet.KEY}`, {_ENTITIES[facet.BASE]}, version {facet.VERSION}. {_one_line(facet.__doc__)}",
        "",
        "| field | type | meaning |",
        "|---|---|---|",
        *_rows(schema(facet)["$defs"], facet.__name__, ""),
        "",
    ]
    return "\n".join(lines)


def _rows(definitions: dict[str, Any], name: str, prefix: str) -> Iterator[str]:
    definition = definitions[name]
    body = definition["allOf"][1] if "allOf" in definition else definition
    for field, field_schema in body["properties"].items():
        shown = f"`{prefix}{field}`"
        if field in body.get("required", ()):
            shown = f"**{shown}**"
        meaning = field_schema["description"].replace("|", "\\|")
        yield f"| {shown} | {_type_name(field_schema)} | {meaning} |"
        inner = field_schema.get("items", field_schema).get("$ref")
        if inner is not None:
            mark = "[]." if "items" in field_schema else "."
            yield from _rows(definitions, inner.removeprefix("#/$defs/"), f"{prefix}{field}{mark}")


def _type_name(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "object"
    if field.get("type") == "array":
        return f"list of {_type_name(field['items'])}"
    if field.get("type") == "object":
        return f"object of {_type_name(field['additionalProperties'])}"
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"] if choice not in NON_FINITE)
    if "anyOf" in field:
        kinds = [choice.get("type") for choice in field["anyOf"]]
        return "number" if "number" in kinds else "integer"
    if isinstance(field["type"], list):
        return " or ".join(field["type"])
    if field["type"] == "string" and "pattern" in field:
        return "digest" if ":" in field["pattern"] else f"text, `{field['pattern']}`"
    return str(field.get("format", "text")) if field["type"] == "string" else str(field["type"])


def main() -> None:
    """Write what is missing or differs, and remove schemas of facets that are no more."""
    wanted = documents()
    for stale in set(SCHEMAS.glob("*.json")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
