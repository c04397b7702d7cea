"""Objects are recognised as long as they live, and never mistaken for another one."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from relineage.emitter.known import Known, KnownObjects, Occurrence
from relineage.emitter.naming import DatasetName

KNOWN = Known(name=DatasetName(namespace="n", name="x"), version="v", digest="d", occurrences=())


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: pd.DataFrame({"a": [1]}), id="frame"),
        pytest.param(lambda: np.arange(3), id="array"),
        pytest.param(lambda: Path("a/b"), id="path"),
    ],
)
def test_an_object_is_recognised_without_a_digest(make):
    memory = KnownObjects()
    data = make()
    memory.remember(data, None, KNOWN)

    assert memory.find(data, None) is KNOWN


def test_an_equal_frame_is_another_object():
    memory = KnownObjects()
    frame = pd.DataFrame({"a": [1]})
    memory.remember(frame, "d", KNOWN)

    assert memory.find(frame.copy(), "d") is None


@pytest.mark.parametrize("data", ["text", ["a", "b"], {"a": 1}, b"bytes", 5, (1, 2)])
def test_what_cannot_be_watched_is_recognised_by_a_distinctive_digest_only(data):
    memory = KnownObjects()
    memory.remember(data, None, KNOWN)
    assert memory.find(data, None) is None

    memory.remember(data, "b3-bytes1:1", KNOWN)
    assert memory.find(data, "b3-bytes1:1") is KNOWN
    assert memory.find(data, "b3-bytes1:2") is None


def test_a_path_is_recognised_by_its_name():
    memory = KnownObjects()
    memory.remember(Path("a/../b"), None, KNOWN)

    assert memory.find(Path("b"), None) is KNOWN


def test_the_memory_keeps_nothing_alive_and_an_address_used_again_is_not_recognised():
    memory = KnownObjects()
    addresses = set()
    for _ in range(50):
        array = np.zeros(3)
        addresses.add(id(array))
        assert memory.find(array, None) is None
        memory.remember(array, None, KNOWN)
        del array

    assert len(addresses) < 50


def test_only_a_run_around_the_one_that_wrote_hands_it_on():
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    known = Known(
        name=KNOWN.name, version="v", digest="d",
        occurrences=(
            Occurrence(direction="output", run_id="inner", outer_runs=frozenset({"outer"}), instant=early),
            Occurrence(direction="output", run_id="inner 2", outer_runs=frozenset({"outer"}), instant=late),
        ),
    )  # fmt: skip

    assert known.handed_on("output", "outer") == early
    assert known.handed_on("input", "outer") is None
    assert known.handed_on("output", "inner") is None
