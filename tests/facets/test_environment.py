"""Where a run took place."""

import pytest
from pydantic import ValidationError

from relineage.facets import Code, RelineageEnvironmentRunFacet


def test_code_without_changes_says_so():
    code = Code(commit="9fceb02d0ae598e95dc970b74767f19372d61af8", dirty=False)
    facet = RelineageEnvironmentRunFacet(python="3.11.7", platform="Linux", code=code)

    assert facet.to_wire("urn:x")["code"] == {
        "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "dirty": False,
        "notCovered": [],
    }


def test_a_branch_is_no_commit():
    with pytest.raises(ValidationError, match="commit"):
        Code(commit="main")
