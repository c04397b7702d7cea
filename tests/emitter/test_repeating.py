"""Arguments of a call that come back: parameters from their text, data from the store."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from emitted import events_in
from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.digests import content_of
from relineage.emitter.repeating import data, parameter, repeatable
from relineage.emitter.store import open_store
from relineage.emitter.values import canonical, text, type_name

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS.filter(lambda one: not (isinstance(one, float) and math.isinf(one))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(VALUES | st.floats())
def test_a_parameter_comes_back_from_its_text(value: Any) -> None:
    again = parameter(type_name(value), text(value))

    assert canonical(again) == canonical(value)


@pytest.mark.parametrize("value", [Path("a"), pd.Timestamp("2024-01-01"), object(), [object()], [math.nan]])
def test_what_does_not_come_back_is_told(value: object) -> None:
    assert not repeatable([{"type": type_name(value), "value": text(value)}])


DATA = {
    "pandas": pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "polars": pl.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "arrow": pa.table({"a": [1, 2]}),
    "array": np.arange(6.0).reshape(2, 3),
    "state": {"w": np.arange(3.0), "v": np.arange(2)},
    "text": "a text",
    "bytes": b"some bytes",
}


@pytest.mark.parametrize("name", DATA)
def test_data_comes_back_in_the_type_that_held_it(name: str, tmp_path: Path) -> None:
    from relineage.emitter.datasets import _carrier

    value = DATA[name]
    content = content_of(value)
    store = open_store(tmp_path / "store", tmp_path)
    store.put(content, value)
    [found] = store.scan()
    file = tmp_path / f"data{Path(found.name).suffix}"
    store.fetch(found.digest, file)

    again = data(file, _carrier(value))

    assert type(again) is type(value)
    assert content_of(again).digests == content.digests


CALLED = {
    "function": "def f(n):\n    return made(n)\n",
    "generator": "def f(n):\n    yield 1\n    yield made(n)\n",
    "coroutine": "async def f(n):\n    return made(n)\n",
    "asynchronous generator": "async def f(n):\n    yield 1\n    made(n)\n",
}


@pytest.mark.parametrize("kind", CALLED)
def test_functions_of_each_kind_are_called_to_their_end(kind: str, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(
        "import numpy as np\nfrom relineage.emitter import Lineage\n"
        "def made(n):\n    with Lineage('s').run('f', seed=5) as run:\n"
        "        run.output(np.random.random(n))\n" + CALLED[kind]
    )
    plan = {
        "home": str(tmp_path / "home"),
        "runs": [{"namespace": "s", "job": "f", "ordinal": 0, "entropy": "7", "given": True}],
        "call": {
            "callable": "steps:f", "inputs": [], "parameters": [{"name": "n", "type": "int", "value": "3"}],
            "code": str(tmp_path),
        },
    }  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))

    subprocess.run(
        [sys.executable, "-m", "relineage.emitter.repeating"], cwd=tmp_path, check=True,
        env={"PATH": "", "RELINEAGE_REPLAY": str(tmp_path / "plan.json")},
    )  # fmt: skip

    [*_, end] = events_in(tmp_path / "home" / "events")
    seeds = end["run"]["facets"]["relineage_seeds"]
    assert (end["eventType"], seeds["entropy"], seeds["given"]) == ("COMPLETE", "7", True)
    assert end["outputs"][0]["facets"]["relineage_content"]["stored"].startswith((tmp_path / "home").as_uri())
