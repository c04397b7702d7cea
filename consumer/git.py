"""Asking git: where code is, what it was, and for it to be packed, unpacked or checked out.

Decides how git is run: without hooks, monitors, network, prompts and replaced objects, apart from the terminal, deaf to
`GIT_…` variables that were meant for somebody else, and only for so long, after which it and all that it has started
are ended. What is asked is decided by the callers. Jobs ask in another way (`emitter/capture/git.py`): for seconds at
most, and never for locks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

NO_GIT = "git is not installed here"
# Generous: a repository with a hundred thousand files is packed in some ten seconds. Nobody waits for ever.
SECONDS = 1200.0
_GRACE_SECONDS = 1.0
_ADVICE = "git config --global --add safe.directory"
# A repository may come from anywhere: monitor and hooks are programs that its configuration names. A work tree of a
# replay is whole, whatever part of its files somebody looks at.
_SETTINGS = (
    f"core.hooksPath={os.devnull}", "core.fsmonitor=false", "transfer.fsckObjects=true", "gc.auto=0",
    "protocol.allow=never", "core.quotePath=false", "core.sparseCheckout=false",
)  # fmt: skip


class GitError(Exception):
    """git gave no answer; the text says which question it was, and what git said."""


class NoGit(GitError):
    """git is not installed."""


def git(
    folder: Path,
    *arguments: str,
    given: str = "",
    into: IO[bytes] | None = None,
    settings: bool = True,
    seconds: float = SECONDS,
) -> str:
    """What git prints in a folder; bytes that are no UTF-8 are surrogates.

    Args:
        folder: The repository, or a folder in it.
        arguments: The question.
        given: What git reads from its standard input.
        into: A file that gets what git prints; then nothing is given back.
        settings: With the user's own settings, which say whose repositories are safe. Without them no filter, alias or
            program that they name is run.
        seconds: For how long.

    Raises:
        NoGit: There is no git.
        GitError: The folder is none, git has refused, or the time is over.
    """
    # os.path.isdir: what an event calls a folder may be too long to be one, and Path.is_dir would raise.
    if "\0" in str(folder) or not os.path.isdir(folder):  # noqa: PTH112
        raise GitError(f"{folder} is no folder")
    command = [
        "git",
        *(word for setting in _SETTINGS for word in ("-c", setting)),
        "-C",
        str(folder),
        *arguments,
    ]
    try:
        process = subprocess.Popen(  # noqa: S603 - a fixed program; options of ours, paths and hex digits
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE if into is None else into,
            stderr=subprocess.PIPE, env=_environment(settings), start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise NoGit(NO_GIT) from None
    except OSError as error:
        raise GitError(f"git cannot be started: {error}") from None
    verb = _verb(arguments)
    try:
        printed, said = process.communicate(given.encode("utf-8", "surrogateescape"), timeout=seconds)
    except subprocess.TimeoutExpired:
        raise GitError(f"git {verb} was not done after {seconds:g} seconds") from None
    finally:
        _end(process)
    if process.returncode != 0:
        raise GitError(f"git {verb}: {_complaint(said) or f'failed with code {process.returncode}'}")
    return (printed or b"").decode("utf-8", "surrogateescape")


def has_commit(folder: Path, commit: str, *, settings: bool = True) -> bool:
    """Whether the repository around a folder holds a commit. False as well where git cannot say."""
    try:
        git(folder, "cat-file", "-e", f"{commit}^{{commit}}", settings=settings)
    except GitError:
        return False
    return True


def refusal(folder: Path) -> str | None:
    """Why git says nothing of the repository around a folder; null where it does, or where there is none."""
    try:
        git(folder, "rev-parse", "--git-dir")
    except GitError as error:
        nowhere = not os.path.isdir(folder) or "not a git repository" in str(error)  # noqa: PTH112 - as above
        return None if nowhere else str(error)
    return None


def _complaint(said: bytes) -> str:
    """What git said last; where it takes a repository for another user's, that is its advice alone."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    if lines and _ADVICE in lines[-1]:
        first = next((line for line in lines if line.startswith("fatal: ")), lines[0])
        return f"{first}; if you trust it: {lines[-1]}"
    return lines[-1] if lines else ""


def _verb(arguments: Sequence[str]) -> str:
    words = [word for word in arguments if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""


def _environment(settings: bool) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    if not settings:
        kept |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    # A partial clone would go and fetch what it lacks.
    return kept | {
        "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C",
    }  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it has started, if they still run: asked first, it removes its unfinished files."""
    if process.returncode is None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
