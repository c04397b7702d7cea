"""`relineage consume`: what it takes in, how it stops, and what it says."""

import fcntl
import json
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import command_line, in_a_process, process_environment


def line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


def runs(relineage: Callable[..., Any], database: Path) -> int:
    return len(relineage("runs", "--database", database, "--format", "json").json)


def test_files_folders_and_documents_are_taken_in_once(
    tmp_path: Path, make_event: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "a.ndjson").write_bytes(line(make_event()) + line(make_event()))
    (tmp_path / "more" / "b.json").write_text(json.dumps([make_event(), make_event()]))
    (tmp_path / "more" / "notes.txt").write_text("no events")
    arguments = ("consume", tmp_path / "a.ndjson", tmp_path / "more", "--database", tmp_path / "x.duckdb")

    said = relineage(*arguments)
    again = relineage(*arguments)

    assert (said.code, said.out) == (0, "")
    assert said.err == "relineage: took in 4 events\n"
    assert again.err == "relineage: took in 0 events\n"
    assert runs(relineage, tmp_path / "x.duckdb") == 4


def test_without_a_path_it_takes_in_the_projects_own_events(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "load", 1)

    assert relineage("consume").err == "relineage: took in 1 event\n"


def test_a_letter_is_told_and_is_no_error(folder: Path, relineage: Callable[..., Any]) -> None:
    (folder / "a.ndjson").write_bytes(b"nonsense\n")

    said = relineage("consume", "a.ndjson")

    assert said.code == 0
    assert said.err == "relineage: took in 0 events, and 1 that could not be read: relineage letters\n"


def test_a_line_that_is_still_being_written_is_left_and_told(
    folder: Path, make_event: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    whole = line(make_event())
    (folder / "a.ndjson").write_bytes(whole + whole[:50])

    first, last = relineage("consume", "a.ndjson").err.splitlines()

    assert first.endswith("a.ndjson: a last line of 50 bytes is not whole yet and was left")
    assert last == "relineage: took in 1 event"


def test_standard_input_is_taken_in(
    tmp_path: Path, make_event: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    done = in_a_process(
        "consume", "-", "--database", tmp_path / "x.duckdb", cwd=tmp_path, stdin=line(make_event()) * 2
    )

    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"relineage: took in 2 events\n"
    assert runs(relineage, tmp_path / "x.duckdb") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stores_what_was_read_of_a_pipe_and_ends_well(
    number: int, tmp_path: Path, make_event: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    process = subprocess.Popen(
        command_line("consume", "-", "--database", tmp_path / "x.duckdb"),
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment(),
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(line(make_event()) * 3)
    process.stdin.flush()
    wait_until_it_reads(process.pid)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 0, err
    assert err == b"relineage: stopped: took in 3 events\n"
    assert runs(relineage, tmp_path / "x.duckdb") == 1


def wait_until_it_reads(pid: int) -> None:
    """Until the pipe at its standard input is empty, which is when it waits for more."""
    deadline = time.monotonic() + 30
    with open(f"/proc/{pid}/fd/0", "rb") as pipe:
        while int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder):
            assert time.monotonic() < deadline, "it never read its standard input"
            time.sleep(0.02)


def test_a_folder_that_is_no_project_says_what_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relineage: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)

    said = relineage("consume")

    assert said.code == 2
    assert "name a PATH, - for standard input, or --kafka HOST:PORT" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing.ndjson"],
        ["a" * 5000],
        ["nothing.ndjson", "--database", "x.duckdb"],
        ["--kafka", "localhost"],
        ["--kafka", "localhost:1"],
        ["--kafka", "localhost:1", "--database", "x.duckdb"],
        ["--when-gone", "latest", "-"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_what_cannot_be_taken_in_leaves_nothing_behind(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relineage: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)

    said = relineage("consume", *arguments)

    assert said.code == 2
    assert said.err.startswith("relineage: ")
    assert list(tmp_path.iterdir()) == []


def produce(address: str, topic: str, bodies: list[bytes]) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=address)
    for body in bodies:
        producer.send(topic, body)
    producer.flush()
    producer.close()


def test_a_topic_is_taken_in_until_its_present_end(
    kafka: str, topic: str, tmp_path: Path, make_event: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    produce(kafka, topic, [json.dumps(make_event()).encode() for _ in range(5)] + [b"nonsense"])
    arguments = (
        "consume",
        "--kafka",
        kafka,
        "--topic",
        topic,
        "--until-current",
        "--database",
        tmp_path / "x.duckdb",
    )

    first = in_a_process(*arguments, cwd=tmp_path)
    again = in_a_process(*arguments, cwd=tmp_path)

    assert first.returncode == again.returncode == 0
    assert first.stderr == b"relineage: took in 5 events, and 1 that could not be read: relineage letters\n"
    assert again.stderr == b"relineage: took in 0 events\n"
    assert runs(relineage, tmp_path / "x.duckdb") == 5


def test_a_consumer_of_kafka_goes_on_until_it_is_terminated(
    kafka: str, topic: str, tmp_path: Path, make_event: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    produce(kafka, topic, [json.dumps(make_event()).encode()])
    process = subprocess.Popen(
        command_line("consume", "--kafka", kafka, "--topic", topic, "--database", tmp_path / "x.duckdb"),
        cwd=tmp_path, stderr=subprocess.PIPE, env=process_environment(),
    )  # fmt: skip
    time.sleep(5)
    assert process.poll() is None
    process.terminate()
    _, err = process.communicate(timeout=30)

    assert process.returncode == 0, err
    assert err == b"relineage: stopped: took in 1 event\n"
    assert runs(relineage, tmp_path / "x.duckdb") == 1


def test_a_topic_that_is_not_there_is_one_line(kafka: str, tmp_path: Path) -> None:
    done = in_a_process("consume", "--kafka", kafka, "--topic", "no-such-topic", "--until-current",
                        "--database", tmp_path / "x.duckdb", cwd=tmp_path)  # fmt: skip

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        b"relineage: the broker has no topic no-such-topic; it has: "
    )
    assert b"Traceback" not in done.stderr


def test_a_broker_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    done = in_a_process(
        "consume", "--kafka", "localhost:1", "--database", tmp_path / "x.duckdb", cwd=tmp_path
    )

    assert done.returncode == 2
    assert done.stderr.startswith(b"relineage: no Kafka broker answers at localhost:1")
    assert b"Traceback" not in done.stderr
