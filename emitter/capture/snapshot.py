"""The work tree as it is, untracked files included, as a commit in its own repository.

Decides what goes into it: all that git tracks, as it lies there, and what it neither tracks nor ignores; but no large
file that is not in git already, nothing that is named like a secret, no caches and no virtual environments. It is made
through a copy of the index, so that only changed files are read and neither index, branches, HEAD, stash nor work tree
are touched, and kept by one ref for each distinct tree: `refs/relineage/<tree>`. The commit has no parents, no time and
no author of its own: one tree, one commit, on every machine. When one is made is decided in `kept.py`.
"""

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from .git import Git, GitError, GitTimeout

SECONDS = 2.0
REFS = "refs/relineage"
MOST_FILE_BYTES = 1_000_000
_MOST_BYTES = 50_000_000  # of all files that are read
_MOST_FILES = 5_000
_FIRST_FILES = 50  # of those that git is asked to read, the first time
_INSTEAD = "; git's own version is kept instead"
_WHO = "relineage <relineage@localhost> 0 +0000"

# Its values would stand in every copy that is made of the repository or of a bundle.
_SECRETS = (
    ".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.gpg",
    "*.asc", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc",
    ".htpasswd", ".git-credentials", "credentials", "credentials.*", "client_secret*.json", "service-account*.json",
    "service_account*.json", "secret.*", "secrets.*", "kubeconfig", "terraform.tfstate*",
)  # fmt: skip
_NO_SECRETS = ("*.example", "*.sample", "*.template", "*.dist", "*.pub")
_SECRET_FOLDERS = frozenset({".aws", ".ssh", ".gnupg", ".azure", ".kube"})
# Made again from what is kept: not even told.
_CACHES = frozenset(
    {
        "__pycache__",
        ".ipynb_checkpoints",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".DS_Store",
    }
)
_CODE = frozenset({
    ".py", ".pyi", ".pyx", ".ipynb", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".json", ".sh", ".sql", ".r", ".jl",
    ".c", ".h", ".cpp", ".cu", ".rs", ".go", ".java", ".scala", ".txt", ".md",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """The code as it was at one time, as far as it was kept.

    Attributes:
        root: The folder that the paths start from.
        id: Id of the commit, or digest of the folder in the store; null if nothing was kept.
        paths: What it holds.
        left_out: Path → why it is not there, or not as it was; a path that ends in a slash is a folder.
        failure: Why nothing was kept.
        taken_at: Unix time, seconds.
        loaded: The files that the program had loaded by then.
    """

    root: Path
    id: str | None = None
    paths: frozenset[str] = frozenset()
    left_out: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None
    taken_at: float = 0.0
    loaded: frozenset[Path] = frozenset()


def take(
    root: Path,
    git_folder: Path,
    common_folder: Path,
    *,
    besides: Mapping[str, bytes] | None = None,
    seconds: float = SECONDS,
) -> Snapshot:
    """Keep a work tree. Never raises what git or the disk does not allow: that is the snapshot's `failure`.

    Args:
        root: The work tree's folder.
        git_folder: Its own git folder, where its index lies.
        common_folder: Where its refs lie.
        besides: Path → content of what is to be kept and lies in no file.
        seconds: How long it may take.
    """
    taken_at = time.time()
    try:
        with tempfile.TemporaryDirectory(prefix="relineage-", ignore_cleanup_errors=True) as folder:
            index = Path(folder) / "index"
            _copy_index(git_folder / "index", index)
            git = Git(root, seconds, {"GIT_INDEX_FILE": str(index)})
            tracked = _tracked(git)
            changes = _changes(git, root)
            left_out = _apply(git, root, changes, tracked, spare_seconds=seconds / 4)
            for path, content in (besides or {}).items():
                blob = git.ask("hash-object", "-w", "--stdin", given=content).strip()
                git.ask("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
                tracked.add(path)
            tree = git.ask("write-tree").strip()
            commit = _keep(git, tree, common_folder)
    except (GitError, OSError, ValueError) as error:
        return Snapshot(root=root, failure=str(error), taken_at=taken_at)
    return Snapshot(root=root, id=commit, paths=frozenset(tracked), left_out=left_out, taken_at=taken_at)


def is_secret_file(path: str) -> bool:
    """Whether a file is named as files with secrets are."""
    *folders, name = path.lower().split("/")
    if any(fnmatchcase(name, pattern) for pattern in _NO_SECRETS):
        return False
    return not _SECRET_FOLDERS.isdisjoint(folders) or any(fnmatchcase(name, one) for one in _SECRETS)


def holds_only_caches(submodule: str, folder: Path, seconds: float) -> bool:
    """Whether all that is new in a submodule are caches, such as those of its modules that were imported.

    Args:
        submodule: Its state as `git status --porcelain=v2` tells it, such as `S..U`.
        folder: Where it lies.
        seconds: How long git may take.
    """
    if submodule != "S..U":
        return False
    git = Git(folder, seconds)  # with its own index
    told = git.ask(
        "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none"
    )
    return all(line.startswith("?? ") and is_cache(line[3:]) for line in told.split("\0") if line)


def is_cache(path: str) -> bool:
    """Whether a file or folder is made again from what is kept."""
    return not _CACHES.isdisjoint(path.split("/")) or path.endswith((".pyc", ".pyo"))


@dataclass(frozen=True)
class _Change:
    """One line of `git status`: a path, what became of it, and the object id of git's own version (zeros: none)."""

    path: str
    kind: str  # changed, deleted, conflict, untracked, submodule
    known: str = ""


def _copy_index(index: Path, copy: Path) -> None:
    """With its time: git takes a file for unchanged only if it is older than the index."""
    try:
        with index.open("rb") as source:
            state = os.fstat(source.fileno())
            copy.write_bytes(source.read())
    except FileNotFoundError:  # nothing was ever added
        return
    os.utime(copy, ns=(state.st_atime_ns, state.st_mtime_ns))


def _tracked(git: Git) -> set[str]:
    """What the index holds; from now on git also looks at files that it was told to take for unchanged."""
    lines = [line for line in git.ask("ls-files", "-v", "-z").split("\0") if line]
    assumed = [line[2:] for line in lines if line[0].islower()]
    if assumed:
        git.ask("update-index", "--no-assume-unchanged", "-z", "--stdin", given=_listed(assumed))
    return {line[2:] for line in lines}


def _changes(git: Git, root: Path) -> list[_Change]:
    printed = git.ask(
        "status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none"
    )
    changes = []
    for line in printed.split("\0"):
        kind, _, rest = line.partition(" ")
        if kind == "?":
            changes.append(_Change(rest, "untracked"))
        elif kind == "u":
            changes.append(_Change(rest.split(" ", 9)[9], "conflict", rest.split(" ", 9)[8]))
        elif kind == "1":
            states, submodule, _, _, _, _, known, path = rest.split(" ", 7)
            if submodule[0] == "S":
                if submodule[2:] != ".." and not holds_only_caches(submodule, root / path, git.seconds_left):
                    changes.append(_Change(path, "submodule", known))
                if submodule[1] == "C":
                    changes.append(_Change(path, "changed", known))
            elif states[1] == "D":
                changes.append(_Change(path, "deleted", known))
            elif states[1] != ".":
                changes.append(_Change(path, "changed", known))
    return changes


def _apply(
    git: Git, root: Path, changes: Iterable[_Change], tracked: set[str], *, spare_seconds: float
) -> dict[str, str]:
    """Bring the copy of the index and `tracked` to what lies in the work tree; what is left out, and why.

    What git has not read by `spare_seconds` before its time is over is left out, so that the rest can be kept.
    """
    left_out: dict[str, str] = {}
    gone: dict[str, str] = {}
    wanted: list[tuple[bool, bool, int, _Change]] = []
    folders = _packages(one.path for one in changes if one.kind == "untracked")
    for one in changes:
        if one.kind == "deleted":
            gone[one.path] = one.known
            continue
        size, reason = _looked_at(root, one)
        if one.kind == "untracked":
            if is_cache(one.path):
                continue
            if (folder := next((name for name in folders if one.path.startswith(name)), None)) is not None:
                left_out[folder] = "a folder of installed packages"
                continue
        if reason is None:
            code = PurePosixPath(one.path).suffix.lower() in _CODE
            wanted.append((one.kind == "untracked", not code, size, one))
        else:
            left_out[one.path] = reason
            if one.kind == "conflict":
                gone[one.path] = one.known
    chosen: list[_Change] = []
    total = 0
    for _, _, size, one in sorted(wanted, key=lambda each: each[:3]):  # code first, then the small ones
        if len(chosen) >= _MOST_FILES or total + size > _MOST_BYTES:
            left_out[one.path] = (
                f"more than {_MOST_FILES:,} files or {_MOST_BYTES // 1_000_000} MB have changed"
            )
            if one.kind == "conflict":
                gone[one.path] = one.known
            continue
        total += size
        chosen.append(one)
    done = _read(git, [one.path for one in chosen], spare_seconds)
    for one in chosen[done:]:
        left_out[one.path] = f"git had not read it in time{_INSTEAD if one.kind == 'changed' else ''}"
        if one.kind == "conflict":
            gone[one.path] = one.known
    if gone:
        removals = [f"0 {'0' * len(known)}\t{path}" for path, known in gone.items()]
        git.ask("update-index", "-z", "--index-info", given=_listed(removals))
    tracked.difference_update(gone)
    tracked.update(one.path for one in chosen[:done])
    return left_out


def _read(git: Git, paths: Sequence[str], spare_seconds: float) -> int:
    """Have git read files, so many at a time that what is done is not lost where the time is over: how many it did.

    Each time twice as many as the last time: most often it is asked once, and for the 5,000 seven times.
    """
    done, count, took = 0, _FIRST_FILES, 0.0
    while done < len(paths):
        before = git.seconds_left
        if done and before - spare_seconds < took * 2:
            break
        part = _listed(paths[done : done + count])
        try:
            git.ask(
                "update-index", "--add", "--remove", "--replace", "-z", "--stdin",
                given=part, spare_seconds=spare_seconds,
            )  # fmt: skip
        except GitTimeout:
            break  # it has left the index as it was
        took = before - git.seconds_left
        done, count = done + count, count * 2
    return min(done, len(paths))


def _looked_at(root: Path, change: _Change) -> tuple[int, str | None]:
    """Bytes of a file, and why it is left out."""
    if change.kind == "submodule":
        return 0, "a submodule that has changes of its own; its commit is kept"
    if change.path.endswith("/"):
        return 0, "a git repository of its own"
    instead = _INSTEAD if change.kind == "changed" else ""
    if is_secret_file(change.path):
        return 0, f"it is named like a file of secrets{instead}"
    path = os.path.join(root, change.path)  # noqa: PTH118 - may hold bytes that are no text
    try:
        state = os.lstat(path)
    except OSError as error:
        return 0, f"cannot be looked at ({type(error).__name__}){instead}"
    if stat.S_ISLNK(state.st_mode) or stat.S_ISDIR(state.st_mode):
        return 0, None
    if not stat.S_ISREG(state.st_mode):
        return 0, f"no file{instead}"
    if state.st_size > MOST_FILE_BYTES:
        return 0, f"{state.st_size / 1e6:.1f} MB, more than {MOST_FILE_BYTES // 1_000_000}{instead}"
    if not os.access(path, os.R_OK):
        return 0, f"cannot be read{instead}"
    return state.st_size, None


def _packages(untracked: Iterable[str]) -> list[str]:
    """The folders of virtual environments and of `node_modules` among the untracked files."""
    folders = set()
    for path in untracked:
        if path.endswith("/pyvenv.cfg"):
            folders.add(path.removesuffix("pyvenv.cfg"))
        elif "node_modules/" in path:
            folders.add(path[: path.index("node_modules/") + len("node_modules/")])
    return sorted(folders)


def _keep(git: Git, tree: str, common_folder: Path) -> str:
    """The commit of a tree, under its ref, which is young from now on: its event is under way."""
    text = f"tree {tree}\nauthor {_WHO}\ncommitter {_WHO}\n\nThe code of a run\n".encode()
    framed = b"commit %d\0%s" % (len(text), text)
    commit = (hashlib.sha1 if len(tree) == 40 else hashlib.sha256)(framed, usedforsecurity=False).hexdigest()
    ref = common_folder / REFS / tree
    try:
        if ref.read_text().strip() == commit:
            os.utime(ref)
            return commit
    except (OSError, ValueError):
        pass  # there is none yet, or git has packed it
    git.ask(
        "hash-object", "-t", "commit", "-w", "--stdin", given=text
    )  # renews the time of one that is there
    git.ask("update-ref", f"{REFS}/{tree}", commit)
    return commit


def kept_at(common_folder: Path, tree: str, commit: str) -> float:
    """When a snapshot was made or made again for the last time, or a later time: Unix time, seconds.

    Git notes no times of refs. Those of a ref and of an object that lie in files of their own are known; those that
    git has packed are taken to be as young as the youngest pack.
    """
    objects = common_folder / "objects"
    places = [common_folder / REFS / tree, objects / commit[:2] / commit[2:]]
    times = [place.stat().st_mtime for place in places if place.exists()]
    if len(times) < len(places):
        packs = [common_folder / "packed-refs", *(objects / "pack").glob("*.pack")]
        times += [pack.stat().st_mtime for pack in packs if pack.exists()]
    return max(times, default=0.0)


def _listed(paths: Iterable[str]) -> bytes:
    return b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
