"""One read or write of a run."""

from datetime import UTC, datetime

import pytest

from relineage.facets import RelineageIoInputDatasetFacet, RelineageIoOutputDatasetFacet
from relineage.facets.io import _Occurrence


@pytest.mark.parametrize("side", [RelineageIoInputDatasetFacet, RelineageIoOutputDatasetFacet])
def test_a_read_and_a_write_say_the_same_under_the_same_key(side: type[_Occurrence]):
    facet = side(role="train", instant=datetime(2026, 1, 1, tzinfo=UTC), origin="declared")

    assert side.KEY == "relineage_io"
    assert {**facet.to_wire("urn:x"), "_schemaURL": ""} == {
        "_producer": "urn:x",
        "_schemaURL": "",
        "role": "train",
        "instant": "2026-01-01T00:00:00.000000Z",
        "origin": "declared",
    }
