"""`relineage digest`: one line a digest, the strongest first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from relineage.emitter.digests import content_of


def test_a_table_has_a_digest_of_its_content_and_one_of_its_bytes(
    tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"x": [1, 2]})
    pq.write_table(table, path)

    said = relineage("digest", path)

    assert said.code == 0
    content, raw = said.out.splitlines()
    assert content == f"{content_of(table).digests[0]}  {path}"
    assert raw.startswith("b3-bytes1:")


def test_a_folder_and_several_files_are_digested_in_their_order(
    tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("a")
    (tmp_path / "b").write_text("b")

    lines = relineage("digest", tmp_path / "folder", tmp_path / "b").out.splitlines()

    assert [line.partition(":")[0] for line in lines] == ["b3-folder1", "b3-bytes1"]


def test_what_cannot_be_read_is_told_and_the_others_are_digested(
    tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    (tmp_path / "b").write_text("b")

    said = relineage("digest", tmp_path / "none", "a" * 5000, tmp_path / "b")

    assert said.code == 2
    assert said.out.endswith(f"  {tmp_path}/b\n")
    assert said.err.startswith(f"relineage: {tmp_path}/none: ")
    assert "a: File name too long\n" in said.err


def test_a_damaged_table_keeps_the_digest_of_its_bytes_and_says_why(
    tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 nothing")

    said = relineage("digest", path)

    assert said.code == 0
    assert said.out.startswith("b3-bytes1:")
    assert "no digest of the content" in said.err
