"""What is lost is counted, and said at most once a minute."""

import logging

import pytest

from relineage.emitter.transport.losses import Losses


def test_many_losses_are_one_line_and_all_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses("could not be written")
    for _ in range(1000):
        losses.add(OSError("disk full"))
    assert losses.count == 1000
    assert [record.getMessage() for record in caplog.records] == [
        "relineage: 1 event could not be written: OSError: disk full"
    ]
    assert [(record.name, record.levelno) for record in caplog.records] == [("relineage", logging.WARNING)]


def test_the_end_tells_what_no_line_has_told(caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses("could not be written")
    for _ in range(3):
        losses.add("no reason")
    losses.tell_rest()
    losses.tell_rest()
    assert [record.getMessage() for record in caplog.records][1:] == [
        "relineage: 2 more events could not be written"
    ]


def test_without_losses_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Losses("could not be written").tell_rest()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("reason", "text"),
    [(TimeoutError(), "TimeoutError"), (ValueError("x"), "ValueError: x"), ("no topic", "no topic")],
)
def test_a_reason_is_never_empty(
    reason: BaseException | str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    Losses("lost").add(reason)
    assert caplog.records[0].getMessage() == f"relineage: 1 event lost: {text}"
