"""A second implementation of the table digest from the words of docs/digests.md: lists, struct and BLAKE3."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
from blake3 import blake3

from relineage.emitter.digests import content_of

NAN = math.nan

FIXED = {
    **{f"int{8 * size}": f"<{code}" for size, code in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))},
    **{f"uint{8 * size}": f"<{code}" for size, code in ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))},
    "float16": "<e",
    "float32": "<f",
    "float64": "<d",
    "date32": "<i",
    "date64": "<q",
    **{f"time32[{unit}]": "<i" for unit in ("s", "ms")},
    **{f"time64[{unit}]": "<q" for unit in ("us", "ns")},
    **{f"{kind}[{unit}]": "<q" for kind in ("timestamp", "duration") for unit in ("s", "ms", "us", "ns")},
}


def number(value: int) -> bytes:
    return struct.pack("<Q", value)


def frame(data: bytes) -> bytes:
    return number(len(data)) + data


def bits(values: list[bool]) -> bytes:
    whole = sum(value << i for i, value in enumerate(values))
    return whole.to_bytes((len(values) + 7) // 8, "little")


def node(kind: Any, values: list[Any]) -> bytes:
    """`kind` is a name, ("list", kind) or ("struct", {name: kind}); None is null, of decimals there are the digits."""
    out = number(len(values))
    if not values or kind == "null":
        return out
    valid = [value is not None for value in values]
    out += frame(b"" if all(valid) else bits(valid))
    if kind == "bool":
        return out + frame(bits([bool(value) for value in values]))
    if kind in ("utf8", "binary"):
        texts = [value.encode() if isinstance(value, str) else value or b"" for value in values]
        texts = [text or b"" for text in texts]
        return out + frame(b"".join(number(len(text)) for text in texts)) + frame(b"".join(texts))
    if kind[0] == "list":
        lists = [value or [] for value in values]
        lengths = b"".join(number(len(value)) for value in lists)
        return out + frame(lengths) + node(kind[1], [item for value in lists for item in value])
    if kind[0] == "struct":
        out += number(len(kind[1]))
        for name, part in kind[1].items():
            out += node(part, [None if value is None else value[name] for value in values])
        return out
    if kind.startswith("decimal"):
        size = int(kind[len("decimal") : kind.index("[")]) // 8
        return out + frame(b"".join((value or 0).to_bytes(size, "little", signed=True) for value in values))
    pattern = FIXED[without_zone(kind)]
    return out + frame(b"".join(fixed(pattern, value) for value in values))


def fixed(pattern: str, value: int | float | None) -> bytes:
    if value is None:
        return bytes(struct.calcsize(pattern))
    if isinstance(value, float) and math.isnan(value):
        return bytes.fromhex({"<d": "000000000000f87f", "<f": "0000c07f", "<e": "007e"}[pattern])
    return struct.pack(pattern, value)


def described(kind: Any, *, zones: bool = True) -> str:
    if kind[0] == "list":
        return f"list<{described(kind[1], zones=zones)}>"
    if kind[0] == "struct":
        parts = (f'"{name}":{described(part, zones=zones)}' for name, part in kind[1].items())
        return f"struct<{','.join(parts)}>"
    return str(kind) if zones else without_zone(kind)


def without_zone(kind: str) -> str:
    return kind.partition(",")[0] + "]" if kind.startswith("timestamp") and "," in kind else kind


def keyed(purpose: str, data: bytes) -> bytes:
    return bytes(blake3(data, derive_key_context=f"relineage b3-table1 {purpose}").digest())


def tree(entries: list[bytes]) -> bytes:
    if not entries:
        return bytes(blake3(b"").digest())
    if len(entries) == 1:
        return bytes(blake3(b"\x00" + entries[0]).digest())
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return bytes(blake3(b"\x01" + tree(entries[:split]) + tree(entries[split:])).digest())


def table(columns: list[tuple[str, Any, list[Any]]]) -> str:
    """The digest of columns (name, kind, values) of equal length."""
    records = []
    for i, (name, kind, values) in enumerate(columns):
        head = frame(described(kind).encode())
        cut = [values[start : start + 65536] for start in range(0, len(values), 65536)]
        begin = frame(described(kind, zones=False).encode())
        leaves = [keyed("leaf", begin + node(kind, part)) for part in cut]
        ordinal = sum(other == name for other, _, _ in columns[:i])
        records.append((name.encode(), ordinal, head + tree(leaves)))
    body = number(len(columns[0][2])) + number(len(columns))
    body += b"".join(frame(name) + number(ordinal) + rest for name, ordinal, rest in sorted(records))
    return "b3-table1:" + keyed("root", body).hex()


REFERENCE: list[tuple[str, Any, pa.DataType, list[Any]]] = [
    ("flag", "bool", pa.bool_(), [True, None, False] * 30_000),
    ("n", "int64", pa.int64(), [1, None, -(2**63)] * 30_000),
    ("x", "float64", pa.float64(), [NAN, None, -0.0] * 30_000),
    ("y", "float32", pa.float32(), [0.5, 2.5, NAN] * 30_000),
    ("text", "utf8", pa.string(), ["żółw", None, ""] * 30_000),
    ("raw", "binary", pa.large_binary(), [b"a", b"", None] * 30_000),
    ("day", "date32", pa.int32(), [0, -1, None] * 30_000),
    ("list", ("list", "uint16"), pa.list_(pa.uint16()), [[1, None], None, []] * 30_000),
    (
        "struct",
        ("struct", {"a": "int8", "b": ("list", "utf8")}),
        pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))]),
        [{"a": 1, "b": ["x", None]}, None, {"a": None, "b": None}] * 30_000,
    ),
]


def test_a_second_implementation_from_the_specification_gives_the_same_digest() -> None:
    arrays = [
        pa.array(values, kind).cast(pa.date32()) if name == "day" else pa.array(values, kind)
        for name, _, kind, values in REFERENCE
    ]
    names = [name for name, _, _, _ in REFERENCE]
    expected = table([(name, kind, values) for name, kind, _, values in REFERENCE])
    assert content_of(pa.table(arrays, names=names)).version == expected
    twice = table([("a", "int64", [1]), ("a", "utf8", ["b"])])
    assert content_of(pa.table([pa.array([1]), pa.array(["b"])], names=["a", "a"])).version == twice
    assert content_of(pa.table({"a": pa.array([], pa.int64())})).version == table([("a", "int64", [])])


N = range(140_000)
KEPT: dict[str, tuple[Any, list[Any]]] = {
    "int64, 0 to 139999": ("int64", list(N)),
    "float64, halves, every 7th null, every 11th NaN": (
        "float64",
        [None if k % 7 == 0 else NAN if k % 11 == 0 else k / 2 for k in N],
    ),
    "utf8, decimal digits, every 5th null": ("utf8", [None if k % 5 == 0 else str(k) for k in N]),
    "bool, every 3rd": ("bool", [k % 3 == 0 for k in N]),
    "list of int32, k mod 3 items": (("list", "int32"), [list(range(k % 3)) for k in N]),
}


def test_a_second_implementation_gives_the_golden_leaves() -> None:
    golden = json.loads(Path(__file__).with_name("golden_leaves.json").read_text())["leaves"]
    for name, (kind, values) in KEPT.items():
        head = frame(described(kind).encode())
        parts = [values[start : start + 65536] for start in range(0, len(values), 65536)]
        assert [keyed("leaf", head + node(kind, part)).hex() for part in parts] == golden[name]["leaves"]


def kind_said(said: Any) -> Any:
    """As `node` takes it, of a type in `golden_types.json`."""
    if isinstance(said, str):
        return said
    if "list" in said:
        return "list", kind_said(said["list"])
    return "struct", {name: kind_said(part) for name, part in said["struct"].items()}


def value_said(kind: Any, said: Any) -> Any:
    if said is None or kind in ("bool", "utf8"):
        return said
    if kind[0] == "list":
        return [value_said(kind[1], item) for item in said]
    if kind[0] == "struct":
        return {name: value_said(part, said[name]) for name, part in kind[1].items()}
    if kind.startswith("float"):
        return struct.unpack(FIXED[kind].replace("<", ">"), bytes.fromhex(said))[0]
    return bytes.fromhex(said) if kind == "binary" else int(said)


def test_a_second_implementation_gives_the_golden_digest_of_each_type() -> None:
    golden = json.loads(Path(__file__).with_name("golden_types.json").read_text())
    for one in golden.values():
        kind = kind_said(one["type"])
        assert described(kind) == one["descriptor"]
        assert table([("x", kind, [value_said(kind, said) for said in one["values"]])]) == one["digest"]
