"""Asking git, so that no answer, no lack of one and nothing that git starts hurts the job.

Decides how git is run: without hooks, monitors, network, prompts and locks of its own accord, apart from the terminal,
deaf to `GIT_…` variables that were meant for somebody else, and only until a deadline, after which it and all that it
has started are ended. Clean filters that the repository's attributes name do run, as for `git status`: without them
every file that has one would look changed. What is asked is decided by the callers.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# A work tree may come from anywhere: monitor and hooks are programs that its configuration names.
_SETTINGS = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "protocol.allow=never",  # a partial clone would fetch what it lacks
    "core.safecrlf=false",
    "core.splitIndex=false",
    "submodule.recurse=false",
)
_MERCY_SECONDS = 0.2
_LONGEST_REASON = 200
_ADVICE = "git config --global --add safe.directory"


class GitError(Exception):
    """Git has given no answer; the text says which question and why, and `complaint` is what git said."""

    def __init__(self, text: str, complaint: str = "") -> None:
        """Keep both."""
        super().__init__(text)
        self.complaint = complaint


class GitTimeout(GitError):
    """Git was stopped, since the time was over."""


class Git:
    """Git in a folder, for some questions that must all be answered within a time.

    Args:
        folder: Where it is asked.
        seconds: For all questions together.
        variables: Environment variables besides the process's own, such as `GIT_INDEX_FILE`.
    """

    def __init__(self, folder: Path, seconds: float, variables: Mapping[str, str] | None = None) -> None:
        """The time begins now."""
        self._folder = folder
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self._environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
        self._environment |= variables or {}

    @property
    def seconds_left(self) -> float:
        """Until the deadline; negative after it."""
        return self._deadline - time.monotonic()

    def ask(self, *arguments: str, given: bytes = b"", spare_seconds: float = 0.0) -> str:
        """What git prints; bytes that are no UTF-8 are surrogates.

        Args:
            arguments: The question.
            given: What it can read from its standard input.
            spare_seconds: How long before the deadline it is stopped, so that something can still be asked.

        Raises:
            GitError: There is no git, it failed, or (`GitTimeout`) the time is over.
        """
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = ["git", "--no-optional-locks", *settings, "-C", str(self._folder), *arguments]
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed program, arguments of our own
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise GitError(f"git could not be started ({type(error).__name__})") from None
        try:
            printed, said = process.communicate(given, timeout=max(0.0, self.seconds_left - spare_seconds))
        except subprocess.TimeoutExpired:
            _stop(process)
            raise GitTimeout(f"git {arguments[0]} was not done after {self._seconds:g} s") from None
        except BaseException:
            _stop(process)
            raise
        if process.returncode != 0:
            complaint = _first_line(said)
            raise GitError(
                f"git {arguments[0]} failed: {complaint or f'code {process.returncode}'}", complaint
            )
        return printed.decode("utf-8", "surrogateescape")


def _first_line(said: bytes) -> str:
    """The complaint itself, and what git advises where it takes a repository for another user's: it may explain it at
    length, and warn of other things first.
    """
    lines = said.decode("utf-8", "replace").splitlines()
    line = next((one for one in lines if one.startswith(("fatal: ", "error: "))), next(iter(lines), ""))
    line = line.removeprefix("fatal: ").removeprefix("error: ").strip()[:_LONGEST_REASON]
    advice = next((one.strip() for one in lines if _ADVICE in one), None)
    return line if advice is None else f"{line}; if you trust it: {advice}"


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End git and what it has started; git removes its unfinished files when it is asked first."""
    for hard in (False, True):
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)
            else:
                process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(None if hard else _MERCY_SECONDS)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
