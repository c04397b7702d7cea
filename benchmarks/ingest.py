"""From Kafka to committed rows, beside what no consumer can do without: polling, and reading JSON."""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from relineage.consumer.consume import consume_kafka
from relineage.consumer.store import Store

TITLE = "Kafka to committed rows, fresh run ids and digests, 4 partitions"
NEEDS_KAFKA = True
RUNS = 20_000
BATCH_MESSAGES = 5000
BEGIN = datetime(2026, 1, 15, tzinfo=UTC)
ENVELOPE = """{"eventTime": "VARCHAR", "eventType": "VARCHAR",
    "run": {"runId": "VARCHAR", "facets": "MAP(VARCHAR, JSON)"},
    "job": {"namespace": "VARCHAR", "name": "VARCHAR", "facets": "MAP(VARCHAR, JSON)"},
    "inputs": ["JSON"], "outputs": ["JSON"]}"""


def facet(name: str, /, **fields: Any) -> dict[str, Any]:
    """A facet as our emitter writes it."""
    url = f"urn:relineage:facet:{name}:1-0-0#/$defs/{name}"
    return {"_producer": "urn:relineage:emitter:0.1.0", "_schemaURL": url, **fields}


def dataset(number: int, side: str, at: str) -> dict[str, Any]:
    """Step `number`'s table of 5 columns: its content, schema and role."""
    digest = f"b3-table1:{number:064x}"
    columns = [{"name": f"feature_{c}", "type": "double"} for c in range(5)]
    io = facet("RelineageIoFacet", role="table", instant=at, origin="declared")
    content = facet("RelineageContentDatasetFacet", digests=[digest], kind="table", rows=1000, bytes=64000)
    facets = {
        "version": facet("DatasetVersionDatasetFacet", datasetVersion=digest),
        "schema": facet("SchemaDatasetFacet", fields=columns),
        "relineage_content": {**content, "columns": columns, "distinctive": True},
    }
    name = f"pipeline-{number % 400}/table-{number // 400 % 20}"
    return {"namespace": "benchmark", "name": name, "facets": facets, f"{side}Facets": {"relineage_io": io}}


def events(number: int) -> Iterator[bytes]:
    """START and COMPLETE of a step that reads what the step before it in its pipeline wrote."""
    run, start = str(uuid4()), BEGIN + timedelta(seconds=number)
    at = start.isoformat(timespec="microseconds")
    step = facet("RelineageStepRunFacet", operation="scale", task=f"b3-task1:{number:064x}", missing=None)
    parameters = [{"name": f"parameter_{p}", "type": "float", "value": str(p / 7)} for p in range(4)]
    facets = {
        "relineage_step": {**step, "parameters": parameters},
        "relineage_seeds": facet("RelineageSeedsRunFacet", entropy="2a", given=True, libraries=[]),
        "processing_engine": facet("ProcessingEngineRunFacet", name="python", version="3.12.1"),
    }
    for kind, seconds in (("START", 0), ("COMPLETE", 1)):
        document = {
            "eventType": kind,
            "eventTime": (start + timedelta(seconds=seconds)).isoformat(timespec="microseconds"),
            "producer": "urn:relineage:emitter:0.1.0",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": run, "facets": facets},
            "job": {"namespace": "benchmark", "name": f"step-{number % 20}", "facets": {}},
            "inputs": [dataset(number - 400, "input", at)] if number >= 400 else [],
            "outputs": [dataset(number, "output", at)] if kind == "COMPLETE" else [],
        }
        yield json.dumps(document, separators=(",", ":")).encode()


def produce(kafka: str, topic: str) -> list[bytes]:
    """Fill the topic."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics({topic: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    bodies = [body for number in range(RUNS) for body in events(number)]
    producer = KafkaProducer(
        bootstrap_servers=kafka, linger_ms=50, batch_size=1 << 20, compression_type="zstd"
    )
    for number, body in enumerate(bodies):
        producer.send(topic, value=body, partition=number // 2 % 4)
    producer.flush()
    producer.close()
    return bodies


def poll(kafka: str, topic: str) -> None:
    """Fetch every record, and do nothing with it."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka, enable_auto_commit=False, max_poll_records=20_000,
        fetch_max_bytes=50_000_000, max_partition_fetch_bytes=16_000_000,
    )  # fmt: skip
    places = [TopicPartition(topic, number) for number in range(4)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    while any(consumer.position(place) < end for place, end in ends.items()):
        consumer.poll(timeout_ms=1000)
    consumer.close()


def read_json(bodies: list[bytes]) -> None:
    """Only from_json, of the envelope that the consumer needs, into a table."""
    with duckdb.connect() as connection:
        for begin in range(0, len(bodies), BATCH_MESSAGES):
            connection.register(
                "message",
                pa.table({"body": pa.array(map(bytes.decode, bodies[begin : begin + BATCH_MESSAGES]))}),
            )
            connection.execute(
                f"create or replace temp table e as select from_json(body, '{ENVELOPE}') e from message"
            )


def measure(kafka: str) -> Iterator[tuple[str, str]]:
    """Each in turn; CPU is that of this process, with all its threads."""
    topic = f"bench-{uuid4().hex[:12]}"
    bodies = produce(kafka, topic)
    count = len(bodies)
    yield "events", f"{count:,}, {sum(map(len, bodies)) / count / 1000:.1f} kB on average"
    cpu_us: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "lineage.duckdb") as store:
        for name, work in {
            "polling alone": lambda: poll(kafka, topic),
            "`from_json` alone": lambda: read_json(bodies),
            "consumer": lambda: consume_kafka(
                store, stop=threading.Event(), until_current=True, bootstrap=kafka, topics=[topic]
            ),
        }.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            cpu_us[name] = cpu / count * 1e6
            yield name, f"{count / wall:,.0f} events/s, {cpu_us[name]:.0f} µs CPU an event"
        [(stored, bound)] = store.connection.execute(
            "select (select count(*) from events), (select count(*) from inputs where how = 'version')"
        ).fetchall()
        assert (stored, bound) == (count, RUNS - 400), (stored, bound)
        store.connection.execute("checkpoint")
        size_bytes = (Path(folder) / "lineage.duckdb").stat().st_size
    yield "size of the database", f"{size_bytes / count:,.0f} bytes an event"
    bare = cpu_us["polling alone"] + cpu_us["`from_json` alone"]
    yield "**consumer / (polling + `from_json`), CPU**", f"**{cpu_us['consumer'] / bare:.1f}** (aim: 4)"
