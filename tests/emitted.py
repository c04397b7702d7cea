"""What a `Lineage` without configuration has left on the disk."""

import json
from pathlib import Path
from typing import Any


def events_in(folder: Path) -> list[dict[str, Any]]:
    """All events below a folder, by their time."""
    lines = [line for file in sorted(folder.rglob("*.ndjson")) for line in file.read_bytes().splitlines()]
    return sorted((json.loads(line) for line in lines), key=lambda event: event["eventTime"])


def everything_in(folder: Path) -> bytes:
    """The bytes of every file below a folder."""
    return b"\n".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
