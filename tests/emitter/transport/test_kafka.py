"""Events to a real Kafka broker, and to none."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka_broker import broker_script, create_topic, read_topic
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

from relineage.emitter.transport.kafka import KafkaConfig, KafkaTransport
from relineage.emitter.transport.message import message_key, serialise
from relineage.facets.encode import encode

MakeEvent = Callable[..., dict[str, Any]]
MakeTransport = Callable[..., KafkaTransport]


@pytest.fixture
def make_transport() -> Iterator[MakeTransport]:
    """Make transports that are closed at the end of the test."""
    made: list[KafkaTransport] = []

    def make(address: str, **settings: Any) -> KafkaTransport:
        made.append(KafkaTransport(KafkaConfig.from_dict({"bootstrap_servers": address, **settings})))
        return made[-1]

    yield make
    for transport in made:
        transport.close(0)


class PrivateBroker:
    """A broker that makes no topics on demand, and that a test may stop and start again."""

    def __init__(self, address: str, process: subprocess.Popen[bytes]) -> None:
        self.address = address
        self._process = process

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._process.args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


@pytest.fixture(scope="module")
def private_broker() -> Iterator[PrivateBroker]:
    script = broker_script()
    settings = {**script.SETTINGS, "auto.create.topics.enable": "false"}
    with script.owned_broker(settings) as (address, process):
        broker = PrivateBroker(address, process)
        yield broker
        broker.stop()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody answers: the port is taken, but not listened at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a job of its own process; `event(number)` makes an event, `make(address, topic)` a transport."""
    prelude = """
import os, sys, time, warnings
from uuid import uuid4
warnings.simplefilter("ignore", DeprecationWarning)
from relineage.emitter.transport.kafka import KafkaConfig, KafkaTransport

def make(address, topic):
    return KafkaTransport(KafkaConfig.from_dict({"bootstrap_servers": address, "topic": topic}))

def event(number):
    return {
        "eventType": "COMPLETE", "eventTime": "2026-01-31T10:00:03.000001Z", "run": {"runId": str(uuid4())},
        "job": {"namespace": "n", "name": f"job {number}"}, "producer": "https://example.com/tests",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }

"""
    command = [sys.executable, "-c", prelude + script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)


def jobs(records: list[tuple[bytes | None, bytes, int]]) -> list[str]:
    return sorted(json.loads(value)["job"]["name"] for _, value, _ in records)


def stock_event() -> RunEvent:
    return RunEvent(
        eventTime="2026-01-31T10:00:03.000001Z",
        producer="https://example.com/tests",
        run=Run(runId=str(uuid4())),
        job=Job(namespace="fraud", name="train"),
        eventType=RunState.COMPLETE,
    )


