"""Files become visible in one step, whoever writes beside, and whenever a writer is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from relineage.emitter.digests import content_of
from relineage.emitter.errors import StoreError
from relineage.emitter.store import open_store
from relineage.emitter.store.places import Folder

WRITER = """
import sys
from pathlib import Path
import numpy as np
from relineage.emitter.digests import content_of
from relineage.emitter.store import open_store
store = open_store(Path(sys.argv[1]), Path.cwd())
print("ready", flush=True)
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 10_000):
    array = np.full(200_000, number % int(sys.argv[3]), dtype="i8")
    store.put(content_of(array), array)
"""


def writer(folder: Path, first: int, different: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(different)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return started


def test_writers_that_are_killed_leave_no_object_that_is_not_whole(tmp_path: Path):
    folder = tmp_path / "store"
    for attempt in range(6):
        started = writer(folder, 10_000 * attempt, 10**9)
        time.sleep(0.02 + 0.03 * attempt)
        started.send_signal(signal.SIGKILL)
        started.communicate()

    store = open_store(folder, tmp_path)
    objects = list(store.scan())
    assert objects
    for one in objects:
        store.check(one)
    assert {one.name for one in objects} == {one.name for one in Folder(folder).scan()}

    left = list((folder / "tmp").iterdir())
    store.sweep(time.time() - 3600)
    assert list((folder / "tmp").iterdir()) == left
    store.sweep(time.time() + 60)
    assert list((folder / "tmp").iterdir()) == []
    assert len(list(store.scan())) == len(objects)


def test_processes_that_put_the_same_at_once_make_one_whole_object_each(tmp_path: Path):
    """And somebody removes it again and again: nobody ever sees half of one, and nobody fails."""
    folder = tmp_path / "store"
    store = open_store(folder, tmp_path)
    writers = [writer(folder, first, 3) for first in (0, 1)]
    seen = 0
    until = time.monotonic() + 2
    while time.monotonic() < until:
        for one in store.scan():
            target = tmp_path / "out"
            store.fetch(one.digest, target)
            target.unlink()
            seen += 1
        for one in store.scan():
            store.remove(one, time.time() - 0.05)
    for one in writers:
        assert one.poll() is None, "a writer failed"
        one.kill()
        one.communicate()
    assert seen > 10


def test_threads_that_put_the_same_make_one_object(tmp_path: Path):
    store = open_store(tmp_path / "store", tmp_path)
    array = np.arange(50_000)
    content = content_of(array)
    errors: list[BaseException] = []

    def put() -> None:
        try:
            store.put(content, array)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(list(store.scan())) == 1
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    """Sets the umask for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def modes(root: Path) -> dict[str, int]:
    """Of each file and folder of a store."""
    found = {path.relative_to(root).as_posix(): path.stat().st_mode & 0o7777 for path in root.rglob("*")}
    return {".": root.stat().st_mode & 0o7777, **found}


def test_objects_are_read_only_and_git_ignores_them(tmp_path: Path, umask: Callable[[int], int]):
    url = open_store("store", tmp_path).put(content_of(b"abc"), b"abc")

    file = Path(url.removeprefix("file://"))
    assert file.stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "store" / ".gitignore").read_text() == "*\n"


def test_the_folders_of_a_new_store_are_its_owners_alone(tmp_path: Path, umask: Callable[[int], int]):
    open_store("store", tmp_path).put(content_of(b"abc"), b"abc")

    folders = {name: mode for name, mode in modes(tmp_path / "store").items() if mode & 0o100}
    assert len(folders) == 5
    assert set(folders.values()) == {0o700}


def test_a_store_in_a_folder_that_somebody_has_opened_stays_open(tmp_path: Path, umask: Callable[[int], int]):
    umask(0o002)
    (tmp_path / "store").mkdir(mode=0o775)
    open_store("store", tmp_path).put(content_of(b"abc"), b"abc")

    assert {mode for mode in modes(tmp_path / "store").values() if mode & 0o100} == {0o775}


@pytest.mark.parametrize(
    ("mode", "mask", "kept"),
    [
        (0o600, 0o022, 0o400),
        (0o640, 0o022, 0o440),
        (0o755, 0o022, 0o444),
        (0o644, 0o077, 0o400),
        (0o400, 0o022, 0o400),
    ],
)
def test_nobody_may_read_an_object_who_may_not_read_the_file(
    tmp_path: Path, umask: Callable[[int], int], mode: int, mask: int, kept: int
):
    (tmp_path / "images").mkdir()
    for file in (tmp_path / "one", tmp_path / "images" / "two"):
        file.write_text(f"private {file.name}")
        file.chmod(mode)
    (tmp_path / "images").chmod(mode | 0o100)
    umask(mask)
    store = open_store("store", tmp_path)
    for data in (tmp_path / "one", tmp_path / "images"):
        store.put(content_of(data), data)

    objects = list(store.scan())
    assert len(objects) == 3
    assert {(tmp_path / "store" / one.name).stat().st_mode & 0o777 for one in objects} == {kept}


