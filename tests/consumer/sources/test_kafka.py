"""Messages from a real broker: every partition, from where the database says, and no silent jump."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import kafka_broker
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from streams import encode, event, run_id

from relineage.consumer.consume import Summary, consume_kafka
from relineage.consumer.errors import SourceError
from relineage.consumer.sources.kafka import KafkaSource
from relineage.consumer.store import Store

BODIES = [encode(event(number, number)) for number in range(12)]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open() as opened:
        yield opened


def send(
    address: str, topic: str, *bodies: bytes | None, partition: int | None = None, **options: Any
) -> None:
    """One message a record, in turn to each of four partitions, or to the given one."""
    producer = KafkaProducer(bootstrap_servers=address, acks="all", **options)
    for number, body in enumerate(bodies):
        producer.send(topic, value=body, key=b"k", partition=number % 4 if partition is None else partition)
    producer.flush()
    producer.close()


def admin(address: str) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=address)


def take_in(store: Store, address: str, *topics: str, **options: Any) -> Summary:
    """What is there now."""
    return consume_kafka(
        store, bootstrap=address, topics=topics, until_current=True, stop=threading.Event(), **options
    )


def runs(store: Store) -> list[str]:
    return [run for (run,) in store.connection.execute("select run_id from runs order by all").fetchall()]


def places(store: Store) -> list[tuple[str, int, int]]:
    query = 'select topic, partition, "offset" from store.event order by all'
    return store.connection.execute(query).fetchall()


def test_every_partition_is_read_once_and_then_what_is_new(store: Store, kafka: str, topic: str) -> None:
    send(kafka, topic, *BODIES[:8])
    assert take_in(store, kafka, topic) == Summary(8, 0)
    assert places(store) == [(topic, partition, offset) for partition in range(4) for offset in range(2)]
    assert take_in(store, kafka, topic) == Summary(0, 0)
    send(kafka, topic, *BODIES[8:])
    assert take_in(store, kafka, topic) == Summary(4, 0)
    assert runs(store) == [run_id(number) for number in range(12)]
    query = "select partition, next_offset from store.source_offset order by all"
    assert store.connection.execute(query).fetchall() == [(partition, 3) for partition in range(4)]


def test_several_topics_and_compressed_records(store: Store, kafka: str, topic: str) -> None:
    other = kafka_broker.create_topic(kafka, partitions=1)
    send(kafka, topic, *BODIES[:4], compression_type="zstd")
    send(kafka, other, *BODIES[3:6], partition=0, compression_type="gzip")
    assert take_in(store, kafka, topic, other) == Summary(7, 0)  # one came twice
    assert runs(store) == [run_id(number) for number in range(6)]


def test_a_record_without_a_value_is_a_letter(store: Store, kafka: str, topic: str) -> None:
    send(kafka, topic, BODIES[0], None, b"not JSON", BODIES[1])
    assert take_in(store, kafka, topic) == Summary(2, 2)
    query = "select reason, body, topic, partition from dead_letters order by all"
    assert store.connection.execute(query).fetchall() == [
        ("no value", None, topic, 1),
        ("not JSON", b"not JSON", topic, 2),
    ]


def test_a_topic_made_anew_is_another_source(store: Store, kafka: str, topic: str) -> None:
    send(kafka, topic, *BODIES[:4])
    take_in(store, kafka, topic)
    client = admin(kafka)
    client.delete_topics([topic])
    for _ in range(100):  # it is gone a moment later
        try:
            client.create_topics(
                {topic: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True
            )
            break
        except Exception:  # whatever the broker calls it until then
            time.sleep(0.2)
    client.close()
    send(kafka, topic, *BODIES[4:8])
    assert take_in(store, kafka, topic) == Summary(4, 0)
    assert runs(store) == [run_id(number) for number in range(8)]
    query = "select count(distinct source) from store.source_offset"
    assert store.connection.execute(query).fetchall() == [(2,)]


def test_new_partitions_are_read_from_their_beginning_and_old_ones_go_on(
    store: Store, kafka: str, topic: str
) -> None:
    send(kafka, topic, *BODIES[:4])
    stop = threading.Event()
    source = KafkaSource(bootstrap=kafka, topics=[topic], next_offset=lambda *_: None)
    try:
        found = source.batches(until_current=False, stop=stop)
        first = next(found)
        client = admin(kafka)
        client.create_partitions({topic: 6})
        client.close()
        time.sleep(1)  # until the broker serves them
        send(kafka, topic, BODIES[4], partition=5)
        send(kafka, topic, BODIES[5], partition=0)
        source._look()
        seen = list(first.messages)
        while len(seen) < 6:
            seen += next(found).messages
    finally:
        source.close()
    assert sorted((m.partition, m.offset) for m in seen) == [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0), (5, 0)]


@pytest.fixture
def gone(store: Store, kafka: str) -> str:
    """A topic of which the store has read two records, the next two are deleted, and two are left."""
    topic = kafka_broker.create_topic(kafka, partitions=1)
    send(kafka, topic, *BODIES[:2], partition=0)
    take_in(store, kafka, topic)
    send(kafka, topic, *BODIES[2:6], partition=0)
    client = admin(kafka)
    client.delete_records({TopicPartition(topic, 0): 4})
    client.close()
    return topic


def test_an_offset_that_is_gone_is_an_error_with_a_choice(store: Store, kafka: str, gone: str) -> None:
    with pytest.raises(SourceError, match=r"no longer has the offset.*earliest.*latest"):
        take_in(store, kafka, gone)
    assert runs(store) == [run_id(0), run_id(1)]
    assert take_in(store, kafka, gone, when_gone="earliest") == Summary(2, 0)
    assert runs(store) == [run_id(number) for number in (0, 1, 4, 5)]


def test_going_on_with_the_latest_leaves_out_what_is_there(store: Store, kafka: str, gone: str) -> None:
    assert take_in(store, kafka, gone, when_gone="latest") == Summary(0, 0)
    send(kafka, gone, BODIES[6], partition=0)
    assert take_in(store, kafka, gone) == Summary(1, 0)
    assert runs(store) == [run_id(0), run_id(1), run_id(6)]


def test_a_missing_topic_is_named_with_those_there_are(store: Store, kafka: str, topic: str) -> None:
    with pytest.raises(SourceError, match=f"no topic no-such-topic; it has: .*{topic}"):
        take_in(store, kafka, "no-such-topic")


def test_asking_for_a_topic_does_not_make_it(store: Store, kafka: str) -> None:
    with pytest.raises(SourceError):
        take_in(store, kafka, "typo.events")
    client = KafkaConsumer(bootstrap_servers=kafka)
    assert "typo.events" not in client.topics()
    client.close()


def test_without_a_broker_it_says_so(store: Store) -> None:
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        take_in(store, "127.0.0.1:1", "t")
    assert time.monotonic() - began < 30


def test_records_of_transactions_leave_gaps_and_do_not_stop_it(store: Store, kafka: str, topic: str) -> None:
    """The marks of a transaction's end take offsets that no record has."""
    producer = KafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    producer.init_transactions()
    for number in (0, 1):
        producer.begin_transaction()
        producer.send(topic, value=BODIES[number], partition=0)
        producer.commit_transaction()
    producer.close()
    assert take_in(store, kafka, topic) == Summary(2, 0)
    assert take_in(store, kafka, topic) == Summary(0, 0)


def test_it_waits_for_more_until_it_is_told_to_stop(store: Store, kafka: str, topic: str) -> None:
    stop = threading.Event()
    send(kafka, topic, *BODIES[:4])
    later = threading.Timer(1.0, send, (kafka, topic, *BODIES[4:8]))
    later.start()

    def enough(progress: Any) -> None:
        if progress.messages >= 8:
            stop.set()

    found = consume_kafka(
        store, bootstrap=kafka, topics=[topic], until_current=False, stop=stop, progress=enough
    )
    later.join()
    assert found == Summary(8, 0)
