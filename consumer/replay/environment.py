"""The recorded packages, in a virtual environment of their own.

Decides which interpreter makes it (one of the recorded minor version), that packages are installed at their recorded
versions and without what else they ask for, since the record is complete, and that what cannot be had is said and left
out. relineage itself is copied from the one that runs: the replay must be written as this one reads it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from ... import emitter
from .process import Say
from .verdicts import NotReplayed

_NOT_FOUND = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)==")
# pip's word for the last of its attempts; then it goes on as if the index had nothing.
_NOT_REACHED = re.compile(r"Retry\(total=0,.*? after connection broken by (.*)")
# The packager's own, and ours; what an installation needs of them is there.
_LEFT_OUT = frozenset({"pip", "relineage"})


def build_environment(
    python: str | None, packages: Mapping[str, str], folder: Path, say: Say
) -> tuple[Path, list[str]]:
    """Make the environment; its interpreter, and what could not be had, one a line.

    Args:
        python: The recorded version of Python.
        packages: Name → version.
        folder: Where it is made; not there yet.
        say: Gets what is being done, line by line.

    Raises:
        NotReplayed: There is no such interpreter here, or no pip, or its index cannot be reached.
    """
    interpreter, notes = _interpreter(python)
    say(f"making a virtual environment with {interpreter}")
    _run([interpreter, "-m", "venv", "--without-pip", str(folder)], "a virtual environment cannot be made")
    made = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = {name: one for name, one in packages.items() if name not in _LEFT_OUT}
    say(f"installing {len(wanted)} packages")
    notes += _install(made, wanted, folder / "requirements.txt")
    _copy_ourselves(made)
    return made, notes


def _interpreter(python: str | None) -> tuple[str, list[str]]:
    match = re.match(r"(\d+)\.(\d+)", python or "")
    if match is None:
        raise NotReplayed("the version of Python that it ran with is not recorded")
    major, minor = map(int, match.groups())
    if sys.version_info[:2] == (major, minor):
        found: str | None = sys.executable
    else:
        found = shutil.which(f"python{major}.{minor}")
    if found is None:
        raise NotReplayed(
            f"it ran with Python {major}.{minor}, and there is no python{major}.{minor} on the PATH"
        )
    here = _run([found, "-c", "import platform; print(platform.python_version())"], f"{found} does not run")
    exact = (python or "").partition(" ")[0]
    return found, [] if here.strip() == exact else [
        f"Python {exact} cannot be had: it is {here.strip()} here"
    ]


def _install(made: Path, wanted: Mapping[str, str], file: Path) -> list[str]:
    """All at once; whatever pip does not find is left out, and it is tried again.

    Raises:
        NotReplayed: The index cannot be reached: each package would be asked for in vain, for ten seconds each.
    """
    left = dict(wanted)
    notes: list[str] = []
    while left:
        file.write_text("".join(f"{name}=={one}\n" for name, one in left.items()), "utf-8")
        done = _pip(made, "-r", str(file))
        if done.returncode == 0:
            return notes
        if (unreached := _NOT_REACHED.search(done.stdout)) is not None:
            raise NotReplayed(f"the index that pip is set to cannot be reached: {unreached[1][:200]}")
        match = _NOT_FOUND.search(done.stdout)
        missing = next((name for name in left if match and _normal(name) == _normal(match[1])), None)
        if missing is None:
            return notes + _install_one_by_one(made, left)
        notes.append(f"package {missing}=={left.pop(missing)} cannot be had: the index does not have it")
    return notes


def _install_one_by_one(made: Path, wanted: Mapping[str, str]) -> list[str]:
    notes = []
    for name, one in wanted.items():
        done = _pip(made, f"{name}=={one}")
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if line.strip()]
            notes.append(f"package {name}=={one} cannot be had: {lines[-1] if lines else 'pip failed'}")
    return notes


def _pip(made: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - pip, with names and versions of packages
        # Without compiling: of what a replay imports Python does that itself, of all else nobody needs it.
        [sys.executable, "-m", "pip", "--python", str(made), "install", "--no-deps", "--no-compile", "--quiet",
         "--disable-pip-version-check", "--no-input", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        errors="replace",
    )  # fmt: skip


def _copy_ourselves(made: Path) -> None:
    print_folder = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(_run([str(made), "-c", print_folder], "its interpreter does not run").strip())
    ours = Path(emitter.__file__).parent
    for name in ("facets", "emitter", "consumer"):
        target = packages / "relineage" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(ours.with_name(name), target, ignore=shutil.ignore_patterns("__pycache__"))
    number = version("relineage")
    about = packages / f"relineage-{number}.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: relineage\nVersion: {number}\n", "utf-8")


def _run(command: list[str], otherwise: str) -> str:
    done = subprocess.run(  # noqa: S603 - an interpreter, with words of ours
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, errors="replace"
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotReplayed(f"{otherwise}: {lines[-1] if lines else f'code {done.returncode}'}")
    return done.stdout


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
