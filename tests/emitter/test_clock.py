"""Instants never go back, and run ids owe nothing to Python's `random`."""

import random
import threading
import uuid
from datetime import UTC, datetime

import pytest

from relineage.emitter.clock import Clock, iso, new_run_id


@pytest.mark.parametrize(
    "wall",
    [
        pytest.param([5_000_000, 6_000_000, 7_000_000], id="a clock that goes on"),
        pytest.param([5_000_000, 5_000_000, 5_000_000], id="a clock that stands still"),
        pytest.param([5_000_000, 1_000_000, 2_000_000], id="a clock that is set back"),
        pytest.param([5_000_000, 5_000_100, 5_000_200], id="steps below a microsecond"),
    ],
)
def test_a_later_call_never_gets_an_earlier_or_equal_instant(wall):
    readings = iter(wall)
    clock = Clock(lambda: next(readings))

    instants = [clock.now() for _ in wall]

    assert instants == sorted(set(instants))


def test_instants_of_many_threads_are_all_different():
    clock = Clock(lambda: 1_000_000)
    seen: list[datetime] = []
    threads = [
        threading.Thread(target=lambda: seen.extend(clock.now() for _ in range(500))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(seen)) == 2000


def test_an_instant_is_written_in_utc_with_microseconds():
    assert iso(datetime(2026, 1, 31, 10, 0, 3, 1, tzinfo=UTC)) == "2026-01-31T10:00:03.000001Z"


def test_a_run_id_is_a_uuid_of_version_7_that_carries_its_time():
    made = uuid.UUID(new_run_id(milliseconds=0x0123_4567_89AB))

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == 0x0123_4567_89AB


def test_seeding_random_does_not_repeat_run_ids():
    """Seeding pollutes whoever draws ids from `random`: ours come from the operating system."""
    ids = []
    for _ in range(2):
        random.seed(7)
        ids.append(new_run_id(milliseconds=1))

    assert ids[0] != ids[1]
