"""The script that gives tests their broker: it always cleans up, and says what is missing."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka_broker import BROKER_SCRIPT, broker_script


def broker_processes(folder: Path) -> list[int]:
    """Process ids of the brokers whose settings lie below a folder (Linux: read from /proc)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended meanwhile
        if "kafka.Kafka" in command and any(part.startswith(str(folder)) for part in command):
            found.append(int(entry.name))
    return found


def wait_until_empty(folder: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while (broker_processes(folder) or list(folder.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert broker_processes(folder) == []
    assert list(folder.iterdir()) == []


def test_a_broker_ends_when_whoever_holds_it_is_killed(tmp_path: Path) -> None:
    script = """
import broker, time
with broker.broker() as address:
    print(address, flush=True)
    time.sleep(600)
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(BROKER_SCRIPT.parent)},
    )  # fmt: skip
    with holder:
        assert holder.stdout is not None
        port = int(holder.stdout.readline().rpartition(":")[2])
        assert broker_script().answers(port)
        assert len(broker_processes(tmp_path)) == 1
        holder.send_signal(signal.SIGKILL)
    wait_until_empty(tmp_path)


def test_a_command_gets_the_address_and_gives_the_exit_code(tmp_path: Path) -> None:
    inner = "import os; print(os.environ['RELINEAGE_TEST_KAFKA']); raise SystemExit(7)"
    ran = subprocess.run(
        [sys.executable, str(BROKER_SCRIPT), "run", "--", sys.executable, "-c", inner],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 7
    host, _, port = ran.stdout.strip().rpartition(":")
    assert host == "127.0.0.1"
    assert not broker_script().answers(int(port))
    wait_until_empty(tmp_path)


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"PATH": "/nonexistent", "JAVA_HOME": ""}, "install Java 17 or newer"),
        ({"RELINEAGE_KAFKA_HOME": "/nonexistent"}, "holds no kafka_2….jar"),
    ],
    ids=["no Java", "no Kafka"],
)
def test_what_is_missing_is_one_message_and_exit_code_2(environment: dict[str, str], text: str) -> None:
    ran = subprocess.run(
        [sys.executable, str(BROKER_SCRIPT), "run", "--", "true"],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert ran.returncode == 2
    assert text in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_start_that_fails_shows_the_end_of_the_brokers_log() -> None:
    script = broker_script()
    with (
        pytest.raises(script.StartError, match=r"process\.roles"),
        script.owned_broker({**script.SETTINGS, "process.roles": "nonsense"}),
    ):
        raise AssertionError("a broker without a role has started")


def test_a_taken_port_is_tried_again_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    script = broker_script()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        real, offers = script.free_ports, [[taken.getsockname()[1], *script.free_ports(1)]]
        monkeypatch.setattr(script, "free_ports", lambda count: offers.pop() if offers else real(count))
        with script.owned_broker() as (address, _):
            assert script.answers(int(address.rpartition(":")[2]))
        assert offers == []


def test_a_port_that_accepts_but_does_not_answer_is_no_broker() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        assert not broker_script().answers(mute.getsockname()[1])
