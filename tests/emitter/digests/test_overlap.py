from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.digests import Refused
from relineage.emitter.digests.overlap import Overlap, overlap, write_row_digests
from relineage.emitter.digests.rows import row_digests


def one(values: Any) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.int64())})


def written(folder: Path, name: str, data: object) -> Path:
    path = folder / f"{name}.parquet"
    write_row_digests(data, path)
    return path


def test_shared_rows_are_counted_with_their_multiplicity(tmp_path: Path) -> None:
    left, right = one([1, 1, 1, 2, 3, 4]), one([1, 1, 3, 5, 5])
    found = overlap(left, right)
    assert found == Overlap(left=6, right=5, common=3, left_found=4, right_found=3, distinct=2)
    assert found.left_share == 4 / 6
    assert found.right_share == 3 / 5
    files = written(tmp_path, "left", left), written(tmp_path, "right", right)
    assert overlap(*files) == overlap(files[0], right) == overlap(left, files[1]) == found


def test_a_row_that_was_trained_on_is_known_however_often_it_is_tested() -> None:
    found = overlap(one([7]), one([7, 7, 7, 8]))
    assert (found.common, found.right_found, found.right_share) == (1, 3, 3 / 4)


def test_nothing_is_shared_with_a_table_without_rows(tmp_path: Path) -> None:
    empty = written(tmp_path, "empty", one([]))
    for found in (overlap(empty, one([1])), overlap(one([]), one([1]))):
        assert found == Overlap(left=0, right=1, common=0, left_found=0, right_found=0, distinct=0)
        assert found.left_share is None
        assert found.right_share == 0
    assert overlap(empty, empty).left == 0


def test_files_larger_than_a_batch_are_compared_batch_by_batch(tmp_path: Path) -> None:
    left, right = one(np.arange(200_000) % 150_000), one(np.arange(100_000, 300_000))
    files = written(tmp_path, "left", left), written(tmp_path, "right", right)
    assert pq.ParquetFile(files[0]).num_row_groups == 3
    expected = Overlap(
        left=200_000, right=200_000, common=50_000, left_found=50_000, right_found=50_000, distinct=50_000
    )
    assert overlap(*files) == overlap(left, right) == overlap(files[0], right) == expected
    same = overlap(files[0], left)
    assert same.common == same.left_found == same.right_found == 200_000
    assert same.distinct == 150_000


def test_a_file_holds_each_digest_once_ascending_with_its_count(tmp_path: Path) -> None:
    table = one([3, 1, 3, 2, 3])
    path = written(tmp_path, "rows", table)
    schema, digests = row_digests(table)
    expected = sorted(Counter(digest.tobytes() for digest in digests).items())
    with pq.ParquetFile(path) as file:
        rows = file.read()
        assert file.metadata.metadata == {b"b3-rows1": f"b3-schema1:{schema.hex()}".encode()}
        assert [file.schema.column(i).physical_type for i in range(2)] == ["FIXED_LEN_BYTE_ARRAY", "INT64"]
    assert rows.schema.types == [pa.binary(32), pa.uint64()]
    assert list(zip(rows["digest"].to_pylist(), rows["count"].to_pylist(), strict=True)) == expected


def test_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    numbers = np.arange(100_000) % 70_000
    plain = written(tmp_path, "plain", one(numbers))
    turned = written(tmp_path, "turned", pa.chunked_array([numbers[60_000:][::-1], numbers[:60_000]]))
    frame = written(tmp_path, "frame", pd.DataFrame({"x": numbers[::-1]}))
    assert plain.read_bytes() == frame.read_bytes()
    assert plain.read_bytes() != turned.read_bytes()  # whose column has no name
    with pytest.raises(Refused, match="the schemas differ"):
        overlap(plain, turned)


def test_digests_are_sorted_as_unsigned_bytes_also_where_they_end_in_zeros(tmp_path: Path) -> None:
    table = one(np.arange(70_000))
    _, digests = row_digests(table)
    texts = [digest.tobytes() for digest in digests]
    assert any(text.endswith(b"\0") for text in texts)
    assert any(text[0] >= 128 for text in texts)
    kept = pq.ParquetFile(written(tmp_path, "rows", table)).read()["digest"].to_pylist()
    assert kept == sorted(texts)


def test_what_is_no_file_of_row_digests_is_refused(tmp_path: Path) -> None:
    good = written(tmp_path, "good", one([1, 2, 3]))
    rows = pq.ParquetFile(good).read()
    path = tmp_path / "bad.parquet"
    with pytest.raises(Refused, match="not readable as"):
        overlap(good, path)
    path.write_bytes(b"PAR1")
    with pytest.raises(Refused, match="not readable as"):
        overlap(good, path)
    path.write_bytes(good.read_bytes().replace(rows["digest"][1].as_py(), b""))
    with pytest.raises(Refused, match="not readable as"):
        overlap(good, path)
    pq.write_table(rows.replace_schema_metadata(), path)
    with pytest.raises(Refused, match="no file of row digests of this version"):
        overlap(good, path)
    pq.write_table(one([1]), path)
    with pytest.raises(Refused, match="no file of row digests of this version"):
        overlap(good, path)


@pytest.mark.parametrize("order", [[2, 1, 0], [0, 0, 1]])
def test_digests_that_do_not_ascend_are_refused(tmp_path: Path, order: list[int]) -> None:
    good = written(tmp_path, "good", one([1, 2, 3]))
    with pq.ParquetFile(good) as file:
        rows, metadata = file.read(), file.metadata.metadata
    path = tmp_path / "bad.parquet"
    with pq.ParquetWriter(path, rows.schema) as writer:
        writer.add_key_value_metadata(metadata)
        writer.write_table(rows.take(order))
    with pytest.raises(Refused, match="do not ascend"):
        overlap(path, good)
    with pq.ParquetWriter(path, rows.schema) as writer:
        writer.add_key_value_metadata(metadata)
        writer.write_table(rows)
    assert overlap(path, good).common == 3


ROWS = st.lists(st.integers(0, 9), max_size=12)


@settings(max_examples=60, deadline=None)
@given(left=ROWS, right=ROWS)
def test_an_overlap_is_what_counting_says(left: list[int], right: list[int]) -> None:
    a, b = Counter(left), Counter(right)
    expected = Overlap(
        left=len(left),
        right=len(right),
        common=sum((a & b).values()),
        left_found=sum(a[x] for x in a if x in b),
        right_found=sum(b[x] for x in b if x in a),
        distinct=len(a.keys() & b.keys()),
    )
    assert overlap(one(left), one(right)) == expected


def test_row_digests_are_not_written_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_row_digests(pa.table({"a": [1]}), tmp_path / "missing" / "rows.parquet")
