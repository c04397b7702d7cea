"""Digests that must never change: a changed rule is a new label, not a new value here.

`make test-golden` runs the golden tests with the oldest supported libraries on the oldest Python, and with the
newest on the newest.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from relineage.emitter.digests import content_of

GOLDEN: dict[str, list[str]] = json.loads(Path(__file__).with_name("golden.json").read_text())
NAN = float("nan")


def column(values: list[Any], kind: pa.DataType) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


# Estimators are missing here because their digest binds the installed version of scikit-learn.
CASES: dict[str, object] = {
    "table without rows": column([], pa.int64()),
    "bool": column([True, None, False], pa.bool_()),
    "int8": column([1, None, -1], pa.int8()),
    "int64": column([1, None, -1], pa.int64()),
    "uint64": column([1, None, 2**64 - 1], pa.uint64()),
    "float16": column([np.float16(1.5), None, np.float16(NAN)], pa.float16()),
    "float32": column([1.5, None, NAN, -0.0], pa.float32()),
    "float64": column([1.5, None, NAN, -0.0], pa.float64()),
    "utf8": column(["a", None, "", "ż"], pa.string()),
    "binary": column([b"a", None, b""], pa.binary()),
    "date32": column([0, None, -1], pa.int32()).cast(pa.schema([("x", pa.date32())])),
    "timestamp[us]": column([0, None, -1], pa.timestamp("us")),
    "timestamp[us, UTC]": column([0, None, -1], pa.timestamp("us", "UTC")),
    "timestamp[ns, Europe/Warsaw]": column([0, None, -1], pa.timestamp("ns", "Europe/Warsaw")),
    "time64[us]": column([0, None, 1], pa.time64("us")),
    "duration[ms]": column([0, None, -1], pa.duration("ms")),
    "decimal128": column([Decimal("1.20"), None, Decimal("-3.00")], pa.decimal128(10, 2)),
    "decimal256": column([Decimal("1.20"), None, Decimal("-3.00")], pa.decimal256(50, 2)),
    "null": column([None, None], pa.null()),
    "list": column([[1, None], None, []], pa.list_(pa.int64())),
    "struct": column([{"a": 1, "b": "x"}, None], pa.struct([("a", pa.int64()), ("b", pa.string())])),
    "two leaves": pa.table({"x": np.arange(70_000)}),
    "three leaves": pa.table({"x": np.arange(140_000)}),
    "three columns, two of one name": pa.table(
        [pa.array([1]), pa.array(["a"]), pa.array([2])], names=["b", "a", "b"]
    ),
    "list of texts": ["one", "two", None],
    "array": np.arange(6, dtype="f4").reshape(2, 3),
    "state": {
        "weight": np.arange(6, dtype="f4").reshape(2, 3),
        "bias": np.zeros(2, "f2"),
        "tied": np.zeros(2, "f2"),
    },
    "text": "zażółć gęślą jaźń",
    "bytes": bytes(range(256)),
    "json": {"b": [1, 2.5, None, True], "a": "ż"},
}


@pytest.mark.parametrize("name", CASES)
def test_a_golden_digest_stays(name: str) -> None:
    assert list(content_of(CASES[name]).digests) == GOLDEN[name]


def test_a_golden_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.bin").write_bytes(bytes(range(256)))
    (tmp_path / "ż").write_bytes(b"")
    assert list(content_of(tmp_path).digests) == GOLDEN["folder"]


def test_every_golden_digest_is_checked() -> None:
    assert GOLDEN.keys() == {*CASES, "folder"}


TABLES = {name: data for name, data in CASES.items() if isinstance(data, pa.Table)}


def version(data: object) -> str:
    return content_of(data).digests[0]


@pytest.mark.parametrize("name", [name for name in TABLES if "one name" not in name])
def test_arrow_backed_frames_and_files_have_the_golden_digests(name: str, tmp_path: Path) -> None:
    table = TABLES[name]
    assert version(table.to_pandas(types_mapper=pd.ArrowDtype)) == GOLDEN[name][0]
    pa.feather.write_feather(table, tmp_path / "t.feather", compression="uncompressed")
    assert content_of(tmp_path / "t.feather").digests[0] == GOLDEN[name][0]


@pytest.mark.parametrize(
    "name", ["bool", "int8", "int64", "uint64", "utf8", "binary", "date32", "decimal128", "list"]
)
def test_polars_and_parquet_have_the_golden_digests(name: str, tmp_path: Path) -> None:
    table = TABLES[name]
    assert version(pl.from_arrow(table)) == GOLDEN[name][0]
    pq.write_table(table, tmp_path / "t.parquet")
    assert content_of(tmp_path / "t.parquet").digests[0] == GOLDEN[name][0]


def test_numpy_backed_frames_have_the_golden_digests() -> None:
    frames = {
        "two leaves": pd.DataFrame({"x": np.arange(70_000)}),
        "three leaves": pd.DataFrame({"x": np.arange(140_000)}),
        "three columns, two of one name": pd.DataFrame([[1, "a", 2]], columns=["b", "a", "b"]),
        "utf8": pd.DataFrame({"x": pd.Series(["a", None, "", "ż"], dtype=object)}),
        "binary": pd.DataFrame({"x": pd.Series([b"a", None, b""], dtype=object)}),
        "bool": pd.DataFrame({"x": pd.Series([True, None, False], dtype="boolean")}),
        "int64": pd.DataFrame({"x": pd.Series([1, None, -1], dtype="Int64")}),
        "uint64": pd.DataFrame({"x": pd.Series([1, None, 2**64 - 1], dtype="UInt64")}),
        "list of texts": pd.Series(["one", "two", None]),
        "timestamp[us]": pd.DataFrame({"x": np.array([0, "NaT", -1], dtype="M8[us]")}),
        "timestamp[us, UTC]": pd.DataFrame(
            {"x": pd.Series(np.array([0, "NaT", -1], dtype="M8[us]")).dt.tz_localize("UTC")}
        ),
    }
    assert {name: version(frame) for name, frame in frames.items()} == {
        name: GOLDEN[name][0] for name in frames
    }
    words = pd.DataFrame({"x": pd.Series(["a", None, "", "ż"]).astype("category")})
    assert version(words) == GOLDEN["utf8"][0]
