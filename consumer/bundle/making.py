"""Putting a bundle together, into a file that appears as a whole.

Decides the order of the parts, what is said of those that could not be had, and what happens where a file is already:
the same bundle is left alone, anything else is refused. Which contents there are and whether they are what their names
say is decided by `Contents`, which the caller brings.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from .. import engine
from ..errors import BundleError
from .archive import EVENTS, TooDense, Writer
from .closure import Closure, RunCode, Wanted
from .code import COMMIT, pack
from .manifest import Manifest, Missing
from .mark import is_bundle

_DETAIL = re.compile(r"b3-bytes1:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Contents for a bundle.

    Attributes:
        members: Name in the bundle → a context with a local file that holds it, whose bytes have been checked.
        missing: What could not be had.
    """

    members: Mapping[str, Callable[[], AbstractContextManager[Path]]]
    missing: Sequence[Missing]


class Contents(Protocol):
    """Where contents come from."""

    def gather(self, wanted: Sequence[Wanted], folders: Mapping[str, str]) -> Gathered:
        """Find contents.

        Args:
            wanted: What runs read and made; empty if only digests are asked for.
            folders: Folders of code: digest → what to call it if it is missing.
        """


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a bundle is made from: a database and what lies around it.

    Attributes:
        connection: Of the store.
        details: The folder of objects that hold what did not fit into events.
        repositories: Where code is looked for, before the folders that events name.
        elsewhere: The events come from another machine: the paths that they name are not looked at.
        known_missing: What somebody has looked for already, where it was made.
    """

    connection: engine.DuckDBPyConnection
    details: Path
    repositories: Sequence[Path]
    elsewhere: bool = False
    known_missing: Sequence[Missing] = ()


@dataclass(frozen=True, kw_only=True)
class Made:
    """A bundle that was made: what it says, its bytes, and whether the very same one was there already."""

    manifest: Manifest
    bytes: int
    unchanged: bool


def make(origin: Origin, x: str, target: Path, contents: Contents, *, data: bool) -> Made:
    """Write the bundle of x.

    Args:
        origin: What it is made from.
        x: As the macros understand it.
        target: The file; it appears when it is whole. With data only its owner may read it.
        contents: Where contents come from.
        data: With what the runs read from outside of their process, and what the runs wrote that made x.

    Raises:
        QuestionError: x is unknown, or several things.
        BundleError: No run is known that made x, something else is at the target, or something was changed meanwhile.
        OSError: The target cannot be written.
    """
    if os.path.lexists(target) and not is_bundle(target):
        raise BundleError(f"{target} is there already, and is no bundle: name another file")
    closure = Closure(origin.connection, x)
    try:
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".relineage-") as aside:
            file = Path(aside) / "bundle"
            gathered = contents.gather(closure.contents() if data else [], _folders(closure))
            try:
                manifest = _write(origin, closure, file, gathered, data=data, deflated=True)
            except TooDense:
                file.unlink()
                manifest = _write(origin, closure, file, gathered, data=data, deflated=False)
            unchanged = _place(file, target, data=data)
    finally:
        closure.close()
    return Made(manifest=manifest, bytes=target.stat().st_size, unchanged=unchanged)


def _folders(closure: Closure) -> dict[str, str]:
    """The code that is none of git's: digest → the run whose it is."""
    return {one.folder: one.name for one in closure.code() if one.folder is not None}


def _write(
    origin: Origin, closure: Closure, file: Path, gathered: Gathered, *, data: bool, deflated: bool
) -> Manifest:
    missing: list[Missing] = []
    with (
        file.open("xb") as written,
        Writer(written, deflated=deflated) as writer,
        tempfile.TemporaryDirectory(dir=file.parent) as name,
    ):
        aside = Path(name)
        count, as_of = _events(writer, closure, aside)
        commits = _code(writer, closure.code(), origin, aside, missing)
        _details(writer, closure, origin, missing)
        for name in sorted(gathered.members):
            with gathered.members[name]() as kept, kept.open("rb") as source:
                writer.add(name, source, kept.stat().st_size)
        missing += gathered.missing
        manifest = Manifest(
            of=closure.of,
            made_by=f"relineage {version('relineage')}",
            as_of=as_of,
            runs=closure.runs,
            besides=closure.besides,
            events=count,
            commits=tuple(commits),
            folders=tuple(sorted(_folders(closure))),
            data=data,
            members=tuple(writer.members),
            missing=_told(missing, origin.known_missing),
        )
        writer.finish(manifest)
        written.flush()
        os.fsync(written.fileno())
    return manifest


