"""What tests of the command line build upon: git, a pipeline that really ran, commands in processes of their own."""

import contextlib
import json
import os
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from relineage.emitter import Lineage


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def change_object(folder: Path, name: str, old: bytes, new: bytes) -> None:
    """Change a loose object of git; it stays under its id, which git does not compare when it reads it."""
    file = folder / ".git" / "objects" / name[:2] / name[2:]
    data = zlib.decompress(file.read_bytes())
    assert (data.count(old), len(old)) == (1, len(new))
    file.chmod(0o600)
    file.write_bytes(zlib.compress(data.replace(old, new)))


def pipeline(folder: Path, *, seed: int = 42, rows: int = 40) -> None:
    """prepare → split → train → evaluate, in the namespace `fraud`, from a file."""
    raw = folder / "raw.csv"
    if not raw.exists():
        pd.DataFrame({"a": range(rows), "b": [i * 0.5 for i in range(rows)]}).to_csv(raw, index=False)
    with contextlib.chdir(folder):
        lineage = Lineage(namespace="fraud", environ={})
        with lineage.run("prepare", seed=seed) as run:
            frame = pd.read_csv(run.input(raw, role="raw"))
            features = run.output(frame.assign(c=frame.a * frame.b), name="features/all", role="features")
        with lineage.run("split", seed=seed, params={"share": 0.8}) as run:
            shuffled = (
                run.input(features, role="features").sample(frac=1, random_state=seed).reset_index(drop=True)
            )
            train = run.output(shuffled[: rows * 8 // 10], name="features/train", role="train")
            test = run.output(shuffled[rows * 8 // 10 :], name="features/test", role="test")
        with lineage.run("train", seed=seed, params={"C": 1.0}) as run:
            model = {"weights": run.input(train, role="train").to_numpy()[:20]}
            run.output(model, name="models/fraud", role="model")
            run.metric("auc", 0.93)
        with lineage.run("evaluate", seed=seed) as run:
            run.input(model, role="model")
            run.input(test, role="test")
            run.metric("accuracy", 0.5)
        assert lineage.close()


def in_a_process(
    *arguments: str | Path, cwd: Path, stdin: bytes = b"", before: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own; `before` is run first."""
    return subprocess.run(
        command_line(*arguments, before=before), cwd=cwd, input=stdin, capture_output=True, timeout=timeout,
        check=False, env=process_environment(),
    )  # fmt: skip


def command_line(*arguments: str | Path, before: str = "") -> list[str]:
    script = f"import sys\n{before}\nfrom relineage.consumer.cli import main\nmain()"
    return [sys.executable, "-c", script, *map(str, arguments)]


def process_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("RELINEAGE", "OPENLINEAGE", "COLUMNS"))}
