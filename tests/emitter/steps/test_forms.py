"""Results that come back from the store as they were, and those that do not."""

import collections
import dataclasses
import datetime as dt
import typing
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.linear_model import LinearRegression

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.loading import load
from relineage.emitter.steps.forms import Formless, form_of, made_again
from relineage.emitter.steps.results import as_state, parts
from relineage.emitter.store import open_store

NOW = dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC)
FRAME = pd.DataFrame(
    {"n": [1, 2, 3], "x": [0.5, np.nan, -0.0], "t": ["a", None, "ü"], "b": [True, False, True]}
)


class Pair(typing.NamedTuple):
    left: object
    right: object


@dataclasses.dataclass
class Report:
    table: pd.DataFrame
    score: float
    note: str | None = None


def and_back(value, folder):
    """What is made again of a value that was put into a store, as the cache does it."""
    store = open_store(folder / "store", folder)
    form = form_of(value, "output")
    contents = {}
    for role, one in parts(value, "output"):
        data = as_state(one) or one
        contents[role] = content_of(data)
        if content_of(data).kind != "json":
            store.put(contents[role], data)

    def loaded(role):
        content = contents[role]
        found = next(found for digest in content.digests if (found := store.find(digest)))
        path = folder / f"{len(list(folder.iterdir()))}{Path(found.name).suffix}"
        store.fetch(found.digest, path)
        return load(path, content) if content.kind in ("table", "tensors") else path.read_bytes()

    made = made_again(form, loaded)
    assert form_of(made, "output") == form
    for (role, one), (again, other) in zip(parts(value, "output"), parts(made, "output"), strict=True):
        assert role == again
        assert content_of(as_state(one) or one).digests == content_of(as_state(other) or other).digests
    return made


