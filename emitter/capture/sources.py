"""The sources of a program outside of git: which files they are, and a folder of copies to keep.

Decides that the folder starts where imports do, and that only files that the program has loaded belong to it: what
else lies there may be anything. Large files and those that are named like secrets are left out as from a work tree.
Where the copies are kept is left to the caller.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from .snapshot import MOST_FILE_BYTES, Snapshot, is_secret_file

# Where the folder was put: its digest.
Keep = Callable[[Path], str]


def folder_of(main: ModuleType | None, script: Path | None, caller: Path | None, directory: Path) -> Path:
    """The folder from which a program imports what lies beside its script.

    Args:
        main: `sys.modules["__main__"]`, which knows whether it is a module of a package (`python -m`).
        script: The file that runs; null in a notebook or at a prompt.
        caller: The file that opened the run.
        directory: The working directory, for want of a file.
    """
    if script is not None:
        name = getattr(getattr(main, "__spec__", None), "name", None) or ""
        return script.parents[min(name.count("."), len(script.parents) - 1)]
    return caller.parent if caller is not None else directory


def keep_sources(
    root: Path,
    files: Iterable[Path],
    keep: Keep,
    *,
    typed: bool = False,
    besides: Mapping[str, bytes] | None = None,
) -> Snapshot:
    """Keep the files that lie below a folder. Never raises what the disk does not allow: that is its `failure`.

    Args:
        root: Where the paths start from.
        files: The program's files; those that lie elsewhere are no part of it.
        keep: Puts a folder into the store.
        typed: Whether files are edited and loaded again; else each counts as it was when it was first read.
        besides: Path → content of what is to be kept and lies in no file.
    """
    taken_at = time.time()
    left_out: dict[str, str] = {}
    contents = dict(besides or {})
    for file in files:
        if not file.is_relative_to(root):
            continue
        path = file.relative_to(root).as_posix()
        try:
            if is_secret_file(path):
                left_out[path] = "it is named like a file of secrets"
            elif (size := file.stat().st_size) > MOST_FILE_BYTES:
                left_out[path] = f"{size / 1e6:.1f} MB, more than {MOST_FILE_BYTES // 1_000_000}"
            else:
                contents[path] = file.read_bytes() if typed else _as_first_read(file)
        except OSError as error:
            left_out[path] = f"cannot be read ({type(error).__name__})"
    if not contents:
        failure = "no file of the program is known"
        return Snapshot(root=root, left_out=left_out, failure=failure, taken_at=taken_at)
    try:
        with tempfile.TemporaryDirectory(prefix="relineage-", ignore_cleanup_errors=True) as folder:
            for path, content in contents.items():
                copy = Path(folder, path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
            digest = keep(Path(os.path.realpath(folder)))
    except Exception as error:  # whatever a store says
        failure = f"the sources could not be kept: {error}"
        return Snapshot(root=root, left_out=left_out, failure=failure, taken_at=taken_at)
    return Snapshot(root=root, id=digest, paths=frozenset(contents), left_out=left_out, taken_at=taken_at)


@cache
def _as_first_read(file: Path) -> bytes:
    return file.read_bytes()
