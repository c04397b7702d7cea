"""Where events go: our transports by the stock settings, and transports of openlineage-python."""

import io
import json
import logging
import sys
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pandas as pd
import pytest
from emitted import events_in
from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde
from openlineage.client.transport.transport import Transport
from validation import validate_event

from relineage.emitter import Lineage, SettingsError
from relineage.emitter.sending import Sender
from relineage.emitter.settings import from_environment
from relineage.emitter.transport.kafka import KafkaTransport


def job(lineage):
    with lineage.run("train", seed=2**70, params={"password": "hunter2", "lr": None}) as run:
        run.input(pd.DataFrame({"a": [1.5, None, float("inf")] * 9, "b": list("xyz") * 9}), name="features")
        run.metric("loss", float("nan"))


class Client(Transport):
    """A transport as a user of openlineage-python may have it."""

    kind = "mine"

    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)


def test_a_transport_of_the_client_gets_event_objects_that_its_serialisation_keeps(folder):
    client, ours = Client(), []

    class Plain:
        def emit(self, event):
            ours.append(event)

    lineage = Lineage(transport=client)
    job(lineage)
    job(Lineage(transport=Plain()))

    assert all(isinstance(event, RunEvent) for event in client.events)
    assert all(isinstance(event, dict) for event in ours)
    for event in client.events:
        text = Serde.to_json(event)
        validate_event(text.encode())
        assert "non-serializable" not in text
        assert "hunter2" not in text
    last = json.loads(Serde.to_json(client.events[-1]))
    assert last["inputs"][0]["facets"].keys() == ours[-1]["inputs"][0]["facets"].keys()
    assert last["run"]["facets"].keys() == ours[-1]["run"]["facets"].keys()
    assert last["eventType"] == "COMPLETE"


def test_a_transport_may_change_what_it_gets(folder):
    class Changing:
        def __init__(self):
            self.events = []

        def emit(self, event):
            self.events.append(json.dumps(event))
            for facet in event["run"]["facets"].values():
                for value in facet.values():
                    if isinstance(value, dict | list):
                        value.clear()
                facet.clear()

    def call_twice(transport):
        lineage = Lineage(transport=transport)
        step = lineage.step(seed=1)(lambda rate, frame: frame)
        for _ in range(2):
            step(0.5, pd.DataFrame({"a": range(9)}))
        return [json.loads(event)["run"]["facets"] for event in transport.events]

    facets = call_twice(Changing())

    assert [one["relineage_step"]["parameters"] for one in facets] == [
        [{"name": "rate", "type": "float", "value": "0.5"}]
    ] * 4
    assert all(one["relineage_seeds"]["switches"] and one["relineage_seeds"]["libraries"] for one in facets)
    assert all(one["relineage_environment"]["packages"] for one in facets)


def test_the_clients_console_transport_can_be_configured(folder, caplog):
    (folder / "openlineage.yml").write_text("transport:\n  type: console\n")
    with caplog.at_level(logging.INFO, logger="openlineage"), redirect_stdout(io.StringIO()):
        job(Lineage())

    printed = [json.loads(one.message) for one in caplog.records if one.message.startswith("{")]
    assert [one["eventType"] for one in printed] == ["START", "COMPLETE"]
    assert "hunter2" not in caplog.text


def test_the_clients_file_transport_can_be_configured(folder):
    target = folder / "out.ndjson"
    (folder / "openlineage.yml").write_text(
        f"transport:\n  type: file\n  log_file_path: {target}\n  append: true\n"
    )
    job(Lineage())

    lines = target.read_text().splitlines()
    for line in lines:
        validate_event(line.encode())
    assert [json.loads(line)["eventType"] for line in lines] == ["START", "COMPLETE"]


