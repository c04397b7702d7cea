"""Small streams of events with the answers they must give, worked out by hand: cases/README.md tells how to read them.

Each is sent in several orders and with repetitions: the answers are a function of the set of events.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.ndjson"))


@dataclass(frozen=True)
class Table:
    """The rows that a view, or a macro with its argument and maybe an option, must show in these columns."""

    question: str
    argument: str | None
    option: str | None
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Expected:
    names: dict[str, str]
    """What stands in the table → the run id or digest that is meant."""
    tables: list[Table]


def read_expected(path: Path) -> Expected:
    names: dict[str, str] = {}
    tables: list[Table] = []
    lines = [re.sub(r"(^| {2})# .*", "", line).rstrip() for line in path.read_text().splitlines()]
    for line in filter(None, lines):
        if line.startswith("let "):
            name, value = line.removeprefix("let ").split(" = ")
            names[name] = value
        elif line.startswith("== "):
            head = re.fullmatch(r"== (\w+)(?:\((.+?)(?:, (\w+))?\))?", line)
            assert head, line
            tables.append(Table(head[1], head[2], head[3], [], []))
        else:
            cells = [cell.strip() for cell in line.split(" | ")]
            if not tables[-1].columns:
                tables[-1].columns.extend(cells)
            else:
                assert len(cells) == len(tables[-1].columns), line
                tables[-1].rows.append(cells)
    return Expected(names, tables)


def read_messages(path: Path) -> list[bytes]:
    """One message a line; an empty line is an empty message."""
    return path.read_bytes().removesuffix(b"\n").split(b"\n")


def shown(store: Any, table: Table, names: dict[str, str]) -> list[list[str]]:
    """The rows as the file writes them: null as -, an empty text as '', run ids and digests by their names."""
    asked = [f'"{column}"' if column.isidentifier() else column for column in table.columns]
    columns = ", ".join(f"({column})::varchar" for column in asked)
    if table.argument is None:
        rows = store.sql(f"select {columns} from {table.question}")
    else:
        x = re.sub(r"[^@]+", lambda part: names.get(part[0], part[0]), table.argument)
        option = f", {table.option} := true" if table.option else ""
        rows = store.sql(f"select {columns} from {table.question}($x{option})", {"x": x})
    return sorted([named(cell, names) for cell in row] for row in rows)


def named(cell: str | None, names: dict[str, str]) -> str:
    if cell is None:
        return "-"
    for name, value in names.items():
        cell = cell.replace(value, name)
    return cell or "''"


def compare(store: Any, expected: Expected, arrangement: str) -> None:
    for table in expected.tables:
        asked = " ".join(filter(None, (table.question, table.argument, table.option)))
        assert shown(store, table, expected.names) == sorted(table.rows), f"{asked}, {arrangement}"


@pytest.mark.parametrize("name", NAMES)
def test_a_case_gives_its_answers_in_any_order_and_however_often(
    name: str, new_store: Callable[..., Any]
) -> None:
    messages = read_messages(CASES / f"{name}.ndjson")
    expected = read_expected(CASES / f"{name}.expected.txt")
    assert expected.tables
    chance = random.Random(name)
    doubled = chance.sample(messages * 2, 2 * len(messages))
    arrangements = {
        "as told, in one batch": [messages],
        "backwards, one by one": [[message] for message in reversed(messages)],
        "doubled and shuffled, in two batches": [doubled[: len(messages)], doubled[len(messages) :]],
    }
    store = new_store()
    for arrangement, batches in arrangements.items():
        store.clear()
        for batch in batches:
            store.ingest(batch)
        compare(store, expected, arrangement)


def test_every_case_has_both_files() -> None:
    expected = {path.name.removesuffix(".expected.txt") for path in CASES.glob("*.expected.txt")}
    assert expected == set(NAMES)
    assert len(NAMES) >= 12
