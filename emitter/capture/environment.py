"""Where a run happens: Python, machine, packages, arguments, and a short list of environment variables.

Decides what is looked at: names and versions, never contents; environment variables by an allow-list, since
the rest is where secrets live. Installed packages are read from the names of their `.dist-info` folders,
which takes milliseconds where opening each one's metadata takes a tenth of a second.
"""

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from uuid import UUID

SWITCHES = (
    "PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
    "MKL_CBWR", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""Variables that decide whether the same seed gives the same bits."""
ALLOWED_VARIABLES = (
    *SWITCHES, "CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "WORLD_SIZE", "RANK", "LOCAL_RANK",
)  # fmt: skip

_DIST_INFO = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist-info|egg-info)$")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One process's surroundings.

    Attributes:
        python: Version, such as `3.11.2`; with the implementation where it is not CPython.
        platform: Such as `Linux-6.1.0-x86_64-with-glibc2.36`.
        cpu: Model and number of cores.
        gpus: Model names, one per device; empty where the driver shows none.
        packages: Installed distributions, normalised name → version.
        packages_digest: b3-bytes1 of the lines `name==version`, sorted, each with its newline.
        argv: As the program was started.
        command: What the interpreter was started with, its own options too.
        directory: The working directory.
        python_path: What `PYTHONPATH` names.
        process: One id for this process.
    """

    python: str
    platform: str
    cpu: str
    gpus: tuple[str, ...]
    packages: Mapping[str, str]
    packages_digest: str
    argv: tuple[str, ...]
    command: tuple[str, ...]
    directory: str
    python_path: tuple[str, ...]
    process: UUID


def environment(
    argv: Sequence[str],
    orig_argv: Sequence[str],
    path: Sequence[str],
    folder: Path,
    process: UUID,
    python_path: str = "",
) -> Environment:
    """What surrounds this process.

    Args:
        argv: `sys.argv`.
        orig_argv: `sys.orig_argv`.
        path: `sys.path`: packages are looked for there.
        folder: The working directory.
        process: One id for this process.
        python_path: The variable `PYTHONPATH`.
    """
    folders = tuple(_folders_with_times(path))
    return _environment(tuple(argv), tuple(orig_argv[1:]), folders, str(folder), process, python_path)


@lru_cache(maxsize=16)
def _environment(
    argv: tuple[str, ...],
    command: tuple[str, ...],
    folders: tuple[tuple[str, int], ...],
    directory: str,
    process: UUID,
    python_path: str,
) -> Environment:
    return Environment(
        python=_python(),
        platform=_platform(),
        cpu=_cpu(),
        gpus=_gpus(),
        packages=installed_packages(folders),
        packages_digest=_digest_of_installed(folders),
        argv=argv,
        command=command,
        directory=directory,
        python_path=tuple(one for one in python_path.split(os.pathsep) if one),
        process=process,
    )


def allowed_variables(environ: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """The variables on the allow-list, and those that the user named, as far as they are set."""
    return variables_set(environ, (*ALLOWED_VARIABLES, *more))


def variables_set(environ: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Those of some variables that are set, in the order of the names."""
    # One pass: asking os.environ for what is not there takes longer.
    present = set(names).intersection(environ)
    return {name: environ[name] for name in names if name in present}


@cache
def installed_packages(folders: tuple[tuple[str, int], ...]) -> Mapping[str, str]:
    """Name → version; where a name is there twice, the folder that Python looks at first holds.

    Args:
        folders: (folder, its modification time): a later installation is seen.
    """
    found: dict[str, str] = {}
    for folder, _ in folders:
        try:
            names = os.listdir(folder)  # noqa: PTH208 - names are all that is wanted
        except OSError:
            continue
        for name in names:
            if match := _DIST_INFO.match(name):
                normal = re.sub(r"[-_.]+", "-", match["name"]).lower()  # PyPA's name normalisation
                found.setdefault(normal, match["version"])
    return dict(sorted(found.items()))


@cache
def _digest_of_installed(folders: tuple[tuple[str, int], ...]) -> str:
    return packages_digest(installed_packages(folders))


def packages_digest(packages: Mapping[str, str]) -> str:
    """b3-bytes1 of the list as pip writes it, so that a `requirements.txt` of the same lines has it too."""
    from blake3 import blake3

    lines = "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))
    return "b3-bytes1:" + blake3(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _folders_with_times(path: Sequence[str]) -> list[tuple[str, int]]:
    folders = []
    for entry in path:
        folder = entry or os.curdir
        try:
            folders.append((folder, os.stat(folder).st_mtime_ns))  # noqa: PTH116
        except OSError:
            continue
    return folders


@cache
def _python() -> str:
    implementation = platform.python_implementation()
    version = platform.python_version()
    return version if implementation == "CPython" else f"{version} ({implementation})"


@cache
def _platform() -> str:
    return platform.platform()


@cache
def _cpu() -> str:
    model = platform.processor() if sys.platform != "linux" else ""
    try:
        with Path("/proc/cpuinfo").open() as lines:
            model = next(
                (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model
            )
    except OSError:
        pass
    return f"{model or platform.machine()} × {os.cpu_count() or 1}"


@cache
def _gpus() -> tuple[str, ...]:
    """What NVIDIA's driver lists: read from files, so that CUDA is not initialised in the job's process."""
    models = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            text = file.read_text()
        except OSError:
            continue
        models += [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("Model:")]
    return tuple(models)
