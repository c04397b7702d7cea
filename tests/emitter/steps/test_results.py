"""What a function returns, as outputs with roles."""

import dataclasses
import typing

import numpy as np
import pandas as pd
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
        ((Pair(1, 2), FRAME), ["output[0].left", "output[0].right", "output[1]"]),
        ((), []),
    ],
    ids=repr,
)
def test_a_result_is_taken_apart_by_position_or_name(result, roles):
    assert [role for role, _ in parts(result, "output")] == roles
