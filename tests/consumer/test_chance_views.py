"""`nondeterminism` and `seed_sensitivity`: what they list, and what they leave alone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.store import Store
from relineage.emitter import Lineage

Json = dict[str, Any]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open() as opened:
        yield opened


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store) -> Callable[..., None]:
    """Run a training really, and take its events in: adapted, where a setting is to differ."""
    (tmp_path / ".relineage" / "events").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    taken = 0

    def run(
        *,
        seed: int | None,
        result: float,
        draws: bool = True,
        step: dict[str, Any] | None = None,
        auc: tuple[float, ...] = (),
        numpy: str = "1.0",
        C: float = 1.0,
    ) -> None:
        nonlocal taken
        lineage = Lineage(namespace="n", environ={}, digest="full")
        with lineage.run("train", seed=seed, params={"C": C}) as one:
            one.input(pd.DataFrame({"a": [1, 2, 3]}), name="data")
            if draws:
                np.random.random()
            if step is not None:
                with lineage.run("step", seed=step["seed"]):
                    if step["draws"]:
                        np.random.random()
            one.output({"w": np.array([result, 0.5])}, name="model")
            for epoch, value in enumerate(auc):
                one.metric("auc", value, step=epoch)
        assert lineage.close()
        lines = [
            line
            for file in sorted((tmp_path / ".relineage").rglob("*.ndjson"))
            for line in file.read_bytes().splitlines()
        ]
        new, taken = lines[taken:], len(lines)
        events = [json.loads(line) for line in new]
        for event in events:
            event["run"]["facets"]["relineage_environment"]["packages"] = {"numpy": numpy, "pandas": "2.0"}
        bodies = [json.dumps(event).encode() for event in events]
        store.ingest(
            Batch([Message(body=body, source="test", offset=taken + n) for n, body in enumerate(bodies)])
        )

    return run


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    return store.connection.execute(query).fetchall()


def test_one_recipe_with_two_outcomes_is_listed_with_the_settings_that_differed(
    train: Callable[..., None], store: Store
) -> None:
    train(seed=1, result=0.1)
    train(seed=1, result=0.1)
    assert rows(store, "from nondeterminism") == []
    train(seed=1, result=0.2, numpy="2.0")
    [found] = rows(
        store,
        """select job_name, runs, outcomes, settings, list_transform(runs_by_outcome, lambda o: len(o.run_ids))
           from nondeterminism""",
    )
    assert found[:4] == ("train", 3, 2, ["package numpy: 1.0 | 2.0"])
    assert sorted(found[4]) == [1, 2]


def test_without_any_setting_that_differs_the_list_is_empty(train: Callable[..., None], store: Store) -> None:
    train(seed=1, result=0.1)
    train(seed=1, result=0.2)
    assert rows(store, "select runs, outcomes, settings from nondeterminism") == [(2, 2, [])]


@pytest.mark.parametrize(
    ("first", "second", "listed"),
    [
        ({"seed": 1}, {"seed": 2}, False),  # another recipe
        ({"seed": 1}, {"seed": 1, "C": 2.0}, False),  # another task
        ({"seed": None}, {"seed": None}, False),  # chance was used
        ({"seed": None, "draws": False}, {"seed": None, "draws": False}, True),  # none was
        *(
            ({"seed": None, "draws": False, "step": step},) * 2 + (listed,)
            for step, listed in (
                ({"seed": None, "draws": True}, False),  # chance of this run was used, by an inner one
                ({"seed": None, "draws": False}, True),
                ({"seed": 7, "draws": True}, True),  # the inner one had its own
            )
        ),
    ],
)
def test_only_where_chance_was_fixed_or_unused_is_it_non_determinism(
    first: Json, second: Json, listed: bool, train: Callable[..., None], store: Store
) -> None:
    train(result=0.1, **first)
    train(result=0.2, **second)
    assert bool(rows(store, "from nondeterminism")) is listed


def test_a_task_that_depends_on_its_seed_has_the_spread_of_its_metrics(
    train: Callable[..., None], store: Store
) -> None:
    for seed, auc in ((1, 0.9), (2, 0.8), (3, 0.7)):
        train(seed=seed, result=auc, auc=(0.1, auc))
    [found] = rows(
        store,
        """select job_name, runs, seeds, unseeded_runs, outcomes, metric, n, min, mean, max, deviation
           from seed_sensitivity""",
    )
    assert found[:10] == ("train", 3, 3, 0, 3, "auc", 3, 0.7, pytest.approx(0.8), 0.9)
    assert found[10] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("runs", "listed"),
    [
        ([(1, 0.1), (2, 0.1)], []),  # two seeds, one outcome
        ([(1, 0.1), (1, 0.2)], []),  # one seed, two outcomes: non-determinism
        ([(None, 0.1), (None, 0.2)], [(2, 0, 2, 2, None)]),
        ([(1, 0.1), (None, 0.2)], [(2, 1, 1, 2, None)]),
        ([(1, 0.1), (None, 0.1)], []),
    ],
)
def test_a_task_is_listed_where_the_seed_decides(
    runs: list[tuple[int | None, float]],
    listed: list[tuple[Any, ...]],
    train: Callable[..., None],
    store: Store,
) -> None:
    for seed, result in runs:
        train(seed=seed, result=result)
    assert rows(store, "select runs, seeds, unseeded_runs, outcomes, metric from seed_sensitivity") == listed
