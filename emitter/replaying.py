"""What a process that does another one again is told: the plan of a replay, in the file that `RELINEAGE_REPLAY` names.

Decides that such a process draws no entropy where the plan knows what was drawn, that its events, and what its runs
make, stay in the folder of the plan whatever else is set, what it may not touch: the folders of whoever asked for the
replay, and that it is noted when standard input is read, of which nothing is recorded. Who is replayed, and what comes
of it, is decided by the consumer's `replay`.

The plan is a JSON object: `home`, the folder that stands for `.relineage`; `runs`, a list of `{namespace, job, ordinal,
entropy}`, where the ordinal counts the runs of that namespace and job that the process has begun, from 0, and the
entropy is hexadecimal; `foreign`, folders and files that are not to be changed, nor Python code to be loaded from;
`own`, what in these may be; `call`, one call of a step that is repeated by itself (`repeating.py`), a function below
its folder `code`: what the plan says of its run then holds whatever seed it would have had among others, and `given`
says whether somebody chose it.
"""

import io
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .errors import SettingsError

VARIABLE = "RELINEAGE_REPLAY"
# Beside the plan: what was refused, foreign code that was loaded, reads of standard input.
REPORT = "touched.txt"

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events with arguments that are paths which would be changed: at which places.
_CHANGING = {
    "os.remove": (0,), "os.rename": (0, 1), "os.rmdir": (0,), "os.mkdir": (0,), "os.truncate": (0,), "os.chmod": (0,),
    "os.chown": (0,), "os.utime": (0,), "os.link": (0, 1), "os.symlink": (1,), "shutil.rmtree": (0,),
    "sqlite3.connect": (0,),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a replay.

    Attributes:
        home: Where events, objects and the store go, instead of any `.relineage` and any transport.
        entropies: What was drawn: (namespace, job, ordinal) → entropy, and whether somebody had chosen it.
        foreign: Folders and files that are not to be changed.
        own: Folders within these that may be.
        call: The one call that is repeated; null where a whole program is.
    """

    home: Path
    entropies: Mapping[tuple[str, str, int], tuple[int, bool]]
    foreign: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    call: Mapping[str, Any] | None = None
    _begun: dict[tuple[str, str], "itertools.count[int]"] = field(default_factory=dict)

    def begun(self, namespace: str, job: str) -> tuple[int, bool] | None:
        """Count a run that begins; its entropy, and whether it was chosen, or null where the plan does not say."""
        ordinal = next(self._begun.setdefault((namespace, job), itertools.count()))
        return self.entropies.get((namespace, job, ordinal))


def current_plan() -> Plan | None:
    """The plan of this process; null unless it is a replay.

    Raises:
        SettingsError: `RELINEAGE_REPLAY` names no plan.
    """
    # Not the variables that a `Lineage` was given: the whole process is a replay, or none of it.
    named = os.environ.get(VARIABLE)
    return _read(named) if named else None


def guard() -> None:
    """From now on, refuse Python's own ways to change what is foreign, and note code that is loaded from there; note,
    too, when `sys.stdin` is read, which is empty.

    Libraries that write files by themselves, and reads past `sys.stdin`, are not seen.
    """
    plan = current_plan()
    if plan is None or not plan.foreign:
        return
    report = os.open(Path(os.environ[VARIABLE]).with_name(REPORT), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.addaudithook(_hook(plan, report))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(_Empty(report)), encoding="utf-8")


class _Empty(io.RawIOBase):
    """Standard input that has ended before it began, and notes that somebody has asked for it."""

    def __init__(self, report: int) -> None:
        self._report = report

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0

    def readinto(self, buffer: object) -> int:
        os.write(self._report, b"read standard input\n")
        return 0


def _hook(plan: Plan, report: int) -> Callable[[str, tuple[Any, ...]], None]:
    # A folder may have several names, by links: each path is looked at as it was named, and where it leads.
    theirs, ours = ({*some, *map(os.path.realpath, some)} for some in (plan.foreign, plan.own))

    def foreign(path: object, *, opened: bool) -> str | None:
        if not isinstance(path, str | bytes | os.PathLike):  # a number is a file that is open already
            return None
        absolute = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - Path.absolute keeps ".."
        folder, name = os.path.split(absolute)
        # What is removed is a link itself, not what it leads to.
        leads = os.path.realpath(absolute) if opened else os.path.join(os.path.realpath(folder), name)  # noqa: PTH118
        for one in (absolute, leads):
            if any(_below(one, place) for place in theirs) and not any(_below(one, place) for place in ours):
                return one
        return None

    def note(what: str, path: str) -> None:
        os.write(report, f"{what} {path}\n".encode("utf-8", "surrogateescape"))

    def refuse(path: object, *, opened: bool = False) -> None:
        if (absolute := foreign(path, opened=opened)) is not None:
            if "__pycache__" not in absolute:  # Python's own wish, and it goes on without
                note("changed", absolute)
            raise PermissionError(f"a replay may not change {absolute}")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING:
                refuse(path, opened=True)
            elif str(path).endswith((".py", ".pyc")) and (absolute := foreign(path, opened=True)) is not None:
                note("loaded", absolute)
        elif event in _CHANGING:
            for place in _CHANGING[event]:
                refuse(arguments[place])

    return hook


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


@cache
def _read(named: str) -> Plan:
    try:
        said = json.loads(Path(named).read_bytes())
        return Plan(
            home=Path(said["home"]),
            entropies={
                (one["namespace"], one["job"], one["ordinal"]): (
                    int(one["entropy"], 16),
                    bool(one.get("given")),
                )
                for one in said["runs"]
            },
            foreign=tuple(said.get("foreign", ())),
            own=tuple(said.get("own", ())),
            call=said.get("call"),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"{VARIABLE}={named!r} is no plan of a replay: {error}") from error
