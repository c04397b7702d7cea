"""A file of a known format has the digest of what it holds: the same as the thing itself."""

import csv
import io
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.digests import Refused, content_of, separated
from relineage.emitter.digests.formats import file_table_digest
from relineage.emitter.digests.loading import load
from relineage.emitter.digests.separated import csv_digest

TABLE = pa.table({"x": list(range(20)), "t": ["a", None] * 10})


def test_a_table_file_is_its_table_and_its_bytes(tmp_path: Path) -> None:
    year = tmp_path / "year=2024"  # a folder named as a partition adds no column
    year.mkdir()
    for compression in ("zstd", "none"):
        pq.write_table(TABLE, year / f"{compression}.parquet", compression=compression)
    feather.write_feather(TABLE, year / "t.feather")
    with pa.OSFile(str(year / "s.arrow"), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as stream:
        stream.write_table(TABLE, max_chunksize=7)
    pacsv.write_csv(TABLE, year / "t.csv")
    found = [content_of(path) for path in sorted(year.iterdir())]
    assert {content.version for content in found} == {content_of(TABLE).version}
    assert len({content.digests[1] for content in found}) == 5
    assert all(content.digests[1].startswith("b3-bytes1:") for content in found)
    assert {(content.kind, content.rows) for content in found} == {("table", 20)}


def test_an_array_file_is_its_tensors_and_its_bytes(tmp_path: Path) -> None:
    array = np.arange(20.0)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", w=array, b=array[:3])
    assert content_of(tmp_path / "a.npy").digests[:2] == content_of(array).digests
    assert content_of(tmp_path / "a.npz").digests[:2] == content_of({"w": array, "b": array[:3]}).digests


class Trap:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch sprung",)


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "model.npy", "model.npz"])
def test_a_pickle_is_never_loaded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    elif name.endswith(".npz"):
        np.savez(path, w=np.array([Trap()], dtype=object))
    else:
        path.write_bytes(pickle.dumps(Trap()))
    found = content_of(path)
    assert found.digests == (f"b3-bytes1:{blake3(path.read_bytes()).hexdigest()}",)
    assert found.absent is not None
    if not name.endswith(("npy", "npz")):
        assert "a pickle is never loaded" in found.absent
        assert "run.output(model)" in found.absent
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.arrow", "a.npy", "a.npz"])
@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"\x93NUMPY\x01\x00", b"PK\x03\x04" + bytes(30), os.urandom(300)]
)
def test_a_damaged_file_has_its_bytes_and_the_reason(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    found = content_of(tmp_path / name)
    assert found.digests == (f"b3-bytes1:{blake3(data).hexdigest()}",)
    assert found.absent is not None
    assert "no digest of the content" in found.absent


def test_a_table_file_with_a_refused_column_says_which(tmp_path: Path) -> None:
    table = pa.table({"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))})
    pq.write_table(table, tmp_path / "t.parquet")
    found = content_of(tmp_path / "t.parquet")
    assert len(found.digests) == 1
    assert "column 'm'" in str(found.absent)


ARRAYS: list[np.ndarray[Any, Any]] = [
    np.arange(20.0),
    np.zeros((0, 3)),
    np.array(3.5, np.float32),
    np.arange(12).reshape(3, 4).T,
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(5, dtype=">i4"),
    np.array(["a", "bc"]),
    np.array([], dtype="S0"),
    np.array([True, False]),
    np.arange(1_000_000).reshape(1000, 1000),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_an_npy_file_is_its_array(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    found = content_of(tmp_path / "a.npy")
    direct = content_of(array)
    assert found.digests[:2] == direct.digests
    assert (found.rows, found.bytes, found.distinctive) == (direct.rows, direct.bytes, direct.distinctive)


def test_an_npy_file_that_was_cut_off_has_its_bytes_and_the_reason(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(1000))
    os.truncate(tmp_path / "a.npy", 4000)
    assert "shorter than its header says" in str(content_of(tmp_path / "a.npy").absent)


def test_a_file_of_two_arrow_batches_with_dictionaries_of_their_own_is_one_table(tmp_path: Path) -> None:
    parts = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()]
    schema = pa.schema([("t", parts[0].type)])
    with pa.OSFile(str(tmp_path / "s.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        for part in parts:
            stream.write_batch(pa.record_batch([part], schema=schema))
    plain = pa.table({"t": ["a", "b", "b", "c"]})
    assert content_of(tmp_path / "s.arrow").version == content_of(plain).version


def digest_of_csv(text: str | bytes, folder: Path) -> str:
    path = folder / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = content_of(path)
    return found.absent or str(found.version)


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-20", ""], "int64", [1, -20, None]),
        (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], "utf8", ["9223372036854775808", "1"]),
        (["007", "1"], "utf8", ["007", "1"]),
        (["+1", "1"], "utf8", ["+1", "1"]),
        ([" 1", "1"], "utf8", [" 1", "1"]),
        (["0x10", "1"], "utf8", ["0x10", "1"]),
        (
            ["1.5", "2", "", "-0.0", "1e-5", "2E+3", ".5", "5."],
            "float64",
            [1.5, 2, None, -0.0, 1e-5, 2e3, 0.5, 5],
        ),
        (["nan", "NaN", "inf", "-Infinity", "1"], "float64", [math.nan, math.nan, math.inf, -math.inf, 1]),
        (["-0"], "float64", [-0.0]),
        (["1e999", "1.5"], "utf8", ["1e999", "1.5"]),
        (["1.5", "1234567890123456"], "utf8", ["1.5", "1234567890123456"]),
        (["1234567890123456", "1.5"], "utf8", ["1234567890123456", "1.5"]),
        (["1.5", "123456789012345"], "float64", [1.5, 123456789012345.0]),
        (["true", "FALSE", "", "True"], "bool", [True, False, None, True]),
        (["true", "1"], "utf8", ["true", "1"]),
        (["1", "true"], "utf8", ["1", "true"]),
        (["2024-01-31"], "utf8", ["2024-01-31"]),
        (["NA", "null", ""], "utf8", ["NA", "null", None]),
        (['""', ""], "utf8", ["", None]),
        (['"a ""b"", c"', '"x\ny"'], "utf8", ['a "b", c', "x\ny"]),
        (["", ""], "null", [None, None]),
    ],
)
def test_a_csv_column_has_the_first_type_that_loses_nothing(
    cells: list[str], kind: str, values: list[Any], tmp_path: Path
) -> None:
    """The second column keeps a line of an empty cell from being an empty line."""
    arrow = {"utf8": pa.string(), "null": pa.null()}.get(kind) or pa.type_for_alias(kind)
    expected = pa.table({"x": pa.array(values, arrow), "n": list(range(len(cells)))})
    text = "".join(f"{cell},{i}\n" for i, cell in enumerate(cells))
    assert digest_of_csv(f"x,n\n{text}", tmp_path) == content_of(expected).version


@pytest.mark.parametrize(
    "text",
    [
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\r1,x\r2,y\r",
        "a,b\n1,x\n\n2,y",
        "\ufeffa,b\n1,x\n2,y\n",
        '"a",b\n"1","x"\n2,y\n',
    ],
)
def test_line_ends_empty_lines_quotes_and_the_mark_of_utf_8_are_no_content(text: str, tmp_path: Path) -> None:
    assert digest_of_csv(text, tmp_path) == content_of(pa.table({"a": [1, 2], "b": ["x", "y"]})).version


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Empty CSV file"),
        (b"a,b\n1\n", "Expected 2 columns, got 1"),
        (b"a,b\n\xff,1\n", "invalid UTF8 data"),
        (b"\xff,b\n1,1\n", "can't decode byte"),
        (b"a\n" + b"x" * (9 << 20) + b"\n", "straddling object"),
    ],
)
def test_a_csv_file_that_is_not_well_formed_has_its_bytes_and_the_reason(
    text: bytes, reason: str, tmp_path: Path
) -> None:
    told = digest_of_csv(text, tmp_path)
    assert "no digest of the content" in told
    assert reason in told


def test_columns_of_one_name_are_kept_apart_in_a_csv_file(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"])
    assert digest_of_csv("a,a\n1,x\n", tmp_path) == content_of(twice).version


def test_what_pandas_polars_and_arrow_write_as_csv_is_the_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "i": [1, -2, 3],
            "f": [1.5, math.nan, 1e300],
            "b": [True, False, True],
            "t": ["zażółć", 'with "quotes", commas', "two\nlines"],
        }
    )
    frame.to_csv(tmp_path / "pandas.csv", index=False)
    pl.from_pandas(frame).write_csv(tmp_path / "polars.csv")
    pacsv.write_csv(pa.Table.from_pandas(frame), tmp_path / "arrow.csv")
    assert {content_of(path).version for path in tmp_path.iterdir()} == {content_of(frame).version}


