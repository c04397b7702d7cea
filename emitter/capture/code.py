"""Which code ran: git's view of it, and a digest of the text itself.

Decides that git is asked at most two seconds a question, and again only when HEAD has moved. Credentials in a remote's
address are left out here, before anything else sees them. What could not be found out is a reason, never an exception.
How git is asked is decided in `git.py`, what is kept of the code itself in `snapshot.py`.
"""

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from urllib.parse import quote

from ..naming import is_url, without_credentials
from .git import Git, GitError
from .head import Head
from .snapshot import holds_only_caches, is_cache

_GIT_SECONDS = 2.0
_CONTEXT = "relineage 2026 identity b3-code1"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A git work tree as it was when it was looked at.

    Attributes:
        root: The work tree's folder.
        git_folder: Its own git folder, where its index lies.
        common_folder: The git folder that it shares with linked work trees, where objects and refs lie.
        remote: Address of `origin` (else of the first remote) without credentials; null without any.
        commit: HEAD, in full; null before the first commit.
        branch: Null when HEAD is detached.
        dirty: Whether tracked files differ or untracked ones lie there, but for caches such as `__pycache__`; null if
            git could not say in time.
        not_covered: What could not be found out, and why.
    """

    root: Path
    git_folder: Path
    common_folder: Path
    remote: str | None
    commit: str | None
    branch: str | None
    dirty: bool | None
    not_covered: tuple[str, ...] = ()

    def web_url(self, path: str | None) -> str:
        """Address of the file at that commit, where the remote is known to have such, else of the remote."""
        if self.remote is None:
            return self.root.as_uri()
        base = _https(self.remote)
        if base is None:
            return self.remote if is_url(self.remote) else Path(os.path.abspath(self.remote)).as_uri()  # noqa: PTH100
        if self.commit is None or path is None:
            return base
        host = base.split("/")[2]
        middle = {"github.com": "blob", "gitlab.com": "-/blob", "bitbucket.org": "src"}.get(host)
        return f"{base}/{middle}/{self.commit}/{quote(path)}" if middle else base


@dataclass(frozen=True, kw_only=True)
class Code:
    """The text that ran.

    Attributes:
        digest: `b3-code1:…` of the script or of the executed cells; null with the reason in `missing`.
        file: The script, or null.
        language: `python` or `notebook`.
        missing: Why there is no digest.
        not_covered: What plays a part and is not in the digest, with the reason.
    """

    digest: str | None
    file: Path | None
    language: str = "python"
    missing: str | None = None
    not_covered: tuple[str, ...] = ()


class Repositories:
    """The repositories that this process has looked at; each is looked at again when its HEAD has moved."""

    def __init__(self) -> None:
        """Know none."""
        self._seen: dict[Path, tuple[Head, Repository] | None] = {}
        self._refusals: dict[Path, str | None] = {}
        self._lock = threading.Lock()
        self._process = os.getpid()

    def at(self, folder: Path) -> Repository | None:
        """The work tree that holds the folder; null outside of any, or without git.

        Takes three `stat`s when HEAD has not moved since the last time.
        """
        if os.getpid() != self._process:
            self._lock, self._process = threading.Lock(), os.getpid()  # the parent's may be held
        with self._lock:
            if folder in self._seen:
                seen = self._seen[folder]
                if seen is None or not seen[0].has_moved():
                    return seen and seen[1]
            if not folder.is_dir():
                return None
            try:
                root, git_folder, common = _git_folders(folder)
            except GitError as error:
                self._seen[folder] = None
                nowhere = "not a git repository" in error.complaint
                self._refusals[folder] = None if nowhere else str(error)
                return None
            head = Head(git_folder, common)  # before looking: what comes between shows
            repository = _look(root, git_folder, common)
            self._seen[folder] = head, repository
            return repository

    def refusal(self, folder: Path) -> str | None:
        """Why git has said nothing of a folder that was looked at; null if it is in no repository."""
        return self._refusals.get(folder)


def running_code(
    main: ModuleType | None, caller: Path | None, cells: Sequence[str] | None, orig_argv: Sequence[str]
) -> Code:
    """The digest of what runs: a notebook's executed cells, else the script, and the file that opened the
    run.

    The second file counts because a console script is three lines that never change. File names do not
    count: the same text elsewhere is the same code.

    Args:
        main: `sys.modules["__main__"]`.
        caller: The file that opened the run, if it is one of the user's own.
        cells: Sources of the executed cells, or null outside of a notebook.
        orig_argv: `sys.orig_argv`, for `python -c`.
    """
    if cells is not None:
        return Code(
            digest=framed_digest([cell.encode("utf-8", "surrogatepass") for cell in cells]),
            file=None,
            language="notebook",
        )
    script = _file_of(main)
    parts: list[bytes] = []
    if script is None and (command := _command_text(orig_argv)) is not None:
        parts.append(command.encode("utf-8", "surrogateescape"))
    try:
        for file in dict.fromkeys(file for file in (script, caller) if file is not None):
            parts.append(file.read_bytes())
    except OSError as error:
        return Code(digest=None, file=script, missing=f"the script cannot be read: {error}")
    if not parts:
        return Code(
            digest=None, file=None, missing="the code was typed at a prompt or piped in, and is not kept"
        )
    return Code(digest=framed_digest(parts), file=script or caller)


def executed_cells() -> list[str] | None:
    """The sources of the cells that IPython has executed, the present one too; null outside of IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is None:
        return None
    return [str(cell) for cell in getattr(shell, "user_ns", {}).get("In", [])][1:]  # In[0] is always empty


