"""Where HEAD of a work tree stands, asked before each run.

Decides that files which have not changed are not read again: size, time and place on the disk tell it, as they do for
git itself. What was written within the last seconds before it was read may be written again without any of them
showing it, so it is read each time until it is older.
"""

import os
import time
from pathlib import Path

_SETTLED_NANOSECONDS = 3_000_000_000  # longer than any file system's clock ticks


class Head:
    """HEAD of one work tree, and whether it has moved since it was last asked.

    Args:
        git_folder: Its own git folder.
        common_folder: The git folder that it shares with linked work trees.
    """

    def __init__(self, git_folder: Path, common_folder: Path) -> None:
        """Read it."""
        self._own = f"{git_folder}/HEAD"
        self._common = common_folder
        self._tables: list[str] = []
        if (common_folder / "reftable").is_dir():  # there refs have no files, and HEAD's is always the same
            folders = dict.fromkeys((git_folder, common_folder))
            self._tables = [f"{folder}/reftable/tables.list" for folder in folders]
        self._files = [self._own]
        self._states: list[tuple[int, int, int] | None] = []
        self._text: object = None
        self._settled = False
        self._read()

    def has_moved(self) -> bool:
        """Whether it is another commit or branch than the last time; three `stat`s where nothing was written."""
        if self._settled and [_state(file) for file in self._files] == self._states:
            return False
        before = self._text
        self._read()
        return self._text != before

    def _read(self) -> None:
        # Before reading: what comes between shows.
        self._files, self._states = [self._own], [_state(self._own)]
        head = _text(self._own)
        branch = None
        if head is not None and head.startswith("ref: "):
            self._files += [
                f"{self._common}/{head.removeprefix('ref: ').strip()}",
                f"{self._common}/packed-refs",
                *self._tables,
            ]
            self._states += [_state(file) for file in self._files[1:]]
            branch = _text(self._files[1])
        oldest = time.time_ns() - _SETTLED_NANOSECONDS
        self._settled = all(state is None or state[0] < oldest for state in self._states)
        # Without a branch: no commit yet, or it is among the packed refs.
        self._text = (head, branch, self._states[2:] if branch is None else None)


def _text(file: str) -> str | None:
    try:
        return Path(file).read_text()
    except OSError:
        return None


def _state(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - asked at each run
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
