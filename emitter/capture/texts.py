"""The text that a function, a class or a module was made from.

Decides that a text counts only if it is still what was loaded: the file is compiled again and the function's code must
be in it. Import hooks that rewrite what they load (pytest's) are believed, since nothing can be compared. Texts are
those of the source, without the indentation around them; comments within count, lines around do not.
"""

import ast
import importlib.util
import linecache
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from textwrap import dedent
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .local import file_of

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class NoText(Exception):
    """There is no text, or not that of what was loaded; the message says why."""


class _Parsed:
    """One file: its lines, its syntax tree, and what it compiles to."""

    def __init__(self, text: str, file_name: str) -> None:
        try:
            self.tree = ast.parse(text)
            # A notebook's cell may await where it stands.
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            compiled = compile(self.tree, file_name, "exec", flags=flags, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise NoText(f"{file_name} is no Python that can be read ({type(error).__name__})") from None
        self.text = text
        self.lines = text.split("\n")
        self.codes: dict[tuple[str, int], list[CodeType]] = {}
        self.nodes: dict[tuple[str, int], list[Any]] = {}
        for code in _codes(compiled):
            self.codes.setdefault((code.co_qualname, code.co_firstlineno), []).append(code)
        for node in ast.walk(self.tree):
            if isinstance(node, _Definition):
                self.nodes.setdefault((node.name, _first_line(node)), []).append(node)
            elif isinstance(node, ast.Lambda):
                self.nodes.setdefault(("<lambda>", node.lineno), []).append(node)

    def segment(self, node: Any) -> str:
        """The text of a definition with its decorators, or of a lambda."""
        if isinstance(node, ast.Lambda):
            return ast.get_source_segment(self.text, node) or ""
        return dedent("\n".join(self.lines[_first_line(node) - 1 : node.end_lineno]))


def text_of_function(function: FunctionType) -> tuple[str, ast.AST]:
    """Its text and its syntax tree.

    Raises:
        NoText: There is none, or it has changed since it was loaded.
    """
    code = function.__code__
    parsed = _parsed(code.co_filename, function.__module__)
    nodes = parsed.nodes.get((code.co_name, code.co_firstlineno), [])
    if len(nodes) > 1 and (places := _places(code)):
        nodes = [node for node in nodes if _holds(node, places)] or nodes
        nodes = [
            min(
                nodes, key=lambda node: (node.end_lineno - node.lineno, node.end_col_offset - node.col_offset)
            )
        ]
    same = any(code == one for one in parsed.codes.get((code.co_qualname, code.co_firstlineno), []))
    if not nodes or (not same and _is_plain(function.__module__)):
        raise NoText(f"{code.co_filename} has changed since {function.__qualname__} was loaded")
    # Several lambdas of one line that cannot be told apart (Python 3.12 knows no places of constants) count together.
    return "\n".join(map(parsed.segment, nodes)), ast.Module([*map(_as_statement, nodes)], [])


def text_of_class(cls: type) -> str:
    """Its text.

    Raises:
        NoText: There is none.
    """
    functions = [one for one in vars(cls).values() if isinstance(one, FunctionType)]
    made_here = [one.__code__ for one in functions if one.__qualname__.startswith(f"{cls.__qualname__}.")]
    module = sys.modules.get(cls.__module__)
    name = file_of(module) if module is not None else None
    code = next((one for one in made_here if name is None or one.co_filename == name), None)
    if name is None and code is None:
        raise NoText(f"{cls.__module__}.{cls.__qualname__} was typed in, or made by a program")
    parsed = _parsed(code.co_filename if code is not None else str(name), cls.__module__)
    found = [node for node in _classes(parsed.tree.body) if node.name == cls.__name__]
    if code is not None:
        found = [node for node in found if _first_line(node) <= code.co_firstlineno <= (node.end_lineno or 0)]
    if not found:
        if issubclass(cls, tuple) and (fields := getattr(cls, "_fields", None)) is not None:
            return f"namedtuple({cls.__name__!r}, {fields!r})"  # made by a call, which says no more than this
        raise NoText(f"{cls.__module__}.{cls.__qualname__} is not in the file of its module")
    return parsed.segment(found[-1])  # of several definitions the last one holds


def text_of_module(file: Path) -> tuple[str, ast.Module]:
    """The text of a whole file and its syntax tree.

    Raises:
        NoText: It cannot be read.
    """
    parsed = _parsed(str(file), None)
    return parsed.text, parsed.tree


def _parsed(file_name: str, module_name: str | None) -> _Parsed:
    """The file as it is; a text that lies in no file where whoever made it has left it."""
    path = Path(file_name)
    try:
        state = path.stat()
    except (OSError, ValueError):
        module = sys.modules.get(module_name or "")
        lines = linecache.getlines(file_name, vars(module) if module is not None else None)
        if not lines:
            raise NoText(f"there is no text of {file_name}: it was typed in, or made by a program") from None
        return _parse("".join(lines), file_name)
    return _read(file_name, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _read(file_name: str, _modified_ns: int, _size: int) -> _Parsed:
    try:
        text = importlib.util.decode_source(Path(file_name).read_bytes())
    except (OSError, SyntaxError, UnicodeError) as error:
        raise NoText(f"{file_name} cannot be read ({type(error).__name__})") from None
    return _Parsed(text, file_name)


@lru_cache(maxsize=256)
def _parse(text: str, file_name: str) -> _Parsed:
    return _Parsed(text, file_name)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _classes(body: list[ast.stmt]) -> Iterator[ast.ClassDef]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.ClassDef):
                yield node


def _first_line(node: _Definition) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _as_statement(node: Any) -> Any:
    return ast.Expr(node) if isinstance(node, ast.Lambda) else node


def _places(code: CodeType) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where the instructions of a code come from, as far as it knows: first and last line and column."""
    return [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and end_line is not None and column is not None and end_column
    ]


def _holds(node: Any, places: list[tuple[tuple[int, int], tuple[int, int]]]) -> bool:
    """Whether every place lies within the node."""
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return all(first <= begin and end <= last for begin, end in places)


def _is_plain(module_name: str | None) -> bool:
    """Whether a module was loaded from its file as it is."""
    module: ModuleType | None = sys.modules.get(module_name or "")
    spec = getattr(module, "__spec__", None)
    loader = spec.loader if spec is not None else getattr(module, "__loader__", None)
    return type(loader) is SourceFileLoader or loader is None
