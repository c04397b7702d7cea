"""The code of a run, brought back into a folder of its own.

Decides which code that is (the snapshot, or the commit where the work tree was clean), where it is looked for, and that
nothing but git's list of work trees is touched in a repository, for the time of the replay. A folder in the store holds
the code of runs without git.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...emitter.digests import Refused
from ...emitter.errors import StoreError
from ...emitter.store import Store
from .recorded import Recorded
from .verdicts import NotReplayed

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_FOLDER = "b3-folder1:"
_GIT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the code is: a commit in a repository, or a folder in the store (then `repository` is null)."""

    snapshot: str
    repository: Path | None


def find_code(run: Recorded, repositories: Sequence[Path], objects: Store | None) -> Source:
    """Where the code of a run is.

    Args:
        run: The run.
        repositories: Where commits are looked for, in this order; a folder within one will do.
        objects: The store.

    Raises:
        NotReplayed: It is not recorded, or nowhere here.
    """
    snapshot = run.snapshot
    if snapshot is not None and snapshot.startswith(_FOLDER):
        if objects is not None and objects.find(snapshot) is not None:
            return Source(snapshot=snapshot, repository=None)
        raise NotReplayed(
            f"its code, {snapshot[:24]}…, is not in the store: RELINEAGE_STORE names the store that has it"
        )
    wanted = [snapshot] if snapshot is not None else []
    if run.commit is not None and run.dirty is False:
        wanted.append(run.commit)
    if not wanted:
        raise NotReplayed(_unknown_code(run))
    for commit in wanted:
        if _COMMIT.fullmatch(commit) is None:  # what other producers call a commit may be an option of git
            continue
        for folder in repositories:
            if has_commit(folder, commit):
                return Source(snapshot=commit, repository=folder)
    raise NotReplayed(_not_here(run, wanted[0], repositories))


@contextmanager
def checked_out(source: Source, objects: Store | None, folder: Path) -> Iterator[None]:
    """The code in a folder that is not there yet, removed from git's list of work trees in the end.

    Raises:
        NotReplayed: git, or the store, does not give it.
    """
    if source.repository is None:
        assert objects is not None
        try:
            objects.fetch(source.snapshot, folder)
        except (StoreError, Refused, OSError) as error:
            raise NotReplayed(f"its code cannot be taken from the store: {error}") from error
        yield
        return
    # Hooks are programs of the repository's owner, and none of the recorded code.
    made = git(
        source.repository, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", "--force",
        str(folder), source.snapshot,
    )  # fmt: skip
    try:
        if made.returncode != 0:
            raise NotReplayed(f"git could not check out {source.snapshot[:12]}: {_last_line(made.stderr)}")
        yield
    finally:
        git(source.repository, "worktree", "remove", "--force", "--force", str(folder))


def has_commit(folder: Path, commit: str) -> bool:
    """Whether the repository around a folder holds a commit; it is not fetched from anywhere."""
    if not folder.is_dir():
        return False
    return git(folder, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What git says in a folder; where there is no git, as if it had failed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    # A partial clone would go and fetch what it lacks.
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        return subprocess.run(  # noqa: S603 - a fixed program; the commit is hex digits
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_SECONDS, check=False,
            env=environment, text=True, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _unknown_code(run: Recorded) -> str:
    if run.commit is not None:
        return (
            f"its work tree differed from commit {run.commit[:12]}, and no snapshot of it was made: "
            "what was not committed is lost"
        )
    return "nothing is known of its code but its digest: record runs in a git repository, or with a store"


def _not_here(run: Recorded, commit: str, repositories: Sequence[Path]) -> str:
    asked = ", ".join(map(str, repositories)) or "no repository"
    refs = "refs/relineage/*:refs/relineage/*" if run.snapshot else "--all"
    where = f" from {run.repository}" if run.repository else ""
    return (
        f"commit {commit[:12]} is not in {asked}: git fetch{where} ({refs}), or work in a clone that has it"
    )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"
