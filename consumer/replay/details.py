"""What did not fit into a facet, and lies as an object beside the database.

Decides that an object is believed only if its bytes are what its name says, and that a facet without its object stays
as it was sent, which is told: who goes by it knows that it may not be whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...emitter.digests.plain import bytes_content
from .. import engine
from ..named import named

OBJECTS = "objects"
_OBJECT = re.compile(r"b3-bytes1:[0-9a-f]{64}")


def beside(connection: engine.DuckDBPyConnection) -> Path | None:
    """The folder of the objects beside a database; null for one in memory."""
    [(file,)] = connection.execute(named("store")["file"]).fetchall()
    return Path(file).parent / OBJECTS if file else None


def whole(
    facets: Mapping[str, Mapping[str, Any]], folder: Path | None, *, named_by: str
) -> tuple[dict[str, dict[str, Any]], bool]:
    """Facets of one entity, each with what its object holds, and whether nothing of them is missing.

    Args:
        facets: Key → facet.
        folder: Where the objects are.
        named_by: The facet of them that names the object.
    """
    own = {key: dict(facet) for key, facet in facets.items()}
    name = own.get(named_by, {}).get("details")
    if name is None:
        return own, True
    kept = details(folder, str(name))
    if kept is None:
        return own, False
    return {key: facet | kept.get(key, {}) for key, facet in own.items()}, True


def details(folder: Path | None, name: str) -> dict[str, dict[str, Any]] | None:
    """The facets in the object of that name, if it is there and its bytes are what the name says."""
    if folder is None or _OBJECT.fullmatch(name) is None:
        return None
    try:
        data = (folder / f"{name}.json").read_bytes()
        found = json.loads(data) if name == bytes_content(data).version else None
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    return {key: facet for key, facet in found.items() if isinstance(facet, dict)}


def every_object(folder: Path | None) -> Iterator[str]:
    """The text of each object in a folder, whatever it holds.

    Raises:
        OSError: One cannot be read.
    """
    if folder is not None and folder.is_dir():
        for file in sorted(folder.glob("*.json")):
            yield file.read_text("utf-8", errors="replace")
