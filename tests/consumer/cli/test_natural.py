"""Numbers in roles and names are numbers to people: `parts[2]` stands before `parts[10]` wherever it is seen."""

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relineage.consumer.replay.recorded import read_inputs, read_outputs
from relineage.consumer.store import Store

PARTS = [f"parts[{number}]" for number in range(12)]
BASE = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
RUNS = [str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name in ("split 1", "join 1", "split 2", "join 2")]


@pytest.fixture(scope="module")
def joined(module_folder: Path, tell: Callable[..., Any]) -> Path:
    """Twice: many parts that one run has written at one instant, and another one has read, and what had no version."""

    def entry(role: str, name: str, version: str | None, hour: int, io: str) -> dict[str, Any]:
        at = f"2026-01-31T{hour:02}:00:00Z"
        facets = {"version": BASE | {"datasetVersion": version}} if version else {}
        said = BASE | {"role": role, "instant": at, "origin": "declared"}
        return {"namespace": "n", "name": name, "facets": facets, io: {"relineage_io": said}}

    for hour, (job, side) in enumerate([("split", 1), ("join", 1), ("split", 2), ("join", 2)]):
        reads, writes = [("raw", "raw", None)], [("whole", "whole", str(side))]
        # Versions that stand in another order than roles, as digests do.
        parts = [(role, "parts", f"{17 * place % 12} of {side}") for place, role in enumerate(PARTS)]
        if job == "split":
            reads, writes = [(role, role, None) for role in PARTS], parts
        else:
            reads = parts
        parameters = [{"name": role, "type": "int", "value": str(side)} for role in PARTS]
        step = BASE | {"operation": job, "parameters": parameters}
        tell(
            module_folder, job, hour,
            inputs=[entry(*one, hour, "inputFacets") for one in reads],
            outputs=[entry(*one, hour, "outputFacets") for one in writes],
            run={"runId": RUNS[hour], "facets": {"relineage_step": step}},
        )  # fmt: skip
    return module_folder


@pytest.mark.parametrize(
    ("command", "where", "times"),
    [
        pytest.param(["show", RUNS[0]], r"^{}", 3, id="show: inputs, outputs, parameters"),
        pytest.param(["show", RUNS[1]], r"^{}", 2, id="show: inputs, parameters"),
        pytest.param(["show", RUNS[0]], r"^input .*n/{}", 1, id="show: facets of inputs"),
        pytest.param(["trace", "whole@1"], r"{}: n/parts@", 1, id="trace: by role"),
        pytest.param(["trace", "whole@1"], r": n/{}", 1, id="trace: by name"),
        pytest.param(["trace", "--down", "run:" + RUNS[0]], r"as {}", 1, id="trace down"),
        pytest.param(["why", "run:" + RUNS[1], "run:" + RUNS[3]], r"parameter {} in join", 1, id="why"),
        pytest.param(["diff", RUNS[1], RUNS[3]], r"{}", 2, id="diff: inputs, parameters"),
        pytest.param(["diff", RUNS[0], RUNS[2]], r"{}", 2, id="diff: outputs, parameters"),
        pytest.param(["verify", "whole@1"], r"n/{}", 2, id="verify: known, unchanged"),
    ],
)
def test_numbers_in_roles_are_ordered_as_numbers(
    command: list[str],
    where: str,
    times: int,
    joined: Path,
    monkeypatch: pytest.MonkeyPatch,
    relineage: Callable[..., Any],
) -> None:
    monkeypatch.chdir(joined)

    found = re.findall(where.format(r"(parts\[\d+\])"), relineage(*command).out, re.MULTILINE)

    assert found == PARTS * times


def test_a_replay_compares_in_that_order(
    joined: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Store.open(joined / ".relineage" / "lineage.duckdb") as store:
        outputs = read_outputs(store.connection, [RUNS[0]], tmp_path)
        inputs = read_inputs(store.connection, [RUNS[1]])

    assert [one.role for one in outputs] == [one.role for one in inputs] == PARTS


def test_what_is_no_number_is_a_text_and_the_order_is_one(new_store: Callable[..., Any]) -> None:
    texts = [
        "",
        "9",
        "12345678901234567890123",
        "a",
        "a 0",
        "a 00",
        "a 01",
        "a 1",
        "a 2",
        "a 10",
        "a.b",
        "a1.9",
    ]
    texts += ["a1.10", "é2", "é10", None]
    asked = new_store().connection

    [(found,)] = asked.execute("select store.in_natural_order($texts)", {"texts": texts[::-1]}).fetchall()

    assert found == texts
