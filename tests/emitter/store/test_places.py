"""Files become visible in one step, whoever writes beside, and whenever a writer is killed."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from relineage.emitter.digests import content_of
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


def test_objects_are_read_only_and_git_ignores_them(tmp_path: Path):
    url = open_store("store", tmp_path).put(content_of(b"abc"), b"abc")

    file = Path(url.removeprefix("file://"))
    assert file.stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "store" / ".gitignore").read_text() == "*\n"


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
