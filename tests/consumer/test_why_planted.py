"""Planted causes: a pipeline is run twice, something is changed in between, and `why` names that and nothing else.

What an execution cannot be made to do here, such as to run on another version of a library, is planted in two parts:
its effect, and what the recorded events say of the setting.
"""

import contextlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy
import planted_pipeline
import pytest
from once import once
from planted_pipeline import LABELS, NETWORK, RAW, Plan

from relineage.consumer.ask import Ask, Cause
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store

Event = dict[str, Any]
Adapt = Callable[[Event], None]


def environment(**changes: Any) -> Adapt:
    """Say another Python, or another version of a package: `packages={"numpy": "9.9"}`."""

    def adapt(event: Event) -> None:
        facet = event["run"]["facets"].get("relineage_environment", {})
        for key, value in changes.items():
            facet[key] = {**facet.get(key, {}), **value} if isinstance(value, dict) else value

    return adapt


def another_python(event: Event) -> None:
    """Say the version of Python wherever it is said."""
    environment(python="3.99.0")(event)
    assert event["run"]["facets"]["processing_engine"]["name"] == "python"
    event["run"]["facets"]["processing_engine"]["version"] = "3.99.0"


UPGRADE = environment(packages={"numpy": "9.9.9"})
COMMITTED = environment(code={"commit": "c" * 40, "dirty": False, "snapshot": None})


def loaded(digit: str) -> Adapt:
    """Say that a module was loaded that no snapshot holds, of this content."""
    return environment(code={"notCovered": [f"local.py: in use, git ignores it (b3-bytes1:{digit * 64})"]})


STEADY = environment(code={"commit": "b" * 40, "dirty": False, "snapshot": None})


def edited(old: str, new: str) -> Callable[[Path], Path]:
    """A copy of the pipeline's file with a changed line."""

    def edit(folder: Path) -> Path:
        text = Path(planted_pipeline.__file__).read_text()
        assert text.count(old) == 1
        (folder / "edited_pipeline.py").write_text(text.replace(old, new))
        return folder / "edited_pipeline.py"

    return edit


@dataclass(frozen=True, kw_only=True)
class Case:
    """What differs between A and B, and what is to be said of it, as (what, job)."""

    a: Plan = field(default_factory=Plan)
    b: Plan = field(default_factory=Plan)
    adapt_a: Adapt | None = None  # of A's events
    adapt: Adapt | None = None  # of B's events
    code: Callable[[Path], Path] | None = None  # of B
    causes: list[tuple[str, str]]
    also: list[tuple[str, str]] = field(default_factory=list)  # some of what is said besides
    unknown: list[tuple[str, str]] = field(default_factory=list)
    values: tuple[str, str] | None = None  # of the first cause, in A and in B


def seeds(**changes: int | None) -> dict[str, int | None]:
    return {**Plan().seeds, **changes}


def cell(column: str, row: int, value: Any, table: dict[str, list[Any]] = RAW) -> dict[str, list[Any]]:
    return {**table, column: [*table[column][:row], value, *table[column][row + 1 :]]}


NOTHING_SEEDED: dict[str, int | None] = dict.fromkeys(Plan().seeds)
NOTHING_DRAWN = Plan(seeds=NOTHING_SEEDED, shuffle=False)

