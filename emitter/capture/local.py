"""Which files of a program are its user's own, and which of them the program has loaded.

Decides that what belongs to Python, to an installed package or to this one is not: the recorded versions say what that
is. Only names are looked at, never contents.
"""

import os
import site
import sys
import sysconfig
from functools import cache, lru_cache
from pathlib import Path
from types import FunctionType, ModuleType

_PACKAGES = frozenset({"site-packages", "dist-packages"})
_EMITTER = Path(__file__).resolve().parents[1]
_OURS = tuple(_EMITTER.parent / name for name in (_EMITTER.name, "facets", "consumer"))


@cache
def is_ours(file_name: str) -> bool:
    """Whether a file belongs to this package."""
    return _whose(file_name) == "ours"


@cache
def is_own(file_name: str) -> bool:
    """Whether a file is the user's own: neither Python's, nor an installed package's, nor ours."""
    return not file_name.startswith("<") and _whose(file_name) == "own"


def _whose(file_name: str) -> str:
    # A program has thousands of modules in few folders: only these are resolved, and files that are links.
    name = os.path.abspath(file_name)  # noqa: PTH100 - a link is looked at below
    if os.path.islink(name):  # noqa: PTH114 - a `Path` takes longer than the question
        name = os.path.realpath(name)
    return _whose_folder(os.path.dirname(name))  # noqa: PTH120


@cache
def _whose_folder(name: str) -> str:
    folder = Path(os.path.realpath(name))
    if any(folder.is_relative_to(one) for one in _OURS):
        return "ours"
    if not _PACKAGES.isdisjoint(folder.parts):
        return "a package's"
    return "Python's" if any(folder.is_relative_to(one) for one in _folders_of_python()) else "own"


def file_of(module: ModuleType) -> str | None:
    """Its file, without waking a module that is loaded lazily."""
    try:
        name = object.__getattribute__(module, "__dict__").get("__file__")
    except AttributeError:  # whatever a program has put among its modules
        return None
    return name if isinstance(name, str) else None


def is_own_function(function: FunctionType) -> bool:
    """Whether a function is the user's own; one without a file is whose its module is."""
    name = function.__code__.co_filename
    return _is_own_module(function.__module__) if name.startswith("<") else is_own(name)


def is_own_class(cls: type) -> bool:
    """Whether a class is the user's own."""
    return _is_own_module(cls.__module__)


def is_our_class(cls: type) -> bool:
    """Whether a class is this package's: a `Lineage` or a run that the code uses."""
    module = sys.modules.get(cls.__module__)
    file = file_of(module) if module is not None else None
    return file is not None and is_ours(file)


def _is_own_module(name: str | None) -> bool:
    """Whether a module is the user's own; what was typed in, or made by a program, is."""
    module = sys.modules.get(name or "")
    if module is None:
        return True
    file = file_of(module)
    return name == "__main__" or (file is not None and is_own(file))


def files_in_use() -> tuple[Path, ...]:
    """The user's own files that this process has loaded as modules, the script among them; they may be gone.

    Takes a few microseconds where no module was loaded since the last time.
    """
    return _files_in_use(len(sys.modules), id(sys.modules.get("__main__")))


@lru_cache(maxsize=1)
def _files_in_use(_modules: int, _main: int) -> tuple[Path, ...]:
    names = dict.fromkeys(file_of(module) for module in list(sys.modules.values()))
    return tuple(
        Path(os.path.abspath(name))  # noqa: PTH100 - links stay as they were named
        for name in names
        if name is not None and is_own(name)
    )


@cache
def _folders_of_python() -> tuple[Path, ...]:
    paths = [
        *(sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "scripts")),
        str(Path(os.__file__).parent),
    ]
    if (base := site.getuserbase()) is not None:
        paths.append(os.path.join(base, "bin"))  # noqa: PTH118
    return tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in paths if path))