def test_an_object_of_what_lies_in_memory_follows_the_umask(tmp_path: Path, umask: Callable[[int], int]):
    umask(0o077)
    array = np.arange(5)
    url = open_store("store", tmp_path).put(content_of(array), array)

    assert Path(url.removeprefix("file://")).stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("start", ["file://", "FILE://", "file://localhost"])
def test_a_file_url_is_read_as_a_url(tmp_path: Path, start: str):
    folder = tmp_path / "a b%ü#x?y"
    url = open_store(f"{start}{folder.as_uri().removeprefix('file://')}", tmp_path).put(
        content_of(b"abc"), b"abc"
    )

    assert url.startswith(folder.as_uri())
    assert (folder / "objects").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("location", ["file://host/share", "file://relative"])
def test_a_file_url_of_another_machine_is_refused(tmp_path: Path, location: str):
    with pytest.raises(StoreError, match="three slashes"):
        open_store(location, tmp_path)


def test_a_chain_of_urls_is_no_folder_and_its_credentials_are_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    store = open_store("simplecache::memory://KEY:hunter2@bucket/p", tmp_path)
    url = store.put(content_of(b"abc"), b"abc")

    assert url.startswith("simplecache::memory://bucket/p/objects/b3-bytes1/")
    assert [one.digest for one in store.scan()] == list(content_of(b"abc").digests)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["simplecache::nosuch://KEY:hunter2@b/p", "nosuch://KEY:hunter2@b"])
def test_an_error_at_a_url_keeps_credentials_to_itself(tmp_path: Path, location: str):
    with pytest.raises(StoreError) as raised:
        open_store(location, tmp_path).find("b3-bytes1:" + "0" * 64)

    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_what_an_error_says_is_left_out_where_a_secret_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from fsspec.implementations.memory import MemoryFileSystem

    def fail(self: object, path: str, **_: object) -> None:
        raise PermissionError(f"no access to {path}")

    monkeypatch.setattr(MemoryFileSystem, "info", fail)
    store = open_store("memory://KEY:hunter2@bucket/p", tmp_path)
    with pytest.raises(StoreError) as raised:
        store.find("b3-bytes1:" + "0" * 64)
    assert str(raised.value).startswith("memory://bucket/p/: PermissionError")
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_a_folder_that_cannot_be_listed_is_an_error_and_no_empty_store(tmp_path: Path):
    """Nor is one of another user, which may not be listed."""
    store = open_store("store", tmp_path)
    assert list(store.scan()) == []
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "objects").write_text("no folder")

    with pytest.raises(NotADirectoryError):
        list(store.scan())


def test_a_link_among_the_objects_is_none(tmp_path: Path):
    store = open_store(tmp_path / "store", tmp_path)
    store.put(content_of(b"abc"), b"abc")
    (found,) = store.scan()
    file = tmp_path / "store" / found.name
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")

    assert store.find(found.digest) is None
    assert list(store.scan()) == []


def test_what_lies_between_the_objects_is_none(tmp_path: Path):
    store = open_store(tmp_path / "store", tmp_path)
    store.put(content_of(b"abc"), b"abc")
    for stray in ("objects/README", "objects/b3-bytes1/ab/x", "objects/b3-bytes1/zz/.nfs0001", "tmp/half"):
        (tmp_path / "store" / stray).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / stray).write_text("stray")

    assert len(list(store.scan())) == 1
    assert [one.digest for one in store.unused(set(), time.time() + 60)] == list(content_of(b"abc").digests)


def test_a_place_that_cannot_be_written_is_an_error_of_the_system_and_leaves_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(OSError, match="file"):
        open_store(tmp_path / "file", tmp_path).put(content_of(b"abc"), b"abc")
    assert (tmp_path / "file").read_text() == "no folder"


def test_a_new_store_is_its_owners_alone_and_one_that_is_there_stays_as_it_is(tmp_path):
    for name, mode in (("new", None), ("shared", 0o775)):
        if mode is not None:
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(mode)
        with Folder(tmp_path / name).scratch(""):
            pass
        assert (tmp_path / name).stat().st_mode & 0o777 == (mode or 0o700)
