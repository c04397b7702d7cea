"""A process of its own that runs the recorded code, and what it left behind.

Decides that it gets no terminal and no standard input, that its words are passed on as they come, and that it ends with
whoever waits for it: a replay that is interrupted leaves no process behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...emitter.replaying import REPORT
from .verdicts import NotReplayed

_LAST_LINES = 20
_GRACE_SECONDS = 5.0
# Before anything else of the process; the sitecustomize that it hides runs after it.
_SITECUSTOMIZE = """\
import sys

sys.path[:] = [one for one in sys.path if one != {folder!r}]
from relineage.emitter.replaying import guard

guard()
mine = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = mine
"""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended: exit code, its last words, what it was refused to change, foreign code that it loaded, and
    whether it asked for standard input, of which it got none.
    """

    code: int
    last_line: str | None
    changed: tuple[str, ...]
    loaded: tuple[str, ...]
    asked: bool

    def words(self) -> str:
        """For people: `ended with code 1: KeyError: 'x'`."""
        how = f"ended with code {self.code}" if self.code >= 0 else f"was ended by signal {-self.code}"
        return f"{how}: {self.last_line}" if self.last_line else how


def write_plan(folder: Path, said: Mapping[str, Any]) -> Path:
    """Write the plan of a replay, as the emitter's `replaying` reads it, and the guard beside it; the plan's file."""
    guard = folder / "guard"
    guard.mkdir(parents=True)
    (guard / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(folder=str(guard)), "utf-8")
    plan = folder / "plan.json"
    plan.write_text(json.dumps(said), "utf-8")
    return plan


def guard_beside(plan: Path) -> Path:
    """The folder of the guard that was written with a plan."""
    return plan.with_name("guard")


def run_process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], plan: Path, say: Say
) -> Ended:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        folder: Its working directory.
        environment: All its variables.
        plan: The plan that it was given.
        say: Gets each line that it prints.

    Raises:
        NotReplayed: It cannot be started.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        process = subprocess.Popen(  # noqa: S603 - the recorded command: that is what a replay is
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise NotReplayed(f"{command[0]} cannot be started: {error}") from error
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said = line.rstrip("\n")
            if said.strip():
                last.append(said.strip())
            say(said)
        code = process.wait()
    finally:
        _end(process)
    report = _report(plan)
    return Ended(
        code=code,
        last_line=last[-1] if last else None,
        changed=tuple(path for what, path in report if what == "changed"),
        loaded=tuple(path for what, path in report if what == "loaded"),
        asked=any(what == "read" for what, _ in report),
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End it and all that it has started, if they still run."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
            break
    if process.stdout is not None:
        process.stdout.close()


def _report(plan: Path) -> list[tuple[str, str]]:
    """What the guard has noted: what happened, and to which path."""
    report = plan.with_name(REPORT)
    lines = report.read_text("utf-8", errors="replace").splitlines() if report.exists() else []
    return list(dict.fromkeys(line.partition(" ")[::2] for line in lines))
