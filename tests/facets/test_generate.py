"""The committed schemas, examples and page are those of the types, and have the shape that OpenLineage
asks for."""

import json
from typing import Any

import pytest
from validation import facet_problems

from relineage.facets import ALL, Facet
from relineage.facets.generate import OPENLINEAGE, PAGE, SCHEMAS, documents

each_facet = pytest.mark.parametrize("facet", ALL, ids=lambda facet: facet.__name__)


def schema_of(facet: type[Facet]) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{facet.__name__}.json").read_text(encoding="utf-8"))


def example_of(facet: type[Facet]) -> dict[str, Any]:
    path = SCHEMAS / "examples" / facet.__name__ / "1.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_what_is_committed_is_what_is_generated():
    """When this fails: `python -m relineage.facets.generate`. Schemas compare as JSON: key order is
    pydantic's."""
    generated = documents()
    committed = {path: path.read_text(encoding="utf-8") for path in generated}

    assert len(generated) == len(ALL) + 1
    assert committed.pop(PAGE) == generated.pop(PAGE)
    for path, text in generated.items():
        assert json.loads(committed[path]) == json.loads(text), path


def test_no_schema_and_no_example_is_left_over():
    names = {facet.__name__ for facet in ALL}

    assert {path.stem for path in SCHEMAS.glob("*.json")} == names
    assert {path.name for path in (SCHEMAS / "examples").iterdir()} == names


@each_facet
def test_a_schema_has_the_shape_of_the_standard_ones(facet: type[Facet]):
    schema = schema_of(facet)
    name = facet.__name__

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:relineage:facet:{name}:{facet.VERSION}"
    assert schema["properties"] == {facet.KEY: {"$ref": f"#/$defs/{name}"}}
    base, body = schema["$defs"][name]["allOf"]
    assert base == {"$ref": f"{OPENLINEAGE}#/$defs/{facet.BASE}"}
    assert body["type"] == "object"


@each_facet
def test_a_facet_is_named_by_the_rule_of_openlineage(facet: type[Facet]):
    entity = facet.BASE  # Relineage<Name><Entity>Facet under relineage_<name>
    name = facet.__name__.removeprefix("Relineage").removesuffix(entity)

    assert facet.__name__ == f"Relineage{name}{entity}"
    assert f"relineage_{name[0].lower()}{name[1:]}" == facet.KEY


@each_facet
def test_every_field_is_described_and_none_can_be_null(facet: type[Facet]):
    for definition in schema_of(facet)["$defs"].values():
        assert definition["description"]
        body = definition["allOf"][1] if "allOf" in definition else definition
        for field in body["properties"].values():
            assert field["description"]
            assert '"null"' not in json.dumps(field)


@each_facet
def test_an_example_is_valid_by_our_schema_and_the_base(facet: type[Facet]):
    ((key, document),) = example_of(facet).items()

    assert key == facet.KEY
    assert document["_schemaURL"] == facet.schema_url()
    assert facet_problems(key, document, facet.BASE) == []


@each_facet
def test_an_example_shows_what_the_class_writes(facet: type[Facet]):
    document = example_of(facet)[facet.KEY]
    fields = {key: value for key, value in document.items() if not key.startswith("_")}

    written = facet.model_validate(fields).to_wire(document["_producer"])

    assert {key: written[key] for key in document} == document


@each_facet
def test_a_schema_refuses_an_example_without_a_required_field(facet: type[Facet]):
    document = example_of(facet)[facet.KEY]
    body = schema_of(facet)["$defs"][facet.__name__]["allOf"][1]

    for field in (*body.get("required", ()), "_producer"):
        without = {key: value for key, value in document.items() if key != field}
        assert facet_problems(facet.KEY, without, facet.BASE) == [f'$: "{field}" is a required property']
