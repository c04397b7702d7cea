"""What is put comes back as it was, once, and never as something else."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file
from sklearn.linear_model import LinearRegression

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.framing import digest as framed
from relineage.emitter.digests.framing import frame, labelled, number
from relineage.emitter.errors import Damaged, StoreError
from relineage.emitter.store import Store, open_store

TABLE = pa.table({"a": [1, 2, None], "b": ["x", None, "z"]})
KEPT = [
    pytest.param(TABLE, "table", id="Arrow"),
    pytest.param(pd.DataFrame({"x": [1.0, 2.0]}, index=[3, 4]), "table", id="pandas with an index"),
    pytest.param(pl.DataFrame({"x": [1, 2], "c": ["u", None]}), "table", id="polars"),
    pytest.param(["one", None, "two"], "table", id="a list of texts"),
    pytest.param(np.arange(12.0).reshape(3, 4).T, "tensors", id="an array in Fortran's order"),
    pytest.param(
        {"w": np.zeros((2, 3), "f4"), "b": np.array(7, "i1"), "": np.empty(0)}, "tensors", id="arrays"
    ),
    pytest.param({"when": np.array(["2026-01-01"], "M8[D]"), "x/y": np.array(["a"])}, "tensors", id="texts"),
    pytest.param({"__metadata__": np.arange(3)}, "tensors", id="a name that the format has taken"),
    pytest.param(np.arange(4).astype(">u2"), "tensors", id="big-endian"),
    pytest.param(b"\x00\xff" * 100, "bytes", id="bytes"),
    pytest.param(memoryview(bytearray(b"abc")), "bytes", id="a view"),
    pytest.param("a text – with a dash", "bytes", id="text"),
    pytest.param({"threshold": 0.5, "labels": ["a", None]}, "bytes", id="JSON"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "1.png").write_bytes(b"one" * 50)
    (folder / "a" / "2.png").write_bytes(b"two" * 50)
    (folder / "same.png").write_bytes(b"one" * 50)
    (folder / "ü ' .txt").write_bytes(b"")
    return folder


@pytest.mark.parametrize(("data", "kind"), KEPT)
def test_what_is_in_memory_is_kept_under_its_strongest_digest_and_comes_back(
    store: Store, tmp_path: Path, data: object, kind: str
):
    content = content_of(data)
    url = store.put(content, data)

    (found,) = store.scan()
    assert (found.digest, found.kind) == (content.version, kind)
    assert url.endswith(found.name)
    store.check(found)
    target = tmp_path / f"back{Path(found.name).suffix}"
    store.fetch(found.digest, target)
    assert found.digest in content_of(target).digests


def test_a_table_is_a_parquet_file_that_others_read(store: Store, tmp_path: Path):
    store.put(content_of(TABLE), TABLE)
    store.fetch(content_of(TABLE).digests[0], tmp_path / "t.parquet")

    assert pq.read_table(tmp_path / "t.parquet").equals(TABLE)


def test_tensors_are_a_safetensors_file_that_others_read(store: Store, tmp_path: Path):
    state = {
        "a.weight": np.arange(6, dtype="f4").reshape(2, 3),
        "b": np.array([True, False]),
        "é": np.array(2**60),
    }
    store.put(content_of(state), state)
    store.fetch(content_of(state).digests[0], tmp_path / "s.safetensors")

    loaded = load_file(tmp_path / "s.safetensors")
    assert loaded.keys() == state.keys()
    for name, array in state.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


def test_a_file_is_kept_as_it_is_whatever_it_holds(store: Store, tmp_path: Path):
    file = tmp_path / "t.parquet"
    pq.write_table(TABLE, file, compression="none")
    content = content_of(file)
    store.put(content, file)

    (found,) = store.scan()
    assert found.digest == content.digests[-1]
    assert found.digest.startswith("b3-bytes1:")
    store.fetch(found.digest, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_a_folder_is_kept_file_by_file_each_once(store: Store, tmp_path: Path, folder: Path):
    store.put(content_of(folder), folder)

    kinds = sorted(one.kind for one in store.scan())
    assert kinds == ["bytes", "bytes", "bytes", "folder"]  # four files, two of them equal
    store.fetch(content_of(folder).digests[-1], tmp_path / "back")
    assert content_of(tmp_path / "back").digests == content_of(folder).digests


def test_a_folder_with_one_more_file_adds_that_file_only(store: Store, folder: Path):
    store.put(content_of(folder), folder)
    before = {one.digest for one in store.scan()}
    (folder / "new.png").write_bytes(b"three")
    store.put(content_of(folder), folder)

    added = [one.kind for one in store.scan() if one.digest not in before]
    assert sorted(added) == ["bytes", "folder"]


def test_an_empty_folder_comes_back(store: Store, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    store.put(content_of(tmp_path / "empty"), tmp_path / "empty")
    store.fetch(content_of(tmp_path / "empty").digests[0], tmp_path / "back")

    assert list((tmp_path / "back").iterdir()) == []


def test_the_same_content_is_stored_once_however_often_it_is_put(store: Store):
    urls = {store.put(content_of(one), one) for one in (TABLE, pl.DataFrame(TABLE), TABLE.select(["b", "a"]))}

    assert len(urls) == len(list(store.scan())) == 1


def test_what_changed_since_it_was_digested_is_not_stored(store: Store, tmp_path: Path, folder: Path):
    """The digest is of what is written: nothing is ever kept under another's digest."""
    frame = pd.DataFrame({"a": np.arange(20.0)})
    array = np.arange(20.0)
    state = {"w": array}
    raw = bytearray(b"abc")
    (tmp_path / "f").write_bytes(b"before")
    contents = [content_of(one) for one in (frame, array, state, raw, tmp_path / "f", folder)]
    frame.loc[0, "a"] = 99.0
    array[0] = 99.0
    raw[0] = 0
    (tmp_path / "f").write_bytes(b"after!")
    (folder / "same.png").write_bytes(b"other")

    for content, data in zip(contents, (frame, array, state, raw, tmp_path / "f", folder), strict=True):
        with pytest.raises(Refused, match="changed meanwhile"):
            store.put(content, data)
    # Of the folder, the files were kept as what they are: each is right, and none is the folder.
    assert {one.kind for one in store.scan()} == {"bytes"}
    assert not any(store.find(digest) for content in contents[:4] for digest in content.digests)
    for one in store.scan():
        store.check(one)


