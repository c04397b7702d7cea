"""A consumer that is killed again and again loses nothing and doubles nothing."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from answers import answers
from kafka import KafkaProducer
from streams import dataset, encode, event

from relineage.consumer.consume import consume_kafka
from relineage.consumer.store import Store

SCRIPT = Path(__file__).parent / "crashing.py"
KILLS = 20
INSIDE = 10  # at least so many of them in the midst of a transaction
A_ROUND = 120  # messages that are new before each kill
LONGEST_SECONDS = 30.0


def messages() -> list[bytes]:
    """Runs that read what others write, with versions and without; some messages twice, some no events."""
    chance = random.Random(3)
    told: list[bytes] = []
    while len(told) < KILLS * A_ROUND:
        number = len(told)
        read = dataset(
            ("lake", f"t{chance.randrange(40)}"), f"v{number - 4}" if chance.random() < 0.5 else None
        )
        written = dataset(("lake", f"t{number % 40}"), f"v{number}" if chance.random() < 0.7 else None)
        told.append(encode(event(number, number, "START", inputs=(read,))))
        told.append(encode(event(number, number + 2, "COMPLETE", outputs=(written,))))
        if chance.random() < 0.1:
            told.append(
                chance.choice([b"not JSON", encode(event("", number)), told[chance.randrange(number + 1)]])
            )
    return told


def kill_one(marker: Path, command: list[str], delay_seconds: float) -> str:
    """Start a consumer, kill it some time after its first transaction began, and say where it was then."""
    marker.write_text("?")
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        while marker.read_text() not in ("B", "C"):
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline, "no transaction began"
            time.sleep(0.002)
        time.sleep(delay_seconds)
    finally:
        process.kill()
        process.communicate()
    return marker.read_text()


@pytest.mark.timeout(600)
def test_twenty_kills_lose_nothing_and_double_nothing(kafka: str, topic: str, tmp_path: Path) -> None:
    told = messages()
    chance = random.Random(5)
    database, marker = tmp_path / "lineage.duckdb", tmp_path / "marker"
    command = [sys.executable, str(SCRIPT), str(database), kafka, topic, str(marker)]
    producer = KafkaProducer(bootstrap_servers=kafka)
    offsets = {0: 0, 1: 0, 2: 0, 3: 0}
    where = []
    size = len(told) // KILLS + 1
    for start in range(0, len(told), size):
        for body in told[start : start + size]:
            partition = chance.randrange(4)
            producer.send(topic, value=body, partition=partition)
            offsets[partition] += 1
        producer.flush()
        where.append(kill_one(marker, command, delay_seconds=chance.uniform(0, 0.06)))
    producer.close()
    assert len(where) == KILLS
    assert where.count("B") >= INSIDE, where

    nothing_more = threading.Event()
    with Store.open(database) as killed, Store.open() as undisturbed:
        for store in (killed, undisturbed):
            consume_kafka(store, bootstrap=kafka, topics=[topic], until_current=True, stop=nothing_more)
        place = 'partition, "offset"'
        stored = (
            f"select {place} from store.event union all select {place} from store.dead_letter order by all"
        )
        expected = [(partition, offset) for partition, end in offsets.items() for offset in range(end)]
        assert killed.connection.execute(stored).fetchall() == expected
        reached = "select partition, next_offset from store.source_offset order by all"
        assert killed.connection.execute(reached).fetchall() == list(offsets.items())
        assert answers(killed) == answers(undisturbed)
        assert len(answers(killed)["runs"]) > 900
