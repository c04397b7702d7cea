"""The code of a run, brought back into a folder of its own.

Decides which code that is (the snapshot, or the commit where the work tree was clean), where it is looked for, and that
nothing but git's list of work trees is touched in a repository, for the time of the replay. Submodules are checked out
of their folders in the work tree around it, where these have the recorded commit. A folder in the store holds
the code of runs without git.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...emitter.digests import Refused
from ...emitter.errors import StoreError
from ...emitter.store import Store
from ..git import GitError, git, has_commit, refusal
from ..submodules import submodules
from ..whole import spoilt
from .recorded import Recorded
from .verdicts import NotReplayed

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_FOLDER = "b3-folder1:"
_CHECKOUT_SECONDS = 120.0


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
    wrong = None
    for commit in wanted:
        if _COMMIT.fullmatch(commit) is None:  # what other producers call a commit may be an option of git
            continue
        for folder in repositories:
            if has_commit(folder, commit):
                reason = spoilt(folder, commit, deep=True)
                if reason is None:
                    return Source(snapshot=commit, repository=folder)
                wrong = wrong or f"its code, {commit[:12]}, is in {folder}, but {reason}"
    raise NotReplayed(wrong or _not_here(run, wanted[0], repositories))


@contextmanager
def checked_out(source: Source, objects: Store | None, folder: Path) -> Iterator[tuple[str, ...]]:
    """The code in a folder that is not there yet, removed from git's list of work trees in the end; what it lacks.

    Raises:
        NotReplayed: git, or the store, does not give it.
    """
    if source.repository is None:
        assert objects is not None
        try:
            objects.fetch(source.snapshot, folder)
        except (StoreError, Refused, OSError) as error:
            raise NotReplayed(f"its code cannot be taken from the store: {error}") from error
        yield ()
        return
    with ExitStack() as trees:
        try:
            lacking = _check_out(source.repository, source.snapshot, folder, trees)
        except GitError as error:
            raise NotReplayed(f"its code, {source.snapshot[:12]}, cannot be checked out: {error}") from error
        yield tuple(lacking)


def _check_out(repository: Path, commit: str, folder: Path, trees: ExitStack) -> list[str]:
    """A work tree and those of its submodules, which end with `trees`, the inner ones first; what is not here.

    Raises:
        GitError: git does not give it.
    """
    trees.callback(_forget, repository, folder)
    git(
        repository, "worktree", "add", "--quiet", "--detach", "--force", str(folder), commit,
        seconds=_CHECKOUT_SECONDS,
    )  # fmt: skip
    lacking = []
    for one in submodules(repository, commit):
        if one.is_here():
            if (wrong := spoilt(one.folder, one.commit, deep=True)) is not None:
                raise GitError(f"its submodule {one.path} is in {one.folder}, but {wrong}")
            lacking += _check_out(one.folder, one.commit, folder / one.path, trees)
        else:
            lacking.append(one.lack)
    return lacking


def _forget(repository: Path, folder: Path) -> None:
    with suppress(GitError):
        git(repository, "worktree", "remove", "--force", "--force", str(folder))


def cut_links(target: Path, folder: Path) -> None:
    """Take away links of the snapshot on the way to a file, and one that it is, that lead out of a folder.

    `data` may be a link to a disk: what the replay puts there, and what its program writes, would change files of
    somebody's.

    Args:
        target: A path below the folder.
        folder: That of the replay.
    """
    for parent in reversed([target, *target.parents]):
        if (
            parent.is_relative_to(folder)
            and parent.is_symlink()
            and not parent.resolve().is_relative_to(folder.resolve())
        ):
            parent.unlink()
            if parent != target:
                parent.mkdir()


def _unknown_code(run: Recorded) -> str:
    if run.commit is not None:
        return (
            f"its work tree differed from commit {run.commit[:12]}, and no snapshot of it was made: "
            "what was not committed is lost"
        )
    return "nothing is known of its code but its digest: record runs in a git repository, or with a store"


def _not_here(run: Recorded, commit: str, repositories: Sequence[Path]) -> str:
    for folder in repositories:
        if (refused := refusal(folder)) is not None:
            return f"commit {commit[:12]} cannot be looked for in {folder}: {refused}"
    asked = ", ".join(map(str, repositories)) or "no repository"
    refs = "refs/relineage/*:refs/relineage/*" if run.snapshot else "--all"
    where = f" from {run.repository}" if run.repository else ""
    return (
        f"commit {commit[:12]} is not in {asked}: git fetch{where} ({refs}), or work in a clone that has it"
    )
