"""The value types that all facets share, and the way from a facet to its JSON values and back."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relineage.facets.base import (
    Base,
    Count,
    Digest,
    Facet,
    Flag,
    Instant,
    IntegerText,
    Number,
    Part,
    Real,
    Scalar,
)

PRODUCER = "urn:relineage:emitter:0.1.0"


class Inner(Part):
    inner_value: Real | None = None


class RelineageSampleRunFacet(Facet):
    KEY: ClassVar[str] = "relineage_sample"
    BASE: ClassVar[Base] = "RunFacet"
    VERSION: ClassVar[str] = "1-2-0"

    a_count: Count | None = None
    a_real: Real | None = None
    a_number: Number | None = None
    a_scalar: Scalar | None = None
    a_flag: Flag | None = None
    a_seed: IntegerText | None = None
    a_digest: Digest | None = None
    an_instant: Instant | None = None
    many: tuple[Inner, ...] = ()


def wire_of(**fields: Any) -> dict[str, Any]:
    wire = RelineageSampleRunFacet(**fields).to_wire(PRODUCER)
    return {key: value for key, value in wire.items() if key not in ("_producer", "_schemaURL", "many")}


def test_a_facet_begins_with_its_producer_and_its_schema():
    wire = RelineageSampleRunFacet().to_wire(PRODUCER)

    assert list(wire.items())[:2] == [
        ("_producer", PRODUCER),
        (
            "_schemaURL",
            "urn:relineage:facet:RelineageSampleRunFacet:1-2-0#/$defs/RelineageSampleRunFacet",
        ),
    ]


def test_a_field_without_a_value_is_left_out_and_an_empty_list_is_not():
    wire = RelineageSampleRunFacet(many=(Inner(),)).to_wire(PRODUCER)

    assert wire["many"] == [{}]
    assert RelineageSampleRunFacet().to_wire(PRODUCER)["many"] == []
    assert set(wire) == {"_producer", "_schemaURL", "many"}


@pytest.mark.parametrize(
    ("field", "value", "on_the_wire"),
    [
        ("a_real", 1.5, 1.5),
        ("a_real", 3, 3.0),
        ("a_real", math.nan, "NaN"),
        ("a_real", math.inf, "Infinity"),
        ("a_real", -math.inf, "-Infinity"),
        ("a_real", "-Infinity", "-Infinity"),
        ("a_real", np.float32(0.5), 0.5),
        ("a_real", np.float16("nan"), "NaN"),
        ("a_number", 3, 3),
        ("a_number", 3.0, 3.0),
        ("a_number", np.float64("inf"), "Infinity"),
        ("a_number", -(2**53) - 1, "-9007199254740993"),
        ("a_number", "-9007199254740993", "-9007199254740993"),
        ("a_count", 2**53, 2**53),
        ("a_count", 2**53 + 1, "9007199254740993"),
        ("a_count", np.uint64(2**64 - 1), "18446744073709551615"),
        ("a_count", "18446744073709551615", "18446744073709551615"),
        ("a_count", np.int8(7), 7),
        ("a_scalar", True, True),
        ("a_scalar", 1, 1),
        ("a_scalar", "1", "1"),
        ("a_scalar", np.str_("x"), "x"),
        ("a_scalar", np.bool_(False), False),
        ("a_scalar", math.nan, "NaN"),
        ("a_scalar", 2**64, "18446744073709551616"),
        ("a_flag", np.bool_(True), True),
        ("a_seed", 2**64 - 1, "18446744073709551615"),
        ("a_seed", np.int64(-1), "-1"),
        ("a_seed", "42", "42"),
        ("a_digest", "b3-table1:" + "9f" * 32, "b3-table1:" + "9f" * 32),
    ],
)
def test_a_value_has_one_form_on_the_wire(field: str, value: Any, on_the_wire: Any):
    (written,) = wire_of(**{field: value}).values()

    assert (type(written), written) == (type(on_the_wire), on_the_wire)


@pytest.mark.parametrize(
    ("value", "on_the_wire"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000000Z"),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=5))), "2026-01-01T22:00:00.000000Z"),
        ("2026-01-02T03:04:05.123456789+01:00", "2026-01-02T02:04:05.123456Z"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_microseconds(value: Any, on_the_wire: str):
    assert wire_of(an_instant=value) == {"anInstant": on_the_wire}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("a_real", "1.5"),
        ("a_real", True),
        ("a_number", "nan"),
        ("a_number", 1j),
        ("a_count", -1),
        ("a_count", 1.0),
        ("a_count", True),
        ("a_count", "١"),
        ("a_scalar", [1]),
        ("a_flag", 1),
        ("a_flag", "true"),
        ("a_seed", "0x2a"),
        ("a_seed", True),
        ("a_digest", "9f" * 32),
        ("a_digest", "b3-table1:XY" + "9f" * 31),
        ("an_instant", datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - a naive time is the case
        ("an_instant", "2026-01-02T03:04:05"),
        ("an_instant", 1_700_000_000),
        ("unheard_of", 1),
    ],
)
def test_what_is_no_value_of_a_field_is_refused(field: str, value: Any):
    with pytest.raises(ValidationError, match=field.split("_")[-1]):
        RelineageSampleRunFacet(**{field: value})


def test_a_facet_cannot_be_changed():
    facet = RelineageSampleRunFacet(a_count=1)

    with pytest.raises(ValidationError, match="frozen"):
        facet.a_count = 2  # type: ignore[misc]


def test_both_names_of_a_field_build_it():
    assert RelineageSampleRunFacet(aCount=1) == RelineageSampleRunFacet(a_count=1)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "a_count": st.integers(min_value=0),
            "a_real": st.floats(),
            "a_number": st.floats() | st.integers(),
            "a_scalar": st.booleans() | st.integers() | st.floats() | st.text(),
            "a_seed": st.integers(),
            "an_instant": st.datetimes(timezones=st.just(UTC)),
            "many": st.lists(st.builds(Inner, inner_value=st.none() | st.floats())),
        },
    )
)
def test_what_is_read_back_from_the_wire_is_written_the_same(fields: dict[str, Any]):
    wire = RelineageSampleRunFacet(**fields).to_wire(PRODUCER)
    read = {key: value for key, value in wire.items() if not key.startswith("_")}

    assert RelineageSampleRunFacet.model_validate(read).to_wire(PRODUCER) == wire