def test_openlineage_url_sends_by_http(folder):
    received = []

    class Marquez(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Authorization"], json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Marquez)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        lineage = Lineage(environ={"OPENLINEAGE_URL": url, "OPENLINEAGE_API_KEY": "k"})
        job(lineage)
        assert lineage.close() is True
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert [event["eventType"] for _, _, event in received] == ["START", "COMPLETE"]
    assert {(path, key) for path, key, _ in received} == {("/api/v1/lineage", "Bearer k")}


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"RELINEAGE_KAFKA": "127.0.0.1:1", "RELINEAGE_TOPIC": "t"}, id="RELINEAGE_KAFKA"),
        pytest.param(
            {
                "OPENLINEAGE__TRANSPORT__TYPE": "kafka",
                "OPENLINEAGE__TRANSPORT__TOPIC": "t",
                "OPENLINEAGE__TRANSPORT__CONFIG": json.dumps(
                    {
                        "bootstrap.servers": "127.0.0.1:1",
                        "sasl.username": "u",
                        "acks": "all",
                        "value.serializer": "org.apache.kafka.common.serialization.StringSerializer",
                        "odd.option": 1,
                    }
                ),
            },
            id="the stock name and options",
        ),
        pytest.param(
            {
                "OPENLINEAGE__TRANSPORT__TYPE": "relineage.emitter.transport.kafka.KafkaTransport",
                "OPENLINEAGE__TRANSPORT__TOPIC": "t",
                "OPENLINEAGE__TRANSPORT__BOOTSTRAP_SERVERS": "127.0.0.1:1",
            },
            id="our dotted path",
        ),
    ],
)
def test_a_kafka_transport_is_ours_whatever_it_is_called(tmp_path, environ, caplog):
    with caplog.at_level(logging.WARNING, logger="relineage"):
        opened = Sender(from_environment(environ, tmp_path), None, lambda: tmp_path)._open()

    assert isinstance(opened, KafkaTransport)
    assert opened.config.bootstrap_servers == ("127.0.0.1:1",)
    assert opened.config.topic == "t"
    if "odd.option" in str(environ):
        assert opened.config.config == {"sasl_plain_username": "u", "acks": "all"}
        assert "does not know 'odd.option'" in caplog.text


def test_events_reach_kafka(kafka, topic, folder):
    import kafka_broker

    lineage = Lineage(environ={"RELINEAGE_KAFKA": kafka, "RELINEAGE_TOPIC": topic})
    job(lineage)
    assert lineage.close(timeout_seconds=20) is True

    events = [json.loads(value) for _, value, _ in kafka_broker.read_topic(kafka, topic)]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    assert list((folder / ".relineage").iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "kafka", "topic": "t"},
        {"type": "kafka", "config": {"bootstrap.servers": ""}},
        {"type": "kafka", "config": {"bootstrap.servers": "a:1"}, "topic": "no topic"},
        {"type": "no.such.Transport"},
        {"type": "http"},
    ],
)
def test_settings_of_a_transport_that_cannot_be_used_are_said(folder, settings, caplog):
    environ = {"OPENLINEAGE__TRANSPORT": json.dumps(settings)}
    lineage = Lineage(environ=environ)
    job(lineage)

    assert lineage.errors > 0
    assert "SettingsError" in caplog.text
    with pytest.raises(SettingsError):
        job(Lineage(environ=environ, strict=True))


def test_without_configuration_events_are_files_beside_the_working_directory_of_the_start(
    folder, monkeypatch
):
    lineage = Lineage()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    job(lineage)

    assert len(events_in(folder / ".relineage" / "events")) == 2
    assert not (elsewhere / ".relineage").exists()


def test_the_openlineage_client_is_not_imported_for_our_own_transports():
    import subprocess

    program = (
        "import sys, tempfile, os; os.chdir(tempfile.mkdtemp()); "
        "from relineage.emitter import Lineage\nwith Lineage().run('a'): pass\n"
        "heavy = ('openlineage.client', 'kafka', 'pandas', 'pyarrow', 'duckdb')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
