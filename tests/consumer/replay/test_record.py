"""A replay as events."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relineage.consumer.replay.record import record
from relineage.consumer.replay.verdicts import Replayed

RUN = "0199a000-0000-7000-8000-00000000000a"


def test_a_replay_ends_after_it_began_though_the_clock_was_set_back_meanwhile(tmp_path: Path) -> None:
    """Of two events the later one counts, and only the end has the verdict."""
    began = datetime.now(UTC) + timedelta(hours=1)

    record([Replayed(run_id=RUN, job="n/train", verdict="bitwise")], tmp_path, began)

    [file] = tmp_path.glob("*.ndjson")
    start, end = (json.loads(line) for line in file.read_bytes().splitlines())
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert datetime.fromisoformat(end["eventTime"]) > datetime.fromisoformat(start["eventTime"]) == began
