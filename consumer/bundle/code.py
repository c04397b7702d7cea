"""How commits travel: as a git bundle of those commits and their files, without the history before them.

Decides that a bundle holds what ran and nothing that a project was before, which may be large and is nobody's business;
git calls such a repository shallow, and is told so where the commits are unpacked. The pack is made without what other
packs have decided, by one thread, so that the same commits are the same bytes. Whoever's repository it is, it is only
read, through a repository of our own that has none of its settings, hooks or replaced objects.

What comes from elsewhere goes into a fresh bare repository, with every object checked by git; nothing is checked out
or run here.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..errors import BundleError
from ..git import NO_GIT, GitError, NoGit, git, refusal
from ..whole import spoilt

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
REF = "refs/relineage/"
_FORMATS = {40: "sha1", 64: "sha256"}
_HEADS = {"sha1": "# v2 git bundle\n", "sha256": "# v3 git bundle\n@object-format=sha256\n"}


@dataclass(kw_only=True)
class Packed:
    """What was packed.

    Attributes:
        files: Object format → the git bundle.
        commits: Those that are in, in order.
        missing: Commit → why it, or a part of it, is not in.
    """

    files: dict[str, Path] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def pack(commits: Iterable[str], repositories: Sequence[Path], into: Path) -> Packed:
    """Pack commits with their files.

    Args:
        commits: Full ids.
        repositories: Folders in which to look for them: work trees or bare ones; others are passed over.
        into: A folder for the bundles.
    """
    packed = Packed()
    wanted: dict[str, list[str]] = defaultdict(list)
    for commit in sorted(set(commits)):
        wanted[_FORMATS[len(commit)]].append(commit)
    for form, ids in wanted.items():
        try:
            _pack(ids, form, repositories, into, packed)
        except GitError as failed:
            packed.missing |= dict.fromkeys(ids, str(failed))
    return packed


def unpack(file: Path, form: str, commits: Sequence[str], repository: Path) -> None:
    """Unpack a git bundle from anywhere into a new bare repository, in which each commit has a ref.

    Args:
        file: The git bundle.
        form: sha1 or sha256.
        commits: Those that must be in.
        repository: The folder, which is not there yet.

    Raises:
        BundleError: git is not here, or refuses it, or a commit is not in.
    """
    mine = [commit for commit in commits if _FORMATS[len(commit)] == form]
    try:
        _bare(repository, form)
        (repository / "shallow").write_text("".join(f"{commit}\n" for commit in mine))
        _git(repository, "bundle", "verify", "--quiet", str(file))
        _git(repository, "bundle", "unbundle", str(file))
        updates = "".join(f"create {REF}{commit} {commit}\n" for commit in mine)
        _git(repository, "update-ref", "--stdin", given=updates)
        # Every object once more, as transfer.fsckObjects does, which old versions do not heed here.
        _git(repository, "fsck", "--full", "--strict", "--no-dangling", "--no-progress")
    except NoGit:
        raise BundleError(f"{NO_GIT}, so the code in the bundle cannot be looked at") from None
    except GitError as failed:
        raise BundleError(f"the code in the bundle is refused: {failed}") from None


def _pack(ids: list[str], form: str, repositories: Sequence[Path], into: Path, packed: Packed) -> None:
    looked = {str(place): objects for place in repositories if (objects := _objects(place, form)) is not None}
    with tempfile.TemporaryDirectory(dir=into) as folder:
        bare = Path(folder) / "code.git"
        _bare(bare, form)
        # A path with a line break, or that begins with a quote, would be read as another one.
        safe = sorted({str(one) for one in looked.values() if "\n" not in str(one)})
        (bare / "objects" / "info" / "alternates").write_text("".join(f"{one}\n" for one in safe))
        there = _present(bare, ids)
        for commit in set(ids) - there:
            refused = next(filter(None, map(refusal, repositories)), None)
            where = ", ".join(sorted(looked)) or refused or "there is no git repository of its kind here"
            packed.missing[commit] = f"not found: {where}"
        (bare / "shallow").write_text("".join(f"{commit}\n" for commit in sorted(there)))
        whole = [commit for commit in sorted(there) if _is_whole(bare, commit, packed)]
        if not whole:
            return
        (bare / "shallow").write_text("".join(f"{commit}\n" for commit in whole))
        file = into / f"{form}.bundle"
        with file.open("xb") as written:
            written.write((_HEADS[form] + "".join(f"{one} {REF}{one}\n" for one in whole) + "\n").encode())
            written.flush()
            _git(
                bare, "-c", "core.compression=6", "pack-objects", "--stdout", "--revs", "--threads=1", "--quiet",
                "--no-reuse-delta", "--no-reuse-object", "--delta-base-offset",
                given="".join(f"{one}\n" for one in whole), into=written,
            )  # fmt: skip
        packed.files[form] = file
        packed.commits += whole


def _is_whole(bare: Path, commit: str, packed: Packed) -> bool:
    """Whether all files of a commit can be had; of what is left out by design it is noted that it is."""
    wrong = spoilt(bare, commit, deep=True, settings=False)
    if wrong is not None:
        packed.missing[commit] = wrong
        return False
    listed = _git(bare, "ls-tree", "-r", "-z", commit)
    modules = [line.partition("\t")[2] for line in listed.split("\0") if line.startswith("160000 ")]
    if modules:
        packed.missing[commit] = f"its submodules are not in the bundle: {', '.join(modules)}"
    return True


def _present(bare: Path, ids: list[str]) -> set[str]:
    told = _git(bare, "cat-file", "--batch-check", given="".join(f"{one}\n" for one in ids))
    return {
        words[0] for line in told.splitlines() if len(words := line.split()) == 3 and words[1] == "commit"
    }


def _objects(place: Path, form: str) -> Path | None:
    """The folder of a repository's objects; null where there is no repository with ids of that form."""
    try:
        told = git(
            place, "rev-parse", "--path-format=absolute", "--show-object-format", "--git-path", "objects"
        )
    except GitError:
        return None
    kind, _, objects = told.rstrip("\n").partition("\n")
    return Path(objects) if kind == form else None


def _bare(folder: Path, form: str) -> None:
    """A repository without template, so without hooks, and with settings of git's own only."""
    folder.mkdir(parents=True)
    _git(folder, "init", "--quiet", "--bare", "--template=", f"--object-format={form}", ".")
    (folder / "objects" / "info").mkdir(exist_ok=True)


def _git(folder: Path, *arguments: str, given: str = "", into: IO[bytes] | None = None) -> str:
    """git with nobody's settings: a filter, an alias or a program that they name is not run."""
    return git(folder, *arguments, given=given, into=into, settings=False)
