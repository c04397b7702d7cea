"""What a piece of code names: globals with their attributes, closure variables, imports, and what it changes itself.

Decides how names are found: in the bytecode, which knows which names are global, and in the syntax tree what is only
written there. Nothing is imported and nothing of the user's is run to find a module.
"""

import ast
import dis
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .local import file_of, is_own

_ROOTS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_FREE_ROOTS = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_MOST_WRAPPERS = 50  # one may have wrapped itself
_CHANGING = frozenset(
    {
        "append",
        "add",
        "update",
        "setdefault",
        "pop",
        "popitem",
        "extend",
        "clear",
        "insert",
        "remove",
        "discard",
    }
)


@dataclass(frozen=True)
class Name:
    """A global or a closure variable, with the attributes that are taken of it: `helpers.clean`."""

    root: str
    attributes: tuple[str, ...]
    free: bool


@dataclass(frozen=True)
class OwnModule:
    """A module of the user's own, loaded or not: its file, and the package that its relative imports start from."""

    name: str
    file: Path
    package: str

    def state(self) -> tuple[int, int] | None:
        """Time and size of the file; null if it is gone."""
        try:
            state = self.file.stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size


def names_in(code: CodeType) -> list[Name]:
    """What a function and those within it name, in the order in which the code comes to it, each once."""
    return list(dict.fromkeys(_names(code, frozenset(code.co_freevars))))


def _names(code: CodeType, free: frozenset[str]) -> Iterator[Name]:
    root: tuple[str, bool] | None = None
    attributes: list[str] = []
    for instruction in dis.get_instructions(code):
        if root is not None and instruction.opname in _ATTRIBUTES:
            attributes.append(str(instruction.argval))
            continue
        if root is not None:
            yield Name(root[0], tuple(attributes), root[1])
            root = None
        name = instruction.argval
        if instruction.opname in _ROOTS:
            root, attributes = (name, False), []
        elif instruction.opname in _FREE_ROOTS and name in free:
            root, attributes = (name, True), []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant, free)


def changed_names(node: ast.AST) -> frozenset[str]:
    """The names that the code changes itself: state rather than code, such as counters and caches."""
    changed: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Global | ast.Nonlocal):
            changed.update(one.names)
        elif isinstance(one, ast.Subscript | ast.Attribute) and not isinstance(one.ctx, ast.Load):
            changed.update(_base(one.value))
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in _CHANGING:
            changed.update(_base(one.func.value))
    return frozenset(changed)


def _base(node: ast.AST) -> Iterator[str]:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def imported_modules(node: ast.AST, package: str | None) -> list[str]:
    """The full names of what a piece of code imports, packages around it too; some may be no modules.

    Args:
        node: A function, or a whole module.
        package: What relative imports start from.
    """
    names: dict[str, None] = {}
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            told = [alias.name for alias in one.names]
        elif isinstance(one, ast.ImportFrom):
            try:
                base = resolve_name("." * one.level + (one.module or ""), package or "")
            except ImportError:
                continue
            told = [base, *(f"{base}.{alias.name}" for alias in one.names)]
        else:
            continue
        for name in told:
            parts = name.split(".")
            names.update(dict.fromkeys(".".join(parts[: n + 1]) for n in range(len(parts))))
    return list(names)


def own_module(name: str) -> OwnModule | None:
    """The user's own module of a full name; null if there is none. It is not imported."""
    module = sys.modules.get(name)
    if module is not None:
        file = file_of(module)
        is_package = hasattr(module, "__path__")
    else:
        spec = _spec(name)
        file = spec.origin if spec is not None and spec.has_location else None
        is_package = spec is not None and spec.submodule_search_locations is not None
    if file is None or not is_own(file) or not file.endswith(".py"):
        return None
    return OwnModule(name, Path(file), name if is_package else name.rpartition(".")[0])


def module_at(module: ModuleType) -> OwnModule | None:
    """A module that is not known by its own name: the script, or what was loaded from a path."""
    file = file_of(module)
    if file is None or not is_own(file) or not file.endswith(".py"):
        return None
    return OwnModule(module.__name__, Path(file), getattr(module, "__package__", None) or "")


def owner_of(function: FunctionType) -> type | None:
    """The class that a function is a method of, where it can be found: what it calls on `self` is there."""
    *path, name = function.__qualname__.split(".")
    found: Any = None
    for position, part in enumerate(path):
        found = function.__globals__.get(part) if position == 0 else vars(found).get(part)
        if not isinstance(found, type):
            return None
    if found is None:
        return None
    member: Any = vars(found).get(name)
    for _ in range(_MOST_WRAPPERS):
        if member is None or member is function:
            break
        # A static or class method, a property, or what a decorator, such as that of a step, has made of it.
        inner = (getattr(member, one, None) for one in ("__func__", "fget", "__wrapped__"))
        member = next((one for one in inner if one is not None), None)
    return found if member is function else None


def _spec(name: str) -> ModuleSpec | None:
    """Found on the path, folder by folder, as importing would, which however runs the packages around it."""
    path = None
    spec = None
    parts = name.split(".")
    for position in range(len(parts)):
        prefix = ".".join(parts[: position + 1])
        try:
            spec = PathFinder.find_spec(prefix, path)
        except (ImportError, ValueError, OSError):
            return None
        if spec is None:
            return None
        path = spec.submodule_search_locations
        if path is None and position + 1 < len(parts):
            return None
    return spec
