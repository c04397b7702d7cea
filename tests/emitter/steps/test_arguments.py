"""Which arguments are data, and what each is called."""

import dataclasses
import inspect
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from relineage.emitter.steps.arguments import Said, is_data, sort_out

FRAME = pd.DataFrame({"a": np.arange(5.0)})
ARRAY = np.arange(5.0)


@dataclasses.dataclass
class Settings:
    rate: float
    layers: list[int]


@dataclasses.dataclass
class Splits:
    train: pd.DataFrame
    share: float


class Pair(typing.NamedTuple):
    left: object
    right: object


@pytest.mark.parametrize(
    "value",
    [
        FRAME, FRAME.a, pl.DataFrame({"a": [1]}), pl.Series([1]), pa.table({"a": [1]}), pa.array([1]), ARRAY,
        np.array(1.0), {"w": ARRAY}, {"w": ARRAY, "b": ARRAY}, [ARRAY] * 33, LinearRegression(), b"", b"bytes",
        bytearray(b"x"), Path("raw.csv"), "long " * 1000, ["text"] * 2000, [{"label": 1, "text": "x"}] * 500,
        {str(number): number for number in range(1000)},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_data_is(value):
    assert is_data(value)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, 0.5, 1 + 2j, "text", "ü" * 2000, ["a", "b"], [], {}, [1, 2], (1, 2), {"a": 1}, {"a"},
        range(10_000), (1,) * 10_000, np.float64(1), Settings(0.1, [1]), object(), [object()] * 5000,
        {str(number): object() for number in range(5000)}, LinearRegression, len, [FRAME], {"f": FRAME}, [ARRAY],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_data_is_not(value):
    assert not is_data(value)


def sorted_out(function, *args, said=None, method=False, **kwargs):
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return sort_out(bound, said or Said(), method=method)


def called(a, *more, b=2, **named):
    """Only its signature counts."""


def test_arguments_go_by_the_names_of_their_parameters():
    found = sorted_out(called, FRAME, ARRAY, 3, x=FRAME, y="text")

    assert [(role, type(data)) for role, data in found.inputs] == [
        ("a", pd.DataFrame), ("more[0]", np.ndarray), ("x", pd.DataFrame),
    ]  # fmt: skip
    assert found.parameters == {"more[1]": 3, "b": 2, "y": "text"}


@pytest.mark.parametrize(
    ("value", "inputs", "parameters"),
    [
        ([FRAME, FRAME], ["a[0]", "a[1]"], {}),
        ((FRAME, 3), ["a[0]"], {"a[1]": 3}),
        ({"train": FRAME, "share": 0.5}, ["a.train"], {"a.share": 0.5}),
        ({"train": [FRAME, ARRAY], 1: None}, ["a.train[0]", "a.train[1]"], {"a.1": None}),
        (Splits(FRAME, 0.5), ["a.train"], {"a.share": 0.5}),
        (Pair(ARRAY, "text"), ["a.left"], {"a.right": "text"}),
        ({"w": ARRAY, "b": ARRAY}, ["a"], {}),
        ({"w": ARRAY, "frame": FRAME}, ["a.w", "a.frame"], {}),
        ([ARRAY] * 32, [f"a[{number}]" for number in range(32)], {}),
        ([ARRAY] * 33, ["a"], {}),
        ([1, 2], [], {"a": [1, 2]}),
        ((1, (2, 3)), [], {"a": (1, (2, 3))}),
        (None, [], {"a": None}),
    ],
    ids=repr,
)
def test_what_holds_data_is_taken_apart_and_what_holds_none_stays_whole(value, inputs, parameters):
    found = sorted_out(called, value)

    assert [role for role, _ in found.inputs] == inputs
    assert found.parameters == {"b": 2, **parameters}


def test_what_is_nested_deeper_or_holds_itself_is_one_parameter():
    deep = [[[[[[FRAME]]]]]]
    itself = [FRAME]
    itself.append(itself)
    assert list(sorted_out(called, deep).parameters) == ["a", "b"]
    found = sorted_out(called, itself)
    assert [role for role, _ in found.inputs] == ["a[0]", "a[1][0]", "a[1][1][0]", "a[1][1][1][0]"]
    assert list(found.parameters) == ["a[1][1][1][1]", "b"]


def test_a_step_may_say_otherwise():
    said = Said(inputs=frozenset({"a"}), params=frozenset({"b"}), outputs=frozenset({"named"}))
    found = sorted_out(called, "short", b=ARRAY, said=said)

    assert found.inputs == [("a", "short")]
    assert found.parameters == {"b": ARRAY}
    assert [role for role, _ in found.outputs] == ["named"]


def test_null_is_never_an_input():
    assert sorted_out(called, None, said=Said(inputs=frozenset({"a"}))).inputs == []


class Scaler:
    size = 3

    def __init__(self):
        self.factor = 2
        self.table = FRAME

    def apply(self, frame):
        """A method."""


class Slotted:
    __slots__ = ("rate", "unset")

    def __init__(self):
        self.rate = 0.5


def test_the_object_of_a_method_counts_by_its_attributes():
    found = sorted_out(Scaler.apply, Scaler(), FRAME, method=True)

    assert [role for role, _ in found.inputs] == ["self.table", "frame"]
    assert found.parameters == {"self.factor": 2}
    assert sorted_out(Scaler.apply, Slotted(), 1, method=True).parameters == {"self.rate": 0.5, "frame": 1}


def test_an_object_that_is_data_itself_is_an_input():
    found = sorted_out(Scaler.apply, LinearRegression(), FRAME, method=True)

    assert [role for role, _ in found.inputs] == ["self", "frame"]


def test_the_class_of_a_class_method_counts_by_its_name():
    found = sorted_out(Scaler.apply, Scaler, 1, method=True)

    assert found.parameters == {"self": f"{__name__}:Scaler", "frame": 1}
