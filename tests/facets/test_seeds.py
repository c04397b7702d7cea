"""How chance was fixed."""

import numpy as np
import pytest
from pydantic import ValidationError

from relineage.facets import LibrarySeed, RelineageSeedsRunFacet


def test_a_64_bit_seed_keeps_its_last_digit():
    facet = RelineageSeedsRunFacet(
        given=True, libraries=(LibrarySeed(library="numpy", seed=np.uint64(2**63 + 11)),)
    )

    assert facet.to_wire("urn:x")["libraries"] == [{"library": "numpy", "seed": "9223372036854775819"}]


def test_entropy_is_hexadecimal():
    with pytest.raises(ValidationError, match="entropy"):
        RelineageSeedsRunFacet(given=True, entropy="42!")
