"""When the code of a process is looked at again, and what is said of what was not kept."""

import os
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from relineage.emitter.capture.kept import Kept, KeptCode, not_covered, notebook_text
from relineage.emitter.capture.snapshot import Snapshot


class Looks:
    """Counts how often the code is looked at."""

    def __init__(self) -> None:
        self.made: list[Kept] = []

    def __call__(self) -> Kept:
        self.made.append(
            Kept(repository=None, snapshot=Snapshot(root=Path("/p"), id=f"b3-folder1:{len(self.made)}"))
        )
        return self.made[-1]


def test_the_first_look_at_a_script_holds() -> None:
    code, look = KeptCode(), Looks()
    first = code.of("p", look, typed=False)

    assert [code.of("p", look, typed=False) for _ in range(5)] == [first] * 5
    assert code.of("another", look, typed=False) is not first
    assert len(look.made) == 2


def test_more_cells_are_looked_at_anew_at_once() -> None:
    code, look = KeptCode(), Looks()

    assert code.of("p", look, typed=True, state=1) is not code.of("p", look, typed=True, state=2)


def test_where_people_type_it_is_looked_at_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    code, look = KeptCode(), Looks()
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    made = []
    for now[0] in (100.0, 100.9, 101.1, 101.5, 102.2):
        code.of("p", look, typed=True)
        made.append(len(look.made))

    assert made == [1, 1, 2, 2, 3]


def test_a_look_that_takes_long_is_taken_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    code, look = KeptCode(), Looks()
    times = iter([100.0, 102.0, 130.0, 142.1, 144.1])
    monkeypatch.setattr("time.monotonic", lambda: next(times))

    code.of("p", look, typed=True)
    code.of("p", look, typed=True)  # 28 s later: it took two
    assert len(look.made) == 1
    code.of("p", look, typed=True)  # 40 s later
    assert len(look.made) == 2


def test_threads_share_one_look() -> None:
    code, look = KeptCode(), Looks()
    threads = [threading.Thread(target=code.of, args=("p", look), kwargs={"typed": False}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(look.made) == 1


def test_a_fork_has_the_code_of_its_parent_and_waits_for_no_lock_of_it() -> None:
    code, look = KeptCode(), Looks()
    first = code.of("p", look, typed=False)
    code._lock.acquire()  # as another thread of the parent would hold it
    child = os.fork()
    if child == 0:
        os._exit(0 if code.of("p", look, typed=False) is first else 1)
    code._lock.release()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_was_loaded_comes_first_and_says_so(tmp_path: Path) -> None:
    for name in ("kept.py", "ignored.py", "big.py", "later.py"):
        (tmp_path / name).touch()
    (tmp_path / "big.py").write_bytes(bytes(3_000_000))
    (tmp_path / "secret.py").write_text("password = 'hunter2'")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "x.py").write_text("x = 1")
    os.utime(tmp_path / "later.py", (2e9, 2e9))
    os.utime(tmp_path / "kept.py", (2e9, 2e9))
    snapshot = Snapshot(
        root=tmp_path,
        id="0" * 40,
        paths=frozenset({"kept.py", "later.py"}),
        left_out={"a.bin": "2.0 MB, more than 1", "big.py": "3.0 MB, more than 1", "venv/": "packages"},
        taken_at=1.9e9,
        loaded=frozenset({tmp_path / "kept.py"}),
    )
    used = [
        tmp_path / name
        for name in ("kept.py", "ignored.py", "secret.py", "big.py", "later.py", "gone.py", "venv/x.py")
    ]
    empty, one = (blake3(text).hexdigest() for text in (b"", b"x = 1"))

    assert not_covered(snapshot, (*used, Path("/elsewhere/x.py"))) == (
        "/elsewhere/x.py: in use, it lies elsewhere",
        "big.py: in use, 3.0 MB, more than 1",
        "gone.py: in use, it is no file any more",
        f"ignored.py: in use, git ignores it (b3-bytes1:{empty})",
        "later.py: in use, it has changed since the code was kept",
        "secret.py: in use, git ignores it",
        f"venv/x.py: in use, packages (b3-bytes1:{one})",
        "a.bin: 2.0 MB, more than 1",
        "venv/: packages",
    )


def test_what_lies_in_a_submodule_is_kept_by_its_commit_unless_it_was_changed(tmp_path: Path) -> None:
    clean = Snapshot(root=tmp_path, id="0" * 40, paths=frozenset({"part"}))
    changed = Snapshot(root=tmp_path, id="0" * 40, paths=frozenset({"part"}), left_out={"part": "changes"})

    assert not_covered(clean, (tmp_path / "part" / "lib" / "x.py",)) == ()
    assert not_covered(changed, (tmp_path / "part" / "lib" / "x.py",)) == (
        "part/lib/x.py: in use, changes",
        "part: changes",
    )


def test_a_long_list_ends_with_how_many_there_are(tmp_path: Path) -> None:
    snapshot = Snapshot(root=tmp_path, id="0" * 40, left_out={f"{n:03}.bin": "large" for n in range(100)})
    told = not_covered(snapshot, ())

    assert (len(told), told[-1]) == (41, "60 more files")


def test_a_name_that_is_no_text_can_be_told(tmp_path: Path) -> None:
    snapshot = Snapshot(
        root=tmp_path, id="0" * 40, left_out={b"\xff.bin".decode("utf-8", "surrogateescape"): "large"}
    )

    assert not_covered(snapshot, ()) == ("\\xff.bin: large",)


def test_cells_are_one_text_without_their_secrets() -> None:
    text, redacted = notebook_text(["x = 1", "password = 'hunter2'\n"])

    assert text.startswith(b"# %% [1]\nx = 1\n\n# %% [2]\npassword = ")
    assert b"hunter2" not in text
    assert redacted
    assert notebook_text(["x = 1"]) == (b"# %% [1]\nx = 1\n\n", False)
