"""What is remembered of files: never wrong, never in the way."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from relineage.emitter import Lineage
from relineage.emitter.digests import cache as caching
from relineage.emitter.digests import cache_in, content_of
from relineage.emitter.digests.cache import DigestCache
from relineage.emitter.digests.files import file_digest, folder_digest, state_of

AT_REST_SECONDS = 2.1


@dataclass
class Watched:
    """A cache, and a look at what was read in spite of it."""

    cache: DigestCache

    def digest(self, path: Path) -> tuple[tuple[str, ...], bool]:
        """The digests, and whether all of them came from the cache."""
        hits = self.cache.hits
        reads: list[int] = []
        found = content_of(path, cache=self.cache, progress=lambda done, total: reads.append(done))
        return found.digests, self.cache.hits > hits and not reads


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that nobody has touched for two seconds; tests copy none and change none of them."""
    folder = tmp_path_factory.mktemp("at rest")
    for i in range(300):
        (folder / "many").mkdir(exist_ok=True)
        (folder / "many" / f"{i}").write_bytes(os.urandom(100 + i))
    table = pa.table({"x": [1.5, None] * 100, "t": ["a", "b"] * 100})
    pq.write_table(table, folder / "t.parquet")
    os.link(folder / "t.parquet", folder / "t.bin")
    feather.write_feather(table, folder / "t.feather")
    pacsv.write_csv(table, folder / "t.csv")
    np.save(folder / "a.npy", np.arange(100.0))
    np.savez(folder / "a.npz", a=np.arange(100.0), b=np.arange(3))
    (folder / "text").write_text("text")
    (folder / "damaged.parquet").write_bytes(b"PAR1")
    (folder / "model.pkl").write_bytes(b"never loaded")
    time.sleep(AT_REST_SECONDS)
    return folder


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    (tmp_path / ".relineage").mkdir()
    cache = cache_in(tmp_path / ".relineage")
    assert cache is not None
    return Watched(cache)


def database(tmp_path: Path) -> Path:
    return tmp_path / ".relineage" / "cache" / caching.FILE


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.csv", "a.npy", "a.npz", "text", "model.pkl"])
def test_a_file_at_rest_is_read_once(name: str, at_rest: Path, watched: Watched) -> None:
    fresh = content_of(at_rest / name)
    assert watched.digest(at_rest / name) == (fresh.digests, False)
    assert watched.digest(at_rest / name) == (fresh.digests, True)
    assert content_of(at_rest / name, cache=watched.cache) == fresh
    assert watched.cache.knows(at_rest / name)


def test_a_folder_at_rest_is_read_once(at_rest: Path, watched: Watched) -> None:
    fresh = folder_digest(at_rest / "many")
    assert folder_digest(at_rest / "many", cache=watched.cache) == fresh
    assert watched.cache.hits == 0
    assert folder_digest(at_rest / "many", cache=watched.cache) == fresh
    assert watched.cache.hits == 300
    assert watched.digest(at_rest / "many" / "7")[1]  # a file alone and in a folder is one entry


def test_what_one_reader_found_is_not_told_of_the_same_file_under_another_name(
    at_rest: Path, watched: Watched
) -> None:
    watched.digest(at_rest / "t.parquet")
    assert watched.digest(at_rest / "t.bin") == (content_of(at_rest / "t.bin").digests, True)
    assert len(watched.digest(at_rest / "t.bin")[0]) == 1


def test_the_reason_why_there_is_no_digest_is_found_anew_each_time(at_rest: Path, watched: Watched) -> None:
    path = at_rest / "damaged.parquet"
    fresh = content_of(path)
    assert fresh.absent is not None
    assert [content_of(path, cache=watched.cache) for _ in range(2)] == [fresh, fresh]
    assert not watched.cache.knows(path)


def test_a_file_that_was_just_written_is_not_trusted(tmp_path: Path, watched: Watched) -> None:
    """Written twice within one tick of the clock it would look the same."""
    path = tmp_path / "f"
    for text in ("first", "other", "third"):
        path.write_text(text)
        os.utime(path, ns=(10**18, 10**18))
        assert watched.digest(path) == (content_of(path).digests, False)
        assert watched.digest(path)[1] is False
    assert not database(tmp_path).exists()


