"""For each type of the table in docs/digests.md a column whose digest never changes, in a form that any language reads.

`golden_types.json` has the values themselves, so that another implementation can check itself without ours:
`test_reference.py` does.
"""

import json
import re
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from relineage.emitter.digests import content_of
from relineage.emitter.digests.columns import descriptor

GOLDEN: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("golden_types.json").read_text())
FLOATS = {"float16": ">e", "float32": ">f", "float64": ">d"}


def arrow(kind: Any) -> pa.DataType:
    if isinstance(kind, dict):
        ((layout, inner),) = kind.items()
        if layout == "list":
            return pa.list_(arrow(inner))
        return pa.struct([(name, arrow(part)) for name, part in inner.items()])
    if found := re.fullmatch(r'timestamp\[(\w+),"(.+)"\]', kind):
        return pa.timestamp(found[1], found[2])
    if found := re.fullmatch(r"decimal(128|256)\[(\d+),(\d+)\]", kind):
        return {"128": pa.decimal128, "256": pa.decimal256}[found[1]](int(found[2]), int(found[3]))
    return pa.type_for_alias(kind)


def value(kind: Any, said: Any) -> Any:
    """As Arrow takes it; the file tells numbers as decimal text, floats and bytes in hex."""
    if said is None or kind in ("bool", "utf8"):
        return said
    if isinstance(kind, dict):
        if "list" in kind:
            return [value(kind["list"], item) for item in said]
        return {name: value(part, said[name]) for name, part in kind["struct"].items()}
    if kind in FLOATS:
        (number,) = struct.unpack(FLOATS[kind], bytes.fromhex(said))
        return np.float16(number) if kind == "float16" else number  # an old Arrow takes no other
    if kind == "binary":
        return bytes.fromhex(said)
    if kind.startswith("decimal"):
        return Decimal(said).scaleb(-arrow(kind).scale)
    return int(said)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_column_of_each_type_stays(name: str) -> None:
    kind, values = GOLDEN[name]["type"], GOLDEN[name]["values"]
    column = pa.array([value(kind, said) for said in values], arrow(kind))
    assert descriptor(column.type) == GOLDEN[name]["descriptor"]
    assert content_of(pa.table({"x": column})).version == GOLDEN[name]["digest"]


def test_no_type_of_the_table_is_without_a_golden_column() -> None:
    """Of each line but those that are refused, or are said to be what another line is."""
    page = Path(__file__).parents[3] / "docs" / "digests.md"
    lines = page.read_text().partition("### Types")[2].partition("\n### ")[0]
    described = {one["descriptor"] for one in GOLDEN.values()}
    for text in re.findall(r"^\| [^|]+ \| ([^|]*) \|", lines, re.MULTILINE)[2:]:
        for kind in re.findall("`([^`]+)`", text):
            pattern = (
                re.escape(kind)
                .replace("…", ".*")
                .replace('"name"', '"[^"]*"')
                .replace(r"\[p,s\]", r"\[\d+,\d+\]")
            )
            assert any(re.fullmatch(pattern, one) for one in described), kind
    units = ("s", "ms", "us", "ns")
    assert described >= {
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *(f"timestamp[{unit}]" for unit in units),
        *(f"duration[{unit}]" for unit in units),
        *(f"time{bits}[{unit}]" for bits, unit in zip((32, 32, 64, 64), units, strict=True)),
    }