@pytest.mark.parametrize("block_bytes", [64, 100, 1 << 20])
def test_where_a_csv_file_is_cut_into_blocks_does_not_show(
    block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The types are decided by all cells: the last one makes the third column a text."""
    rows = 500
    text = "i,f,late\n" + "".join(f"{i},{i / 7!r},{'x' if i == rows - 1 else i}\n" for i in range(rows))
    (tmp_path / "t.csv").write_text(text)
    monkeypatch.setattr(separated, "BLOCK_BYTES", block_bytes)
    expected = pa.table(
        {
            "i": list(range(rows)),
            "f": [i / 7 for i in range(rows)],
            "late": [*map(str, range(rows - 1)), "x"],
        }
    )
    assert csv_digest(tmp_path / "t.csv", None) == content_digest(expected)


def content_digest(table: pa.Table) -> Any:
    from relineage.emitter.digests.tables import table_digest

    return table_digest(table)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_two_csv_files_with_other_texts_in_a_column_of_text_have_other_digests(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    written = io.StringIO()
    lines = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    lines.writerows([("a", "b"), ("text", "text"), *rows])
    path.write_text(written.getvalue(), encoding="utf-8", newline="")
    columns = list(zip(("text", "text"), *rows, strict=True))
    assert csv_digest(path, None).digest == content_of(pa.table(columns, names=["a", "b"])).version


MEASURE = """
import sys, resource
from pathlib import Path
import numpy, pyarrow, pyarrow.csv, pyarrow.parquet
from relineage.emitter.digests import content_of
content_of(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
content = content_of(Path(sys.argv[2]))
assert content.absent is None, content.absent
print(content.version, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def write_npy(table: pa.Table, path: Path) -> None:
    np.save(path, table["a"].to_numpy())


def write_arrow(table: pa.Table, path: Path) -> None:
    feather.write_feather(table, path, compression="uncompressed")


def write_one_row_group(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, row_group_size=len(table), use_dictionary=False, compression="none")


def write_row_groups(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, row_group_size=100_000)


@pytest.mark.parametrize(
    ("name", "write", "most_mib"),
    [
        ("t.parquet", write_row_groups, 80),
        ("t.pq", write_one_row_group, 80),
        ("t.arrow", write_arrow, 80),
        ("t.csv", pacsv.write_csv, 160),
        ("a.npy", write_npy, 40),
    ],
)
def test_a_file_is_never_held_as_a_whole(
    name: str, write: Callable[[pa.Table, Path], None], most_mib: int, tmp_path: Path
) -> None:
    numbers = np.random.default_rng(1).normal(size=6_000_000 if name == "a.npy" else 3_000_000)
    table = pa.table(dict.fromkeys("a" if name == "a.npy" else "abcdefgh", numbers))
    if name == "t.csv":
        table = table.slice(0, 500_000)
    (tmp_path / "small").mkdir()
    write(table.slice(0, 1000), tmp_path / "small" / name)
    write(table, tmp_path / name)
    version = content_of(numbers).version if name == "a.npy" else content_of(table).version
    size = (tmp_path / name).stat().st_size
    assert size > 40 << 20

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "small" / name), str(tmp_path / name)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    said, grown = done.stdout.split()
    assert said == version
    assert int(grown) < most_mib << 20


@pytest.mark.parametrize("rows", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_a_table_file_has_the_leaves_of_the_table(rows: int, tmp_path: Path) -> None:
    table = pa.table({"x": np.arange(rows) % 97, "t": [f"text {i % 31}" for i in range(rows)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10_007)
    assert file_table_digest(tmp_path / "t.parquet") == content_digest(table)


def damaged(table: pa.Table, part: bytes, at: int, path: Path) -> Path:
    """An Arrow file of either format in which the offset that begins `at` bytes behind `part` leads far away."""
    new = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
    with new(str(path), table.schema) as writer:
        writer.write_table(table)
    data = bytearray(path.read_bytes())
    start = data.index(part) + at
    data[start : start + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["t.arrow", "t.arrows"])
@pytest.mark.parametrize(
    ("table", "at"), [(pa.table({"l": [["a"]] * 100}), 0), (pa.table({"s": ["a", None] * 50}), 40)]
)
def test_an_arrow_file_whose_offsets_lead_elsewhere_is_refused_and_kills_nobody(
    table: pa.Table, at: int, name: str, tmp_path: Path
) -> None:
    """In a process of its own, which Arrow would end by a signal."""
    offsets = bytes(table.column(0).chunk(0).buffers()[1])[:404]
    path = damaged(table, offsets, at, tmp_path / name)
    script = (
        "import sys; from pathlib import Path; from relineage.emitter.digests import content_of;"
        "print(content_of(Path(sys.argv[1])).absent)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "damaged" in done.stdout


@pytest.mark.parametrize("shape", ["(-1,)", "(-1, 0)", f"(0, {1 << 70})"])
@pytest.mark.parametrize("fortran", [False, True])
def test_an_npy_file_of_an_impossible_shape_has_its_bytes_and_the_reason(
    shape: str, fortran: bool, tmp_path: Path
) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': {fortran}, 'shape': {shape}}}".encode()
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16)
    (tmp_path / "a.npy").write_bytes(data)
    found = content_of(tmp_path / "a.npy")
    assert found.digests == (f"b3-bytes1:{blake3(data).hexdigest()}",)
    assert "impossible shape" in str(found.absent)


def cells_of_csv(data: bytes, folder: Path) -> list[list[Any]] | str:
    """The cells of a CSV file, column by column, or why there are none."""
    (folder / "t.csv").write_bytes(data)
    found = content_of(folder / "t.csv")
    if found.absent is not None:
        return found.absent
    table = load(folder / "t.csv", found)
    assert isinstance(table, pa.Table)
    return [column.to_pylist() for column in table.columns]


def test_a_line_end_within_quotes_stays_where_a_block_ends_in_the_middle_of_it(tmp_path: Path) -> None:
    start = b'a,b\n1,"'
    padding = b"y" * (separated.BLOCK_BYTES - len(start) - 1)
    cells = cells_of_csv(start + padding + b'\r\nz"\n', tmp_path)
    assert cells == [[1], [padding.decode() + "\r\nz"]]


@pytest.mark.parametrize("text", ["a,b\n1,x", "a,b\r1,x\r", "a,b\r\n1,x\r\n", 'a,b\r\n"1","x"\r\n\r\n'])
@pytest.mark.parametrize("block_bytes", range(10, 16))
def test_blocks_may_end_anywhere_in_a_line_end(
    text: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separated, "BLOCK_BYTES", block_bytes)
    assert digest_of_csv(text, tmp_path) == content_of(pa.table({"a": [1], "b": ["x"]})).version


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'a,b\n1,"2\n', "a quote that is not closed"),
        (b'a,b\n1,"', "a quote that is not closed"),
        (b'a,"b\n1,2\n', "a quote that is not closed"),
        (b'a,b\n5" pipe,"2\n', "a quote that is not closed"),
        (b'a,b\n1,"x"y\n', "text behind a closing quote"),
        (b'a,b\n1,"x"y"\n', "text behind a closing quote"),
        (b'a,b\n1,"x" \n', "text behind a closing quote"),
        (b'a,b\n5" pipe,"x"y\n', "text behind a closing quote"),
        (b'\xef\xbb\xbf"a"x,b\n1,2\n', "text behind a closing quote"),
    ],
)
@pytest.mark.parametrize("block_bytes", [16, 4 << 20])
def test_quotes_that_readers_take_in_different_ways_are_refused(
    text: bytes, reason: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separated, "BLOCK_BYTES", block_bytes)
    told = cells_of_csv(text, tmp_path)
    assert reason in told


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('5" pipe', '5" pipe'),
        ('a""b', 'a""b'),
        ('a"', 'a"'),
        (' "x"', ' "x"'),
        ('""""', '"'),
        ('"a"""', 'a"'),
        ('"""a"', '"a'),
        ('"a,""\n"', 'a,"\n'),
    ],
)
def test_quotes_that_mean_one_thing_are_taken_wherever_a_block_ends(
    cell: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for block_bytes in (*range(20, 30), 4 << 20):
        monkeypatch.setattr(separated, "BLOCK_BYTES", block_bytes)
        cells = cells_of_csv(f'a,b\n{cell},x\n"y",{cell}'.encode(), tmp_path)
        assert cells == [[value, "y"], ["x", value]]


@given(st.text('a",\n\r', max_size=30), st.integers(2, 20))
def test_quotes_are_told_by_the_rule_wherever_a_piece_ends(text: str, size: int) -> None:
    data = b"h\n" + text.encode()
    whole = looked_at(data, len(data))
    assert looked_at(data, size) == looked_at(data, 1) == whole
    assert (whole == "refused") == (not strictly_quoted(data.decode()))


def looked_at(data: bytes, size: int) -> str:
    """What Arrow is given of a CSV file, in pieces of a size, or that it is refused."""
    lines = separated._Lines(io.BufferedReader(io.BytesIO(data)), Path("t.csv"))
    try:
        return "taken: " + b"".join(iter(lambda: lines.read(size), b"")).decode()
    except Refused:
        return "refused"


def strictly_quoted(text: str) -> bool:
    """The page's rule, one character after another."""
    state = "start"
    for one in text:
        if state == "quoted":
            state = "closed" if one == '"' else "quoted"
        elif one in ",\r\n":
            state = "start"
        elif state == "closed" and one != '"':
            return False
        elif one == '"' and state in ("start", "closed"):
            state = "quoted"
        else:
            state = "text"
    return state != "quoted"


def test_a_header_without_a_line_end_is_a_table_without_rows(tmp_path: Path) -> None:
    expected = content_of(pa.table({"a": pa.nulls(0), "b": pa.nulls(0)})).version
    assert [digest_of_csv(text, tmp_path) for text in ("a,b", "a,b\n", "\ufeffa,b")] == [expected] * 3
    assert "Empty CSV file" in digest_of_csv("\ufeff", tmp_path)
