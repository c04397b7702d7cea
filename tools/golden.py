"""Run the golden tests, and those of carriers and statistics, with the oldest and with the newest libraries.

The oldest run on the oldest supported Python, the newest on the newest. `python tools/golden.py [pytest's arguments]`,
or `make test-golden`. What is oldest stands in pyproject.toml: of each library that carries data, the version behind
`>=`. Each environment is made in a folder of its own, with the package installed as others install it, and removed
at the end.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CARRIERS = ("blake3", "numpy", "pandas", "polars", "pyarrow")  # whose versions digests must not depend on
TESTS = (
    "digests/test_rows.py::test_a_golden_digest_of_rows_stays",
    "digests/test_rows_reference.py",
    "digests/test_defects.py::test_h2_the_golden_digest_of_a_frame_is_that_of_every_version_of_pandas",
    "digests/test_invariance.py",
    "digests/test_tables.py",
    "digests/test_pandas.py",
    "test_statistics.py",
    "test_histograms.py",
    "test_frequencies.py",
)
NEEDED = ("pytest", "hypothesis", "polars")


def python(version: str) -> str:
    """An interpreter of this version that runs: this one, one on the path, or one of pyenv's."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [
        shutil.which(f"python{version}"),
        *map(str, sorted(pyenv.glob(f"{version}.*/bin/python{version}"))),
    ]
    for one in found:
        if one and subprocess.run([one, "-c", ""], capture_output=True).returncode == 0:
            return one
    sys.exit(f"python{version} is needed, and was found neither on the path nor among pyenv's versions")


def oldest() -> list[str]:
    """`name==version` of the oldest supported carriers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(one for extra in extras for one in extra)]
    lines = {}
    for one in wanted:
        found = re.fullmatch(r"([\w-]+)(?:\[.*])?>=([\d.]+)", one)
        if found and found[1] in CARRIERS:
            lines[found[1]] = f"{found[1]}=={found[2]}"
    if missing := set(CARRIERS) - set(lines):
        sys.exit(f"pyproject.toml names no oldest version of {', '.join(sorted(missing))}")
    return list(lines.values())


def run(version: str, pinned: list[str], arguments: list[str]) -> bool:
    """Make an environment, say what is in it, run the tests."""
    with tempfile.TemporaryDirectory(prefix="relineage-golden-") as folder:
        source, environment = Path(folder) / "source", Path(folder) / "venv"
        # From a copy, because building leaves things beside the sources.
        left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "tests", "docs", "demo")
        shutil.copytree(ROOT, source, ignore=left_out)
        subprocess.run([python(version), "-m", "venv", environment], check=True)
        interpreter = environment / "bin" / "python"
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(pinned))
        pip = [interpreter, "-m", "pip", "--disable-pip-version-check"]
        wanted = [f"{source}[consumer,store]", *NEEDED, "--constraint", constraints]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        listed = subprocess.run([*pip, "list", "--format=freeze"], check=True, capture_output=True, text=True)
        carriers = [line for line in listed.stdout.split() if line.split("==")[0] in CARRIERS]
        print(f"\nPython {version}: {', '.join(carriers)}", flush=True)
        command = [interpreter, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder, "--noconftest"]
        command += ["--import-mode=importlib", "-p", "no:cacheprovider"]
        tests = ROOT / "tests" / "emitter"
        command += [
            *sorted((tests / "digests").glob("test_golden*.py")),
            *(tests / one for one in TESTS),
            *arguments,
        ]
        variables = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=folder, env=variables).returncode == 0


def main() -> None:
    """Both."""
    arguments = sys.argv[1:]
    passed = [run("3.11", oldest(), arguments), run("3.13", [], arguments)]
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
