"""What a dataset version holds."""

import pytest
from pydantic import ValidationError

from relineage.facets import RelineageContentDatasetFacet


def test_content_is_not_distinctive_unless_somebody_says_so():
    assert RelineageContentDatasetFacet(absent="no access").to_wire("urn:x")["distinctive"] is False


def test_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(ValidationError, match="kind"):
        RelineageContentDatasetFacet.model_validate({"kind": "pickle"})
