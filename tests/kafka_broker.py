"""A real Kafka broker and topics for tests: those of tools/kafka/broker.py, or a broker that is given."""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from uuid import uuid4

BROKER_SCRIPT = Path(__file__).resolve().parents[1] / "tools" / "kafka" / "broker.py"


def broker_script() -> ModuleType:
    """tools/ is no package: its script is loaded by its path."""
    if "relineage_broker_script" not in sys.modules:
        spec = importlib.util.spec_from_file_location("relineage_broker_script", BROKER_SCRIPT)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules["relineage_broker_script"] = module
    return sys.modules["relineage_broker_script"]


@contextlib.contextmanager
def running_broker() -> Iterator[str]:
    """`host:port` of the broker that RELINEAGE_TEST_KAFKA names, else of one that runs with the block."""
    if given := os.environ.get("RELINEAGE_TEST_KAFKA"):
        yield given
    else:
        with broker_script().broker() as address:
            yield address


def create_topic(address: str, *, partitions: int = 4, configs: dict[str, str] | None = None) -> str:
    """Make a topic that no other test has, ready to use, and return its name."""
    from kafka.admin import KafkaAdminClient

    name = f"test-{uuid4().hex[:12]}"
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        options = {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}
        admin.create_topics({name: options}, wait_for_metadata=True)
    finally:
        admin.close()
    return name


def read_topic(address: str, topic: str) -> list[tuple[bytes | None, bytes, int]]:
    """All records of a topic now: (key, value, partition), in the order of each partition."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=address, enable_auto_commit=False, fetch_max_bytes=50_000_000,
        max_partition_fetch_bytes=16_000_000,
    )  # fmt: skip
    try:
        partitions = [
            TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))
        ]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        records: list[tuple[bytes | None, bytes, int]] = []
        while any(consumer.position(one) < ends[one] for one in partitions):
            for batch in consumer.poll(timeout_ms=1000).values():
                records += [(record.key, record.value, record.partition) for record in batch]
        return records
    finally:
        consumer.close()
