"""A second implementation of the rows digest from the words of docs/digests.md: lists, struct and BLAKE3."""

import datetime as dt
import json
import struct
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.digests.cells import encoded_rows
from relineage.emitter.digests.rows import row_digests, rows_state

EPOCH = dt.datetime.fromisoformat("1970-01-01")
CANONICAL = {"<e": b"\x00\x7e", "<f": b"\x00\x00\xc0\x7f", "<d": bytes(6) + b"\xf8\x7f"}


@dataclass(frozen=True)
class Kind:
    """A type: its descriptor, its form in Arrow, its values, and how it is written."""

    text: str
    arrow: pa.DataType
    values: st.SearchStrategy[Any]
    layout: str
    pattern: str = ""
    parts: tuple[tuple[str, "Kind"], ...] = ()


def number(value: int) -> bytes:
    return struct.pack("<Q", value)


def frame(data: bytes) -> bytes:
    return number(len(data)) + data


def keyed(purpose: str, data: bytes, length: int = 32) -> bytes:
    return bytes(blake3(data, derive_key_context=f"relineage {purpose}").digest(length))


def cell(kind: Kind, value: Any) -> bytes:
    return (b"\0" if value is None else b"\1") + content(kind, value)


def content(kind: Kind, value: Any) -> bytes:
    if kind.layout == "null":
        return b""
    if kind.layout == "text":
        return frame(value.encode() if isinstance(value, str) else value or b"")
    if kind.layout == "list":
        return number(len(value or [])) + b"".join(cell(kind.parts[0][1], item) for item in value or [])
    if kind.layout == "struct":
        return b"".join(cell(part, None if value is None else value[name]) for name, part in kind.parts)
    if kind.layout == "decimal":
        return int((value or Decimal(0)).scaleb(2)).to_bytes(int(kind.pattern), "little", signed=True)
    if value is None:
        return bytes(struct.calcsize(kind.pattern))
    if isinstance(value, dt.datetime):
        value = (value - EPOCH) // dt.timedelta(microseconds=1)
    elif isinstance(value, dt.date):
        value = (value - EPOCH.date()).days
    elif value != value:
        return CANONICAL[kind.pattern]
    return struct.pack(kind.pattern, value)


Columns = list[tuple[str, Kind, list[Any]]]


def in_order(columns: Columns) -> Columns:
    return sorted(columns, key=lambda column: column[0].encode())  # which keeps the order of equal names


def schema_digest(columns: Columns) -> bytes:
    out, seen = number(len(columns)), {}
    for name, kind, _ in in_order(columns):
        seen[name] = seen.get(name, -1) + 1
        out += frame(name.encode()) + number(seen[name]) + frame(kind.text.encode())
    return keyed("b3-table1 schema", out)


def rows_of(columns: Columns) -> list[bytes]:
    schema = schema_digest(columns)
    count = len(columns[0][2])
    return [schema + b"".join(cell(kind, v[i]) for _, kind, v in in_order(columns)) for i in range(count)]


def digest_of(columns: Columns) -> str:
    rows = rows_of(columns)
    sums = [0] * 1024
    for row in rows:
        lanes = struct.unpack("<1024H", keyed("b3-rows1 row", row, 2048))
        sums = [a + b for a, b in zip(sums, lanes, strict=True)]
    body = schema_digest(columns) + number(len(rows)) + b"".join(map(number, sums))
    return "b3-rows1:" + keyed("b3-rows1 root", body).hex()


def fixed(text: str, arrow: pa.DataType, pattern: str, values: st.SearchStrategy[Any]) -> Kind:
    return Kind(text, arrow, values, "fixed", pattern)


def integers(bits: int, pattern: str, *, signed: bool) -> Kind:
    name = f"int{bits}" if signed else f"uint{bits}"
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return fixed(name, getattr(pa, name)(), pattern, st.integers(low, high))