def caller_file(frame: FrameType | None) -> Path | None:
    """The file of the nearest frame that is not ours, if it is the user's and not an installed package's."""
    while frame is not None:
        name = frame.f_code.co_filename
        if not _is_machinery(name):
            return own_file(name)
        frame = frame.f_back
    return None


@cache
def _is_machinery(file_name: str) -> bool:
    """Whether the file is of this package or of the standard library (`contextlib` may stand in between)."""
    ours = Path(__file__).resolve().parents[1]
    standard = Path(os.__file__).resolve().parent
    file = Path(os.path.realpath(file_name))
    if "site-packages" in file.parts and not file.is_relative_to(ours):
        return False
    return file.is_relative_to(ours) or file.is_relative_to(standard)


@cache
def own_file(file_name: str) -> Path | None:
    """The file, if it is there and not an installed package's."""
    file = Path(os.path.abspath(file_name))  # noqa: PTH100
    return file if file.is_file() and "site-packages" not in file.parts else None


def _file_of(main: ModuleType | None) -> Path | None:
    name = getattr(main, "__file__", None)
    return Path(os.path.abspath(name)) if isinstance(name, str) and Path(name).is_file() else None  # noqa: PTH100


def _command_text(orig_argv: Sequence[str]) -> str | None:
    """The text after `-c`, where the interpreter itself was given one."""
    for position, argument in enumerate(orig_argv[1:], start=1):
        if argument == "-c" and position + 1 < len(orig_argv):
            return orig_argv[position + 1]
        if not argument.startswith("-"):
            return None
    return None


def framed_digest(parts: Sequence[bytes]) -> str:
    """`b3-code1:…` of texts, each with its length, in their order."""
    from blake3 import blake3

    hasher = blake3(derive_key_context=_CONTEXT)
    for part in parts:
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return "b3-code1:" + hasher.hexdigest()


def _git(folder: Path, *arguments: str) -> str:
    return Git(folder, _GIT_SECONDS).ask(*arguments)


def _git_folders(folder: Path) -> tuple[Path, Path, Path]:
    """Work tree, git folder and common git folder (they differ in linked work trees).

    Raises:
        GitError: There is none, or git does not say.
    """
    printed = _git(folder, "rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
    lines = printed.splitlines()
    if len(lines) != 3:
        raise GitError("git rev-parse has named folders that have line ends in their names")
    root, git_folder, common = (Path(line) for line in lines)
    return root, git_folder, folder / common


def _is_cache(line: str, root: Path) -> bool:
    """Whether a line of `git status` tells of nothing but caches: one that is untracked, or those in a submodule."""
    if line.startswith("? "):
        return is_cache(line[2:])
    words = line.split(" ", 8)
    if words[0] != "1" or words[1] != ".M" or len(words) != 9:
        return False
    return holds_only_caches(words[2], root / words[8], _GIT_SECONDS)


def _look(root: Path, git_folder: Path, common: Path) -> Repository:
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    not_covered: list[str] = []
    try:
        for line in _git(
            root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal"
        ).splitlines():
            if line.startswith("# branch.oid "):
                commit = line.removeprefix("# branch.oid ").strip()
            elif line.startswith("# branch.head "):
                branch = line.removeprefix("# branch.head ").strip()
            elif not line.startswith("#") and not _is_cache(line, root):
                dirty = True
        dirty = bool(dirty)
    except GitError as error:
        not_covered.append(f"whether the work tree is dirty: {error}")
        try:
            commit = _git(root, "rev-parse", "HEAD").strip()
        except GitError as second:
            not_covered.append(f"the commit: {second}")
    return Repository(
        root=root,
        git_folder=git_folder,
        common_folder=common,
        remote=_remote(root),
        commit=commit if commit != "(initial)" else None,
        branch=branch if branch != "(detached)" else None,
        dirty=dirty,
        not_covered=tuple(not_covered),
    )


def _remote(root: Path) -> str | None:
    try:
        listed = _git(root, "config", "--get-regexp", r"^remote\..*\.url$").splitlines()
    except GitError:
        return None
    urls = dict(line.split(" ", 1) for line in reversed(listed) if " " in line)
    url = urls.get("remote.origin.url") or next(iter(reversed(urls.values())), None)
    return without_credentials(url) if url else None


def _https(remote: str) -> str | None:
    """The address that a browser can open, of `git@host:owner/name.git` too; null for a local one."""
    remote = remote.removesuffix(".git")
    if remote.startswith(("https://", "http://")):
        return remote
    if remote.startswith("ssh://"):
        authority, _, path = remote.removeprefix("ssh://").partition("/")
        return f"https://{authority.rpartition('@')[2].partition(':')[0]}/{path}"
    account, colon, path = remote.partition(":")
    if colon and "@" in account and "/" not in account:
        return f"https://{account.rpartition('@')[2]}/{path}"
    return None
