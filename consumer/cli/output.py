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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..display import printable

if TYPE_CHECKING:  # it takes 0.04 s to import, which asked.py does meanwhile
    from rich.console import Console
    from rich.table import Table

SECTION_ROWS = 20
# A column as narrow as this is not broken at all, and no other one is made narrower: one letter a line is no table.
UNBROKEN_COLUMNS = 12
_FILE = re.compile(r"(?:^|(?<= ))file/(?=/)")
_DIGEST = re.compile(r"b3-[a-z0-9]+:[0-9a-f]{64}")
_json_text = json.JSONEncoder(ensure_ascii=False).encode
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


def terminal(*, at_least: int = 0) -> Console:
    """Standard output: as wide as the terminal, or without an edge where it is none.

    Args:
        at_least: What needs more columns gets them, and the terminal breaks the lines: nothing is cut.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    console.width = max(console.width, at_least)
    return console


def print_json(value: object) -> None:
    """One JSON document in UTF-8; times in ISO 8601 with Z, what is no number (NaN) as text, bytes in base64."""
    click.echo(_json(value, "\n").encode("utf-8", "backslashreplace"))


def calm_table() -> Table:
    """Two spaces between columns, one line under the head, nothing else."""
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )


def print_table(section: Section) -> None:
    """A section for people, its title only if it has one."""
    from rich.cells import cell_len
    from rich.text import Text

    table = calm_table()
    table.show_header = any(section.columns)
    cells = [[shown(value) for value in row] for row in section.rows]
    needed = 0
    for place, column in enumerate(section.columns):
        values = [row[place] for row in section.rows if row[place] is not None]
        numbers = bool(values) and all(type(value) in (int, float) for value in values)
        heading = printable(column.replace("_", " "))
        widest = max(cell_len(text) for text in (heading, *(row[place] for row in cells)))
        whole = widest <= UNBROKEN_COLUMNS or column.endswith(("run_id", "_at"))
        needed += 2 + (widest if whole else UNBROKEN_COLUMNS)
        table.add_column(
            Text(heading), overflow="fold", no_wrap=whole, justify="right" if numbers else "left"
        )
    for row in cells:
        table.add_row(*map(Text, row))
    console = terminal(at_least=needed)
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


def namespace_prefix(namespace: str, name: str) -> str:
    """What stands before a name: the namespace and a slash; nothing before a file's, which is its path."""
    return "" if namespace == "file" and name.startswith("/") else f"{namespace}/"


def dataset_name(namespace: str, name: str, version: str | None = None) -> str:
    """As one text that can be asked for."""
    tail = f"@{short(version)}" if version is not None else ""
    return f"{namespace_prefix(namespace, name)}{name}{tail}"


def plain_path(text: str) -> str:
    """A text in which SQL has put namespace and name together, of a file with its path instead."""
    return _FILE.sub("", text, count=1)


def place_of(source: str, topic: str | None, partition: int) -> str:
    """Where messages come from: `topic:partition`, or a file's path from here."""
    if topic is not None:
        return f"{topic}:{partition}"
    here = Path.cwd()
    return str(Path(source).relative_to(here)) if Path(source).is_relative_to(here) else source


def duration(began: datetime | None, ended: datetime | None) -> str:
    """Seconds, minutes or hours from one to the other; a question mark where clocks differed, or one was set back."""
    if began is None or ended is None:
        return ""
    seconds = (ended - began).total_seconds()
    if seconds < 0:
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _json(value: object, line_break: str) -> str:
    """As `json.dumps` with an indentation of 2, which is only quick without one."""
    if isinstance(value, str):
        return _json_text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else _json_text(str(value))
    inner = line_break + "  "
    if isinstance(value, dict):
        members = [f"{_json_text(str(key))}: {_json(one, inner)}" for key, one in value.items()]
        return f"{{{inner}{f',{inner}'.join(members)}{line_break}}}" if members else "{}"
    if isinstance(value, (list, tuple)):
        items = [_json(one, inner) for one in value]
        return f"[{inner}{f',{inner}'.join(items)}{line_break}]" if items else "[]"
    if isinstance(value, datetime):
        return _json_text(value.isoformat() + ("Z" if value.tzinfo is None else ""))
    if isinstance(value, (date, time)):
        return _json_text(value.isoformat())
    if isinstance(value, timedelta):
        return _json(value.total_seconds(), inner)
    if isinstance(value, bytes):
        return _json_text(base64.b64encode(value).decode())
    return _json_text(str(value) if not isinstance(value, Decimal) else format(value, "f"))
