"""Every value has one form in the bytes, what has none is named, and the bytes are JSON for every reader."""

import json
import math
import sys
from collections import OrderedDict, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.facets import encode, redact
from relineage.facets.encode import _HARMLESS, _HARMLESS_FORM, MAX_DEPTH, Settled
from relineage.facets.redaction import may_hold_secret

Point = namedtuple("Point", "x y")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Mode(StrEnum):
    FAST = "fast"


class Text(str):
    __slots__ = ()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner)
    ),
    max_leaves=20,
)
events = st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), json_values)


def strict(document: bytes) -> Any:
    """As a reader that takes nothing but JSON, and each key once."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(document.decode("utf-8"), parse_constant=refuse, object_pairs_hook=unique)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (True, True),
        (-0.0, -0.0),
        (2**63 + 11, 2**63 + 11),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (np.float32(0.1), 0.10000000149011612),
        (np.float64("nan"), "NaN"),
        (np.longdouble("inf"), "Infinity"),
        (np.bool_(True), True),
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.str_("x"), "x"),
        (np.bytes_(b"x"), "base64:eA=="),
        (np.array([[1.0, np.nan], [2.0, 3.0]]), [[1.0, "NaN"], [2.0, 3.0]]),
        (np.array(5), 5),
        (np.array([None, "a"], dtype=object), [None, "a"]),
        (np.datetime64("2026-01-02T03:04:05.000000007"), "2026-01-02T03:04:05.000000007"),
        (np.array(["2026-01-02", "NaT"], dtype="datetime64[D]"), ["2026-01-02", "NaT"]),
        (np.timedelta64(7, "ns"), "7 nanoseconds"),
        (b"\x00\xff", "base64:AP8="),
        (bytearray(b"x"), "base64:eA=="),
        (memoryview(b"x"), "base64:eA=="),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:00:00.000000Z"),
        (datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),  # noqa: DTZ001 - a naive time is the case
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), "9999-12-31T23:59:59.999999-01:00"),
        (pd.Timestamp("2026-01-02", tz="UTC"), "2026-01-02T00:00:00.000000Z"),
        (pd.NaT, "NaT"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(days=1, microseconds=500_000), "PT86400.5S"),
        (timedelta(microseconds=-1), "PT-0.000001S"),
        (timedelta(0), "PT0S"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("/data/x"), "/data/x"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Mode.FAST, "fast"),
        (Text("x"), "x"),
        (Point(1, math.nan), [1, "NaN"]),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a", 1}), ["a", "b", 1]),
        (MappingProxyType({"a": {1}}), {"a": [1]}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ({1: "a", None: "b", False: "c", Mode.FAST: "d"}, {"1": "a", "null": "b", "false": "c", "fast": "d"}),
        ({UUID(int=1): 1, 1.5: 2}, {"00000000-0000-0000-0000-000000000001": 1, "1.5": 2}),
        ("\udc80", "\\udc80"),
        ("\ud83d\ude00 \U0001f600", "\U0001f600 \U0001f600"),
        ({"\udcff": Path("\udcff")}, {"\\udcff": "\\udcff"}),
        ("\x00\u2028é\U0001f600", "\x00\u2028é\U0001f600"),
    ],
)
def test_a_value_has_one_form(value: Any, form: Any):
    written = strict(encode({"x": value}))["x"]

    assert written == form
    assert str(written) == str(form)  # 1, 1.0 and True are three


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), r"\$\.run\[0\]\[\"a b\"\]: a value of type builtins\.object"),
        (1j, r"\$\.run\[0\]\[\"a b\"\]: a value of type builtins\.complex"),
        (np.complex64(1), r"a value of type builtins\.complex"),
        ({(1, 2): 3}, r"\$\.run\[0\]\[\"a b\"\]: a key of type tuple"),
        ({1: 0, "1": 0}, r"two keys are both written as '1'"),
        ([10**5000], r"\[\"a b\"\]\[0\]: an integer of 16610 bits"),
        ([{"c": iter(())}], r"\[\"a b\"\]\[0\]\.c: a value of type builtins\.tuple_iterator"),
    ],
)
def test_what_has_no_form_is_refused_by_its_place(value: Any, message: str):
    with pytest.raises(TypeError, match=message):
        encode({"run": [{"a b": value}]})


def test_a_structure_that_holds_itself_is_refused():
    event: dict[str, Any] = {}
    event["self"] = event

    with pytest.raises(TypeError, match=f"nested deeper than {MAX_DEPTH}; does it hold itself"):
        encode(event)


def test_the_deepest_structure_that_is_accepted_is_redacted_too():
    event: Any = {"password": "hunter2"}
    for _ in range(MAX_DEPTH - 1):
        event = {"x": event}

    assert b"hunter2" not in encode(event)
    with pytest.raises(TypeError, match="nested deeper"):
        encode({"x": event})


@pytest.mark.parametrize("event", [[], None, "{}", b"{}"])
def test_an_event_is_a_mapping(event: Any):
    with pytest.raises(TypeError, match="an event is a mapping"):
        encode(event)


def test_numpy_is_recognised_and_not_imported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "numpy")

    with pytest.raises(TypeError, match="numpy"):
        encode({"x": np.int8(1)})
    assert "numpy" not in sys.modules


def test_the_document_is_compact_and_in_utf_8():
    assert encode({"a": [1, 2], "ü": {}}) == '{"a":[1,2],"ü":{}}'.encode()


def test_secrets_never_reach_the_bytes():
    assert encode({"job": {"db_password": "hunter2"}}) == b'{"job":{"db_password":"[redacted]"}}'


@given(events)
def test_json_values_come_back_as_they_were(event: dict[str, Any]):
    document = encode(event)

    assert strict(document) == redact(event)
    assert encode(strict(document)) == document


odd_texts = st.text(st.characters(exclude_characters="\\"))  # an escaped surrogate could be another key


@given(
    st.dictionaries(odd_texts, st.text() | st.floats() | st.binary() | st.datetimes() | st.decimals()),
)
def test_any_text_and_any_float_makes_a_legal_document(event: dict[str, Any]):
    document = strict(encode(event))

    assert len(document) == len({key.encode("utf-16", "surrogatepass") for key in event})


def settled(event: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    """The same event with some of the facets of its run, its job and its inputs settled."""

    def some(entity: dict[str, Any]) -> dict[str, Any]:
        facets = {key: Settled(facet) if key in keys else facet for key, facet in entity["facets"].items()}
        return {**entity, "facets": facets}

    return event | {
        "run": some(event["run"]), "job": some(event["job"]), "inputs": [some(one) for one in event["inputs"]],
    }  # fmt: skip


facets = st.dictionaries(
    st.sampled_from(["a", "b", "password", "relineage_environment", 'odd"\n', "ü"]),
    # Whole events in each field would often be more than hypothesis makes of one example.
    st.dictionaries(
        st.sampled_from(["x", "name", "value", "api_key", "packages"]), json_values | st.text(), max_size=3
    ),
    max_size=3,
)


@settings(max_examples=40)
@given(
    facets, facets, st.sets(st.sampled_from(["a", "b", "password", "relineage_environment", 'odd"\n', "ü"]))
)
def test_a_settled_facet_is_written_as_any_other_secrets_redacted(
    run: dict[str, Any], job: dict[str, Any], keys: set[str]
):
    event = {
        "eventType": "START",
        "run": {"runId": "1", "facets": run},
        "job": {"facets": job},
        "inputs": [{"facets": job}],
    }
    plain, made = strict(encode(event)), strict(encode(settled(event, keys)))

    assert made == plain
    assert encode(settled(event, keys)) == encode(settled(event, keys))


def test_a_secret_beside_or_in_a_settled_facet_never_reaches_the_bytes():
    command = Settled({"command": ["--password", "hunter2", "https://u:hunter2@host/"]})
    event = {"run": {"facets": {"env": command, "other": {"db_password": "hunter2"}}}}

    assert b"hunter2" not in encode(event)
    assert strict(encode(event))["run"]["facets"]["other"] == {"db_password": "[redacted]"}


def test_a_settled_facet_is_encoded_once_wherever_it_stands():
    facet = Settled({"x": 1})
    assert encode({"run": {"facets": {"f": facet}}}) == b'{"run":{"facets":{"f":{"x":1}}}}'
    facet["x"] = 2  # what nobody does
    assert encode({"run": {"facets": {"f": facet}}}) == b'{"run":{"facets":{"f":{"x":1}}}}'
    assert encode({"inputs": [{"facets": {"f": facet}}, facet], "run": None}) == (
        b'{"inputs":[{"facets":{"f":{"x":1}}},{"x":1}],"run":null}'
    )
    assert facet.wire_bytes == len(b'{"x":1}')


def test_a_text_that_looks_harmless_by_itself_is_replaced_beside_the_name_of_a_secret():
    for _ in range(2):
        assert b"hunter2" in encode({"parameters": [{"name": "color", "value": "hunter2"}]})
        assert b"hunter2" not in encode({"parameters": [{"name": "password", "value": "hunter2"}]})
        assert b"hunter2" not in encode({"argv": ["train.py", "--api-key", "hunter2"]})


@given(st.from_regex(_HARMLESS_FORM, fullmatch=True))
def test_what_is_harmless_by_its_form_holds_no_secret(text: str):
    assert not may_hold_secret(text.encode())
    assert redact({"x": text, text: [text]}) == {"x": text, text: [text]}


def test_what_is_harmless_by_its_form_is_replaced_under_the_name_of_a_secret():
    key = "0199c0de-83ab-78d9-9671-bc5d7f5f242c"

    assert key.encode() in encode({"runId": key, key: 1})
    assert key.encode() not in encode({"api_key": key, "list": ["--password", key, {"secrets": [key]}]})


def test_what_is_remembered_of_many_texts_is_bounded():
    for number in range(30):
        encode({f"{number} {text}": f"{number} {text}!" for text in range(200)})
    encode({"long": "x" * 10_000})

    assert len(_HARMLESS) <= 4096
    assert max(map(len, _HARMLESS)) <= 512


def test_a_settled_facet_without_a_form_is_refused():
    with pytest.raises(TypeError, match=r"\$\.x: a value of type builtins\.object"):
        encode({"run": {"facets": {"f": Settled({"x": object()})}}})
