"""What was replayed, and what is said of it."""

from uuid import uuid4

import pytest
from pydantic import ValidationError

from relineage.facets import RelineageReplayRunFacet, ReplayedOutput


@pytest.mark.parametrize("verdict", ["reproduced", "same", "", None])
def test_a_verdict_is_one_of_four(verdict: str | None) -> None:
    with pytest.raises(ValidationError, match="verdict"):
        RelineageReplayRunFacet(original=uuid4(), verdict=verdict)


def test_an_output_that_did_not_come_out_has_no_digest_and_says_so() -> None:
    output = ReplayedOutput(role="model", original="b3-bytes1:" + "0" * 64, verdict="missing")
    wire = RelineageReplayRunFacet(original=uuid4(), verdict="not reproduced", outputs=(output,)).to_wire(
        "urn:x"
    )
    assert wire["outputs"] == [{"role": "model", "original": "b3-bytes1:" + "0" * 64, "verdict": "missing"}]
