"""The statements of queries/*.sql by their names, for Python to bind values to.

Decides the form of those files: each statement stands below a line `-- name: x` and says in a comment what it gives.
Leaves what is asked to the files, and what defines the database (views, macros, tables) to store.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_QUERIES = Path(__file__).with_name("queries")


@cache
def named(topic: str) -> Mapping[str, str]:
    """The statements of queries/`topic`.sql by their names, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Two statements of it have one name.
    """
    text = (_QUERIES / f"{topic}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    if len(found) < len(parts) // 2:
        raise ValueError(f"queries/{topic}.sql: two statements have one name; give each its own")
    return MappingProxyType(found)