def test_a_file_from_the_future_is_not_trusted(tmp_path: Path, watched: Watched) -> None:
    path = tmp_path / "f"
    path.write_text("text")
    later = time.time_ns() + 10**12
    os.utime(path, ns=(later, later))
    time.sleep(AT_REST_SECONDS)
    assert not watched.digest(path)[1]
    assert not watched.digest(path)[1]


def rewritten(path: Path) -> None:
    before = path.stat()
    path.write_text("other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    other = path.with_name("new")
    other.write_text("other")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def grown(path: Path) -> None:
    with path.open("a") as file:
        file.write("r")


@pytest.mark.parametrize("change", [rewritten, replaced, grown])
def test_a_changed_file_is_read_again(
    change: Callable[[Path], None], tmp_path: Path, watched: Watched
) -> None:
    """Also with size and modification time put back: the time of the change of the inode cannot be."""
    path = tmp_path / "f"
    path.write_text("first")
    time.sleep(AT_REST_SECONDS)
    first, _ = watched.digest(path)
    assert watched.digest(path) == (first, True)
    change(path)
    assert watched.digest(path) == (content_of(path).digests, False)
    assert content_of(path).digests != first


def garbage(file: Path) -> None:
    file.write_bytes(os.urandom(10_000))


def nothing(file: Path) -> None:
    file.write_bytes(b"")


def half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def another(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE kept (something TEXT)")
    connection.close()


def folder_in_its_place(file: Path) -> None:
    file.unlink()
    file.mkdir()


def file_above_it(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("")


@pytest.mark.parametrize("damage", [garbage, nothing, half, another, folder_in_its_place, file_above_it])
def test_a_broken_cache_is_as_good_as_none(
    damage: Callable[[Path], None], at_rest: Path, tmp_path: Path, watched: Watched
) -> None:
    fresh = folder_digest(at_rest / "many")
    folder_digest(at_rest / "many", cache=watched.cache)
    damage(database(tmp_path))
    for _ in range(3):
        assert folder_digest(at_rest / "many", cache=watched.cache) == fresh
    if damage in (garbage, nothing, half):  # it is made anew
        assert watched.cache.hits >= 300


def test_no_bit_of_a_cache_can_be_changed_into_another_digest(
    at_rest: Path, tmp_path: Path, watched: Watched
) -> None:
    fresh = folder_digest(at_rest / "many")
    folder_digest(at_rest / "many", cache=watched.cache)
    whole = database(tmp_path).read_bytes()
    random = np.random.default_rng(7)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 20):
            damaged[place] ^= 1 << random.integers(8)
        database(tmp_path).write_bytes(damaged)
        assert folder_digest(at_rest / "many", cache=watched.cache) == fresh


def test_a_digest_of_one_file_cannot_be_moved_to_another(
    at_rest: Path, tmp_path: Path, watched: Watched
) -> None:
    folder_digest(at_rest / "many", cache=watched.cache)
    with sqlite3.connect(database(tmp_path)) as connection:
        connection.execute("UPDATE kept SET value = (SELECT value FROM kept LIMIT 1)")
    connection.close()
    assert folder_digest(at_rest / "many", cache=watched.cache) == folder_digest(at_rest / "many")
    assert watched.cache.hits == 1


def test_a_locked_cache_is_not_waited_for(at_rest: Path, tmp_path: Path, watched: Watched) -> None:
    path = at_rest / "text"
    watched.digest(path)
    holder = sqlite3.connect(database(tmp_path), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert watched.digest(path) == (content_of(path).digests, False)
    assert time.monotonic() - began < 5
    holder.close()
    assert watched.digest(path)[1]


def test_the_cache_is_bounded_and_forgets_the_oldest(
    at_rest: Path, tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "_MOST_PAGES", 100)
    monkeypatch.setattr(caching, "_ENTRIES_A_TRANSACTION", 500)
    state = state_of(at_rest / "text")
    for first in range(0, 20_000, 1000):
        some = {state._replace(inode=i): bytes(32) for i in range(first, first + 1000)}
        watched.cache.keep_bytes_digests(some, time.time_ns())
    assert database(tmp_path).stat().st_size <= 100 * 4096
    assert len(watched.cache.bytes_digests(some)) == 1000
    assert watched.cache.bytes_digests([state._replace(inode=0)]) == {}


WRITE = """
import sys, time
from pathlib import Path
from relineage.emitter.digests.cache import DigestCache
from relineage.emitter.digests.files import folder_digest, state_of
cache, folder, number = DigestCache(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
state = state_of(folder / "0")
print(folder_digest(folder, cache=cache)[0], flush=True)
for i in range(int(sys.argv[4])):
    own = {state._replace(inode=number * 10**9 + i * 100 + j): bytes(32) for j in range(100)}
    cache.keep_bytes_digests(own, time.time_ns())
"""


def writer(tmp_path: Path, at_rest: Path, number: int, rounds: int) -> subprocess.Popen[str]:
    arguments = [str(database(tmp_path).parent), str(at_rest / "many"), str(number), str(rounds)]
    return subprocess.Popen([sys.executable, "-c", WRITE, *arguments], stdout=subprocess.PIPE, text=True)


def whole(tmp_path: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database(tmp_path))
    found = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    return found


def test_many_processes_may_write_at_once(at_rest: Path, tmp_path: Path, watched: Watched) -> None:
    processes = [writer(tmp_path, at_rest, number, 20) for number in range(6)]
    said = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert {process.returncode for process in processes} == {0}
    fresh = folder_digest(at_rest / "many")
    assert said == {fresh[0]}
    assert whole(tmp_path) == [("ok",)]
    assert folder_digest(at_rest / "many", cache=watched.cache) == fresh
    assert watched.cache.hits == 300


def test_a_writer_that_is_killed_leaves_a_cache_that_can_be_used(
    at_rest: Path, tmp_path: Path, watched: Watched
) -> None:
    fresh = folder_digest(at_rest / "many")
    for number in range(5):
        process = writer(tmp_path, at_rest, number, 10**6)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.03 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert folder_digest(at_rest / "many", cache=watched.cache) == fresh
    assert whole(tmp_path) == [("ok",)]
    assert watched.cache.hits >= 300


def test_without_a_project_nothing_is_kept(at_rest: Path, tmp_path: Path) -> None:
    assert cache_in(None) is None
    lost = DigestCache(tmp_path / "no project" / "cache")
    file_digest(at_rest / "text", cache=lost)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_the_cache_is_not_changed_by_it(tmp_path: Path, watched: Watched) -> None:
    (tmp_path / "f").write_text("text")
    time.sleep(AT_REST_SECONDS)
    assert watched.digest(tmp_path)[0] == watched.digest(tmp_path)[0] == content_of(tmp_path).digests
    assert not database(tmp_path).exists()


def test_a_run_uses_the_cache_of_its_project(
    at_rest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".relineage").mkdir()
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    with Lineage(environ={}).run("job") as run:
        run.input(at_rest / "t.parquet")
    assert DigestCache(tmp_path / ".relineage" / "cache").knows(at_rest / "t.parquet")


def test_what_was_digested_once_is_recorded_however_long_it_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched
) -> None:
    """`digest="auto"` names a large file without digest; after `relineage digest FILE` it has one."""
    monkeypatch.chdir(tmp_path)
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 8 << 30)  # takes no place on the disk
    time.sleep(AT_REST_SECONDS)

    def recorded() -> str | None:
        lineage = Lineage(environ={})
        with lineage.run("job") as run:
            run.input(large)
        return next(iter(run._entries.values())).digest

    assert recorded() is None
    watched.cache.keep_bytes_digests({state_of(large): bytes(32)}, time.time_ns())
    assert recorded() == f"b3-bytes1:{bytes(32).hex()}"


def test_an_index_is_never_known_since_its_shards_are_read_again(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {}}')
    time.sleep(AT_REST_SECONDS)
    cache = DigestCache(tmp_path / "cache")
    content_of(index, cache=cache)
    assert state_of(index) in cache.bytes_digests([state_of(index)])
    assert not cache.knows(index)