FRAMES = {
    "plain": FRAME,
    "empty": FRAME[:0],
    "order of columns": FRAME[["x", "n"]],
    "index of numbers": FRAME.set_index("n"),
    "filtered": FRAME[FRAME.b],
    "index of texts": FRAME[["n"]].set_index(pd.Index(["x", "y", "z"], name="key")),
    "small types": pd.DataFrame({"i": np.arange(3, dtype="int8"), "f": np.ones(3, "float32")}),
    "nullable integers": pd.DataFrame({"i": pd.array([1, None, 2**62 + 1], "Int64")}),
    "nullable flags": pd.DataFrame({"b": pd.array([True, None, False], "boolean")}),
    "category": pd.DataFrame({"c": pd.Categorical(["a", None, "b"], categories=["b", "a", "z"], ordered=True)}),
    "category of numbers": pd.DataFrame({"c": pd.Categorical([3, 1, 3])}),
    "instants": pd.DataFrame({"t": pd.to_datetime(["2026-01-31 10:00:00.5", None]), "z": [pd.Timestamp(NOW)] * 2}),
    "durations": pd.DataFrame({"d": pd.to_timedelta([1, 2], "s")}),
    "objects": pd.DataFrame({"o": pd.Series(["a", None], dtype="object"), "d": [dt.date(2026, 1, 31), None]}),
    "decimals": pd.DataFrame({"d": [Decimal("1.50"), None]}),
    "lists": pd.DataFrame({"l": [["a"], ["b", "c"]]}),
    "bytes": pd.DataFrame({"b": [b"a", b"b"]}),
    "Arrow's texts": pd.DataFrame({"s": pd.array(["a", None], "string[pyarrow]")}),
    "Arrow's integers": pd.DataFrame({"i": pd.array([1, 2], "int32[pyarrow]")}),
    "named columns": FRAME.rename_axis("label", axis="columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_a_pandas_frame_comes_back_as_it_was(name, tmp_path):
    made = and_back(FRAMES[name], tmp_path)

    pd.testing.assert_frame_equal(made, FRAMES[name], check_exact=True, check_column_type="exact")
    assert type(made.index) is type(FRAMES[name].index)


@pytest.mark.parametrize(
    "series",
    [FRAME.x, FRAME.t, FRAME.set_index("t").n, pd.Series([1, 2]), pd.Series(["a"], name="n")],
    ids=["x", "t", "index", "nameless", "n"],
)
def test_a_series_comes_back_as_it_was(series, tmp_path):
    pd.testing.assert_series_equal(and_back(series, tmp_path), series, check_exact=True)


def test_polars_and_arrow_come_back_as_they_were(tmp_path):
    frame = pl.DataFrame({"a": [1, None], "c": ["x", "y"], "e": [dt.date(2026, 1, 1), None]})
    frame = frame.with_columns(k=pl.col("c").cast(pl.Categorical), s=pl.col("a").cast(pl.Int8))
    table = pa.table({"a": pa.array([1, None], pa.int16()), "l": [["x"], []]}).replace_schema_metadata(
        {"k": "v"}
    )

    back = and_back(frame, tmp_path)
    assert back.equals(frame)
    assert back.schema == frame.schema
    assert and_back(frame["c"], tmp_path).equals(frame["c"])
    assert and_back(table, tmp_path).equals(table, check_metadata=True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(
    arrays.arrays(
        st.sampled_from(["f8", "f4", "f2", "i8", "u1", "?", "c16", ">i4", "U3", "S2", "M8[s]"]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
    ),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from([1, 2, -1, -2]), min_size=3, max_size=3),
    st.permutations(range(3)),
)
def test_an_array_comes_back_with_its_bits_its_type_and_its_order_in_memory(
    tmp_path_factory, array, fortran, writeable, steps, axes
):
    array = np.asfortranarray(array) if fortran and array.ndim else array
    array = array[(..., *(slice(None, None, step) for step in steps[: array.ndim]))]
    array = array.transpose([axis for axis in axes if axis < array.ndim])
    array.flags.writeable = writeable
    made = and_back(array, tmp_path_factory.mktemp("array"))

    assert made.dtype == array.dtype
    assert made.shape == array.shape
    assert made.tobytes() == array.tobytes()
    assert made.flags.f_contiguous == array.flags.f_contiguous
    assert made.flags.writeable == writeable
    assert array.flags.forc or made.strides == array.strides


def test_a_thin_slice_of_a_large_array_is_refused_since_it_would_take_the_memory_of_the_whole():
    with pytest.raises(Formless, match="thin slice"):
        form_of(np.zeros((100, 1_000))[:, 0], "output")


@pytest.mark.parametrize(
    "value",
    [
        None, 0, 1.5, -0.0, True, 2**80, "text", "", "ü\n", b"bytes", [], {}, [1, [2.5, None]], ["a", "b"],
        ["a", None], {"b": 1, "a": {"z": [True], "y": 2}}, np.float64(1.5), np.int8(3), np.bool_(True),
        (1, "a", None), (), ({"a": 1}, (2, [3])), Pair(1, "x"), Pair(Pair(1, 2), None), Report(None, 0.5, "x"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_plain_value_comes_back_as_it_was(value, tmp_path):
    made = and_back(value, tmp_path)

    assert type(made) is type(value)
    assert repr(made) == repr(value)


def test_named_results_come_back_as_what_they_were(tmp_path):
    made = and_back(
        {"report": Report(FRAME, 0.5), "arrays": [np.arange(3.0)] * 2, "texts": ["a"] * 9}, tmp_path
    )

    assert list(made) == ["report", "arrays", "texts"]
    assert type(made["report"]) is Report
    pd.testing.assert_frame_equal(made["report"].table, FRAME)
    assert [one.tolist() for one in made["arrays"]] == [[0.0, 1.0, 2.0]] * 2
    many = and_back([np.arange(3.0) + number for number in range(40)], tmp_path)
    assert [one[0] for one in many] == list(range(40))


@pytest.mark.parametrize(
    "value",
    [
        LinearRegression(), object(), {1: FRAME}, {1: 2}, {"a": (1, 2)}, collections.OrderedDict(a=np.arange(3)),
        float("nan"), pd.DataFrame({"o": pd.Series([None, np.nan, "a"], dtype="object")}).assign(o2=object()),
        FRAME.set_index(["n", "b"]), FRAME.set_axis([1, 2, 3, 4], axis=1), np.zeros(2, "i4,f4"),
        pd.DataFrame({"a": [1]}, index=pd.RangeIndex(5, 6)).rename_axis(3), {1, 2}, 1 + 2j, range(3),
        pd.DataFrame(index=pd.RangeIndex(3)), bytearray(b"x"),
        pd.DataFrame({"o": [(1, 2)]}), pd.DataFrame({"o": [{"a": 1}, {"b": 2}]}), pd.DataFrame({"o": [[1.0, np.nan]]}),
        pd.DataFrame({"o": [np.arange(3)]}), pd.Series([np.int64(1)], dtype="object"),
        pd.Series([Decimal("1.10"), Decimal("2.2")]), FRAME.set_flags(allows_duplicate_labels=False),
        FRAME.set_index(pd.timedelta_range("1h", periods=3)),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_would_not_come_back_as_it_was_is_refused(value, tmp_path):
    """Before it is kept, or when that is tried: nothing that looks like it is given out."""
    with pytest.raises((Formless, AssertionError, Refused)):
        and_back(value, tmp_path)


def test_a_class_inside_a_function_is_refused():
    @dataclasses.dataclass
    class Here:
        x: int

    with pytest.raises(Formless, match="its class is inside a function"):
        form_of(Here(1), "output")


@dataclasses.dataclass
class Slotted(Report):
    __slots__ = ("beside",)


class Extended(Pair):
    """Unlike a named tuple itself, it takes attributes."""


@pytest.mark.parametrize("made", [Report(None, 0.5), Slotted(None, 0.5), Extended(1, 2)], ids=repr)
def test_an_attribute_that_is_no_field_is_refused(made):
    """It was: what came from the cache had none, and the caller an AttributeError."""
    form_of((made, 1), "output")
    made.beside = 3
    with pytest.raises(Formless, match="its attribute 'beside' is no field"):
        form_of((made, 1), "output")


def test_a_path_of_a_class_of_ones_own_is_refused(tmp_path):
    class Folder(type(tmp_path)):
        """Comes back as a plain path."""

    with pytest.raises(Formless, match="Folder cannot be made again"):
        form_of(Folder(tmp_path), "output")


def test_a_class_that_has_gone_is_said():
    form = form_of(Pair(1, 2), "output")
    for name in (f"{__name__}:Gone", "no.such.module:Pair", f"{__name__}:FRAME"):
        with pytest.raises(Formless, match="is not there any more"):
            made_again(form | {"class": name}, lambda role: None)
    with pytest.raises((Formless, TypeError)):
        made_again(form | {"class": f"{__name__}:Report"}, lambda role: None)
