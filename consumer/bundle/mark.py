"""By what a bundle is known, in its first bytes. Light: every command looks for it in every X that is a file."""

from __future__ import annotations

from pathlib import Path

MIMETYPE = "mimetype"
"""The first member, stored: its content stands in the file as it is."""

MIME = b"application/vnd.relineage.bundle+zip"

# Where zip keeps the name and the content of a first member without extra fields.
_SIGN = b"PK\x03\x04"
_NAME_AT = 30
_HEAD = MIMETYPE.encode() + MIME


def is_bundle(path: Path) -> bool:
    """Whether a file says that it is a bundle, in its first bytes; nothing else of it is looked at."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_NAME_AT + len(_HEAD))
    except (OSError, ValueError):
        return False
    return head[:4] == _SIGN and head[_NAME_AT:] == _HEAD
