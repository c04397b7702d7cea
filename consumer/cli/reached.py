"""What of recorded data can be reached from here, and whether it is still what was recorded.

Decides that a file at its path and an object in the store are both looked at, that the path comes first, and that a
file that has become another one is no loss as long as the store has what was read. A path is digested each time,
whatever a cache remembers; objects only where everything is to be looked at: that takes as long as reading all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...emitter.digests import Refused, content_of
from ...emitter.errors import Damaged, StoreError
from ...emitter.store import Store as Objects
from .. import engine
from ..named import named
from .output import dataset_name

Version = tuple[str, str, str]  # namespace, name, version


@dataclass(frozen=True)
class Finding:
    """What looking has shown: passed, failed or unknown, and why."""

    status: str
    reason: str


@dataclass(kw_only=True)
class Reach:
    """What can be looked at; each path and each object once.

    Attributes:
        recorded: The digests of each version, and the paths under which it is known.
        objects: The store of contents.
        deep: Whether objects are digested, too.
        looking_at: Told of each path or object before it is digested.
        bundled: The objects are those of a bundle, and the paths those of another machine: they are not looked at.
        with_data: The bundle was made with contents.
        may_be: Where else on this machine what had a path may be.
    """

    recorded: Mapping[Version, tuple[frozenset[str], tuple[str, ...]]]
    objects: Objects | None
    deep: bool
    looking_at: Callable[[str], None]
    bundled: bool = False
    with_data: bool = False
    may_be: Callable[[str], Sequence[str]] = field(default=lambda path: [])
    _paths: dict[str, frozenset[str] | str] = field(default_factory=dict)
    _objects: dict[str, str | None] = field(default_factory=dict)

    def judge(self, version: Version, written_by: str | None, verb: str = "read") -> Finding:
        """Whether a version is as it was.

        Args:
            version: Namespace, name and version.
            written_by: The job that is known to have written the very same; null without one.
            verb: What was done with it: read or written.
        """
        digests, paths = self.recorded.get(version, (frozenset(), ()))
        name = dataset_name(version[0], version[1])
        if not digests:
            return Finding("unknown", f"no digest of {name} was recorded")
        damaged, kept = self._stored(digests)
        if damaged is not None:
            return Finding("failed", damaged)
        if self.bundled:
            return self._judge_bundled(name, kept, written_by, verb)
        # os.path.exists: what events call a file may be too long to be one, and Path.exists would raise.
        known = [place for path in paths if Path(path).is_absolute() for place in (path, *self.may_be(path))]
        here = [place for place in dict.fromkeys(known) if os.path.exists(place)]  # noqa: PTH110
        looked = [(path, self._at(path)) for path in here]
        if any(digests & now for _, now in looked if isinstance(now, frozenset)):
            return Finding("passed", f"{name} is as it was {verb}")
        if kept:
            other = f"{here[0]} is another one now, but " if here else f"{name}: "
            return Finding("passed", f"{other}what was {verb} is in the store")
        for path, now in looked:
            return _changed(path, now, digests, verb)
        if written_by is not None:
            return Finding("passed", f"{name} is what {written_by} wrote")
        if paths:
            return Finding("unknown", f"{paths[0]} is not on this machine")
        return Finding("unknown", f"{name} cannot be looked at from here")

    def _judge_bundled(self, name: str, kept: bool, written_by: str | None, verb: str) -> Finding:
        if kept:
            return Finding("passed", f"{name} is in the bundle as it was {verb}")
        if written_by is not None:
            return Finding("passed", f"{name} is what {written_by} wrote")
        hint = "" if self.with_data else "; --data puts it there"
        return Finding("unknown", f"{name} is not in the bundle{hint}")

    def _at(self, path: str) -> frozenset[str] | str:
        if path not in self._paths:
            self.looking_at(path)
            try:
                self._paths[path] = frozenset(content_of(Path(path)).digests)
            except (Refused, OSError) as refused:
                self._paths[path] = f"{path} cannot be digested: {refused}"
        return self._paths[path]

    def _stored(self, digests: Iterable[str]) -> tuple[str | None, bool]:
        """What is wrong with an object of these digests; and whether there is one that is sound."""
        kept = False
        for digest in sorted(digests):
            found = self.objects.find(digest) if self.objects is not None else None
            if self.objects is None or found is None:
                continue
            if self.deep and digest not in self._objects:
                self.looking_at(digest)
                self._objects[digest] = None
                try:
                    self.objects.check(found)
                except Damaged as damaged:
                    self._objects[digest] = str(damaged)
                except (StoreError, OSError) as error:
                    self._objects[digest] = f"{digest} in the store cannot be read: {error}"
            if (wrong := self._objects.get(digest)) is not None:
                return wrong, False
            kept = True
        return None, kept


def recorded_versions(
    versions: Iterable[Version], connection: engine.DuckDBPyConnection
) -> dict[Version, tuple[frozenset[str], tuple[str, ...]]]:
    """The digests of some versions, and the paths under which they are known."""
    rows = connection.execute(named("evidence")["recorded"], _columns(versions)).fetchall()
    return {
        (namespace, name, version): (frozenset(digests), tuple(paths))
        for namespace, name, version, digests, paths in rows
    }


def models_among(versions: Iterable[Version], connection: engine.DuckDBPyConnection) -> set[Version]:
    """Those of some versions that are models."""
    return set(connection.execute(named("evidence")["models"], _columns(versions)).fetchall())


def _columns(versions: Iterable[Version]) -> dict[str, list[str]]:
    """Versions as the statements take them."""
    ordered = sorted(set(versions))
    return {
        key: [version[i] for version in ordered] for i, key in enumerate(("namespaces", "names", "versions"))
    }


def worst(findings: Sequence[Finding]) -> Finding:
    """The status of the worst, with the reasons of all that have it."""
    status = next(one for one in ("failed", "unknown", "passed") if any(f.status == one for f in findings))
    return Finding(status, "; ".join(dict.fromkeys(f.reason for f in findings if f.status == status)))


def _changed(path: str, now: frozenset[str] | str, recorded: frozenset[str], verb: str) -> Finding:
    if isinstance(now, str):
        return Finding("unknown", now)
    labels = {_label(digest) for digest in recorded}
    if labels & {_label(digest) for digest in now}:
        is_now = min(now, key=lambda digest: (_label(digest) not in labels, digest))
        return Finding("failed", f"{path} is not what was {verb}: it is {is_now} now")
    return Finding("unknown", f"{path} has no digest of the kind that was recorded")


def _label(digest: str) -> str:
    return digest.partition(":")[0]
