"""The command that a run was started with, made ready to be started again elsewhere.

Decides what can be started again (a script, a module, a text after `-c`) and what not (a prompt, standard input, a
notebook, a worker process of another one), which arguments are paths that have moved, and which environment variables
the new process has: those that were recorded instead of the caller's, nothing that would send events anywhere.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...emitter.capture.environment import ALLOWED_VARIABLES
from ...emitter.replaying import VARIABLE
from .places import Places, below
from .record import JOB, NAMESPACE
from .recorded import Member, Recorded
from .verdicts import NotReplayed

_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_UNGUARDED = frozenset("IES")  # options without PYTHONPATH, or without a sitecustomize
_KERNELS = ("ipykernel", "ipykernel_launcher", "IPython", "colab_kernel_launcher", "notebook", "jupyter")
_REDACTED = ("[redacted]", "%5Bredacted%5D")


def program_of(run: Recorded) -> list[str]:
    """What is started: `-c TEXT`, `-m MODULE` or a script, without options of the interpreter before it.

    Raises:
        NotReplayed: It cannot be started again; the reason says why.
    """
    if (run.namespace, run.job) == (NAMESPACE, JOB):
        raise NotReplayed(
            "it is a replay itself: replay the run that it did again, which relineage show tells"
        )
    if run.directory is None or run.root is None or not run.command:
        raise NotReplayed(
            "how its program was started is not recorded: it was typed at a prompt, or the producer does not say"
            if run.process is not None
            else "how its program was started is not recorded: only runs of this package's emitter can be replayed"
        )
    if any(mark in word for word in run.command for mark in _REDACTED):
        raise NotReplayed("its command line held a secret, which is not recorded: start it by hand")
    words = list(run.command)
    while words and words[0].startswith("-") and words[0] not in ("-c", "-m", "-"):
        if not words[0].startswith(("--", "-W", "-X")) and not _UNGUARDED.isdisjoint(words[0]):
            raise NotReplayed(
                f"Python was started with {words[0]}, which keeps out what guards your files: start it without"
            )
        words = words[2:] if words[0] in _WITH_VALUE else words[1:]
    if not words:
        raise NotReplayed("it was typed at a prompt, so there is no program to start again")
    if words[0] == "-":
        raise NotReplayed("its program came through standard input and is not kept")
    name = words[1] if words[0] == "-m" and len(words) > 1 else Path(words[0]).name
    if name.partition(".")[0] in _KERNELS or name.lower() in ("ipython", "ipython3", "jupyter"):
        raise NotReplayed(
            "it ran in a notebook, whose cells may have been executed in any order: make a script of it"
        )
    if words[0] == "-c" and len(words) > 1 and "multiprocessing" in words[1] and "spawn_main" in words[1]:
        raise NotReplayed("it ran in a worker process: replay the run that started it")
    return words


def moved_command(run: Recorded, where: Places, scripts: Path) -> list[str]:
    """The arguments of the interpreter, paths that have moved by their new names.

    Args:
        run: What is replayed.
        where: What is moved.
        scripts: Where the interpreter has the programs of installed packages, one of which may have been started.
    """
    directory = run.directory or "/"
    program = program_of(run)
    text = program[1] if program[0] == "-c" and len(program) > 1 else None
    words = [word if word == text else _moved(word, directory, where) for word in run.command]
    if not program[0].startswith("-"):
        started = len(words) - len(program)
        words[started] = _installed(words[started], program[0], run, where, scripts)
    return words


def _installed(word: str, recorded: str, run: Recorded, where: Places, scripts: Path) -> str:
    """A program of an environment is no code of the run: that of the interpreter stands for it, if it has one."""
    then = os.path.normpath(os.path.join(run.directory or "/", recorded))  # noqa: PTH118 - texts
    if not _in_environment(then) and os.path.lexists(folder_of(run, where) / word):
        return word
    own = scripts / Path(then).name
    if own.is_file():
        return str(own)
    return then if _in_environment(then) else word


def folder_of(run: Recorded, where: Places) -> Path:
    """The working directory of the replay.

    Raises:
        NotReplayed: That of the run cannot be moved.
    """
    folder = where.now(run.directory or "/")
    if folder is None:
        raise NotReplayed(f"its working directory, {run.directory}, is no plain path")
    return folder


def variables_for(
    run: Recorded, where: Places, plan: Path, guard: Path, script_folder: Sequence[str] = ()
) -> dict[str, str]:
    """The environment of the new process.

    Args:
        run: What is replayed.
        where: What is moved.
        plan: The file with the plan.
        guard: Folder with a `sitecustomize` that watches over what may not be touched.
        script_folder: Where a script finds its modules, for what is started in another way.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENLINEAGE", "RELINEAGE", "GIT_"))
        and name not in ALLOWED_VARIABLES
        and name not in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT")
    }
    recorded = {
        name: value for name, value in run.variables.items() if not any(mark in value for mark in _REDACTED)
    }
    paths = [str(guard), *_installed_from(run, where), *script_folder]
    paths += [_moved(one, run.directory or "/", where) for one in run.python_path]
    paths += [_moved_path(one, where) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    spaces = {one.namespace for one in run.members}
    # The default namespace comes from a variable that is not recorded; one that is written in the code wins over it.
    spaced = {"RELINEAGE_NAMESPACE": run.namespace} if "default" not in spaces else {}
    ours = {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        VARIABLE: str(plan),
        "RELINEAGE_SNAPSHOT": "off",
    }
    return {**kept, **recorded, **spaced, **ours}


def _installed_from(run: Recorded, where: Places) -> list[str]:
    """Folders of the work tree that are on the path because the project is installed from it (`pip install -e`)."""
    found: list[str] = []
    for folder in {*site.getsitepackages(), site.getusersitepackages()}:
        for file in sorted(Path(folder).glob("*.pth")):
            try:
                lines = file.read_text("utf-8", errors="replace").splitlines()
            except OSError:
                continue
            for line in lines:
                if line and run.root is not None and below(line, run.root):
                    found.append(_moved_path(line, where))
    return found


def _moved(word: str, directory: str, where: Places) -> str:
    head, equals, tail = word.partition("=")
    if equals and head.startswith("-"):
        return head + equals + _moved(tail, directory, where)
    if not word or word.startswith("-"):
        return word
    if os.path.isabs(word):  # noqa: PTH117 - any text
        return _moved_path(word, where)
    absolute = os.path.normpath(os.path.join(directory, word))  # noqa: PTH118
    here, base = where.now(absolute), where.now(directory)
    if here is None or base is None:
        # From another folder, `../data` is something else.
        return absolute if word.startswith("..") and os.path.exists(absolute) else word  # noqa: PTH110
    same = os.path.normpath(os.path.join(base, word)) == str(here)  # noqa: PTH118
    return word if same else str(here)


def _moved_path(path: str, where: Places) -> str:
    here = where.now(os.path.normpath(path))
    # The interpreter's own programs may lie below the work tree, and are no part of it.
    if here is None or below(path, sys.prefix) or _in_environment(path):
        return path
    return str(here)


def _in_environment(path: str) -> bool:
    return any((folder / "pyvenv.cfg").is_file() for folder in Path(path).parents)


def script_folder(run: Recorded, where: Places) -> list[str]:
    """The folder of the script that was started, where Python looked for its modules; none if it was no script."""
    words = list(run.command)
    while words and words[0].startswith("-") and words[0] not in ("-c", "-m", "-"):
        words = words[2:] if words[0] in _WITH_VALUE else words[1:]
    if not words or words[0].startswith("-") or run.directory is None:
        return []
    script = os.path.normpath(os.path.join(run.directory, words[0]))  # noqa: PTH118 - texts
    here = where.now(script)
    return [str(here.parent)] if here is not None else []


def drawn(run: Recorded) -> Sequence[Mapping[str, object]]:
    """The runs of the plan: those whose entropy was drawn."""
    return [
        {"namespace": one.namespace, "job": one.job, "ordinal": one.ordinal, "entropy": one.entropy}
        for one in run.members
        if one.drawn
    ]


def of_call(one: Member) -> Sequence[Mapping[str, object]]:
    """The same of a run that is repeated by itself, and not among others: however it got its entropy."""
    if one.entropy is None:
        return []
    said = {"namespace": one.namespace, "job": one.job, "ordinal": 0}
    return [{**said, "entropy": one.entropy, "given": one.given}]
