"""Names come from events: nothing in them is markup, an emoji code or an order to the terminal."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from relineage.consumer.display import printable

HOSTILE = "[red]a[/red] :smile: \x1b[31m\x07\r\n\x9b2J\u202egnp [/] '; drop table runs; --"
SHOWN = "[red]a[/red] :smile: \\x1b[31m\\x07\\r\\n\\x9b2J\\u202egnp [/] '; drop table runs; --"


@pytest.fixture(scope="module")
def told(module_folder: Path, tell: Callable[..., Any]) -> Path:
    """Two jobs, all of whose names are hostile."""
    run = {"runId": "0199a000-0000-7000-8000-00000000000a"}
    tell(
        module_folder,
        HOSTILE,
        1,
        reads=[("raw " + HOSTILE, "1" + HOSTILE)],
        writes=[(HOSTILE, "2" + HOSTILE)],
        run=run,
    )
    tell(module_folder, "other", 2, reads=[(HOSTILE, "2" + HOSTILE)], writes=[("model", "3")])
    (module_folder / ".relineage" / "events" / "letter.ndjson").write_bytes(b'{"a": "\x1b[31m[red]"}\n')
    return module_folder


@pytest.fixture
def hostile(told: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(told)
    return told


RUN = "run:0199a000-0000-7000-8000-00000000000a"
COMMANDS = [
    (0, "trace", "model"),
    (0, "trace", "model", "--format", "table"),
    (0, "trace", "--down", "raw " + HOSTILE),
    (1, "verify", "model"),
    (2, "replay", "model", "--yes"),
    (1, "why", "model", "dataset:n/" + HOSTILE),
    (1, "diff", RUN, "job:other"),
    (0, "runs"),
    (0, "datasets"),
    (0, "show", "other"),
    (0, "show", RUN),
    (0, "show", "dataset:n/" + HOSTILE),
    (0, "sql", "select * from runs"),
    (1, "letters"),
    (0, "status"),
    (2, "trace", "nothing " + HOSTILE),
    (2, "trace", HOSTILE + "@nothing"),
    (2, "digest", HOSTILE),
    (2, "consume", HOSTILE),
    (2, HOSTILE),
    (2, "trace", "--" + HOSTILE),
]


@pytest.mark.parametrize(
    ("code", "arguments"),
    [(code, arguments) for code, *arguments in COMMANDS],
    ids=[printable(" ".join(arguments))[:30] for _, *arguments in COMMANDS],
)
def test_no_name_reaches_the_terminal_as_an_order(
    code: int, arguments: list[str], hostile: Path, relineage: Callable[..., Any]
) -> None:
    said = relineage(*arguments)

    assert said.code == code, said
    for text in (said.out, said.err):
        assert not set(text) & {"\x1b", "\x07", "\r", "\x9b", "\u202e"}
        assert "😄" not in text
    assert "Traceback" not in said.err


def test_a_name_is_shown_as_it_is(hostile: Path, relineage: Callable[..., Any]) -> None:
    assert f"n/{SHOWN}@2{SHOWN}" in relineage("trace", "model").out
    assert f"n/{SHOWN}" in relineage("runs").out


def test_a_program_gets_the_name_untouched(hostile: Path, relineage: Callable[..., Any]) -> None:
    assert HOSTILE in [row["name"] for row in relineage("datasets", "--format", "json").json]


def test_a_program_gets_utf_8(folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]) -> None:
    tell(folder, "Größe 模型", 1)

    assert "Größe 模型" in relineage("runs", "--format", "json").out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Größe 模型 👩‍🔬", "Größe 模型 👩‍🔬"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b]8;;http://x\x1b\\", "\\x1b]8;;http://x\\x1b\\"),
        ("\u2066x\u2069\u2028", "\\u2066x\\u2069\\u2028"),
        (json.loads('"\\ud800"'), "\\ud800"),
    ],
)
def test_what_does_not_print_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


ODD = [
    {"relineage_seeds": {"entropy": "zz", "given": True}},
    {"relineage_seeds": {"entropy": ""}},
    {"relineage_seeds": {"entropy": [1]}},
    {"relineage_environment": {"python": 3, "packages": [1], "command": ["x.py"], "code": {"commit": "-h"}}},
    {"relineage_step": {"callable": 5, "parameters": [{"name": 1}, {}], "code": [], "details": 7}},
]


def test_what_no_facet_of_ours_would_say_is_an_answer_or_an_error_and_no_crash(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    ids = [f"0199a000-0000-7000-8000-00000000000{number}" for number in range(len(ODD))]
    for run_id, facets in zip(ids, ODD, strict=True):
        run = {"runId": run_id, "facets": {key: base | facet for key, facet in facets.items()}}
        tell(folder, "odd", 1, writes=[("made", run_id)], run=run)

    for one, other in pairwise(ids):
        for code, *arguments in (
            (1, "verify", f"run:{one}"),
            (1, "why", f"run:{one}", f"run:{other}"),
            (1, "diff", f"run:{one}", f"run:{other}"),
            (0, "show", f"run:{one}"),
            (2, "replay", f"run:{one}", "--yes"),
        ):
            said = relineage(*arguments)
            assert (said.code, "Traceback" in said.err) == (code, False), said


@pytest.mark.parametrize(
    "seeds",
    [{}, {"given": True}, {"entropy": "", "given": True}, {"entropy": "5", "uncovered": "os.urandom"}],
)
def test_a_seed_that_is_not_there_is_not_complete(
    seeds: dict[str, Any], folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    run = {"runId": "0199a000-0000-7000-8000-00000000000a", "facets": {"relineage_seeds": base | seeds}}
    tell(folder, "train", 1, writes=[("model", "1")], run=run)

    [status] = [
        row["status"]
        for row in relineage("verify", "model", "--format", "json").json
        if row["check_name"] == "seeds_complete"
    ]
    assert status == "unknown"
