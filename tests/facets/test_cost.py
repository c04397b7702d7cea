"""What a run took."""

import numpy as np
import pytest
from pydantic import ValidationError

from relineage.facets import RelineageCostRunFacet


def test_what_nobody_measured_is_left_out():
    facet = RelineageCostRunFacet(wall_seconds=np.float64(1.5), peak_memory_bytes=np.int64(2**40))

    assert facet.to_wire("urn:x") == {
        "_producer": "urn:x",
        "_schemaURL": facet.schema_url(),
        "wallSeconds": 1.5,
        "peakMemoryBytes": 2**40,
    }


def test_money_stays_exact_as_text():
    wire = RelineageCostRunFacet(money="0.10", currency="EUR").to_wire("urn:x")

    assert (wire["money"], wire["currency"]) == ("0.10", "EUR")


@pytest.mark.parametrize(
    "wrong",
    [
        {"money": 0.1},
        {"money": "1e3"},
        {"money": "12 €"},
        {"currency": "euro"},
        {"wall_seconds": -1.0},
        {"overhead_seconds": "1"},
        {"peak_memory_bytes": -1},
        {"price": "1"},
    ],
)
def test_what_would_be_read_in_two_ways_is_refused(wrong):
    with pytest.raises(ValidationError):
        RelineageCostRunFacet.model_validate(wrong)
