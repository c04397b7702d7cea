"""Who asks for one run, or a few, has only what these have said taken apart, however many others there are."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest
from streams import dataset, encode, event, facet, occurrence, run_id

from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.named import named
from relineage.consumer.store import Store

ONE_RUN = named("show_run")
DIFFERENT = {"run_diff": named("ask")["run_diff"]}
AGAIN = {"reproducibility": named("ask")["reproducibility"]} | {
    name: named("evidence")[name] for name in ("code", "models", "written", "settings", "replays")
}
FEW, MANY = 20, 400
APART = ("WINDOW", "UNNEST")


def told(number: int) -> bytes:
    """A run that says something of everything, and reads what the one before it wrote."""
    facets = {
        "relineage_step": facet(
            operation="fit", parameters=[{"name": "n", "type": "int", "value": str(number)}]
        ),
        "relineage_seeds": facet(
            entropy="2a", given=True, libraries=[{"library": "numpy", "seed": "1"}], switches={"a": "b"}
        ),
        "relineage_environment": facet(python="3.12", packages={"numpy": "2.0"}, argv=["fit.py"]),
        "relineage_metrics": facet(metrics=[{"name": "auc", "value": 0.5}]),
        "executionParameters": facet(parameters=[{"key": "m", "value": "1"}]),
        "environmentVariables": facet(environmentVariables=[{"name": "A", "value": "b"}]),
        "processing_engine": facet(name="python", version="3.12"),
    }
    read, written = (
        dataset(("d", f"d{one}"), f"b3-table1:{one:064x}", io=occurrence("table", number))
        for one in (number - 1, number)
    )
    return encode(event(number, number, inputs=(read,), outputs=(written,), run_facets=facets))


@pytest.fixture(scope="module")
def asked() -> Iterator[Callable[..., int]]:
    """Of a statement, how many rows its operators had that take facets apart, among so many runs."""
    with Store.open() as few, Store.open() as many:
        for store, runs in ((few, FEW), (many, MANY)):
            bodies = [told(number) for number in range(1, runs + 1)]
            store.ingest(
                Batch([Message(body=body, source="test", offset=n) for n, body in enumerate(bodies)])
            )

        def rows(statement: str, runs: int, types: Collection[str] = APART) -> int:
            known: dict[str, Any] = {
                "run_id": run_id(10), "a": run_id(10), "b": run_id(11), "x": run_id(10), "served": True,
                "run_ids": [run_id(9), run_id(10)],
                "namespaces": ["d"], "names": ["d9"], "versions": [f"b3-table1:{9:064x}"],
            }  # fmt: skip
            values = {name: known[name] for name in re.findall(r"\$(\w+)", statement)}
            [(_, plan)] = (
                (few if runs == FEW else many)
                .connection.execute(f"explain (analyze, format json) {statement}", values)
                .fetchall()
            )
            return sum(taken_apart(json.loads(plan)["operator"], types))

        yield rows


def taken_apart(operators: list[dict[str, Any]], types: Collection[str]) -> Iterator[int]:
    for one in operators:
        if one["type"] in types:
            yield one["intermediate_rows"]
        yield from taken_apart(one.get("children", []), types)


@pytest.mark.parametrize(("name", "statement"), [*ONE_RUN.items(), *DIFFERENT.items()])
def test_what_is_said_of_other_runs_is_not_taken_apart(
    name: str, statement: str, asked: Callable[..., int]
) -> None:
    """`show` took four seconds and 1.4 GB among 200,000 runs, `diff` seven."""
    assert asked(statement, MANY) == asked(statement, FEW)


@pytest.mark.parametrize(("name", "statement"), AGAIN.items())
def test_whether_one_run_can_be_made_again_is_asked_of_its_upstream_alone(
    name: str, statement: str, asked: Callable[..., int]
) -> None:
    """`verify` took fourteen seconds and 1.4 GB among 200,000 runs."""
    types = (*APART, "HASH_GROUP_BY")
    assert asked(statement, MANY, types) == asked(statement, FEW, types)


@pytest.mark.parametrize(
    "statement", [named("lists")["models"], named("status")["facts"]], ids=["models", "status"]
)
def test_facets_of_data_are_put_together_of_models_alone(statement: str, asked: Callable[..., int]) -> None:
    """`models` and `status` took two seconds and 0.8 GB among 200,000 runs without a model."""
    digest_and_write = 2 * MANY
    assert asked(statement, MANY, ("HASH_GROUP_BY",)) <= digest_and_write + 1
