"""How answers look: calm tables for people, plain JSON for programs.

Decides that hostile text is shown escaped and never as rich's markup, that a cut list says so, and what a value looks
like. Answers go to standard output; what is said about them goes to standard error.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import click
import duckdb
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..display import printable

TABLE_LIMIT = 50
SECTION_ROWS = 20
_DIGEST = re.compile(r"b3-[a-z0-9]+:[0-9a-f]{64}")
# Wide enough for anything: a pipe or a file has no edge at which to break lines.
_PIPE_COLUMNS = 4000


@dataclass(frozen=True)
class Section:
    """A part of an answer: a title, and rows under column names; `upright` of one row that is read downwards."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    upright: bool = False

    def objects(self) -> list[dict[str, Any]]:
        """The rows as objects."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def terminal() -> Console:
    """Standard output: as wide as the terminal, or without an edge where it is none."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS
    return Console(width=width, markup=False, emoji=False, highlight=False)


def print_json(value: object) -> None:
    """One JSON document in UTF-8; times in ISO 8601 with Z, what is no number (NaN) as text, bytes in base64."""
    text = json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False)
    click.echo(text.encode("utf-8", "backslashreplace"))


def calm_table() -> Table:
    """Two spaces between columns, one line under the head, nothing else."""
    return Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )


def print_table(section: Section) -> None:
    """A section for people, its title only if it has one."""
    table = calm_table()
    table.show_header = any(section.columns)
    for place, column in enumerate(section.columns):
        values = [row[place] for row in section.rows if row[place] is not None]
        numbers = bool(values) and all(type(value) in (int, float) for value in values)
        heading = Text(printable(column.replace("_", " ")))
        table.add_column(
            heading,
            overflow="fold",
            no_wrap=column.endswith(("run_id", "_at")),
            justify="right" if numbers else "left",
        )
    for row in section.rows:
        table.add_row(*(Text(shown(value)) for value in row))
    console = terminal()
    if section.title:
        console.print(Text(printable(section.title), style="bold cyan"))
    console.print(table)


def print_sections(sections: Iterable[Section], format_: str) -> None:
    """Several sections. For people: without the empty ones, and of many rows the first, which it says."""
    if format_ == "json":
        print_json({section.title.replace(" ", "_"): section.objects() for section in sections})
        return
    for number, section in enumerate(section for section in sections if section.rows):
        if number:
            click.echo()
        if section.upright:
            told = [
                (name.replace("_", " "), value)
                for name, value in section.objects()[0].items()
                if shown(value)
            ]
            print_table(Section(section.title, ("", ""), told))
        elif len(section.rows) > SECTION_ROWS:
            title = (
                f"{section.title} (the first {SECTION_ROWS} of {len(section.rows)}; --format json has all)"
            )
            print_table(Section(title, section.columns, section.rows[:SECTION_ROWS]))
        else:
            print_table(section)


def print_list(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    limit: int | None,
    format_: str,
    line: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """What a query finds, and a line if that was more than the limit: 50 in a table, none for a program.

    Args:
        connection: Of the store.
        query: Its columns are what a program gets.
        limit: As asked for.
        format_: `table` or `json`.
        line: A row as people get it.
    """
    limit = limit if limit is not None or format_ == "json" else TABLE_LIMIT
    found = connection.execute(query)
    columns = [column[0] for column in found.description]
    rows = found.fetchall() if limit is None else found.fetchmany(limit + 1)
    objects = Section("", columns, rows[:limit]).objects()
    if format_ == "json":
        print_json(objects)
    elif rows:
        lines = [line(one) for one in objects]
        print_table(Section("", list(lines[0]), [list(one.values()) for one in lines]))
    else:
        click.echo("relineage: none is recorded", err=True)
    if limit is not None and len(rows) > limit:
        click.echo(f"relineage: these are the first {limit}, there are more: --limit N lists more", err=True)


def shown(value: object) -> str:
    """A value in a table; safe to print."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        return printable(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{shown(key)}: {shown(one)}" for key, one in value.items())
    return printable(str(value))


def short(version: str | None) -> str:
    """A version as a name's tail: of one of our digests the first digits, which find it again, else the whole text."""
    if version is None:
        return ""
    return shortened(version).rpartition(":")[2] if _DIGEST.fullmatch(version) else printable(version)


def shortened(value: Any) -> Any:
    """A digest with its first digits only, which find it again; anything else as it is."""
    return value[: value.index(":") + 9] if isinstance(value, str) and _DIGEST.fullmatch(value) else value


def dataset_name(namespace: str, name: str, version: str | None = None) -> str:
    """As one text that can be asked for."""
    return f"{namespace}/{name}" + (f"@{short(version)}" if version is not None else "")


def duration(began: datetime | None, ended: datetime | None) -> str:
    """Seconds, minutes or hours from one to the other."""
    if began is None or ended is None:
        return ""
    seconds = (ended - began).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value) if not isinstance(value, Decimal) else format(value, "f")
