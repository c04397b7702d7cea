"""A database with nothing in it, with which each new one begins.

DuckDB binds every view and macro when it is made, 0.8 s for ours, and binds none when they come out of a file. So the
first new database leaves a blank one in the user's cache, and the next ones copy that: each bundle that is looked into
needs a new database.

Decides where the blank one lies, when it is another one, and how it is copied. Leaves what is in it to store.py, which
does without where there is none to be had.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import engine
from .named import named

KEPT = 10  # of other versions: 1 MB each


def file(digest: str, make: Callable[[Path], None]) -> Path:
    """The blank database of the SQL files with this digest, made by `make` if it is not there yet.

    Raises:
        OSError: There is no place for it.
        engine.Error: It cannot be made there.
    """
    home = os.path.expanduser("~/.cache")  # noqa: PTH111 - Path.expanduser raises where nobody has a home
    folder = Path(os.environ.get("XDG_CACHE_HOME") or home) / "relineage"
    if not folder.is_absolute():
        raise FileNotFoundError(f"{folder} is no place for a cache")
    path = folder / f"blank-{engine.__version__}-{digest[:32]}.duckdb"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            made = Path(name) / path.name
            make(made)
            made.replace(path)  # whole or not at all, whoever else makes it now
        others = sorted(folder.glob("blank-*.duckdb"), key=lambda one: one.stat().st_mtime)
        for old in others[:-KEPT]:
            old.unlink(missing_ok=True)
    return path


def copy_into(connection: engine.DuckDBPyConnection, path: Path) -> None:
    """Copy the blank database: everything, or nothing and an error.

    Raises:
        engine.Error: It could not be read, or the other is not empty.
    """
    queries = named("store")
    connection.execute(queries["attach_blank"], {"path": str(path)})
    try:
        [(own,)] = connection.execute(queries["own_name"]).fetchall()
        quoted = own.replace('"', '""')
        connection.execute(f'copy from database blank to "{quoted}"')
    finally:
        connection.execute(queries["detach_blank"])
