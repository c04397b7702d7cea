"""Statistics of columns."""

import pytest
from pydantic import ValidationError

from relineage.facets import Feature, Histogram, RelineageFeatureStatsDatasetFacet, TopValue


def test_a_histogram_has_one_edge_more_than_bins():
    assert Histogram(edges=(0, 1, 2), counts=(3, 4)).counts == (3, 4)
    with pytest.raises(ValidationError, match="2 bins need 3 edges, got 2"):
        Histogram(edges=(0, 1), counts=(3, 4))


def test_the_values_of_a_feature_keep_their_types():
    feature = Feature(
        name="when",
        type="timestamp[us]",
        rows=2,
        min="2026-01-01T00:00:00",
        max=2**60,
        top=(TopValue(value=True, count=1), TopValue(value=1, count=1), TopValue(value="1", count=1)),
    )

    (wire,) = RelineageFeatureStatsDatasetFacet(features=(feature,)).to_wire("urn:x")["features"]

    assert wire == {
        "name": "when",
        "type": "timestamp[us]",
        "rows": 2,
        "min": "2026-01-01T00:00:00",
        "max": str(2**60),
        "top": [{"value": True, "count": 1}, {"value": 1, "count": 1}, {"value": "1", "count": 1}],
    }
