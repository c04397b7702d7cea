"""What keeping the code costs a job: a snapshot of a work tree of 2,000 files, and the code of one callable."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import ModuleType

from relineage.emitter.capture import reached
from relineage.emitter.capture.code import Repositories
from relineage.emitter.capture.snapshot import take

TITLE = "a snapshot of a work tree of 2,000 files, beside `git status`; the code of a callable"
COLUMNS = ("median", "beside `git status`")
NEEDS_KAFKA = False
FILES = 2000
REPETITIONS = 15
MODULES = 20

_IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false")


def git(folder: Path, *arguments: str) -> None:
    """As a person calls it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", *_IDENTITY, "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment)


def work_tree(folder: Path) -> None:
    """2,000 files of 4 kB in 40 folders, committed long enough ago that git need not read them again."""
    git(folder, "init", "-q")
    for number in range(FILES):
        file = folder / f"package{number % 40}" / f"module{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"# {number}\n" + "x = 1  # a line of code\n" * 170)
        os.utime(file, (1_700_000_000, 1_700_000_000))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")


def measure(kafka: str) -> Iterator[tuple[str, ...]]:
    """Medians; the ways alternate, so that a slow moment of the machine meets all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "project"
        folder.mkdir()
        work_tree(folder)
        found = Repositories().at(folder)
        assert found is not None

        def snapshot() -> None:
            made = take(found.root, found.git_folder, found.common_folder, seconds=60)
            assert made.id is not None, made.failure

        ways: dict[str, tuple[Callable[[], None], Callable[[int], None]]] = {
            "`git status` of the clean tree": (
                lambda: git(folder, "status", "--porcelain", "-uall"),
                lambda _: None,
            ),
            "snapshot of the clean tree": (snapshot, lambda _: None),
            "snapshot, one file changed and one new": (snapshot, lambda turn: changed(folder, turn)),
            "the same again (its ref is there)": (snapshot, lambda _: None),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(REPETITIONS):
            git(folder, "checkout", "-q", ".")
            git(folder, "clean", "-qfd")
            for way, (act, before) in ways.items():
                before(turn)
                began = time.perf_counter()
                act()
                seconds[way].append(time.perf_counter() - began)
        yardstick = median(next(iter(seconds.values())))
        for way, taken in seconds.items():
            yield way, f"{median(taken) * 1e3:.0f} ms", f"{median(taken) / yardstick:.1f}"
    yield from callables()


def changed(folder: Path, turn: int) -> None:
    """Another tree each time."""
    (folder / "package0" / "module0.py").write_text(f"x = {turn}\n")
    (folder / "new.py").write_text(f"y = {turn}\n")


def callables() -> Iterator[tuple[str, ...]]:
    """A function that reaches one in each of twenty modules."""
    with tempfile.TemporaryDirectory() as name:
        modules = []
        for number in reversed(range(MODULES)):
            following = (
                f"from bench_code{number + 1} import f as g\n" if number + 1 < MODULES else "g = abs\n"
            )
            file = Path(name) / f"bench_code{number}.py"
            file.write_text(
                following
                + "RATE = 0.1\n"
                + "def spare(x):\n    return x\n" * 50
                + "def f(x):\n    return g(x) * RATE\n"
            )
            modules.append(loaded(file))
        function = modules[-1].f
        first, again = [], []
        for _ in range(REPETITIONS):
            reached._REMEMBERED.clear()
            first.append(timed(function))
            again.append(timed(function))
        for module in modules:
            del sys.modules[module.__name__]
    yield (
        f"code of a callable that reaches {MODULES} modules, files known",
        f"{median(first) * 1e3:.1f} ms",
        "",
    )
    yield "the same function again", f"{median(again) * 1e3:.3f} ms", ""


def timed(function: Callable[..., object]) -> float:
    """Seconds for its code."""
    began = time.perf_counter()
    assert reached.callable_code(function).digest is not None
    return time.perf_counter() - began


def loaded(file: Path) -> ModuleType:
    """As importing it would."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module
