"""Leaves that must never change: they are kept for years, and another implementation can check itself by them."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from relineage.emitter.digests import content_of
from relineage.emitter.digests.rounded import rounded_digest

GOLDEN = json.loads(Path(__file__).with_name("golden_leaves.json").read_text())
N = np.arange(140_000)
TABLES = {
    "int64, 0 to 139999": pa.table({"n": N}),
    "float64, halves, every 7th null, every 11th NaN": pa.table(
        {"x": pa.array(np.where(N % 11 == 0, np.nan, N / 2), mask=N % 7 == 0)}
    ),
    "utf8, decimal digits, every 5th null": pa.table(
        {"t": pa.array(N.astype(str), pa.string(), mask=N % 5 == 0)}
    ),
    "bool, every 3rd": pa.table({"b": N % 3 == 0}),
    "timestamp[us, UTC], one a second": pa.table({"at": pa.array(N * 1_000_000, pa.timestamp("us", "UTC"))}),
    "list of int32, k mod 3 items": pa.table(
        {"l": pa.array([list(range(k % 3)) for k in range(140_000)], pa.list_(pa.int32()))}
    ),
    "65536 rows": pa.table({"n": N[:65_536]}),
    "one row": pa.table({"n": [1]}),
    "no rows": pa.table({"n": pa.array([], pa.int64())}),
}


@pytest.mark.parametrize("name", TABLES)
def test_golden_leaves_stay(name: str) -> None:
    (column,) = content_of(TABLES[name]).columns
    leaves = [column.leaves[i : i + 32].hex() for i in range(0, len(column.leaves), 32)]
    assert {"column": column.digest, "leaves": leaves} == GOLDEN["leaves"][name]


def test_golden_digests_of_rounded_values_stay() -> None:
    found = {str(d): rounded_digest(pa.table({"x": [1.23456789, None, -0.0, 2.5]}), d) for d in (0, 3, 6)}
    assert found == GOLDEN["rounded"]


def test_every_golden_leaf_is_checked() -> None:
    assert GOLDEN["leaves"].keys() == TABLES.keys()
