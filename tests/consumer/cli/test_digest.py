"""`relineage digest`: one line a digest, the strongest first."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from cli_projects import command_line, in_a_process, process_environment

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


def test_the_same_rows_in_another_order_have_one_digest_of_rows(
    tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(pa.table({"x": [1, 2]}), a)
    pq.write_table(pa.table({"x": [2, 1]}), b)

    digests = [line.split("  ")[0] for line in relineage("digest", "--rows", a, b).out.splitlines()]
    rows = [digest for digest in digests if digest.startswith("b3-rows1:")]
    compared = relineage("digest", "--rows", "--compare", a, b)

    assert len(digests) == 6
    assert len(rows) == 2
    assert rows[0] == rows[1]
    assert compared.code == 1
    assert "the same rows in another order" in compared.out


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


def test_a_csv_file_meets_the_parquet_file_of_the_same_table(
    tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    table = pa.table({"x": [1.5, None], "t": ["a", "b"]})
    pq.write_table(table, tmp_path / "t.parquet")
    pacsv.write_csv(table, tmp_path / "t.csv")

    lines = relineage("digest", tmp_path / "t.parquet", tmp_path / "t.csv").out.splitlines()

    assert [line.partition(":")[0] for line in lines] == ["b3-table1", "b3-bytes1"] * 2
    assert lines[0].split()[0] == lines[2].split()[0]


def test_json_has_everything_that_is_known_and_the_errors_too(
    tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    np.save(tmp_path / "a.npy", np.arange(5.0))
    (tmp_path / "model.pkl").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a.npy")

    said = relineage(
        "digest", tmp_path / "a.npy", tmp_path / "model.pkl", tmp_path / "link", tmp_path / "none",
        "--format", "json",
    )  # fmt: skip

    assert said.code == 2
    array, model, link, none = said.json
    content = content_of(tmp_path / "a.npy")
    assert array == {
        "path": str(tmp_path / "a.npy"), "digests": list(content.digests), "kind": "tensors", "rows": 5,
        "bytes": 40, "absent": None,
    }  # fmt: skip
    assert "a pickle is never loaded" in model["absent"]
    assert link["link_to"] == str(tmp_path / "a.npy")
    assert link["digests"][-1] == array["digests"][-1]
    assert none == {
        "path": str(tmp_path / "none"),
        "error": "cannot be read (No such file or directory); check the path",
    }


def test_a_link_is_followed_and_told(tmp_path: Path, relineage: Callable[..., Any]) -> None:
    (tmp_path / "text").write_text("text")
    (tmp_path / "link").symlink_to("text")

    said = relineage("digest", tmp_path / "link")

    assert said.out == f"{content_of('text').version}  {tmp_path}/link\n"
    assert said.err == f"relineage: {tmp_path}/link: is a link; digested is {tmp_path}/text\n"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: os.mkfifo(path), "no regular file; name a file or a folder of files"),
        (
            lambda path: path.symlink_to("/proc/self/mem"),
            "cannot be read (Input/output error); check the path and its rights",
        ),
        (lambda path: path.symlink_to(path), None),  # each Python has its own words
        (lambda path: None, "cannot be read (No such file or directory); check the path"),
        (
            lambda path: (path.mkdir(), (path / "in").symlink_to("nowhere")),
            "{path}/in: a link to nothing; remove it",
        ),
    ],
    ids=["pipe", "unreadable", "circle", "missing", "link inside"],
)
def test_what_cannot_be_digested_is_one_line_that_says_what_to_do(
    make: Callable[[Path], object], told: str | None, tmp_path: Path, relineage: Callable[..., Any]
) -> None:
    path = tmp_path / "it"
    make(path)

    said = relineage("digest", path)

    assert said.code == 2
    assert said.out == ""
    *_, last = said.err.splitlines()
    assert last.startswith(f"relineage: {path}: ")
    if told is not None:
        assert last == f"relineage: {path}: {told.format(path=path)}"


def test_a_second_time_nothing_is_read_unless_asked_for(tmp_path: Path) -> None:
    """Nobody but the tests changes a file without changing its times; the cache is told a wrong digest instead."""
    from relineage.emitter.digests.cache import DigestCache
    from relineage.emitter.digests.files import state_of

    (tmp_path / ".relineage").mkdir()
    (tmp_path / "text").write_text("text")
    time.sleep(2.1)
    true = content_of("text").version
    wrong = f"b3-bytes1:{bytes(32).hex()}"

    def digested(*options: str) -> str:
        return in_a_process("digest", "text", *options, cwd=tmp_path).stdout.decode().split()[0]

    assert digested() == true
    cache = DigestCache(tmp_path / ".relineage" / "cache")
    assert cache.knows(tmp_path / "text")
    cache.keep_bytes_digests({state_of(tmp_path / "text"): bytes(32)}, time.time_ns())
    assert digested() == wrong
    assert digested("--no-cache") == true


def test_without_a_project_no_folder_is_made(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")

    assert in_a_process("digest", "text", cwd=tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def on_a_terminal(*arguments: str, cwd: Path, before: str = "") -> tuple[str, str]:
    """Standard output, and what a person sees of standard error; `before` is run first."""
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        command_line(*arguments, before=before), cwd=cwd, stdout=subprocess.PIPE, stderr=terminal, text=True,
        env=process_environment() | {"TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    while select.select([person], [], [], 60)[0]:
        try:
            piece = os.read(person, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(person)
    said, _ = process.communicate()
    return said, seen.decode()


AT_ONCE = "import relineage.consumer.cli.digest as digest; digest.WAITED_SECONDS = 0"


def test_who_waits_at_a_terminal_sees_a_bar(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(50_000_000))

    said, seen = on_a_terminal("digest", "large", cwd=tmp_path, before=AT_ONCE)

    assert said == f"{content_of(tmp_path / 'large').version}  large\n"
    assert "large" in seen
    assert "/50.0 MB" in seen


def test_who_does_not_wait_sees_no_bar_and_a_pipe_never_does(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("text")

    assert on_a_terminal("digest", "small", cwd=tmp_path)[1] == ""
    assert in_a_process("digest", "small", cwd=tmp_path, before=AT_ONCE).stderr == b""