def test_events_arrive_byte_by_byte_with_their_keys(
    kafka: str, topic: str, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    transport = make_transport(kafka, topic=topic)
    events = [make_event(job={"namespace": "fraud", "name": f"job {n % 10}"}) for n in range(500)]
    for event in events:
        transport.emit(event)
    assert transport.close(30)
    assert (transport.delivered, transport.pending, transport.refused, transport.lost) == (500, 0, 0, 0)
    records = read_topic(kafka, topic)
    expected = [((message_key(event) or "").encode(), encode(event)) for event in events]
    assert sorted((key, value) for key, value, _ in records) == sorted(expected)
    assert len({(key, partition) for key, _, partition in records}) == 10  # one partition a job


def test_after_close_the_next_event_connects_again(
    kafka: str, topic: str, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    transport = make_transport(kafka, topic=topic)
    for delivered in (1, 2):
        transport.emit(make_event())
        assert transport.close(30)
        assert transport.delivered == delivered
    assert len(read_topic(kafka, topic)) == 2


def test_waiting_delivers_without_closing(
    kafka: str, topic: str, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    transport = make_transport(kafka, topic=topic)
    transport.emit(make_event())
    assert transport.wait_for_completion()
    assert transport.delivered == len(read_topic(kafka, topic)) == 1


def test_without_a_broker_emit_returns_at_once_and_close_says_no(
    nobody: str, make_transport: MakeTransport, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    transport = make_transport(nobody)
    seconds = []
    for _ in range(200):
        event = make_event()
        started = time.perf_counter()
        transport.emit(event)
        seconds.append(time.perf_counter() - started)
    assert sorted(seconds)[100] < 0.001
    assert (
        max(seconds) < 0.5
    )  # nothing waits for the network; the rest is other processes' share of the machine
    started = time.perf_counter()
    assert not transport.close(0.2)
    assert time.perf_counter() - started < 5
    assert (transport.pending, transport.delivered, transport.lost) == (200, 0, 0)
    said = caplog.records[-1].getMessage()
    assert said.startswith(f"relineage: 200 of 200 events were not acknowledged by Kafka at {nobody}, topic")
    assert "ConnectionRefusedError" in said


def test_a_broker_that_comes_back_gets_what_has_waited(
    private_broker: PrivateBroker, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    topic = create_topic(private_broker.address)
    transport = make_transport(private_broker.address, topic=topic)
    transport.emit(make_event())
    assert transport.wait_for_completion(30)
    private_broker.stop()
    for _ in range(20):
        transport.emit(make_event())
    assert not transport.wait_for_completion(1)
    assert transport.pending == 20
    private_broker.start()
    assert transport.close(60)
    assert transport.delivered == 21
    assert len({value for _, value, _ in read_topic(private_broker.address, topic)}) == 21


def test_what_is_too_large_is_refused_and_the_rest_is_delivered(
    kafka: str, make_transport: MakeTransport, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    topic = create_topic(kafka, partitions=1, configs={"max.message.bytes": "20000"})
    transport = make_transport(kafka, topic=topic)
    noise = os.urandom(40_000).hex()  # does not compress below the limit
    for number in range(9):
        name = noise if number == 4 else f"job {number}"
        transport.emit(make_event(job={"namespace": "n", "name": name}))
    assert not transport.close(30)
    assert (transport.delivered, transport.refused, transport.pending) == (8, 1, 0)
    assert jobs(read_topic(kafka, topic)) == [f"job {n}" for n in range(9) if n != 4]
    refusals = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(refusals) == 1
    assert "MessageSizeTooLargeError" in refusals[0]


def test_what_no_broker_could_take_is_refused_before_it_is_sent(
    kafka: str, topic: str, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    transport = make_transport(kafka, topic=topic, config={"max_request_size": 10_000})
    transport.emit(make_event(job={"namespace": "n", "name": "x" * 20_000}))
    transport.emit(make_event())
    assert not transport.close(30)
    assert (transport.delivered, transport.refused, transport.pending) == (1, 1, 0)


def test_what_compresses_below_the_brokers_limit_is_delivered(
    kafka: str, topic: str, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    transport = make_transport(kafka, topic=topic)
    transport.emit(make_event(job={"namespace": "n", "name": "x" * 3_000_000}))
    assert transport.close(30)


def test_a_topic_that_the_broker_does_not_make_is_refused(
    private_broker: PrivateBroker,
    make_transport: MakeTransport,
    make_event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = make_transport(private_broker.address, topic="nobody.made.it")
    for _ in range(3):
        transport.emit(make_event())
    assert not transport.close(30)
    assert (transport.delivered, transport.refused, transport.pending) == (0, 3, 0)
    assert "there is no topic 'nobody.made.it'" in caplog.text


def test_a_topic_that_the_broker_makes_on_demand_is_waited_for(
    kafka: str, make_event: MakeEvent, make_transport: MakeTransport
) -> None:
    topic = f"made-on-demand-{uuid4().hex[:8]}"
    transport = make_transport(kafka, topic=topic)
    transport.emit(make_event())
    assert transport.close(30)
    assert len(read_topic(kafka, topic)) == 1


def test_a_full_queue_loses_events_and_says_so_once(
    nobody: str, make_transport: MakeTransport, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    transport = make_transport(nobody, queue_bytes=2_000)
    for _ in range(50):
        transport.emit(make_event())
    assert transport.pending + transport.lost == 50
    assert 1 <= transport.pending < 10
    assert not transport.close(0)
    full = [record.getMessage() for record in caplog.records if "could not be kept" in record.getMessage()]
    assert len(full) == 2  # the first, and the rest at the end
    assert "the queue is full" in full[0]


def test_strict_raises_what_cannot_be_kept(
    nobody: str, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    transport = make_transport(nobody, queue_bytes=1, strict=True)
    transport.emit(make_event())
    with pytest.raises(BufferError, match="the queue is full"):
        transport.emit(make_event())
    with pytest.raises(TypeError, match=r"\$\.inputs\[0\]"):
        transport.emit(make_event(inputs=[object()]))


def test_what_cannot_be_encoded_does_not_hurt_the_job(
    kafka: str, topic: str, make_transport: MakeTransport, make_event: MakeEvent
) -> None:
    transport = make_transport(kafka, topic=topic)
    transport.emit(make_event(inputs=[object()]))
    transport.emit(make_event())
    assert not transport.close(30)
    assert (transport.lost, transport.delivered) == (1, 1)


@pytest.mark.parametrize("style", ["ours", "stock"])
def test_a_stock_client_uses_it_by_its_dotted_path(
    kafka: str, topic: str, style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {
        "ours": f"bootstrap_servers: {kafka}",
        "stock": f"config: {{bootstrap.servers: '{kafka}', linger.ms: 1}}",
    }
    (tmp_path / "openlineage.yml").write_text(
        "transport:\n"
        "  type: relineage.emitter.transport.kafka.KafkaTransport\n"
        f"  topic: {topic}\n"
        f"  {where[style]}\n"
    )
    monkeypatch.chdir(tmp_path)
    client = OpenLineageClient()
    assert isinstance(client.transport, KafkaTransport)
    event = stock_event()
    client.emit(event)
    assert client.close(30)
    assert [(key, value) for key, value, _ in read_topic(kafka, topic)] == [
        (b"run:fraud/train", serialise(event)[1])
    ]


def test_a_stock_client_finds_it_in_the_environment(
    kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path = "relineage.emitter.transport.kafka.KafkaTransport"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", path)
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TOPIC", topic)
    client = OpenLineageClient()
    client.emit(stock_event())
    assert client.close(30)
    assert len(read_topic(kafka, topic)) == 1


def test_a_forked_child_sends_its_own_events_and_not_the_parents(kafka: str, topic: str) -> None:
    ran = run_script(
        """
transport = make(*sys.argv[1:])
transport.emit(event("parent before"))
child = os.fork()  # while the parent's thread may be connecting
transport.emit(event("parent" if child else "child"))
assert transport.close(30)
if child:
    assert os.waitpid(child, 0)[1] == 0
    transport.emit(event("parent again"))
    if not (child := os.fork()):  # the connected producer is the parent's
        assert transport.pending == transport.delivered == 0
        transport.emit(event("second child"))
        sys.exit(0 if transport.close(30) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert transport.close(30)
    assert transport.delivered == 3
""",
        kafka,
        topic,
    )
    assert ran.returncode == 0, ran.stderr
    expected = ["child", "parent", "parent again", "parent before", "second child"]
    assert jobs(read_topic(kafka, topic)) == [f"job {name}" for name in expected]


def test_a_script_that_ends_at_once_delivers_without_close(kafka: str, topic: str) -> None:
    ran = run_script(
        """
import atexit
early = []
atexit.register(lambda: early[0].emit(event("early handler")))  # runs after the transport's own
transport = make(*sys.argv[1:])
early.append(transport)
atexit.register(lambda: transport.emit(event("late handler")))
transport.emit(event("main"))
""",
        kafka,
        topic,
    )
    assert ran.returncode == 0, ran.stderr
    if sys.version_info[:3] in {(3, 12, 0), (3, 12, 1)}:
        # They let no thread start once the script has ended: https://github.com/python/cpython/issues/113964
        assert "2 of 2 events were not acknowledged" in ran.stderr
        return
    assert jobs(read_topic(kafka, topic)) == ["job late handler", "job main"]
    assert ran.stderr.startswith("relineage: 1 event could not be kept: RuntimeError: the process is ending")


def test_a_process_of_multiprocessing_delivers_without_close(kafka: str, topic: str) -> None:
    ran = run_script(
        """
import multiprocessing
transport = make(*sys.argv[1:])
process = multiprocessing.get_context("fork").Process(target=lambda: transport.emit(event("worker")))
process.start()
process.join()
""",
        kafka,
        topic,
    )
    assert ran.returncode == 0, ran.stderr
    assert jobs(read_topic(kafka, topic)) == ["job worker"]


def test_a_process_that_ends_without_a_broker_waits_a_moment_and_says_what_is_lost(nobody: str) -> None:
    started = time.monotonic()
    ran = run_script("make(sys.argv[1], 't').emit(event(1))", nobody)
    assert time.monotonic() - started < 30
    assert ran.returncode == 0
    told = ran.stderr.splitlines()
    assert told[-1].startswith(
        f"relineage: 1 of 1 events were not acknowledged by Kafka at {nobody}, topic t"
    )
    assert len(told) == 2  # the other one: that it will be tried again


def test_without_crc32c_one_warning_says_what_to_install(kafka: str, topic: str) -> None:
    ran = run_script(
        """
sys.modules["crc32c"] = None
transport = make(*sys.argv[1:])
transport.emit(event(1))
assert transport.close(30)
transport.emit(event(2))
assert transport.close(30)
""",
        kafka,
        topic,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("crc32c is not installed") == 1
    assert len(read_topic(kafka, topic)) == 2


@pytest.mark.parametrize(
    ("settings", "servers"),
    [
        ({"bootstrap_servers": "a:1, b:2"}, ("a:1", "b:2")),
        ({"bootstrap_servers": ["a", "b:2"]}, ("a:9092", "b:2")),
        ({"bootstrap_servers": "PLAINTEXT://a:1,[::1]:2,[::1]"}, ("a:1", "[::1]:2", "[::1]:9092")),
        ({"config": {"bootstrap.servers": "a:1"}}, ("a:1",)),
    ],
    ids=str,
)
def test_servers_are_read_in_every_usual_form(settings: dict[str, Any], servers: tuple[str, ...]) -> None:
    assert KafkaConfig.from_dict({"type": "…", **settings}).bootstrap_servers == servers


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "bootstrap_servers is missing"),
        ({"bootstrap_servers": " , "}, "bootstrap_servers is missing"),
        ({"bootstrap_servers": "a b:1"}, "is not host:port"),
        (
            {"bootstrap_servers": "a:1", "topics": "t"},
            "has no setting topics; it has bootstrap_servers, config, ",
        ),
        ({"bootstrap_servers": "a:1", "topic": "a b"}, "letters, digits"),
        ({"bootstrap_servers": "a:1", "config": {"linger": 1}}, "KafkaProducer has no setting linger"),
        ({"bootstrap_servers": "a:1", "config": "linger_ms=1"}, "config holds settings by name"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_right_are_an_error_at_the_start(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        KafkaConfig.from_dict(settings)


def test_passwords_are_not_shown() -> None:
    config = KafkaConfig.from_dict(
        {"bootstrap_servers": "a:1", "config": {"sasl_plain_password": "hunter2"}},
    )
    assert config.config["sasl_plain_password"] == "hunter2"
    assert "hunter2" not in repr(config)
