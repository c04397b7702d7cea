"""The submodules of a commit: which there are, and which are not here.

Decides where they are looked for: in their folders in the work tree around the repository, which is where git puts
them, or nowhere.
"""

from __future__ import annotations

from pathlib import Path

from .git import GitError, git, has_commit


def submodules(repository: Path, commit: str, *, settings: bool = True) -> list[tuple[str, Path, str]]:
    """Those of a commit: path in it, folder in the work tree around the repository, commit.

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
    return [(path, root / path, kept.split()[2]) for kept, _, path in modules]


def missing_submodules(repository: Path, commit: str) -> list[str]:
    """Submodules of a commit that are not in their folders, and what to do.

    Raises:
        GitError: git does not tell them.
    """
    missing = []
    for path, place, wanted in submodules(repository, commit):
        if has_commit(place, wanted):
            missing += missing_submodules(place, wanted)
        else:
            missing.append(
                f"the submodule {path}, {wanted[:12]}, is not in {place}: git submodule update --init --recursive"
            )
    return missing
