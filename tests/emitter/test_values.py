"""One byte form for each value: no two different values meet, and no value has two forms."""

import argparse
import dataclasses
import enum
import math
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from uuid import UUID

import attrs
import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.values import NoFormError, canonical, text, type_name


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Config:
    lr: float
    layers: list[int]


@attrs.define
class Attributes:
    lr: float
    layers: list[int]


class Model(pydantic.BaseModel):
    lr: float
    layers: list[int]


Point = namedtuple("Point", "x y")

DIFFERENT = [
    None, True, False, 1, 0, -1, 2**70, 1.0, 0.0, -0.0, math.nan, math.inf, -math.inf, 1j,
    "1", "", "None", "a", "\ud800", b"1", b"",
    [], (), {}, set(), [1], (1,), {1}, [[1]], [[], 1], [1, []], ["a", "b"], ["ab"], ["a", "b", ""],
    {"a": 1}, {"a": 1.0}, {1: "a"}, {"1": "a"}, {True: "a"}, {"a": {"b": 1}}, {"ab": 1},
    {"a": 1, "b": 2}, {"a": 2, "b": 1},
    Colour.RED, Level.ONE, Config(0.1, [1]), Config(0.1, [2]), argparse.Namespace(a=1),
    Attributes(0.1, [1]), Attributes(0.1, [2]), Model(lr=0.1, layers=[1]), Model(lr=0.1, layers=[2]),
    Decimal("1"), Decimal("1.0"), Fraction(1, 2), UUID(int=1), PurePosixPath("a"),
    date(2026, 1, 1), datetime.fromisoformat("2026-01-01"), datetime(2026, 1, 1, tzinfo=UTC),
    timedelta(seconds=1), pd.Timedelta(1_000_000_001, "ns"), range(3), range(0, 3, 2),
    np.array([1, 2]), np.array([1.0, 2.0]), np.array([[1, 2]]), np.array([1, 2], dtype=np.int32),
    np.dtype("f4"), np.dtype("f8"), np.dtype("M8[s]"), np.dtype("M8[ms]"), "<f4",
]  # fmt: skip


def test_different_values_have_different_forms():
    """1 is not 1.0, not "1" and not True; a tuple is no list; no boundary can move."""
    forms = [canonical(value) for value in DIFFERENT]

    assert len(set(forms)) == len(DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(np.int64(5), 5, id="numpy integer"),
        pytest.param(np.uint8(5), 5, id="narrow numpy integer"),
        pytest.param(np.float64(0.1), 0.1, id="numpy float"),
        pytest.param(np.float32(0.1), float(np.float32(0.1)), id="single precision"),
        pytest.param(np.bool_(True), True, id="numpy bool"),
        pytest.param(np.str_("a"), "a", id="numpy text"),
        pytest.param(float("nan"), -np.float64("nan"), id="every NaN"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of a dict"),
        pytest.param(OrderedDict(b=2, a=1), {"a": 1, "b": 2}, id="kind of a dict"),
        pytest.param(pd.Timedelta("1s"), timedelta(seconds=1), id="kind of a duration"),
        pytest.param(Point(1, 2), (1, 2), id="named tuple"),
        pytest.param({3, 1, 2}, frozenset([2, 3, 1]), id="order and kind of a set"),
        pytest.param(bytearray(b"x"), b"x", id="bytearray"),
        pytest.param(np.array([1, 2], dtype=">i4"), np.array([1, 2], dtype="<i4"), id="byte order"),
        pytest.param(np.array([[1, 2], [3, 4]]).T.copy(), np.array([[1, 2], [3, 4]]).T, id="memory order"),
    ],
)
def test_equal_values_have_one_form(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(len, id="function"),
        pytest.param(int, id="class"),
        pytest.param(object(), id="object"),
        pytest.param(np.array([object()]), id="array of objects"),
        pytest.param(np.dtype([("a", "f4")]), id="numpy type with fields"),
        pytest.param(np.datetime64("2026-01-01", "ns"), id="numpy instant"),
        pytest.param({"deep": [1, len]}, id="inside"),
    ],
)
def test_what_has_no_form_is_refused_with_advice(value):
    with pytest.raises(NoFormError, match="give"):
        canonical(value)


def test_a_value_that_contains_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)

    with pytest.raises(NoFormError, match="contains itself"):
        canonical(loop)


_leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.booleans(), inner)
    ),
    max_leaves=8,
)


def _typed(value):
    """A value that is equal only to itself in every type: Python's == takes 1, 1.0 and True for one."""
    if isinstance(value, dict):
        return "dict", frozenset((_typed(key), _typed(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(_typed(item) for item in value)
    if isinstance(value, float):
        return "float", value.hex()
    return type(value).__name__, value


@given(_values, _values)
def test_two_values_share_a_form_exactly_if_they_are_the_same(one, other):
    assert (canonical(one) == canonical(other)) == (_typed(one) == _typed(other))


@given(st.dictionaries(st.text(), _leaves), st.randoms())
def test_the_order_of_a_dict_never_counts(mapping, chance):
    items = list(mapping.items())
    chance.shuffle(items)

    assert canonical(dict(items)) == canonical(mapping)


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (1, "int", "1"),
        (1.0, "float", "1.0"),
        ("1", "str", "1"),
        (True, "bool", "True"),
        (None, "None", "None"),
        (math.nan, "float", "nan"),
        (np.float32(0.5), "float", "0.5"),
        ((1,), "tuple", "(1,)"),
        ([1, "a"], "list", "[1, 'a']"),
        ({"a": (1, 2)}, "dict", "{'a': (1, 2)}"),
        ({2, 1}, "set", "{1, 2}"),
        (b"x", "bytes", "b'x'"),
        (PurePosixPath("a/b"), "PurePosixPath", "a/b"),
        (np.array([1, 2]), "ndarray", "[1, 2]"),
        (np.dtype("float32"), "numpy.dtype", "<f4"),
        (len, "builtin_function_or_method", "<builtins.builtin_function_or_method>"),
    ],
)
def test_a_value_is_shown_with_its_type_and_the_literal_that_makes_it(value, kind, shown):
    assert (type_name(value), text(value)) == (kind, shown)


class _Spy:
    def __repr__(self) -> str:
        raise AssertionError("the repr of an unknown object may hold anything")


def test_the_repr_of_an_unknown_object_is_never_asked_for():
    assert text({"model": _Spy()}) == "{'model': <" + f"{__name__}._Spy>" + "}"
