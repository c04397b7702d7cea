"""What a function returns, as outputs with roles."""

import dataclasses
import types
import typing

import attrs
import numpy as np
import pandas as pd
import pydantic
import pytest

from relineage.emitter.steps.results import parts

FRAME = pd.DataFrame({"a": np.arange(5.0)})
ARRAY = np.arange(5.0)


class Pair(typing.NamedTuple):
    left: object
    right: object


@dataclasses.dataclass
class Report:
    table: pd.DataFrame
    score: float
    note: str | None = None


@attrs.define
class Fitted:
    weights: np.ndarray
    loss: float


class Evaluation(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True, extra="allow")
    table: pd.DataFrame
    auc: float


@pytest.mark.parametrize(
    ("result", "roles"),
    [
        (None, []),
        (FRAME, ["output"]),
        (0.5, ["output"]),
        ("text", ["output"]),
        (["a", "b"], ["output"]),
        ({"auc": 0.5}, ["output"]),
        ({"w": ARRAY}, ["output"]),
        ([ARRAY] * 40, ["output"]),
        ((FRAME, ARRAY), ["output[0]", "output[1]"]),
        ((0.5, None, "x"), ["output[0]", "output[2]"]),
        ([FRAME, FRAME], ["output[0]", "output[1]"]),
        ({"train": FRAME, "test": FRAME, "share": 0.5}, ["train", "test", "share"]),
        ({"train": (FRAME, ARRAY)}, ["train[0]", "train[1]"]),
        (Pair(FRAME, {"x": FRAME}), ["left", "right.x"]),
        (Report(FRAME, 0.5), ["table", "score"]),
        (Fitted(ARRAY, 0.5), ["weights", "loss"]),
        (Evaluation(table=FRAME, auc=0.5, note="x"), ["table", "auc", "note"]),
        (types.SimpleNamespace(left=FRAME), ["left"]),
        ((Pair(1, 2), FRAME), ["output[0].left", "output[0].right", "output[1]"]),
        ((), []),
    ],
    ids=repr,
)
def test_a_result_is_taken_apart_by_position_or_name(result, roles):
    assert [role for role, _ in parts(result, "output")] == roles
