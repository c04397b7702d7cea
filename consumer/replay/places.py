"""Where what had a place on the machine of the run has its place in the replay.

Decides that the work tree, the working directory, and each file or folder outside of them that an argument of the
command names, are moved as wholes, so that the job finds them by the same arguments. What lies elsewhere keeps its
place: the job has it written in its code. Pure, but for asking whether a path exists.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Places:
    """Pairs of (folder or file then, the same in the replay), the deepest first."""

    moved: tuple[tuple[str, str], ...]

    def now(self, path: str) -> Path | None:
        """Where a path of the run is in the replay; null if it was not moved. Events are anybody's: one that climbs out
        of its folder was not.
        """
        if ".." in path.split("/"):
            return None
        for then, here in self.moved:
            if below(path, then):
                return Path(here + path[len(then.rstrip("/")) :]) if path != then else Path(here)
        return None

    def then(self, path: str) -> str:
        """What a path of the replay was called in the run; any other text as it is."""
        for then, here in self.moved:
            if below(path, here):
                return then if path == here else then.rstrip("/") + path[len(here) :]
        return path


def places(
    *,
    root: str,
    directory: str,
    arguments: Sequence[str],
    files: Sequence[str],
    checkout: Path,
    scratch: Path,
) -> Places:
    """Decide what is moved where.

    Args:
        root: The work tree of the run.
        directory: The working directory of the run.
        arguments: Of its command.
        files: The absolute paths that it read and wrote.
        checkout: Stands for the root.
        scratch: An empty folder for what lay outside of it.
    """
    moved = {root: str(checkout)}
    if not below(directory, root):
        moved[directory] = str(scratch / "directory")
    for text in arguments:
        for word in (text, text.partition("=")[2]):
            path = os.path.normpath(os.path.join(directory, word)) if word else ""  # noqa: PTH118 - a text
            outside = path and not any(below(path, one) for one in moved)
            # Not `/` nor a folder that holds the code: what it names must be data.
            if outside and any(below(file, path) for file in files) and not below(root, path):
                moved[path] = str(scratch / str(len(moved)) / (Path(path).name or "data"))
    return Places(moved=tuple(sorted(moved.items(), key=lambda pair: -len(pair[0]))))


def below(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it, by its text."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
