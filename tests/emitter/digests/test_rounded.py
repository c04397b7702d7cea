"""The digest of rounded values: under its own name, and no identity."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.rounded import rounded_digest
from relineage.facets.base import Digest


def frame(*values: float | None) -> pd.DataFrame:
    return pd.DataFrame({"x": np.array(values, "f8"), "n": range(len(values)), "t": "a"})


def test_its_label_says_the_decimals_and_has_the_form_of_a_digest() -> None:
    digest = rounded_digest(frame(1.0), 6)
    assert TypeAdapter(Digest).validate_python(digest) == digest
    assert re.fullmatch(r"b3-table1-rounded6:[0-9a-f]{64}", digest)
    assert digest.partition(":")[2] != content_of(frame(1.0)).digests[0].partition(":")[2]
    assert len({rounded_digest(frame(1.0), decimals) for decimals in range(16)}) == 16


@pytest.mark.parametrize(
    ("a", "b", "decimals", "same"),
    [
        (1.2344, 1.2341, 3, True),
        (1.2344, 1.2346, 3, False),  # neighbours on both sides of a boundary
        (0.0, -0.0001, 3, True),
        (0.5, 0.0, 0, True),  # ties to even
        (1.5, 2.0, 0, True),
        (float("nan"), float("nan"), 3, True),
        (float("inf"), float("inf"), 3, True),
        (float("inf"), 1e308, 15, False),
        (1e308, 1.1e308, 15, False),
    ],
)
def test_values_are_rounded_half_to_even(a: float, b: float, decimals: int, same: bool) -> None:
    assert (rounded_digest(frame(a, 7.0), decimals) == rounded_digest(frame(b, 7.0), decimals)) is same


def test_it_is_the_same_through_carriers_and_widths_stay_apart() -> None:
    values = [1.23456, None, -0.0, 2.5]
    table = pa.table({"x": values})
    parts = pa.table({"x": pa.chunked_array([values[:1], values[1:]], pa.float64())})
    assert (
        rounded_digest(table, 2) == rounded_digest(pd.DataFrame({"x": values}), 2) == rounded_digest(parts, 2)
    )
    assert rounded_digest(table, 2) != rounded_digest(table.cast(pa.schema([("x", pa.float32())])), 2)


@pytest.mark.parametrize("decimals", range(16))
@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_both_zeros_are_one_in_every_width_and_what_is_too_large_stays(kind: str, decimals: int) -> None:
    def made(*values: float) -> str:
        return rounded_digest(pa.table({"x": np.array(values, kind)}), decimals)

    greatest = float(np.finfo(kind).max)
    assert made(-0.0, np.inf, greatest) == made(0.0, np.inf, greatest)
    assert made(0.0, greatest) != made(0.0, np.inf)
    assert made(0.0) != made(np.nan)


@pytest.mark.parametrize("decimals", [-1, 16, 2.5, 2.0, True, "2", None, np.int64(2)], ids=repr)
def test_other_decimals_are_refused(decimals: Any) -> None:
    with pytest.raises(Refused, match="decimals"):
        rounded_digest(frame(1.0), decimals)


@pytest.mark.parametrize("values", [[[1.0]], [{"a": 1.0}], [[{"a": [1.0]}]]])
def test_floats_within_other_values_are_refused(values: list[object]) -> None:
    with pytest.raises(Refused, match="column 'x': floats within"):
        rounded_digest(pa.table({"x": values}), 3)


def test_it_never_stands_among_the_digests_of_a_table() -> None:
    assert not any("rounded" in digest for digest in content_of(frame(1.5)).digests)