HUNDREDTHS = st.integers(-(10**9), 10**9).map(lambda value: Decimal(value) / 100)
FLAT = [
    fixed("bool", pa.bool_(), "<?", st.booleans()),
    integers(8, "<b", signed=True),
    integers(16, "<H", signed=False),
    integers(32, "<i", signed=True),
    integers(64, "<q", signed=True),
    integers(64, "<Q", signed=False),
    fixed("float16", pa.float16(), "<e", st.floats(width=16).map(np.float16)),
    fixed("float32", pa.float32(), "<f", st.floats(width=32)),
    fixed("float64", pa.float64(), "<d", st.floats()),
    fixed("date32", pa.date32(), "<i", st.dates()),
    fixed("timestamp[us]", pa.timestamp("us"), "<q", st.datetimes()),
    fixed('timestamp[us,"UTC"]', pa.timestamp("us", "Etc/UTC"), "<q", st.datetimes()),
    Kind("decimal128[12,2]", pa.decimal128(12, 2), HUNDREDTHS, "decimal", "16"),
    Kind("decimal256[40,2]", pa.decimal256(40, 2), HUNDREDTHS, "decimal", "32"),
    Kind("utf8", pa.string(), st.text(max_size=5), "text"),
    Kind("binary", pa.large_binary(), st.binary(max_size=5), "text"),
    Kind("null", pa.null(), st.none(), "null"),
]


def list_of(kind: Kind) -> Kind:
    values = st.lists(st.none() | kind.values, max_size=3)
    return Kind(f"list<{kind.text}>", pa.list_(kind.arrow), values, "list", parts=(("item", kind),))


def struct_of(kinds: list[Kind]) -> Kind:
    parts = tuple((f"ż{i}", kind) for i, kind in enumerate(kinds))
    text = ",".join(f"{json.dumps(name)}:{kind.text}" for name, kind in parts)
    arrow = pa.struct([(name, kind.arrow) for name, kind in parts])
    values = st.fixed_dictionaries({name: st.none() | kind.values for name, kind in parts})
    return Kind(f"struct<{text}>", arrow, values, "struct", parts=parts)


KINDS = st.recursive(
    st.sampled_from(FLAT),
    lambda inner: inner.map(list_of) | st.lists(inner, min_size=1, max_size=3).map(struct_of),
    max_leaves=4,
)


@st.composite
def tables(draw: st.DrawFn) -> Columns:
    rows = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from(["a", "b", "ż", ""]), min_size=1, max_size=4))
    kinds = [draw(KINDS) for _ in names]
    cells = [draw(st.lists(st.none() | kind.values, min_size=rows, max_size=rows)) for kind in kinds]
    return list(zip(names, kinds, cells, strict=True))


def arrow(columns: Columns) -> pa.Table:
    arrays = [pa.array(values, kind.arrow) for _, kind, values in columns]
    return pa.table(arrays, names=[name for name, _, _ in columns])


@settings(max_examples=150, deadline=None)
@given(columns=tables(), data=st.data())
def test_a_second_implementation_of_rows_gives_the_same_digest(columns: Columns, data: st.DataObject) -> None:
    table, expected = arrow(columns), digest_of(columns)
    assert rows_state(table).digest == expected
    order = data.draw(st.permutations(range(table.num_rows)))
    shuffled = [(name, kind, [values[i] for i in order]) for name, kind, values in columns]
    end = data.draw(st.integers(0, table.num_rows))
    chunked = pa.concat_tables([arrow(shuffled).slice(0, end), arrow(shuffled).slice(end)])
    assert rows_state(chunked).digest == expected


@settings(max_examples=50, deadline=None)
@given(columns=tables())
def test_a_second_implementation_gives_the_same_row_digests(columns: Columns) -> None:
    schema, digests = row_digests(arrow(columns))
    assert schema == schema_digest(columns)
    assert [digest.tobytes() for digest in digests] == [
        keyed("b3-rows1 row", row) for row in rows_of(columns)
    ]


def test_the_row_that_the_page_spells_out_has_these_bytes() -> None:
    table = pa.table({"a": pa.array([None], pa.int16()), "b": ["é"]})
    [(raw, bounds)] = encoded_rows(table, b"schema")
    assert raw == b"schema" + bytes.fromhex("00 0000 01 0200000000000000 c3a9")
    assert bounds == [0, len(raw)]


def test_the_golden_digests_are_those_of_the_second_implementation() -> None:
    golden = json.loads(Path(__file__).with_name("golden_rows.json").read_text())
    by_text = {kind.text: kind for kind in FLAT}
    page = [("a", fixed("int16", pa.int16(), "<h", st.none()), [None]), ("b", by_text["utf8"], ["é"])]
    assert golden["the row of the page"]["digest"] == digest_of(page)
    numbers = [("x", by_text["int64"], [-(2**63), None, 0, 2**63 - 1])]
    assert golden["int64"]["digest"] == digest_of(numbers)
    assert golden["int64"]["rows"] == [keyed("b3-rows1 row", row).hex() for row in rows_of(numbers)]
