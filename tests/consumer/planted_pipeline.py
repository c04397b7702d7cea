"""A small pipeline that is really run, with a place for everything that may be planted in it.

load → split → train, beside encode → train: `train` reads what came of two raw files. Files are copied and edited where
the planted cause is the code.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relineage.emitter import Lineage

RAW = {"a": [3, 1, 4, 1, 5, 9, 2, 6], "b": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]}
LABELS = {"y": [0, 1, 1, 0, 1, 0, 0, 1]}
NETWORK = {"layer.w": [[1.0, 2.0], [3.0, 4.0]], "layer.b": [0.5, 0.25]}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One execution: what is in the raw files, and how each step is run."""

    raw: dict[str, list[Any]] = field(default_factory=lambda: dict(RAW))
    labels: dict[str, list[Any]] = field(default_factory=lambda: dict(LABELS))
    network: dict[str, Any] = field(default_factory=lambda: dict(NETWORK))
    seeds: dict[str, int | None] = field(
        default_factory=lambda: {"load": 1, "encode": 1, "split": 42, "train": 7}
    )
    outer_seed: int | None = None  # a run around all steps, which derive their seeds from it
    around: dict[str, float] = field(default_factory=dict)  # parameters of that run, which `train` goes by
    C: float = 1.0
    share: float = 0.75
    shuffle: bool = True  # whether `split` draws
    effect: dict[str, float] = field(default_factory=dict)  # of what is recorded by nobody, or as the setting
    rename: dict[str, str] = field(default_factory=dict)  # jobs and datasets
    swap: bool = False
    without: tuple[str, ...] = ()  # inputs of `train`
    digest: str | None = None  # of the raw file
    environ: dict[str, str] = field(default_factory=dict)


def execute(plan: Plan, namespace: str) -> None:
    """Run the pipeline in the working directory."""
    lineage = Lineage(namespace=namespace, environ=plan.environ, digest="full")
    if plan.outer_seed is None:
        steps(plan, lineage)
    else:
        with lineage.run("pipeline", seed=plan.outer_seed, params=plan.around):
            steps(plan, lineage)
    assert lineage.close()


def steps(plan: Plan, lineage: Lineage) -> None:
    """All steps, each a run."""
    pd.DataFrame(plan.raw).to_csv("raw.csv", index=False)
    pd.DataFrame(plan.labels).to_csv("labels.csv", index=False)

    def name(text: str) -> str:
        return plan.rename.get(text, text)

    def seed(job: str) -> int | None:
        return None if plan.outer_seed is not None else plan.seeds[job]

    with lineage.run(name("load"), seed=seed("load")) as run:
        frame = pd.read_csv(run.input(Path("raw.csv").resolve(), role="raw", digest=plan.digest))
        made = frame.select_dtypes("number").assign(c=lambda f: f.a * f.b + plan.effect.get("load", 0))
        features = run.output(made, name=name("features"), role="features")
    with lineage.run(name("encode"), seed=seed("encode")) as run:
        frame = pd.read_csv(run.input(Path("labels.csv").resolve(), role="raw"))
        made = (frame * 2.0 + plan.effect.get("encode", 0)).rename(columns={"y": "label"})
        labels = run.output(made, name=name("labels"), role="labels")
    with lineage.run(name("split"), seed=seed("split"), params={"share": plan.share}) as run:
        frame = run.input(features, role="features")
        order = np.random.permutation(len(frame)) if plan.shuffle else np.arange(len(frame))
        cut = int(len(frame) * plan.share)
        shuffled = frame.iloc[order].reset_index(drop=True) + plan.effect.get("split", 0)
        train = run.output(shuffled[:cut], name=name("train"), role="train")
        test = run.output(shuffled[cut:].reset_index(drop=True), name=name("test"), role="test")
    fit(plan, lineage, train, test, labels, name("train-model"), seed("train"), name("model"))


def fit(
    plan: Plan, lineage: Lineage, train: Any, test: Any, labels: Any, job: str, seed: int | None, model: str
) -> None:
    """Train a model: of numbers that depend on everything, in their order."""
    read = {"train": test, "test": train} if plan.swap else {"train": train, "test": test}
    read |= {"labels": labels, "network": {key: np.array(value) for key, value in plan.network.items()}}
    with lineage.run(job, seed=seed, params={"C": plan.C, "rounds": 3}) as run:
        total = np.zeros(3)
        for place, (role, data) in enumerate(read.items()):
            if role in plan.without:
                continue
            data = run.input(data, role=role, name="network" if role == "network" else None)
            numbers = (
                np.concatenate([np.ravel(value) for value in data.values()])
                if role == "network"
                else data.to_numpy().ravel()
            )
            total += (place + 1) * np.array([numbers.sum(), numbers @ np.arange(len(numbers)), numbers[0]])
        run.output(
            {"weights": total * plan.C + plan.effect.get("train", 0) + plan.around.get("rate", 0)},
            name=model,
            role="model",
        )
