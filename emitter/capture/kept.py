"""The code of this process as it was kept: when it is looked at, and what is said of what was not.

Decides that the first look holds: what runs is what was imported, whatever becomes of the files later. Where people
type (notebooks, prompts), files are edited and loaded again for days; there it is looked at anew before a run, but not
within a second, nor so often that it takes a twentieth of the time, unless more cells have been executed.
How the code is kept is decided in `snapshot.py` and `sources.py`.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from .code import Repository
from .snapshot import MOST_FILE_BYTES, Snapshot, is_secret_file

NOTEBOOK = "__notebook__.py"
_REST_SECONDS = 1.0
_REST_TIMES = 20  # as long as the last look took
_MOST_TOLD = 40
_CHANGED = "it has changed since the code was kept"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What git said of the code, null where there is none, and what was kept of it, at one time."""

    repository: Repository | None
    snapshot: Snapshot


class KeptCode:
    """What was kept of each folder, for all runs of a process and of its forks."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._kept: dict[object, tuple[object, float, Kept]] = {}
        self._lock = threading.Lock()
        self._process = os.getpid()

    def of(self, key: object, look: Callable[[], Kept], *, typed: bool, state: object = None) -> Kept:
        """What was kept of a folder.

        Args:
            key: The folder, and how it is kept.
            look: Looks at it and keeps it.
            typed: Whether code is typed in, so that a look may be too old.
            state: What must not have changed since the look, such as the number of cells executed.
        """
        if os.getpid() != self._process:
            self._lock, self._process = threading.Lock(), os.getpid()  # the parent's may be held
        with self._lock:
            before = self._kept.get(key)
            now = time.monotonic()
            if before is not None and before[0] == state and (not typed or now < before[1]):
                return before[2]
            kept = look()
            done = time.monotonic()
            rest = max(_REST_SECONDS, _REST_TIMES * (done - now))
            self._kept[key] = (state, done + rest, kept)
            return kept


KEPT = KeptCode()


def is_typed() -> bool:
    """Whether somebody types the program: a notebook or a prompt."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or "ipykernel" in sys.modules


def notebook_text(cells: Sequence[str]) -> tuple[bytes, bool]:
    """The executed cells as one file, in their order, and whether a secret was taken out.

    Magics and shell commands stay as they were typed: it is to be read, and is Python where they were not used.
    """
    from ...facets.redaction import redact

    text = "".join(f"# %% [{number}]\n{cell.rstrip()}\n\n" for number, cell in enumerate(cells, start=1))
    safe = redact(text)
    return safe.encode("utf-8", "backslashreplace"), safe != text


@lru_cache(maxsize=16)
def not_covered(snapshot: Snapshot, files_in_use: tuple[Path, ...]) -> tuple[str, ...]:
    """What a snapshot lacks, each as `path: reason`; what the program has loaded comes first and says `in use`.

    Args:
        snapshot: What was kept.
        files_in_use: What the program has loaded by now.
    """
    used: dict[str, str] = {}
    for file in files_in_use:
        name, reason = _lack(snapshot, file)
        if reason is not None:
            digest = _told_apart(snapshot.root, name, snapshot.taken_at) if reason != _CHANGED else ""
            used[name] = f"in use, {reason}{digest}"
    others = [(path, reason) for path, reason in snapshot.left_out.items() if path not in used]
    told = [f"{_shown(path)}: {reason}" for path, reason in (*sorted(used.items()), *sorted(others))]
    rest = len(told) - _MOST_TOLD
    return tuple(told) if rest <= 1 else (*told[:_MOST_TOLD], f"{rest} more files")


def _lack(snapshot: Snapshot, file: Path) -> tuple[str, str | None]:
    """The path of a file in a snapshot, and why it is not there; null if it is."""
    path = _within(snapshot.root, file)
    if path is None:
        return str(file), "it lies elsewhere"
    if path in snapshot.left_out:
        return path, snapshot.left_out[path]
    if snapshot.id is None:
        return path, None  # the failure says it of all
    if path not in snapshot.paths:
        parents = [str(parent) for parent in PurePosixPath(path).parents]
        for name in (name for parent in parents for name in (parent, f"{parent}/")):
            if name in snapshot.left_out:
                return path, snapshot.left_out[name]
        if not snapshot.paths.isdisjoint(
            parents
        ):  # a submodule's commit holds it, or it was found through a link
            return path, None
        return path, "git ignores it" if file.exists() else "it is no file any more"
    if file not in snapshot.loaded and _changed_after(file, snapshot.taken_at):
        return path, _CHANGED
    return path, None


@lru_cache(maxsize=1024)  # the first look holds, as that of the snapshot
def _told_apart(root: Path, name: str, taken_at: float) -> str:
    """Digest of a file in brackets, by which `why` tells whether two runs had loaded the same. None of what is large,
    lies elsewhere, or holds a secret, which people could guess with it.
    """
    from blake3 import blake3

    from ...facets.redaction import redact

    if Path(name).is_absolute() or is_secret_file(name):
        return ""
    file = root / name
    try:
        if file.stat().st_size > MOST_FILE_BYTES:
            return ""
        content = file.read_bytes()
    except OSError:
        return ""
    text = content.decode("utf-8", "surrogateescape")
    return f" (b3-bytes1:{blake3(content).hexdigest()})" if redact(text) == text else ""


def _changed_after(file: Path, instant: float) -> bool:
    try:
        return file.stat().st_mtime > instant
    except OSError:
        return False


def _within(root: Path, file: Path) -> str | None:
    for one in (file, Path(os.path.realpath(file))):
        for base in (root, Path(os.path.realpath(root))):
            if one.is_relative_to(base):
                return one.relative_to(base).as_posix()
    return None


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