def test_an_estimator_has_no_form_without_pickle_and_is_refused(store: Store):
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])

    with pytest.raises(Refused, match="no form in the store"):
        store.put(content_of(model), model)
    assert list(store.scan()) == []


def damage(store: Store, tmp_path: Path, name: str, data: bytes) -> None:
    """Put other bytes under a name, as no writer of ours would."""
    file = tmp_path / "damage"
    file.write_bytes(data)
    store._place.put(file, name)


@pytest.mark.parametrize(
    ("data", "other"),
    [
        pytest.param(TABLE, TABLE.slice(1), id="table"),
        pytest.param(np.arange(5), np.arange(6), id="tensors"),
        pytest.param(b"a" * 100, b"b" * 100, id="bytes"),
    ],
)
@pytest.mark.parametrize("how", ["another object's bytes", "cut", "one bit", "empty"])
def test_an_object_that_is_not_what_its_name_says_is_never_given_out(
    store: Store, tmp_path: Path, data: object, other: object, how: str
):
    store.put(content_of(data), data)
    (found,) = store.scan()
    with store._place.local(found.name) as file:
        whole = file.read_bytes()
    if how == "another object's bytes":
        store.put(content_of(other), other)
        another = store.find(str(content_of(other).version))
        assert another is not None
        with store._place.local(another.name) as file:
            wrong = file.read_bytes()
    elif how == "one bit":
        middle = len(whole) - 1 if found.kind == "tensors" else len(whole) // 4
        wrong = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    else:
        wrong = whole[: len(whole) // 2] if how == "cut" else b""
    damage(store, tmp_path, found.name, wrong)

    for question in (lambda: store.check(found), lambda: store.fetch(found.digest, tmp_path / "back")):
        with pytest.raises(Damaged, match=found.digest):
            question()
    assert not (tmp_path / "back").exists()
    assert list(tmp_path.glob(".relineage-*")) == []


def test_a_folder_whose_file_is_damaged_or_gone_is_not_given_out(store: Store, tmp_path: Path, folder: Path):
    store.put(content_of(folder), folder)
    root = content_of(folder).digests[-1]
    file = next(one for one in store.scan() if one.kind == "bytes" and one.bytes)
    damage(store, tmp_path, file.name, b"wrong")

    for _ in range(2):
        (whole,) = [one for one in store.scan() if one.digest == root]
        with pytest.raises(Damaged):
            store.check(whole)
        with pytest.raises(Damaged):
            store.fetch(root, tmp_path / "back")
        assert not (tmp_path / "back").exists()
        store.remove(file, time.time() + 60)  # and once more without it


@pytest.mark.parametrize(
    "path", ["../outside", "/outside", "a/../../outside", "a//b", ".", "", "a/.", "nul\0"]
)
def test_a_list_of_files_that_leads_outside_is_refused(store: Store, tmp_path: Path, path: str):
    """Whoever can write to a store can make a list that is what its name says, and means harm."""
    data = content_of(b"payload")
    store.put(data, b"payload")
    raw = bytes.fromhex(data.digests[0].partition(":")[2])
    line = frame(path.encode()) + number(7) + raw
    root = labelled("b3-folder1", framed("b3-folder1 manifest", number(1), line))
    listed = f'{{"files": [{{"path": {path!r}, "size": 7, "digest": "{data.digests[0]}"}}]}}'.replace(
        "'", '"'
    )
    damage(
        store,
        tmp_path,
        f"objects/b3-folder1/{root[11:13]}/{root[13:]}.json",
        listed.replace("\\x00", "\\u0000").encode(),
    )
    (tmp_path / "inner").mkdir()

    with pytest.raises(Damaged, match="is no path of a file in a folder"):
        store.fetch(root, tmp_path / "inner" / "back")
    assert not (tmp_path / "outside").exists()
    assert list((tmp_path / "inner").iterdir()) == []


@pytest.mark.parametrize(
    "listed", [b"", b"[]", b"{}", b'{"files": [{"path": 1}]}', b'{"files": null}', b"\xff", b"[" * 9000]
)
def test_a_list_of_files_that_is_none_is_damaged(store: Store, tmp_path: Path, folder: Path, listed: bytes):
    store.put(content_of(folder), folder)
    (found,) = [one for one in store.scan() if one.kind == "folder"]
    damage(store, tmp_path, found.name, listed)

    with pytest.raises(Damaged, match="b3-folder1"):
        store.check(found)


def test_nothing_that_is_there_is_overwritten(store: Store, tmp_path: Path):
    store.put(content_of(b"abc"), b"abc")
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    for taken in (tmp_path / "mine", tmp_path / "link", tmp_path):
        with pytest.raises(StoreError, match="is there already"):
            store.fetch(content_of(b"abc").digests[0], taken)
    assert (tmp_path / "mine").read_text() == "mine"


def test_what_is_not_there_is_said_so(store: Store, tmp_path: Path):
    digest = content_of(b"abc").digests[0]

    assert store.find(digest) is None
    assert store.find("../../etc/passwd") is None
    for unknown in (digest, "../../etc/passwd"):
        with pytest.raises(StoreError, match="is not in the store"):
            store.fetch(unknown, tmp_path / "x")


DAY = 86_400


def test_unused_is_what_nothing_refers_to_and_what_is_old(store: Store, kept: Callable[[object], str]):
    kept_one, other = kept(b"referred"), kept(b"not referred")

    assert store.unused({kept_one}, time.time() - DAY) == []
    assert [one.digest for one in store.unused({kept_one}, time.time() + DAY)] == [other]


def test_the_files_of_a_folder_that_stays_stay_too(store: Store, folder: Path, kept: Callable[[object], str]):
    root, other = kept(folder), kept(b"not referred")
    later = time.time() + DAY

    assert [one.digest for one in store.unused({root}, later)] == [other]
    assert len(store.unused({other}, later)) == 4


def test_nothing_is_unused_while_a_folder_that_stays_cannot_be_read(
    store: Store, tmp_path: Path, folder: Path, kept: Callable[[object], str]
):
    root = kept(folder)
    (found,) = [one for one in store.scan() if one.kind == "folder"]
    damage(store, tmp_path, found.name, b"{}")

    with pytest.raises(Damaged):
        store.unused({root}, time.time() + DAY)


def test_removing_spares_what_has_become_young(store: Store, kept: Callable[[object], str]):
    digest = kept(b"abc")
    (found,) = store.scan()

    assert not store.remove(found, found.modified - 1)
    assert store.find(digest) is not None
    assert store.remove(found, time.time() + 60)
    assert store.find(digest) is None
    assert not store.remove(found, time.time() + 60)


def test_what_is_put_again_becomes_young(tmp_path: Path):
    store = open_store(tmp_path / "store", tmp_path)
    store.put(content_of(b"abc"), b"abc")
    (found,) = store.scan()
    os.utime(tmp_path / "store" / found.name, (1, 1))
    store.put(content_of(b"abc"), b"abc")

    (young,) = store.scan()
    assert time.time() - young.modified < 60


def test_a_url_names_a_store_without_its_password(tmp_path: Path):
    store = open_store("memory://user:hunter2@bucket/store", tmp_path)

    assert "hunter2" not in store.put(content_of(b"abc"), b"abc")
    assert open_store(f"file://{tmp_path}/s", tmp_path).put(content_of(b"abc"), b"abc").startswith("file:///")
    assert (tmp_path / "s" / "objects").is_dir()


@pytest.mark.parametrize("url", ["nosuchscheme://bucket/store", "s3://bucket/store", "github://x"])
def test_a_store_that_cannot_be_reached_is_one_kind_of_error(tmp_path: Path, url: str):
    store = open_store(url, tmp_path)

    with pytest.raises(StoreError, match=url.partition(":")[0]):
        store.put(content_of(b"abc"), b"abc")
    with pytest.raises(StoreError):
        list(store.scan())


def test_content_that_says_nothing_of_the_data_is_not_believed(store: Store):
    """Whatever digest is asked for: only data that has it is kept under it."""
    wrong = replace(content_of(b"abc"), digests=content_of(b"xyz").digests)

    with pytest.raises(Refused):
        store.put(wrong, b"abc")
    assert list(store.scan()) == []


def test_the_bytes_of_an_object_can_be_read_as_they_lie_there(
    store: Store, kept: Callable[[object], str]
) -> None:
    found = store.find(kept(b"some bytes"))
    assert found is not None
    with store.opened(found) as file:
        assert file.read_bytes() == b"some bytes"
        assert file.stat().st_size == found.bytes


def test_the_parts_of_a_folder_are_its_files(
    store: Store, kept: Callable[[object], str], tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for name in ("a", "deep/b", "deep/the same as b"):
        (folder / name).write_text(name[:6])
    found = store.find(kept(folder))
    assert found is not None
    parts = store.parts(found)
    assert len(parts) == 3
    assert {one.digest for one in parts} == {
        content_of(path).digests[0] for path in folder.rglob("*") if path.is_file()
    }
    store.remove(parts[0], time.time() + 60)
    with pytest.raises(Damaged, match="is not in the store"):
        store.parts(found)


def test_what_is_there_is_kept_though_nothing_can_be_written(tmp_path: Path, folder: Path):
    """A store that may only be read: it was said that nothing is kept of what it holds."""
    store = open_store("store", tmp_path)
    url = store.put(content_of(folder), folder)
    shutil.rmtree(tmp_path / "store" / "tmp")
    (tmp_path / "store" / "tmp").write_text("no folder can be made here")

    assert store.put(content_of(folder), folder) == url
    with pytest.raises(OSError, match="tmp"):
        store.put(content_of("something else"), "something else")


def test_a_folder_of_which_a_file_is_gone_is_not_kept_where_nothing_can_be_written(
    tmp_path: Path, folder: Path
):
    store = open_store("store", tmp_path)
    content = content_of(folder)
    store.put(content, folder)
    one = store.find(content_of(folder / "same.png").digests[0])
    assert one is not None
    (tmp_path / "store" / one.name).unlink()
    shutil.rmtree(tmp_path / "store" / "tmp")
    (tmp_path / "store" / "tmp").write_text("no folder can be made here")

    with pytest.raises(OSError, match="tmp"):
        store.put(content, folder)
