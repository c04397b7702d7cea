"""What the cache of steps remembers on the disk: one small file a recipe, `.relineage/cache-steps/<digest>.json`.

Decides that a file is written aside and renamed, so that processes never see half of one and the last writer wins; that
it carries a digest of itself, so that a damaged one is a miss and never an answer; and that its modification time is
when it was last used. The outputs themselves lie in the store of contents, which checks them. When an entry may be
made or used is decided in `cached.py`. The folder may be removed at any time: what is gone is computed again.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..home import make_folder

FOLDER = "cache-steps"
_FORMAT = 3


class Unusable(Exception):
    """An entry, or what it names, cannot be used; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry.

    Attributes:
        file: Where it lies.
        said: What it says.
        used: When it was last used or made (Unix time).
    """

    file: Path
    said: Mapping[str, Any]
    used: float


class Index:
    """The entries in one `.relineage`. Safe under concurrent processes."""

    def __init__(self, home: Path) -> None:
        """Keep the folder; it is made with the first entry."""
        self.folder = home / FOLDER

    def find(self, recipe: str) -> Entry | None:
        """The entry of a recipe; null if there is none.

        Raises:
            Unusable: It is there and damaged, or cannot be read.
        """
        return self._read(self._file(recipe))

    def scan(self) -> Iterator[Entry]:
        """Every entry that can be read, the last used first."""
        found = []
        for file in self.folder.glob("*.json"):
            try:
                entry = self._read(file)
            except Unusable:
                continue
            if entry is not None:
                found.append(entry)
        yield from sorted(found, key=lambda entry: (-entry.used, entry.file.name))

    def prepare(self, recipe: str, said: Mapping[str, Any]) -> Path:
        """Write an entry aside, secrets redacted as in every event; `publish` makes it visible.

        Raises:
            OSError: It cannot be written.
            TypeError: Something in it has no form in JSON.
        """
        from ...facets.encode import encode

        body = encode({"format": _FORMAT, "recipe": recipe, **said})
        make_folder(self.folder)
        half = self.folder / f".{_hexadecimal(recipe)}.{os.getpid()}-{os.urandom(4).hex()}"
        half.write_bytes(_check(body).encode() + b"\n" + body + b"\n")
        return half

    def publish(self, half: Path, recipe: str) -> None:
        """Make an entry visible in one step.

        Raises:
            OSError: It cannot be renamed.
        """
        _used_now(half)
        half.replace(self._file(recipe))

    def used(self, entry: Entry) -> None:
        """Note that an entry was used now; one that cannot be noted is none the worse."""
        try:
            _used_now(entry.file)
        except OSError:
            return

    def _file(self, recipe: str) -> Path:
        return self.folder / f"{_hexadecimal(recipe)}.json"

    def _read(self, file: Path) -> Entry | None:
        try:
            data, used = file.read_bytes(), file.stat().st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unusable(f"its entry cannot be read: {error.strerror or error}") from None
        check, _, body = data.partition(b"\n")
        if check.decode("ascii", "replace") != _check(body.removesuffix(b"\n")):
            raise Unusable("its entry is damaged")
        said = json.loads(body)
        if said.get("format") != _FORMAT or _hexadecimal(said["recipe"]) != file.stem:
            raise Unusable("its entry is of another version of relineage")
        return Entry(file=file, said=said, used=used)


def _used_now(file: Path) -> None:
    """By the wall clock: the file system's own stands still for milliseconds, in which several are used."""
    now = time.time_ns()
    os.utime(file, ns=(now, now))


def _hexadecimal(recipe: str) -> str:
    return recipe.partition(":")[2]


def _check(body: bytes) -> str:
    from blake3 import blake3

    return blake3(body, derive_key_context="relineage 2026 cache of steps 1").hexdigest()
