"""What a run read, put where its replay looks for it.

Decides that nothing is taken on trust: whatever the replay will read is digested where it lies, after it was put there.
Files are copied, never linked: the job may write to them. What is neither where it may be nor in the store keeps the
run from being replayed, and the reason says whether it is lost or has become something else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...emitter.digests import Refused, content_of
from ...emitter.errors import StoreError
from ...emitter.store import Store
from .places import Places
from .recorded import Input
from .verdicts import NotReplayed

_AS_FILES = ("b3-bytes1", "b3-folder1")
_NAMED_BY = 19  # characters of a digest that are shown: its label and eight digits or so

# The places where what had a path may be on this machine, the path itself first if it may be meant.
MayBe = Callable[[str], Sequence[Path]]


def put_inputs(
    inputs: Sequence[Input],
    where: Places,
    objects: Store | None,
    remade: Mapping[tuple[str, str], Path],
    may_be: MayBe,
    kept: str = "the store",
) -> list[str]:
    """Put every file that was read where the replay will look for it.

    Args:
        inputs: What the process read and did not write.
        where: What is moved.
        objects: The store.
        remade: (path, version) → the file or folder that takes its place, made by a replay before this one.
        may_be: Where a file may be taken from.
        kept: What `objects` is called.

    Returns:
        What whoever reads the verdict must know of inputs that could not be checked.

    Raises:
        NotReplayed: One is lost, or is something else now.
    """
    notes: list[str | None] = []
    done: set[str] = set()
    for one in inputs:
        if not one.paths:
            if "://" in one.namespace:
                notes.append(f"{one.namespace}/{one.name} is read again from where it is; nobody compared it")
            continue
        path = one.paths[0]
        if path in done or not os.path.isabs(path):  # noqa: PTH117 - any text
            continue
        done.add(path)
        source = remade.get((path, one.version or ""))
        if source is not None:
            notes.append(_put_remade(one, path, where.now(path), source))
        elif one.digests:
            _put(one, path, where.now(path), objects, may_be(path), kept)
        else:
            notes.append(_put_unchecked(one, path, where.now(path), may_be(path)))
    return [note for note in notes if note is not None]


def digests_at(path: Path) -> frozenset[str]:
    """The digests of what is at a path; none where nothing is or it cannot be read."""
    try:
        return frozenset(content_of(path).digests) if os.path.lexists(path) else frozenset()
    except (Refused, OSError):
        return frozenset()


def _put_remade(one: Input, path: str, target: Path | None, source: Path) -> str | None:
    if target is None:
        raise NotReplayed(f"{path} cannot be put in its place: the path is written in the code")
    _replace(source, target)
    same = bool(frozenset(one.digests) & digests_at(target))
    return None if same else f"{path} is what its writer's replay made, and not what was read then"


def _put(
    one: Input, path: str, target: Path | None, objects: Store | None, places: Sequence[Path], kept: str
) -> None:
    wanted = frozenset(one.digests)
    if target is None:
        if any(str(place) == path and wanted & digests_at(place) for place in places):
            return
        raise NotReplayed(
            f"{_gone(one, path, places)}, and no argument of the command names it: nothing can stand for it"
        )
    if wanted & digests_at(target):
        return
    for place in places:
        if os.path.exists(place):  # noqa: PTH110 - never raises; a link to nothing is lost
            _replace(place, target)
            if wanted & digests_at(target):
                return
    lacking = f"what was read is not in {kept}" if objects is None else _fetched(one, objects, target, kept)
    if lacking is not None:
        raise NotReplayed(f"{_gone(one, path, places)}, and {lacking}")


def _put_unchecked(one: Input, path: str, target: Path | None, places: Sequence[Path]) -> str:
    """A file that nobody digested: taken if at least size and time are as they were."""
    for place in places:
        if not (one.version or "").startswith("stat:") or not os.path.isfile(place):  # noqa: PTH113 - never raises
            continue
        state = place.stat()
        if one.version == f"stat:{state.st_size}-{state.st_mtime_ns}":
            if target is not None and not os.path.lexists(target):
                _replace(place, target)
            return f"{path} was never digested; only its size and time are as they were"
    raise NotReplayed(f"no digest of {path} was recorded, so nobody can say whether it is what was read")


def _fetched(one: Input, objects: Store, target: Path, kept: str) -> str | None:
    """Take it out of the store; why that could not be done, null if it was."""
    lacking = f"what was read is not in {kept}"
    for digest in sorted(one.digests, key=lambda text: not text.startswith(_AS_FILES)):
        if not digest.startswith(_AS_FILES) or objects.find(digest) is None:
            continue
        _remove(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            objects.fetch(digest, target)
        except (StoreError, Refused, OSError) as error:
            lacking = f"it does not come out of {kept.partition(':')[0]}: {error}"
            continue
        _writable(target)
        return None
    return lacking


def _gone(one: Input, path: str, places: Sequence[Path]) -> str:
    was = f"{one.digests[0][:_NAMED_BY]}…"
    there = next((place for place in places if os.path.exists(place)), None)  # noqa: PTH110 - never raises
    if there is None:
        others = [str(place) for place in places if str(place) != path]
        nor = "".join(f", and it is not at {other}" for other in others)
        if len(others) == len(places):
            return f"input {path} ({was}) lay on another machine{nor}"
        return f"input {path} is lost: it is not there any more (it was {was}){nor}"
    label = was.partition(":")[0]
    now = sorted(digests_at(there), key=lambda text: (not text.startswith(f"{label}:"), text))
    is_now = f"it is {now[0][:_NAMED_BY]}… now" if now else "it cannot be read now"
    return f"input {there} is not what was read: it was {was}, {is_now}"


def _replace(source: Path, target: Path) -> None:
    _remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    except OSError as error:
        raise NotReplayed(f"{source} cannot be copied: {error}") from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _writable(path: Path) -> None:
    """Objects of the store are read-only; the job may do to its copy what it did to its input."""
    for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
        one.chmod(one.stat().st_mode | 0o200)