CASES = {
    "nothing": Case(causes=[]),
    # Seeds
    "the seed of one step": Case(
        b=Plan(seeds=seeds(split=43)), causes=[("seed", "split")], values=("42", "43")
    ),
    "one seed for all steps": Case(
        a=Plan(seeds=dict.fromkeys(Plan().seeds, 42)),
        b=Plan(seeds=dict.fromkeys(Plan().seeds, 43)),
        causes=[("seed", "split")],
        also=[("seed", "train-model")],
    ),
    "the seed of the run around the steps": Case(
        a=Plan(outer_seed=42),
        b=Plan(outer_seed=43),
        causes=[("seed", "split")],
        also=[("seed", "train-model")],
    ),
    "a seed that was drawn": Case(
        a=Plan(seeds=seeds(split=None)), b=Plan(seeds=seeds(split=None)), causes=[("seed", "split")]
    ),
    # Parameters
    "a parameter": Case(b=Plan(C=2.0), causes=[("parameter C", "train-model")]),
    "a parameter of an earlier step": Case(b=Plan(share=0.5), causes=[("parameter share", "split")]),
    "two parameters": Case(
        b=Plan(C=2.0, share=0.5), causes=[("parameter share", "split"), ("parameter C", "train-model")]
    ),
    "a seed and a parameter": Case(
        b=Plan(C=2.0, seeds=seeds(split=43)), causes=[("seed", "split"), ("parameter C", "train-model")]
    ),
    "a parameter of the parent run": Case(
        a=Plan(outer_seed=42, around={"rate": 0.1, "unused": 1}),
        b=Plan(outer_seed=42, around={"rate": 0.2, "unused": 1}),
        causes=[("parameter rate of the parent run", "train-model")],
        values=("float: 0.1", "float: 0.2"),
    ),
    "a parameter, and one of the parent run": Case(
        a=Plan(outer_seed=42, around={"rate": 0.1}),
        b=Plan(outer_seed=42, around={"rate": 0.2}, C=2.0),
        causes=[("parameter C", "train-model")],
    ),
    # Data
    "a cell": Case(b=Plan(raw=cell("a", 2, 7)), causes=[("column a", "load")]),
    "a cell of each of two files": Case(
        b=Plan(raw=cell("a", 2, 7), labels=cell("y", 0, 1, LABELS)),
        causes=[("column a", "load"), ("column y", "encode")],
    ),
    "a column of another type": Case(
        b=Plan(raw=cell("a", 2, 4.25)), causes=[("column a", "load")], values=("int64", "float64")
    ),
    "a column more": Case(b=Plan(raw={**RAW, "z": [1] * 8}), causes=[("column z", "load")]),
    "a row more": Case(
        b=Plan(raw={"a": [*RAW["a"], 5], "b": [*RAW["b"], 8.5]}),
        causes=[("row 8", "load")],
    ),
    "a tensor of a model that is read": Case(
        b=Plan(network={**NETWORK, "layer.b": [0.5, 0.26]}), causes=[("tensor layer.b", "train-model")]
    ),
    "columns in another order": Case(
        b=Plan(raw=dict(reversed(RAW.items()))),
        causes=[("order of columns", "train-model"), ("order of columns", "train-model")],
        values=("a, b, c", "b, a, c"),
    ),
    "columns in another order, and a package": Case(
        b=Plan(raw=dict(reversed(RAW.items()))),
        adapt=UPGRADE,
        causes=[("order of columns", "train-model"), ("order of columns", "train-model")],
        also=[("package numpy", "train-model")],
    ),
    "a column of another name": Case(
        a=Plan(raw={**RAW, "y": [1] * 8}),
        b=Plan(raw={**RAW, "z": [1] * 8}, effect={"train": 0.5}),
        causes=[("column y", "load"), ("column z", "load")],
    ),
    "a cell and a parameter": Case(
        b=Plan(raw=cell("a", 2, 7), C=2.0), causes=[("column a", "load"), ("parameter C", "train-model")]
    ),
    "a cell and a seed": Case(
        b=Plan(labels=cell("y", 0, 1, LABELS), seeds=seeds(split=43)),
        causes=[("column y", "encode"), ("seed", "split")],
    ),
    # The setting
    "a package": Case(
        b=Plan(effect={"train": 1e-9}), adapt=UPGRADE, causes=[("package numpy", "train-model")]
    ),
    "a package, before one that only one of them had": Case(
        b=Plan(effect={"train": 1e-9}),
        adapt=environment(packages={"numpy": "9.9.9", "a-package": "1.0"}),
        causes=[("package numpy", "train-model"), ("package a-package", "train-model")],
        values=(numpy.__version__, "9.9.9"),
    ),
    "a package, with effect on an earlier step": Case(
        b=Plan(effect={"split": 1e-9}), adapt=UPGRADE, causes=[("package numpy", "split")]
    ),
    "a package where seeds were drawn and nothing was drawn from them": Case(
        a=NOTHING_DRAWN,
        b=replace(NOTHING_DRAWN, effect={"load": 1e-9}),
        adapt=UPGRADE,
        causes=[("package numpy", "load")],
    ),
    "a cell, and a package with effect on another branch": Case(
        b=Plan(raw=cell("a", 2, 7), effect={"encode": 1e-9}),
        adapt=UPGRADE,
        causes=[("column a", "load"), ("package numpy", "encode")],
    ),
    "a parameter, and a package with effect on an earlier step": Case(
        b=Plan(C=2.0, effect={"load": 1e-9}),
        adapt=UPGRADE,
        causes=[("package numpy", "load"), ("parameter C", "train-model")],
    ),
    "a cell, and a package without effect": Case(
        b=Plan(raw=cell("a", 2, 7)),
        adapt=UPGRADE,
        causes=[("column a", "load")],
        also=[("package numpy", "load")],
    ),
    "the version of Python": Case(
        b=Plan(effect={"train": 1e-9}), adapt=another_python, causes=[("python", "train-model")]
    ),
    "the machine": Case(
        b=Plan(effect={"encode": 1e-9}),
        adapt=environment(platform="Other-1-arm64"),
        causes=[("platform", "encode")],
    ),
    "a determinism switch": Case(
        a=Plan(environ={"OMP_NUM_THREADS": "1"}),
        b=Plan(environ={"OMP_NUM_THREADS": "8"}, effect={"train": 1e-9}),
        causes=[("switch OMP_NUM_THREADS", "train-model")],
    ),
    # How it was called
    "an argument of the command line that is no parameter": Case(
        b=Plan(effect={"train": 0.5}),
        adapt_a=environment(argv=["/a/train.py", "--rate", "1"]),
        adapt=environment(argv=["/b/train.py", "--rate", "2"]),
        causes=[("command line", "train-model")],
        values=("--rate 1", "--rate 2"),
    ),
    "non-determinism of two scripts without arguments": Case(
        b=Plan(effect={"train": 1e-12}),
        adapt_a=environment(argv=["/a/train.py"]),
        adapt=environment(argv=["/b/train.py"]),
        causes=[("non-determinism", "train-model")],
    ),
    "non-determinism where recorded files are named in another way": Case(
        b=Plan(effect={"train": 1e-12}),
        adapt_a=environment(argv=["/a/train.py", "raw.csv", "--labels=labels.csv", "-v"]),
        adapt=environment(argv=["/b/train.py", "../labels.csv", "--labels=./labels.csv", "-v"]),
        causes=[("non-determinism", "train-model")],
    ),
    "another file that nobody has recorded": Case(
        b=Plan(effect={"train": 0.5}),
        adapt_a=environment(argv=["/a/train.py", "raw.csv", "weights/1.csv"]),
        adapt=environment(argv=["/b/train.py", "raw.csv", "weights/2.csv"]),
        causes=[("command line", "train-model")],
        values=("… weights/1.csv", "… weights/2.csv"),
    ),
    "non-determinism in a notebook, whose kernel is another one each time": Case(
        b=Plan(effect={"train": 1e-12}),
        adapt_a=environment(argv=["/a/ipykernel_launcher.py", "-f", "/a/kernel-1.json"]),
        adapt=environment(argv=["/a/ipykernel_launcher.py", "-f", "/a/kernel-2.json"]),
        causes=[("non-determinism", "train-model")],
    ),
    "a parameter, and the argument that brought it": Case(
        b=Plan(C=2.0),
        adapt_a=environment(argv=["/a/train.py", "1.0"]),
        adapt=environment(argv=["/a/train.py", "2.0"]),
        causes=[("parameter C", "train-model")],
        also=[("command line", "train-model")],
    ),
    # Code
    "the code of the steps": Case(
        code=edited("frame * 2.0", "frame * 2.5"), causes=[("code", "encode")], also=[("code", "train-model")]
    ),
    "a module beside the script": Case(
        b=Plan(effect={"train": 0.5}), adapt=COMMITTED, causes=[("commit", "train-model")]
    ),
    "a parameter, and a commit that changed nothing": Case(
        b=Plan(C=2.0),
        adapt=COMMITTED,
        causes=[("parameter C", "train-model")],
        also=[("commit", "train-model")],
    ),
    "a package, and a commit that changed nothing": Case(
        b=Plan(effect={"train": 1e-9}),
        adapt=lambda event: (UPGRADE(event), COMMITTED(event))[0],
        causes=[("package numpy", "train-model")],
        also=[("commit", "train-model")],
    ),
    # Wiring
    "inputs that changed places": Case(
        b=Plan(swap=True),
        causes=[("input", "train-model"), ("input", "train-model")],
        values=("@/test", "@/train"),
    ),
    "an input less": Case(b=Plan(without=("labels",)), causes=[("input only in a", "train-model")]),
    "an input more": Case(a=Plan(without=("network",)), causes=[("input only in b", "train-model")]),
    "an input less and a seed": Case(
        b=Plan(without=("labels",), seeds=seeds(split=43)),
        causes=[("seed", "split"), ("input only in a", "train-model")],
    ),
    # Names are no causes
    "other names of datasets": Case(
        b=Plan(C=2.0, rename={"features": "features-2", "labels": "y", "train": "t"}),
        causes=[("parameter C", "train-model")],
    ),
    "other names of jobs": Case(
        b=Plan(seeds=seeds(split=43), rename={"load": "load-2", "split": "divide", "encode": "enc"}),
        causes=[("seed", "split")],
    ),
    # Chance that nobody fixed
    "non-determinism": Case(b=Plan(effect={"train": 1e-12}), causes=[("non-determinism", "train-model")]),
    "non-determinism of an earlier step, and a parameter": Case(
        b=Plan(effect={"split": 1e-12}, C=2.0),
        causes=[("non-determinism", "split"), ("parameter C", "train-model")],
    ),
    "non-determinism beside unused seeds": Case(
        a=NOTHING_DRAWN,
        b=replace(NOTHING_DRAWN, effect={"encode": 1e-12}),
        causes=[("non-determinism", "encode")],
    ),
    "non-determinism beside a file that nobody had loaded": Case(
        b=Plan(effect={"train": 1e-12}),
        adapt=environment(code={"notCovered": ["big.csv: 2 MB, more than 1"]}),
        causes=[("non-determinism", "train-model")],
    ),
    # Code that no snapshot holds
    "another content of a module that git ignores": Case(
        b=Plan(effect={"train": 0.5}),
        adapt_a=loaded("1"),
        adapt=loaded("2"),
        causes=[("code local.py", "train-model")],
        values=(f"b3-bytes1:{'1' * 64}", f"b3-bytes1:{'2' * 64}"),
    ),
    "non-determinism beside a module that git ignores": Case(
        b=Plan(effect={"train": 1e-12}),
        adapt_a=loaded("1"),
        adapt=loaded("1"),
        causes=[("non-determinism", "train-model")],
    ),
    # What is not known is not blamed
    "a module that git ignores": Case(
        b=Plan(effect={"train": 0.5}),
        adapt=environment(code={"notCovered": ["local.py: in use, git ignores it"]}),
        causes=[],
        unknown=[("unknown", "train-model")],
        values=("code in use was not kept: local.py", ""),
    ),
    "a file without a digest": Case(
        a=Plan(digest="none"),
        b=Plan(digest="none", raw=cell("a", 2, 7)),
        causes=[],
        unknown=[("unknown input", "load")],
    ),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A database with both executions of every case."""
    planted = once(tmp_path_factory, "planted", plant)
    file = tmp_path_factory.mktemp("asked") / "lineage.duckdb"  # two processes cannot open one
    shutil.copy(planted / file.name, file)
    with Store.open(file) as opened:
        yield opened


def plant(folder: Path) -> None:
    """Execute all cases, and take in what they say as one batch."""
    messages = []
    for number, (name, case) in enumerate(CASES.items()):
        place = folder / str(number)
        (place / ".relineage" / "events").mkdir(parents=True)
        with contextlib.chdir(place):
            bodies = [
                body
                for plan, code, adapt in ((case.a, None, case.adapt_a), (case.b, case.code, case.adapt))
                for body in execute(plan, namespace(name), place, code, [STEADY, *([adapt] if adapt else [])])
            ]
        messages += [
            Message(body=body, source=namespace(name), offset=offset) for offset, body in enumerate(bodies)
        ]
    with Store.open(folder / "lineage.duckdb") as made:
        made.ingest(Batch(messages))


def namespace(name: str) -> str:
    """That of the jobs of a case."""
    return f"planted {name}"


def execute(
    plan: Plan, namespace: str, folder: Path, code: Callable[[Path], Path] | None, adapts: list[Adapt]
) -> list[bytes]:
    """Run the pipeline in a folder, and give its events, adapted."""
    run = planted_pipeline.execute
    if code is not None:
        spec = importlib.util.spec_from_file_location("edited_pipeline", code(folder))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["edited_pipeline"] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        run = module.execute
    for file in (folder / ".relineage").rglob("*.ndjson"):
        file.unlink()
    run(plan, namespace)
    sys.modules.pop("edited_pipeline", None)  # later runs would have it in use
    events = [
        json.loads(line)
        for file in (folder / ".relineage").rglob("*.ndjson")
        for line in file.read_bytes().splitlines()
    ]
    for event in events:
        for adapt in adapts:
            adapt(event)
    return [json.dumps(event).encode() for event in events]


def asked(name: str, store: Store) -> list[Cause]:
    """The answer to why the models of a case's two executions differ."""
    trained = store.connection.execute(
        "select run_id from runs where job_namespace = ? and job_name = 'train-model' order by started_at",
        [namespace(name)],
    )
    models = [run_id for (run_id,) in trained.fetchall()]
    assert len(models) == 2
    causes = Ask(store.connection).why(*models)
    # In SQL it is one query, in Python there are steps.
    rows = store.connection.execute("from why($a, $b)", {"a": models[0], "b": models[1]}).fetchall()
    assert [astuple(cause) for cause in causes] == rows
    return causes


@pytest.mark.parametrize("name", CASES)
def test_the_planted_cause_is_named_and_nothing_else(name: str, store: Store) -> None:
    case = CASES[name]
    found = asked(name, store)

    def graded(grade: str) -> list[tuple[str, str | None]]:
        return [(cause.what, cause.job_name) for cause in found if cause.grade == grade]

    assert sorted(graded("cause")) == sorted(case.causes)
    assert sorted(graded("unknown")) == sorted(case.unknown)
    assert set(case.also) <= set(graded("also"))
    if case.values is not None:
        assert (found[0].a, found[0].b or "") == tuple(
            value.replace("@", namespace(name)) for value in case.values
        )
    assert [cause.rank for cause in found] == list(range(1, len(found) + 1))