def _events(writer: Writer, closure: Closure, aside: Path) -> tuple[int, str]:
    """How many, and the instant of the latest."""
    count, last = 0, None
    odd: list[str] = []
    with writer.stream(EVENTS) as write:
        for event in closure.events():
            count, last = count + 1, event.at
            if event.is_line:
                write(event.body + b"\n")
            else:
                (aside / event.digest).write_bytes(event.body)
                odd.append(event.digest)
    for digest in sorted(odd):
        with (aside / digest).open("rb") as source:
            writer.add(f"events/{digest}.json", source, (aside / digest).stat().st_size)
    return count, "" if last is None else last.isoformat(timespec="microseconds") + "Z"


def _code(
    writer: Writer, runs: Sequence[RunCode], origin: Origin, aside: Path, missing: list[Missing]
) -> list[str]:
    wanted = {one for run in runs for one in run.commits if COMMIT.fullmatch(one)}
    roots = [] if origin.elsewhere else sorted({run.root for run in runs if run.root and _absolute(run.root)})
    packed = pack(wanted, [*origin.repositories, *map(Path, roots)], aside)
    for form in sorted(packed.files):
        with packed.files[form].open("rb") as source:
            writer.add(f"code/{form}.bundle", source, packed.files[form].stat().st_size)
    there = set(packed.commits)
    missing += [
        Missing(what="code", name=one, reason=packed.missing[one])
        for one in packed.commits
        if one in packed.missing
    ]
    for run in runs:
        if run.folder is None and not there & set(run.commits):
            name = run.commits[0] if run.commits else run.name
            reason = packed.missing.get(name, "it is no commit of git")
            if not run.commits:
                reason = "no commit and no snapshot was recorded"
            missing.append(Missing(what="code", name=name, reason=reason))
        if run.snapshot is None and run.dirty and run.commit is not None:
            reason = f"the changes that {run.name} ran with were not kept, only the commit"
            missing.append(Missing(what="code", name=run.commit, reason=reason))
    return sorted(packed.commits)


def _details(writer: Writer, closure: Closure, origin: Origin, missing: list[Missing]) -> None:
    for digest in closure.details():
        match = _DETAIL.fullmatch(digest)
        file = origin.details / f"{digest}.json"
        if match is None or not file.is_file():
            reason = f"it is not in {origin.details}" if match else "it is no digest of bytes"
            missing.append(Missing(what="details", name=digest, reason=reason))
            continue
        with file.open("rb") as source:
            writer.add(f"details/{match[1]}.json", source, file.stat().st_size)


def _absolute(path: str) -> bool:
    return "\0" not in path and Path(path).is_absolute()


def _told(missing: Sequence[Missing], known: Sequence[Missing]) -> tuple[Missing, ...]:
    """Each once. Who looked for it where it was made knows better why it is not there."""
    reasons: dict[tuple[str, str], list[Missing]] = {}
    for one in known:
        reasons.setdefault((one.what, one.name), []).append(one)
    told = [better for one in missing for better in reasons.get((one.what, one.name), [one])]
    return tuple(sorted(set(told), key=lambda one: (one.what, one.name, one.reason)))


def _place(file: Path, target: Path, *, data: bool) -> bool:
    """Put the finished file there in one step; true if the very same one was there already."""
    if not data:
        umask = os.umask(0)
        os.umask(umask)
        file.chmod(0o666 & ~umask)
    else:
        file.chmod(0o600)  # what was read may come from files that nobody else may read
    try:
        os.link(file, target)
    except FileExistsError:
        if _same(file, target):
            return True
        raise BundleError(
            f"{target} is there already, and another bundle: remove it, or name another file"
        ) from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise BundleError(f"{target} is there already: name another file") from None
        file.rename(target)
    return False


def _same(file: Path, other: Path) -> bool:
    if not other.is_file() or file.stat().st_size != other.stat().st_size:
        return False
    with file.open("rb") as one, other.open("rb") as two:
        while piece := one.read(1 << 20):
            if piece != two.read(1 << 20):
                return False
    return True
