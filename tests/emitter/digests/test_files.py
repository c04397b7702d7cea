import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from relineage.emitter.digests import Refused, content_of, files
from relineage.emitter.digests.files import folder_digest
from relineage.emitter.sizes import work_to_digest


def folder(root: Path, **contents: str) -> Path:
    for name, text in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("size", [0, 1, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 4 << 20, 17 << 20])
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


def test_a_link_to_a_file_is_the_file_in_a_folder_too(tmp_path: Path) -> None:
    plain = folder(tmp_path / "plain", a="x", sub__b="y")
    linked = folder(tmp_path / "linked", a="x")
    (linked / "sub").mkdir()
    (linked / "sub" / "b").symlink_to(plain / "sub" / "b")
    assert content_of(linked).digests == content_of(plain).digests
    assert content_of(linked / "sub" / "b").digests == content_of(plain / "sub" / "b").digests
    (plain / "sub" / "b").write_text("z")
    assert content_of(linked).digests == content_of(plain).digests


def test_links_to_folders_or_to_nothing_are_refused(tmp_path: Path) -> None:
    base = folder(tmp_path / "f", a="x")
    (base / "link").symlink_to(tmp_path)
    with pytest.raises(Refused, match="link: a link to a folder; replace it"):
        content_of(base)
    (base / "link").unlink()
    (base / "link").symlink_to("nowhere")
    with pytest.raises(Refused, match="link: a link to nothing; remove it"):
        content_of(base)
    (base / "link").unlink()
    (base / "link").symlink_to("link")
    with pytest.raises(Refused, match="link: cannot be read"):
        content_of(base)


def test_devices_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="pipe: no regular file"):
        content_of(tmp_path / "pipe")
    with pytest.raises(Refused, match="gone: cannot be read"):
        content_of(tmp_path / "gone")


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(Refused, match="a file name that is not UTF-8"):
        content_of(tmp_path)


def test_a_folder_of_many_small_and_some_large_files_has_the_manifest_of_its_files(tmp_path: Path) -> None:
    """Enough for several threads, and one file of which pieces are read ahead."""
    for i in range(200):
        (tmp_path / str(i)).write_bytes(os.urandom(i * 37))
    (tmp_path / "large").write_bytes(os.urandom(17 << 20))
    (tmp_path / "middle").write_bytes(os.urandom(3 << 20))
    expected = [
        (path.name, path.stat().st_size, blake3(path.read_bytes()).digest())
        for path in sorted(tmp_path.iterdir(), key=lambda path: path.name.encode())
    ]
    assert files.folder_manifest(tmp_path) == expected


def test_progress_is_told_up_to_the_whole(tmp_path: Path) -> None:
    for i in range(100):
        (tmp_path / str(i)).write_bytes(bytes(1000))
    (tmp_path / "large").write_bytes(bytes(5 << 20))
    for path, size in ((tmp_path, 100_000 + (5 << 20)), (tmp_path / "large", 5 << 20)):
        told: list[tuple[int, int]] = []
        content_of(path, progress=lambda done, total: told.append((done, total)))  # noqa: B023
        assert told == sorted(told)
        assert told[-1] == (size, size)
        assert len(told) > 2


def test_without_a_thread_to_be_had_a_file_is_still_read(tmp_path: Path) -> None:
    """At the end of the interpreter no thread can be started any more."""
    path = tmp_path / "large"
    path.write_bytes(os.urandom(5 << 20))
    script = """
import atexit, sys
from pathlib import Path
from relineage.emitter.digests import content_of
atexit.register(lambda: print(content_of(Path(sys.argv[1])).version))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == content_of(path).version


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """Nobody can read the memory at address 0, not even root, who may read everything else."""
    base = folder(tmp_path, a="x", sub__b="y")
    (base / "sub" / "c").symlink_to("/proc/self/mem")
    with pytest.raises(
        Refused, match=r"sub/c: cannot be read \(Input/output error\); check the path and its"
    ):
        content_of(base)


def test_what_gives_other_bytes_than_its_size_says_is_refused() -> None:
    """As files of /proc do, whose size is 0."""
    with pytest.raises(Refused, match="changed while it was read"):
        content_of(Path("/proc/self/status"))


def test_a_file_of_a_folder_that_changes_while_it_is_read_is_named(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}").write_bytes(bytes(3 << 20))

    def change(done: int, total: int) -> None:
        if done == total:
            (tmp_path / "0").write_bytes(b"other")

    with pytest.raises(
        Refused, match="/0: changed while it was read; digest it when it is no longer written"
    ):
        content_of(tmp_path, progress=change)


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


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "a\ud800b"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        content_of(Path(name))


def test_a_folder_may_be_nested_deeper_than_calls(tmp_path: Path) -> None:
    depth = 1500
    (tmp_path / "top").mkdir()
    place = os.open(tmp_path / "top", os.O_RDONLY)
    for _ in range(depth):  # one step at a time: pytest's cleaning takes it as well
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    with os.fdopen(os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=place), "wb") as file:
        file.write(b"deep")
    os.close(place)
    try:
        [(name, size, raw)] = files.folder_manifest(tmp_path / "top")
        work_to_digest(tmp_path / "top")
    finally:
        subprocess.run(["rm", "-r", tmp_path / "top"], check=True)
    assert (name, size, raw) == ("d/" * depth + "f", 4, blake3(b"deep").digest())
