"""Events into local files."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

from relineage.emitter.transport.files import FileTransport
from relineage.emitter.transport.message import serialise
from relineage.facets.encode import encode

MakeEvent = Callable[..., dict[str, Any]]


def lines(folder: Path) -> list[bytes]:
    """All lines of all files of a folder; each file ends with a whole line."""
    found: list[bytes] = []
    for path in sorted(folder.glob("*.ndjson")):
        content = path.read_bytes()
        assert content.endswith(b"\n")
        found += content[:-1].split(b"\n")
    return found


def run_script(script: str, *arguments: object, expect: int = 0) -> str:
    """Run Python code that emits events of this shape: `event(number)`."""
    prelude = """
import os, signal, sys
from pathlib import Path
from uuid import uuid4
from relineage.emitter.transport.files import FileTransport

def event(number, **fields):
    return {
        "eventType": "COMPLETE", "eventTime": "2026-01-31T10:00:03.000001Z", "run": {"runId": str(uuid4())},
        "job": {"namespace": "n", "name": f"job {number}"}, "producer": "https://example.com/tests",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent", **fields,
    }

"""
    command = [sys.executable, "-W", "error", "-c", prelude + script, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == expect, ran.stderr
    return ran.stdout + ran.stderr


def test_an_event_is_one_line_of_the_encoders_bytes(tmp_path: Path, make_event: MakeEvent) -> None:
    transport = FileTransport(tmp_path / "events")
    event = make_event(job={"namespace": "fraud", "name": "two\nlines"})
    transport.emit(event)
    assert lines(tmp_path / "events") == [encode(event)]  # there before `close`
    assert transport.close()


def test_the_file_says_when_and_by_which_process(tmp_path: Path, make_event: MakeEvent) -> None:
    transport = FileTransport(tmp_path / "events")
    transport.emit(make_event())
    assert transport.path is not None
    instant, process_id, random = transport.path.stem.split("-")
    assert len(instant) == len("20260131T100003.000001Z")
    assert int(process_id) == os.getpid()
    assert len(random) == 8
    transport.close()


def test_nothing_is_made_before_the_first_event(tmp_path: Path) -> None:
    assert FileTransport(tmp_path / "events").close()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_ignored_by_git(tmp_path: Path, make_event: MakeEvent) -> None:
    transport = FileTransport(tmp_path / "events")
    transport.emit(make_event())
    transport.close()
    assert (tmp_path / "events" / ".gitignore").read_text() == "*\n"


def test_after_close_a_new_file_is_opened(tmp_path: Path, make_event: MakeEvent) -> None:
    transport = FileTransport(tmp_path)
    for _ in range(2):
        transport.emit(make_event())
        assert transport.close()
    assert len(list(tmp_path.glob("*.ndjson"))) == 2


def test_a_stock_client_writes_through_it(tmp_path: Path) -> None:
    transport = FileTransport(tmp_path)
    client = OpenLineageClient(transport=transport)  # type: ignore[arg-type]
    event = RunEvent(
        eventTime="2026-01-31T10:00:03.000001Z",
        producer="https://example.com/tests",
        run=Run(runId=str(uuid4())),
        job=Job(namespace="fraud", name="train"),
        eventType=RunState.COMPLETE,
    )
    client.emit(event)
    assert client.close()
    assert lines(tmp_path) == [serialise(event)[1]]


def test_threads_never_mix_their_lines(tmp_path: Path, make_event: MakeEvent) -> None:
    transport = FileTransport(tmp_path)
    events = [[make_event(run={"runId": str(uuid4()), "facets": {}}) for _ in range(100)] for _ in range(4)]
    threads = [
        threading.Thread(target=lambda mine=mine: [transport.emit(one) for one in mine]) for mine in events
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()
    assert sorted(lines(tmp_path)) == sorted(encode(event) for mine in events for event in mine)


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    script = """
transport = FileTransport(Path(sys.argv[1]))
transport.emit(event(1))
child = os.fork()
transport.emit(event(2 if child else 3))
assert transport.close()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    run_script(script, tmp_path)
    jobs = [
        [json.loads(line)["job"]["name"] for line in path.read_bytes().splitlines()]
        for path in tmp_path.glob("*.ndjson")
    ]
    assert sorted(jobs) == [["job 1", "job 2"], ["job 3"]]


def test_a_fork_while_another_thread_writes_does_not_hang_the_child(tmp_path: Path) -> None:
    script = """
import threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: what is tested here
transport = FileTransport(Path(sys.argv[1]))
ended = threading.Event()
def write():
    while not ended.is_set():
        transport.emit(event(0))
threads = [threading.Thread(target=write, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(20):
    if not (child := os.fork()):
        signal.alarm(20)
        transport.emit(event(1))
        os._exit(0 if transport.close() else 1)
    assert os.waitpid(child, 0)[1] == 0
ended.set()
"""
    run_script(script, tmp_path)
    assert len(list(tmp_path.glob("*.ndjson"))) == 21


def test_a_killed_process_has_lost_nothing(tmp_path: Path) -> None:
    script = """
transport = FileTransport(Path(sys.argv[1]))
for number in range(50):
    transport.emit(event(number))
os.kill(os.getpid(), signal.SIGKILL)
"""
    run_script(script, tmp_path, expect=-9)
    assert [json.loads(line)["job"]["name"] for line in lines(tmp_path)] == [f"job {n}" for n in range(50)]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    # A limit on the size of files makes a real short write and then a real error, as a full disk does.
    script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
transport = FileTransport(Path(sys.argv[1]))
transport.emit(event(1))
transport.emit(event("x" * 10_000))
transport.emit(event(2))
assert not transport.close()
assert transport.lost == 1
"""
    said = run_script(script, tmp_path)
    assert said == "relineage: 1 event could not be written: OSError: [Errno 27] File too large\n"
    assert [json.loads(line)["job"]["name"] for line in lines(tmp_path)] == ["job 1", "job 2"]


def test_what_cannot_be_written_does_not_hurt_the_job(
    tmp_path: Path, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "events").write_text("a file in the folder's place")
    transport = FileTransport(tmp_path / "events")
    for _ in range(3):
        transport.emit(make_event())
    assert transport.lost == 3
    assert not transport.wait_for_completion()
    assert not transport.close()
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("relineage: 1 event could not be written: FileExistsError: ")
    assert said[1:] == ["relineage: 2 more events could not be written"]


def test_what_cannot_be_encoded_does_not_hurt_the_job(
    tmp_path: Path, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    transport = FileTransport(tmp_path)
    transport.emit(make_event(inputs=[object()]))
    transport.emit(make_event())
    assert transport.lost == 1
    assert len(lines(tmp_path)) == 1
    assert "$.inputs[0]" in caplog.records[0].getMessage()
    assert not transport.close()


def test_strict_raises(tmp_path: Path, make_event: MakeEvent) -> None:
    (tmp_path / "events").write_text("a file in the folder's place")
    with pytest.raises(FileExistsError):
        FileTransport(tmp_path / "events", strict=True).emit(make_event())
    with pytest.raises(TypeError, match=r"\$\.inputs\[0\]"):
        FileTransport(tmp_path, strict=True).emit(make_event(inputs=[object()]))


def test_neither_openlineages_client_nor_kafka_is_imported(tmp_path: Path) -> None:
    script = """
transport = FileTransport(Path(sys.argv[1]))
transport.emit(event(1))
transport.close()
print(sorted({"openlineage", "kafka", "numpy", "pyarrow", "duckdb"} & set(sys.modules)))
"""
    assert run_script(script, tmp_path) == "[]\n"
