"""What Kafka's client draws does not move the job's generator."""

import random
import subprocess
import sys

from relineage.emitter.transport.aside import draw_aside

# A broker that accepts and says nothing: the client chooses brokers and delays all the while. In a process of its
# own, since the client does not close what it has opened to such a broker.
JOB = """
import os, random, socket, sys, threading, time
from relineage.emitter.transport.kafka import KafkaConfig, KafkaTransport
from kafka.net import manager

server = socket.create_server(("127.0.0.1", 0))
accepted = []
threading.Thread(target=lambda: [accepted.append(server.accept()) for _ in range(9)], daemon=True).start()
transport = KafkaTransport(KafkaConfig(bootstrap_servers=(f"127.0.0.1:{server.getsockname()[1]}",)))
if sys.argv[1] == "without":
    from relineage.emitter.transport import delivery
    delivery.draw_aside = lambda: None
random.seed(42)
before = random.getstate()
transport.emit({"eventType": "START", "eventTime": "2026-01-01T00:00:00Z", "producer": "p", "schemaURL": "s",
    "run": {"runId": "01a2082a-0000-7000-8000-000000000000"}, "job": {"namespace": "n", "name": "j"}})
deadline = time.monotonic() + 20
while len(accepted) < 2 and time.monotonic() < deadline:  # ours that knocks, then the client's
    time.sleep(0.05)
time.sleep(0.5)
print(len(accepted) >= 2, random.getstate() == before, flush=True)
os._exit(0)
"""


def state_stays(how: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", JOB, how], capture_output=True, text=True, check=True, timeout=60
    )
    return ran.stdout.strip()


def test_sending_events_leaves_the_jobs_generator_alone():
    assert state_stays("with") == "True True"  # it has connected, and the state is as it was
    assert state_stays("without") == "True False"  # the client by itself moves it


def test_in_the_jobs_own_threads_the_client_draws_as_before():
    from kafka.net import manager

    draw_aside()
    random.seed(42)
    expected = random.random()
    random.seed(42)

    assert manager.random.random() == expected
