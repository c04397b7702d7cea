"""The types for which the table digest promises equality between carriers, each with values of every sort."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

NAN, INF = math.nan, math.inf
DAY = dt.date(1960, 2, 29)
INSTANT = dt.datetime.fromisoformat("2024-05-06T07:08:09.123456")

# Every type for which equality between carriers is promised, with nulls, and with NaN, −0.0 and infinities.
PROMISED: dict[str, tuple[pa.DataType, list[Any]]] = {
    "bool": (pa.bool_(), [True, None, False, True]),
    "int8": (pa.int8(), [-128, None, 0, 127]),
    "int16": (pa.int16(), [-(2**15), None, 0, 1]),
    "int32": (pa.int32(), [-(2**31), None, 0, 1]),
    "int64": (pa.int64(), [-(2**63), None, 0, 2**63 - 1]),
    "uint8": (pa.uint8(), [255, None, 0, 1]),
    "uint16": (pa.uint16(), [2**16 - 1, None, 0, 1]),
    "uint32": (pa.uint32(), [2**32 - 1, None, 0, 1]),
    "uint64": (pa.uint64(), [2**64 - 1, None, 0, 1]),
    "float32": (pa.float32(), [1.5, None, -0.0, INF, -INF, NAN]),
    "float64": (pa.float64(), [0.1, None, -0.0, INF, -INF, NAN]),
    "utf8": (pa.string(), ["a", None, "", "żółw 🐢", "nul\0", "a" * 40]),
    "binary": (pa.binary(), [b"a", None, b"", b"\0\xff", b"a" * 40]),
    "date32": (pa.date32(), [DAY, None, dt.date(2024, 1, 1)]),
    "naive": (pa.timestamp("us"), [INSTANT, None, dt.datetime.fromisoformat("1960-01-01")]),
    "utc": (pa.timestamp("us", "UTC"), [INSTANT, None, dt.datetime.fromisoformat("1960-01-01")]),
    "decimal": (pa.decimal128(20, 3), [Decimal("1.200"), None, Decimal("-12345678901234567.891")]),
    "list": (pa.list_(pa.float64()), [[1.0, None, NAN], None, [], [-0.0]]),
    "texts": (pa.list_(pa.string()), [["a", None, ""], None, [], ["b"]]),
    "struct": (
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        [{"a": 1, "b": "x"}, None, {"a": None, "b": None}],
    ),
    "structs": (pa.list_(pa.struct([("a", pa.int64())])), [[{"a": 1}, None], None, []]),
}
