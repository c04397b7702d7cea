"""Whether all files of a commit are in a repository, and are what its id says.

Decides that a commit that is there says nothing of its files: a partial clone has them elsewhere, a repository may have
lost some. git does not digest what it reads either, but for `git fsck` of all that there is: a file among its objects
may have been changed, so where everything is to be looked at each object of the commit is digested here.
"""

from __future__ import annotations

import tempfile
from hashlib import sha1, sha256
from pathlib import Path
from typing import IO

from .git import GitError, git

_PIECE_BYTES = 1 << 20


def spoilt(repository: Path, commit: str, *, deep: bool, settings: bool = True) -> str | None:
    """What of a commit is not there or, if `deep`, is not what its id says, submodules apart; null if nothing is.

    Args:
        repository: It has the commit.
        commit: The full id, or the beginning of it.
        deep: Digest its files and folders, and itself.
        settings: As for `git`.
    """
    parts = [("the commit", commit), ("its first folder", f"{commit}^{{tree}}")]
    try:
        listed = git(repository, "ls-tree", "-r", "-t", "-z", "--full-tree", commit, settings=settings)
        for line in filter(None, listed.split("\0")):
            facts, _, path = line.partition("\t")
            _, kind, name = facts.split()
            if kind != "commit":
                parts.append((path, name))
        given = "".join(f"{name}\n" for _, name in parts)
        with tempfile.TemporaryFile() as told:
            how = "--batch" if deep else "--batch-check=%(objectname)"
            git(repository, "cat-file", how, given=given, into=told, settings=settings)
            told.seek(0)
            return next((wrong for part, name in parts if (wrong := _wrong(part, name, told, deep))), None)
    except GitError as error:
        return f"not all of it can be read: {error}"


def _wrong(part: str, name: str, told: IO[bytes], deep: bool) -> str | None:
    """What is wrong with one object, by what `git cat-file` says of it next."""
    head = told.readline().decode().rstrip("\n")
    if head.endswith(" missing"):
        return f"{part}, {name[:12]}, is not there: a partial clone, or it is lost or damaged"
    if not deep:
        return None
    own, kind, size = head.split()
    digest = (sha1 if len(own) == 40 else sha256)(f"{kind} {size}\0".encode(), usedforsecurity=False)
    left = int(size)
    while left and (piece := told.read(min(left, _PIECE_BYTES))):
        digest.update(piece)
        left -= len(piece)
    told.readline()
    if digest.hexdigest() == own:
        return None
    return f"{part} is not what its id, {own[:12]}, says: somebody has changed git's objects"
