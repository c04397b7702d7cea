import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from blake3 import blake3

from relineage.emitter.digests import Refused, content_of, files
from relineage.emitter.digests.files import folder_digest


def folder(root: Path, **contents: str) -> Path:
    for name, text in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 17 << 20])
def test_a_file_is_the_blake3_of_its_bytes(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    found = content_of(tmp_path / "f")
    assert found.digests == (f"b3-bytes1:{blake3(data).hexdigest()}",)
    assert (found.bytes, found.kind, found.modality) == (size, "bytes", "file")
    assert content_of(data).digests == found.digests


def test_text_bytes_and_the_file_that_holds_them_are_one_content(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("zażółć", encoding="utf-8")
    twins: list[object] = ["zażółć", "zażółć".encode(), bytearray("zażółć".encode()), tmp_path / "f.txt"]
    assert len({content_of(twin).version for twin in twins}) == 1


def test_a_folder_binds_names_and_contents(tmp_path: Path) -> None:
    base = folder(tmp_path / "1", a="x", sub__b="y")
    assert content_of(base).digests == content_of(folder(tmp_path / "2", sub__b="y", a="x")).digests
    others = [
        folder(tmp_path / "renamed", c="x", sub__b="y"),
        folder(tmp_path / "moved", a="x", b="y"),
        folder(tmp_path / "changed", a="x", sub__b="z"),
        folder(tmp_path / "swapped", a="y", sub__b="x"),
        folder(tmp_path / "more", a="x", sub__b="y", sub__c=""),
        folder(tmp_path / "framed", a="xs", ub__b="y"),
    ]
    versions = {content_of(path).version for path in [base, *others]}
    assert len(versions) == 7
    assert all(str(version).startswith("b3-folder1:") for version in versions)


def test_the_manifest_of_a_folder_is_sorted_by_the_bytes_of_the_path(tmp_path: Path) -> None:
    names = ["a/z", "a.txt", "ż", "Z", "a/b/c"]  # "." sorts before "/", which a walk would not give
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    manifest = len(names).to_bytes(8, "little")
    for encoded in sorted(name.encode() for name in names):
        manifest += len(encoded).to_bytes(8, "little") + encoded + len(encoded).to_bytes(8, "little")
        manifest += blake3(encoded).digest()
    expected = blake3(manifest, derive_key_context="relineage b3-folder1 manifest").hexdigest()
    assert folder_digest(tmp_path) == (f"b3-folder1:{expected}", sum(len(name.encode()) for name in names))


def test_empty_folders_modes_and_times_are_no_content(tmp_path: Path) -> None:
    base = folder(tmp_path, a="x")
    before = content_of(base).version
    (base / "empty").mkdir()
    (base / "a").chmod(0o600)
    os.utime(base / "a", (1, 1))
    assert content_of(base).version == before


def test_links_devices_and_missing_files_are_refused(tmp_path: Path) -> None:
    base = folder(tmp_path / "f", a="x")
    (base / "link").symlink_to(base / "a")
    with pytest.raises(Refused, match="link: a symbolic link"):
        content_of(base)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="pipe: no regular file"):
        content_of(tmp_path / "pipe")
    with pytest.raises(Refused, match="gone: cannot be read"):
        content_of(tmp_path / "gone")


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(Refused, match="a file name that is not UTF-8"):
        content_of(tmp_path)


def appended(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


def truncated(path: Path) -> None:
    os.truncate(path, 0)


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize("change", [appended, truncated, replaced])
def test_a_file_that_changes_while_it_is_read_is_refused(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "f"
    path.write_text("first")

    def read_and_change() -> None:
        with files.unchanged(path) as size:
            assert size == 5
            other = threading.Thread(target=change, args=(path,))
            other.start()
            other.join()

    with pytest.raises(Refused, match="f: changed while it was read"):
        read_and_change()


TABLE = pa.table({"x": list(range(20)), "t": ["a", None] * 10})


def test_a_table_file_is_its_table_and_its_bytes(tmp_path: Path) -> None:
    year = tmp_path / "year=2024"  # a folder named as a partition adds no column
    year.mkdir()
    for compression in ("zstd", "none"):
        pq.write_table(TABLE, year / f"{compression}.parquet", compression=compression)
    feather.write_feather(TABLE, year / "t.feather")
    found = [content_of(path) for path in sorted(year.iterdir())]
    assert {content.version for content in found} == {content_of(TABLE).version}
    assert len({content.digests[1] for content in found}) == 3
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


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.npy", "model.npz"])
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
    assert (found.absent is None) == (path.suffix in (".pkl", ".joblib"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "a.npy", "a.npz"])
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


FORK = """
import os, sys
from pathlib import Path
from relineage.emitter.digests import content_of

path = Path(sys.argv[1])
expected = content_of(path).version
child = os.fork()
if child == 0:
    os._exit(0 if content_of(path).version == expected else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_can_digest_after_its_parent_did(tmp_path: Path) -> None:
    path = tmp_path / "large enough for threads"
    path.write_bytes(bytes(40 << 20))
    subprocess.run([sys.executable, "-c", FORK, str(path)], check=True, timeout=60)
