"""What in a file is one message, what of a file is new, and that each is taken in once."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from streams import encode, event, run_id

from relineage.consumer.consume import Progress, Summary, take_in
from relineage.consumer.errors import SourceError
from relineage.consumer.sources import files
from relineage.consumer.store import Store

ONE, TWO, THREE = (encode(event(number, number)) for number in (1, 2, 3))


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open() as opened:
        yield opened


def runs(store: Store) -> list[str]:
    return [run for (run,) in store.connection.execute("select run_id from runs order by all").fetchall()]


def letters(store: Store) -> list[str]:
    return [reason for (reason,) in store.connection.execute("select reason from dead_letters").fetchall()]


def deliveries(store: Store) -> list[tuple[str, int]]:
    query = 'select source, "offset" from store.event order by all'
    return store.connection.execute(query).fetchall()


def test_lines_are_messages_at_their_byte(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(ONE + b"\n\n  \r\n" + TWO + b"\r\n" + THREE + b"\n")
    assert take_in(store, [path]) == Summary(events=3, letters=0)
    second = len(ONE) + 6
    places = [0, second, second + len(TWO) + 2]
    assert deliveries(store) == [(str(path), place) for place in places]
    assert all(path.read_bytes()[place:].startswith(b"{") for place in places)


def test_only_what_is_new_is_taken_in(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(ONE + b"\n")
    for appended, events in ((b"", 1), (b"", 0), (TWO + b"\n" + THREE + b"\n", 2), (b"", 0)):
        with path.open("ab") as file:
            file.write(appended)
        assert take_in(store, [path]).events == events
    assert runs(store) == [run_id(1), run_id(2), run_id(3)]
    assert len(deliveries(store)) == 3


def test_a_last_line_without_its_newline_is_taken_only_if_it_is_whole(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(ONE + b"\n" + TWO[:50])
    assert take_in(store, [path]) == Summary(1, 0, (files.Unfinished(path, 50),))
    assert take_in(store, [path]) == Summary(0, 0, (files.Unfinished(path, 50),))
    path.write_bytes(ONE + b"\n" + TWO)
    assert take_in(store, [path]) == Summary(1, 0)
    path.write_bytes(ONE + b"\n" + TWO + b"\n" + THREE + b"\n")
    assert take_in(store, [path]) == Summary(1, 0)
    assert len(deliveries(store)) == 3
    assert letters(store) == []


def test_a_file_that_changed_or_shrank_is_a_new_file(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(ONE + b"\n" + TWO + b"\n")
    take_in(store, [path])
    path.write_bytes(THREE + b"\n" + TWO + b"\n" + ONE + b"\n")  # longer, but another beginning
    assert take_in(store, [path]).events == 3
    path.write_bytes(THREE + b"\n")  # the same beginning, but shorter
    assert take_in(store, [path]).events == 1
    assert take_in(store, [path]).events == 0
    assert runs(store) == [run_id(1), run_id(2), run_id(3)]  # as events they are the same


def test_a_json_file_is_one_document_or_an_array(store: Store, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(json.loads(ONE), indent=2))
    (tmp_path / "more.json").write_bytes(b"[\n" + TWO + b",\n" + THREE + b"\n]\n")
    assert take_in(store, [tmp_path / "one.json", tmp_path / "more.json"]) == Summary(3, 0)
    assert take_in(store, [tmp_path / "one.json", tmp_path / "more.json"]) == Summary(0, 0)
    (tmp_path / "more.json").write_bytes(TWO)
    assert take_in(store, [tmp_path / "more.json"]) == Summary(1, 0)
    assert runs(store) == [run_id(1), run_id(2), run_id(3)]


def test_an_empty_file_holds_nothing_now_and_the_next_time(store: Store, tmp_path: Path) -> None:
    for name in ("a.json", "b.ndjson"):
        (tmp_path / name).write_bytes(b"")
    first = take_in(store, [tmp_path])
    assert first.events == 0
    assert take_in(store, [tmp_path]) == Summary(0, 0)


def test_a_folder_means_the_event_files_below_it_in_order(store: Store, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "b.ndjson").write_bytes(ONE + b"\n")
    (tmp_path / "deep" / "a.jsonl").write_bytes(TWO + b"\n")
    (tmp_path / "deep" / "er" / "c.json").write_bytes(THREE)
    (tmp_path / "notes.txt").write_text("no events")
    found = files.expand([tmp_path])
    assert found == [tmp_path / "b.ndjson", tmp_path / "deep/a.jsonl", tmp_path / "deep/er/c.json"]
    assert take_in(store, [tmp_path]) == Summary(3, 0)


def test_a_file_is_known_by_its_absolute_path(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "events.ndjson").write_bytes(ONE + b"\n")
    monkeypatch.chdir(tmp_path)
    assert take_in(store, [Path("events.ndjson")]).events == 1
    assert take_in(store, [tmp_path / "events.ndjson"]).events == 0


def test_a_path_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.ndjson does not exist"):
        take_in(store, [tmp_path / "nowhere.ndjson"])


def test_a_bad_line_is_a_letter_and_its_neighbours_load(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join([ONE, b'{"broken": ', b"\xff\xfe", TWO, b""]))
    assert take_in(store, [path]) == Summary(2, 2)
    assert sorted(letters(store)) == ["not JSON", "not UTF-8 at byte 0"]


def test_standard_input_is_read_to_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ONE + b"\n" + TWO)))
    assert take_in(store, ["-"]) == Summary(2, 0)
    assert runs(store) == [run_id(1), run_id(2)]


def test_a_named_pipe_is_read_to_its_end(store: Store, tmp_path: Path) -> None:
    """As a shell's `<(…)` gives one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = ONE + b"\n" + TWO
    writing = f"open({str(pipe)!r}, 'wb').write({text!r})"
    with subprocess.Popen([sys.executable, "-c", writing]) as writer:
        assert take_in(store, [pipe]) == Summary(2, 0)
        assert writer.wait(10) == 0


def test_large_files_are_taken_in_by_pieces(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that are cut by a piece's end, and one that is longer than a piece, stay whole."""
    monkeypatch.setattr(files, "BATCH_BYTES", 1000)
    bodies = [encode(event(number, number)) for number in range(40)]
    bodies[20] = bodies[20].replace(b"etl", b"e" + b"t" * 5000 + b"l")
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(bodies))
    reports: list[Progress] = []
    assert take_in(store, [path], progress=reports.append) == Summary(40, 0)
    text = path.read_bytes()
    assert [offset for _, offset in deliveries(store)] == [text.index(body) for body in bodies]
    assert len(reports) > 5
    size = sum(map(len, bodies))
    assert (reports[-1].messages, reports[-1].bytes, reports[-1].total_bytes) == (40, size, len(text))


def test_what_was_stored_before_a_stop_is_not_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr(files, "BATCH_BYTES", 1000)
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(encode(event(number, number)) + b"\n" for number in range(40)))
    stop = threading.Event()
    first = take_in(store, [path], progress=lambda _: stop.set(), stop=stop)
    assert 0 < first.events < 40
    assert first.events + take_in(store, [path]).events == 40
    assert len(set(deliveries(store))) == len(deliveries(store)) == 40
