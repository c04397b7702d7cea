"""What all our facets share: their identity on the wire, their value types, and how a facet becomes plain
JSON values.

Decided here:

- A facet names its key, its version and the OpenLineage base of its entity; `_schemaURL` is
  `urn:relineage:facet:<ClassName>:<M-R-A>#/$defs/<ClassName>`, one constant for one version of one facet
  (OpenLineage's rules for custom facets, spec/OpenLineage.md "Custom Facet Naming").
- Names are camelCase on the wire and snake_case in Python; both are accepted when building, others are
  refused.
- A field that is None is left out on the wire: to a reader of OpenLineage null and absent are the same.
  An empty list or object is written: it says "known to be none".
- Numbers have one JSON form each: NaN and the infinities are the texts "NaN", "Infinity" and "-Infinity",
  integers beyond ±2^53 are decimal texts (many readers hold JSON numbers as doubles), instants are RFC
  3339 in UTC with microseconds and Z. numpy scalars and arrays are accepted, and numpy is never imported
  for it.

What a facet says is decided in its own file; bytes and redaction are the encoder's (encode.py).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

MAX_EXACT_INTEGER: Final = 2**53
"""The largest magnitude up to which every integer survives a reader that holds JSON numbers as doubles."""

NON_FINITE: Final = ("NaN", "Infinity", "-Infinity")
"""The texts that stand for the floats JSON has no number for."""

_INTEGER_TEXT: Final = r"^-?[0-9]+$"


def unwrap(value: Any) -> Any:
    """The Python value inside a numpy scalar or array; any other value as it is.

    Recognised by type, in a numpy that the caller has already imported.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return value
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, numpy.ndarray):
        return value.tolist()
    return value


def float_to_wire(value: float) -> float | str:
    """A finite float as it is, the others as one of NON_FINITE."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _integer_to_wire(value: int) -> int | str:
    return value if -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER else str(value)


def _number_to_wire(value: float) -> float | str:
    return _integer_to_wire(value) if isinstance(value, int) else float_to_wire(value)


def _scalar_to_wire(value: float | str) -> float | str:
    return value if isinstance(value, str | bool) else _number_to_wire(value)


def _to_integer(value: Any) -> Any:
    value = unwrap(value)
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii():
        return int(value)
    return value


def _to_float(value: Any) -> Any:
    value = unwrap(value)
    return float(value) if isinstance(value, str) and value in NON_FINITE else value


def _to_number(value: Any) -> Any:
    return _to_float(_to_integer(value))


def _to_text(value: Any) -> Any:
    value = unwrap(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _to_instant(value: Any) -> Any:
    if not isinstance(value, str | datetime):
        raise ValueError("an instant is an aware datetime or an RFC 3339 text with a zone, not a number")
    return value


def _instant_to_wire(value: datetime) -> str:
    try:
        utc = value.astimezone(UTC)
    except OverflowError:  # the first and last day of the calendar, in a zone that leaves it
        utc = value.replace(tzinfo=UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_INTEGER_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "integer"}, {"type": "string", "pattern": _INTEGER_TEXT}]
}
_COUNT_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]
}
_FLOAT_SCHEMA: Final[dict[str, Any]] = {"anyOf": [{"type": "number"}, {"enum": list(NON_FINITE)}]}

Flag = Annotated[bool, Strict(), BeforeValidator(unwrap)]

Count = Annotated[
    int,
    Strict(),
    Field(ge=0),
    BeforeValidator(_to_integer),
    PlainSerializer(_integer_to_wire, return_type=Any),
    WithJsonSchema(_COUNT_SCHEMA),
]
"""How many: an integer of any size, not negative."""

Real = Annotated[
    float,
    Strict(),
    BeforeValidator(_to_float),
    PlainSerializer(float_to_wire, return_type=Any),
    WithJsonSchema(_FLOAT_SCHEMA),
]
"""A double, NaN and the infinities included."""

Number = Annotated[
    Annotated[int, Strict()] | Annotated[float, Strict()],
    BeforeValidator(_to_number),
    PlainSerializer(_number_to_wire, return_type=Any),
    WithJsonSchema({"anyOf": [*_FLOAT_SCHEMA["anyOf"], {"type": "string", "pattern": _INTEGER_TEXT}]}),
]
"""An integer, kept exact whatever its size, or a double."""

Scalar = Annotated[
    bool | Annotated[int, Strict()] | Annotated[float, Strict()] | str,
    BeforeValidator(unwrap),
    PlainSerializer(_scalar_to_wire, return_type=Any),
    WithJsonSchema({"type": ["boolean", "number", "string"]}),
]
"""One value of a column: a boolean, a number, or a text."""

IntegerText = Annotated[str, Field(pattern=_INTEGER_TEXT), BeforeValidator(_to_text)]
"""An integer as decimal text: what has 64 or more bits by nature, such as a seed. An int is accepted and
written out."""

Digest = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*:[0-9a-f]{8,}$")]
"""Identity of content, `label:hex`; the label names the algorithm and its version, as in `b3-table1:9f…`."""

Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_to_instant),
    PlainSerializer(_instant_to_wire),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time; a time without a zone is refused."""

Base = Literal["RunFacet", "DatasetFacet", "InputDatasetFacet", "OutputDatasetFacet"]
"""The definitions of OpenLineage.json that a facet of ours extends: they say on which entity it sits."""


class Part(BaseModel):
    """A frozen piece of a facet; also the base of facets themselves."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, protected_namespaces=()
    )


class Facet(Part):
    """A facet of ours. Subclasses say KEY, BASE and their fields; VERSION is SchemaVer,
    MODEL-REVISION-ADDITION."""

    KEY: ClassVar[str]
    BASE: ClassVar[Base]
    VERSION: ClassVar[str] = "1-0-0"

    @classmethod
    def schema_id(cls) -> str:
        """The `$id` of this facet's JSON Schema."""
        return f"urn:relineage:facet:{cls.__name__}:{cls.VERSION}"

    @classmethod
    def schema_url(cls) -> str:
        """The `_schemaURL` of this facet: a pointer to its definition within its JSON Schema."""
        return f"{cls.schema_id()}#/$defs/{cls.__name__}"

    def to_wire(self, producer: str) -> dict[str, Any]:
        """This facet as plain JSON values, ready to stand under KEY in an event.

        Args:
            producer: URI of the code that made the facet, written as `_producer`.
        """
        # What `model_dump` calls: a call of a step makes five facets and has little time.
        fields = self.__pydantic_serializer__.to_python(self, mode="json", by_alias=True, exclude_none=True)
        return {"_producer": producer, "_schemaURL": self.schema_url(), **fields}
