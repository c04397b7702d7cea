"""The submodules of a commit: which there are, and which are not here.

Decides where they are looked for: in their folders in the work tree around the repository, which is where git puts
them, or nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .git import GitError, git, has_commit
from .whole import spoilt


@dataclass(frozen=True, kw_only=True)
class Submodule:
    """One in a commit.

    Attributes:
        path: In it.
        folder: Where its repository is, if it is here.
        commit: Its own.
    """

    path: str
    folder: Path
    commit: str

    def is_here(self) -> bool:
        """Whether its folder has the commit."""
        return has_commit(self.folder, self.commit)

    @property
    def lack(self) -> str:
        """What to say where it is not, and what to do."""
        return (
            f"the submodule {self.path}, {self.commit[:12]}, is not in {self.folder}: "
            "git submodule update --init --recursive"
        )


def submodules(repository: Path, commit: str, *, settings: bool = True) -> list[Submodule]:
    """Those of a commit.

    Raises:
        GitError: git does not tell them.
    """
    listed = git(repository, "ls-tree", "-r", "-z", "--full-tree", commit, settings=settings).split("\0")
    modules = [line.partition("\t") for line in listed if line.startswith("160000 ")]
    if not modules:
        return []
    try:
        root = Path(git(repository, "rev-parse", "--show-toplevel", settings=settings).removesuffix("\n"))
    except GitError:  # without a work tree: nothing is found below it
        root = repository
    return [Submodule(path=path, folder=root / path, commit=kept.split()[2]) for kept, _, path in modules]


def lacks(repository: Path, commit: str, *, deep: bool = False) -> list[str]:
    """What is lacking of a commit, of its submodules, and of theirs.

    Args:
        repository: It has the commit.
        commit: Its id.
        deep: As for `spoilt`.

    Raises:
        GitError: git does not tell them.
    """
    wrong = spoilt(repository, commit, deep=deep)
    if wrong is not None:
        return [wrong]
    found = []
    for one in submodules(repository, commit):
        found += lacks(one.folder, one.commit, deep=deep) if one.is_here() else [one.lack]
    return found
