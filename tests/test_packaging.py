"""What is installed, and what importing it costs."""

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("facets", "emitter", "consumer")


def files_of_the_houses() -> set[Path]:
    """Every file below the three houses that is somebody's work, relative to the repository."""
    return {
        path.relative_to(ROOT)
        for house in HOUSES
        for path in (ROOT / house).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def setuptools_settings() -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert isinstance(settings, dict)
    return settings


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree, built from a copy, so that building leaves nothing here."""
    copy = tmp_path_factory.mktemp("tree")
    for path in [*files_of_the_houses(), *map(Path, ("pyproject.toml", "README.md", "LICENSE"))]:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path)
    (copy / "tests").mkdir()
    (copy / "tests" / "test_nothing.py").write_text("")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(copy)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (copy / "dist").glob("*.whl")
    return wheel


def test_every_package_of_the_tree_is_listed(setuptools_settings: dict[str, Any]) -> None:
    found = {
        ".".join(("relineage", *path.parent.parts))
        for path in files_of_the_houses()
        if path.name == "__init__.py"
    }
    assert set(setuptools_settings["packages"]) == found
    with_modules = {path.parent for path in files_of_the_houses() if path.suffix == ".py"}
    assert {".".join(("relineage", *folder.parts)) for folder in with_modules} == found


def test_every_other_file_is_package_data(setuptools_settings: dict[str, Any]) -> None:
    covered = {
        path.relative_to(ROOT)
        for package, patterns in setuptools_settings["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")[1:]).glob(pattern)
    }
    assert covered == {path for path in files_of_the_houses() if path.suffix != ".py"}


def test_every_house_is_typed() -> None:
    assert {Path(house, "py.typed") for house in HOUSES} <= files_of_the_houses()


def test_the_wheel_holds_the_houses_and_nothing_else(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in held if name.partition("/")[0].endswith(".dist-info")}
    assert held - metadata == {str(Path("relineage") / path) for path in files_of_the_houses()}
    assert any(name.endswith("/LICENSE") for name in metadata)


def test_the_wheel_can_be_imported_without_the_tree(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    script = (
        "import relineage.facets, relineage.emitter, relineage.consumer; print(relineage.emitter.__file__)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(tmp_path / "relineage" / "emitter" / "__init__.py")


def test_importing_the_emitter_is_light() -> None:
    # It runs at the start of somebody's training job: what is heavy comes when it is used.
    script = """
import json, sys, time
started = time.process_time()
import relineage.emitter
print(json.dumps({"seconds": time.process_time() - started, "modules": sorted(sys.modules)}))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    result = json.loads(ran.stdout)
    heavy = {
        "blake3", "duckdb", "kafka", "numpy", "openlineage", "pandas", "polars", "pyarrow", "pydantic",
        "pyspark", "safetensors", "scipy", "sklearn", "torch",
    }  # fmt: skip
    assert heavy & set(result["modules"]) == set()
    assert "relineage.consumer" not in result["modules"]
    # 0.1 s is the aim, on a quiet machine; far above it is a heavy import that has no name above.
    assert result["seconds"] < 0.35
