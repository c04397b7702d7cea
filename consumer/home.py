"""Which `.relineage/` and which database are meant (rule R8 of docs/data-model.md).

The emitter has a finder of its own: the two houses share nothing but the vocabulary.
"""

from __future__ import annotations

from pathlib import Path

NAME = ".relineage"
DATABASE = "lineage.duckdb"
EVENTS = "events"


def find_home(start: Path) -> Path | None:
    """The `.relineage/` found upwards from `start`; None where there is none."""
    start = start.absolute()
    return next((folder / NAME for folder in (start, *start.parents) if (folder / NAME).is_dir()), None)


def default_database(start: Path) -> Path:
    """The database of the `.relineage/` found upwards; where there is none, of one made as the emitter makes it.

    Raises:
        OSError: It cannot be made.
    """
    home = find_home(start)
    if home is None:
        start = start.absolute()
        root = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)
        home = root / NAME
        home.mkdir()
        (home / ".gitignore").write_text("*\n")
    return home / DATABASE
