"""What is pending until it is settled."""

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.transport.backlog import Backlog, Message

GOING_ON = threading.Event()
STOPPED = threading.Event()
STOPPED.set()


@given(st.lists(st.sampled_from(["append", "acknowledge", "refuse", "put back"]), max_size=60))
def test_every_message_is_pending_delivered_or_refused(steps: list[str]) -> None:
    backlog = Backlog(limit_bytes=1000)
    appended = waiting = 0
    for step in steps:
        if step == "append":
            if backlog.append(Message(None, b"x" * 100)):
                appended += 1
                waiting += 1
        elif waiting:
            message = backlog.take(GOING_ON)
            assert message is not None
            if step == "put back":
                backlog.put_back(message)
            else:
                waiting -= 1
                (backlog.acknowledge if step == "acknowledge" else backlog.refuse)(message)
        assert backlog.pending == waiting
        assert appended == backlog.pending + backlog.delivered + backlog.refused


def test_what_would_not_fit_is_not_taken_until_there_is_room() -> None:
    backlog = Backlog(limit_bytes=10)
    first = Message(None, b"123456")
    assert backlog.append(first)
    assert not backlog.append(Message(None, b"12345"))
    taken = backlog.take(GOING_ON)
    assert not backlog.append(Message(None, b"12345"))  # handed out, but nobody has said that it arrived
    assert taken is first
    backlog.acknowledge(first)
    assert backlog.append(Message(None, b"12345"))


def test_an_empty_backlog_takes_one_message_of_any_size() -> None:
    assert Backlog(limit_bytes=10).append(Message(None, b"x" * 100))


def test_what_is_put_back_is_the_next_one_again() -> None:
    backlog = Backlog(limit_bytes=100)
    first, second = Message(None, b"1"), Message(None, b"2")
    backlog.append(first)
    backlog.append(second)
    backlog.put_back(backlog.take(GOING_ON) or second)
    assert backlog.take(GOING_ON) is first


def test_stopping_ends_a_take_that_waits() -> None:
    backlog, stop, taken = Backlog(limit_bytes=100), threading.Event(), list[Message | None]()
    thread = threading.Thread(target=lambda: taken.append(backlog.take(stop)))
    thread.start()
    stop.set()
    backlog.wake()
    thread.join(10)
    assert taken == [None]


def test_waiting_ends_as_soon_as_nothing_is_pending() -> None:
    backlog = Backlog(limit_bytes=100)
    message = Message(None, b"1")
    backlog.append(message)
    timer = threading.Timer(0.05, backlog.acknowledge, [message])
    timer.start()
    assert backlog.wait_until_settled(60, 60)
    timer.join()


def test_waiting_without_a_timeout_goes_on_while_there_is_progress() -> None:
    backlog = Backlog(limit_bytes=100)
    messages = [Message(None, b"1") for _ in range(5)]
    for message in messages:
        backlog.append(message)

    def settle() -> None:
        for message in messages:
            time.sleep(0.3)
            backlog.acknowledge(message)

    thread = threading.Thread(target=settle)
    thread.start()
    assert backlog.wait_until_settled(None, patience_seconds=1.0)  # 1.5 s in all
    thread.join()


def test_waiting_without_a_timeout_ends_when_nothing_happens() -> None:
    backlog = Backlog(limit_bytes=100)
    backlog.append(Message(None, b"1"))
    assert not backlog.wait_until_settled(None, patience_seconds=0.05)
    assert not backlog.wait_until_settled(0, patience_seconds=60)
