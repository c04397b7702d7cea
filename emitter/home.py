"""Where a project keeps its lineage: the folder `.relineage/` (rule R8 of docs/data-model.md).

Decides which folder that is, and makes it where there is none. What lies in it is left to those who write
there.
"""

from pathlib import Path

NAME = ".relineage"


def existing_home(start: Path) -> Path | None:
    """Return the first `.relineage/` found upwards from a working directory; None if there is none."""
    start = start.absolute()
    return next((one / NAME for one in (start, *start.parents) if (one / NAME).is_dir()), None)


def find_home(start: Path) -> Path:
    """Return the `.relineage/` that belongs to a working directory, made if there was none.

    It is the first one found upwards from `start`, as git finds its repository; else a new one at the root
    of the git repository around `start`, else in `start`.

    Raises:
        OSError: there is none and it cannot be made, say on a read-only disk.
    """
    if (found := existing_home(start)) is not None:
        return found
    start = start.absolute()
    # In a worktree or a submodule `.git` is a file.
    root = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)
    home = root / NAME
    make_folder(home)
    return home


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder, and its parents, that git ignores by a `.gitignore` of its own; one that exists stays
    as it is.

    Args:
        folder: The folder.
        mode: Who may do what in it, before the umask; its parents are made as the umask says.

    Raises:
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(mode, parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    (folder / ".gitignore").write_text("*\n")
