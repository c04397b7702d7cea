"""What programs get: JSON, as the standard library writes it."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relineage.consumer.cli.output import print_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)  # fmt: skip


def test_json_is_that_of_the_standard_library(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    @given(VALUES)
    def law(value: object) -> None:
        print_json(value)
        expected = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        assert capfdbinary.readouterr().out.decode() == expected

    law()


def test_what_json_has_no_form_for_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime.fromisoformat("2026-01-31T12:00:00")
    print_json(
        [at, at.replace(tzinfo=UTC), date(2026, 1, 31), timedelta(seconds=1.5), b"\xff", float("nan"),
         float("-inf"), Decimal("1E+3"), (1,), {2: Decimal("0.10")}, "\ud800"]
    )  # fmt: skip

    assert json.loads(capsys.readouterr().out) == [
        "2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00", "2026-01-31", 1.5, "/w==", "nan",
        "-inf", "1000", [1], {"2": "0.10"}, "\ud800",
    ]  # fmt: skip
