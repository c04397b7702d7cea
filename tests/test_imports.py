"""Which house may import what: the table of docs/architecture.md, enforced."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = frozenset({"facets", "emitter", "consumer"})

# The most specific folder counts. Third-party packages by their import name.
MAY_IMPORT = {
    "facets": {"facets", "pydantic"},
    "emitter": {
        "facets", "emitter", "pydantic", "openlineage", "kafka", "numpy", "pyarrow", "blake3",
        "yaml",  # comes with openlineage-python, whose settings it reads
        "pandas", "polars", "sklearn", "scipy", "torch", "safetensors", "pyspark", "py4j", "fsspec", "ml_dtypes",
    },
    "consumer": {"facets", "consumer", "pydantic", "duckdb", "_duckdb", "kafka", "pyarrow", "pandas", "numpy"},
    "consumer/serve": {"facets", "consumer", "pydantic", "duckdb", "pyarrow", "starlette", "uvicorn"},
    "consumer/cli": {
        "facets", "consumer", "emitter", "pydantic", "duckdb", "kafka", "pyarrow", "pandas", "click", "rich",
    },
    "consumer/replay": {"facets", "consumer", "emitter", "pydantic", "duckdb", "pyarrow"},
}  # fmt: skip
# Of the emitter's: what comes when it is used, since the job may not have it, or not want to wait.
LAZY = {
    "yaml", "pandas", "polars", "sklearn", "scipy", "torch", "safetensors", "ml_dtypes", "pyspark", "py4j", "fsspec",
}  # fmt: skip
# The vocabulary says things; it does not do any.
NO_IO = {
    "socket",
    "ssl",
    "subprocess",
    "urllib",
    "http",
    "sqlite3",
    "tempfile",
    "shutil",
    "asyncio",
    "threading",
}


@dataclass(frozen=True)
class Import:
    """One import: the house or top-level package, and how."""

    path: Path
    line: int
    name: str
    lazy: bool  # inside a function, or for the type checker only
    relative: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name}"


def imports_of(path: Path, tree: ast.AST) -> Iterator[Import]:
    """All imports of a module; relative ones are resolved to the house that they reach."""

    def walk(node: ast.AST, *, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(path, child.lineno, house_or_package(alias.name), lazy, relative=False)
            elif isinstance(child, ast.ImportFrom) and child.level == 0:
                module = child.module or ""
                names = (
                    [f"{module}.{alias.name}" for alias in child.names] if module == "relineage" else [module]
                )
                for name in names:
                    yield Import(path, child.lineno, house_or_package(name), lazy, relative=False)
            elif isinstance(child, ast.ImportFrom):
                package = ("relineage", *path.parent.parts)
                base = package[: len(package) - (child.level - 1)]
                reached = [*base[1:], *(child.module or "").split(".")]
                houses = [reached[0]] if reached[0] else [alias.name for alias in child.names]
                for house in houses:
                    yield Import(path, child.lineno, house, lazy, relative=True)
            else:
                inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, lazy=lazy or inside or for_types(child))

    yield from walk(tree, lazy=False)


def for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def house_or_package(name: str) -> str:
    parts = name.split(".")
    return parts[1] if parts[0] == "relineage" and len(parts) > 1 else parts[0]


def all_imports() -> list[Import]:
    return [
        found
        for house in sorted(HOUSES)
        for path in sorted((ROOT / house).rglob("*.py"))
        for found in imports_of(path.relative_to(ROOT), ast.parse(path.read_text()))
    ]


def room(path: Path) -> str:
    """The most specific folder of the table that a module lies in."""
    return max((folder for folder in MAY_IMPORT if path.is_relative_to(folder)), key=len)


def test_no_house_imports_what_it_may_not() -> None:
    wrong = [
        str(one)
        for one in all_imports()
        if one.name not in sys.stdlib_module_names and one.name not in MAY_IMPORT[room(one.path)]
    ]
    assert wrong == []


def test_the_houses_import_each_other_relatively() -> None:
    # Their folders have other names than their packages: only relative imports are right in both.
    assert [str(one) for one in all_imports() if one.name in HOUSES and not one.relative] == []


def test_what_a_job_may_not_have_is_imported_when_it_is_used() -> None:
    assert [
        str(o) for o in all_imports() if room(o.path) == "emitter" and o.name in LAZY and not o.lazy
    ] == []


def test_the_vocabulary_does_no_input_or_output() -> None:
    assert [str(one) for one in all_imports() if room(one.path) == "facets" and one.name in NO_IO] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import duckdb.experimental", [("duckdb", False, False)]),
        ("from ..facets.seeds import Seeds", [("facets", False, True)]),
        ("from .. import facets, consumer", [("facets", False, True), ("consumer", False, True)]),
        ("from . import clock", [("emitter", False, True)]),
        ("from relineage.consumer.ask import Ask", [("consumer", False, False)]),
        ("from relineage import consumer", [("consumer", False, False)]),
        ("def f():\n    import torch", [("torch", True, False)]),
        (
            "if TYPE_CHECKING:\n    import torch\nelse:\n    import numpy",
            [("torch", True, False), ("numpy", True, False)],
        ),
        ("class A:\n    import torch", [("torch", False, False)]),
        ("try:\n    import torch\nexcept ImportError:\n    pass", [("torch", False, False)]),
    ],
)
def test_imports_are_found_in_every_form(code: str, expected: list[tuple[str, bool, bool]]) -> None:
    found = imports_of(Path("emitter/lineage.py"), ast.parse(code))
    assert [(one.name, one.lazy, one.relative) for one in found] == expected
