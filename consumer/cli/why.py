"""`relineage why`: first causes of a difference. Exit code 1 when something differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.padding import Padding
from rich.text import Text

from ..ask import Ask, Cause
from ..display import printable
from .asked import asked
from .output import print_json, short, terminal
from .session import database_option, format_option


@click.command("why")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@format_option("table", "json")
@database_option
def command(a: str, b: str, format_: str, database: Path | None) -> int:
    """Why A and B differ: first causes, the likeliest on top.

    Each with the job in which it arose, its values in A and in B, and the way to the result. Exit code 1 when something
    differs, 0 when nothing does.
    """
    with asked(database, a, b, by_content_only=True) as found:
        causes = Ask(found.connection).why(*found.x)
    if format_ == "json":
        print_json([asdict(cause) for cause in causes])
    elif not causes:
        click.echo("relineage: nothing that is recorded differs", err=True)
    else:
        print_causes(causes)
    return 1 if causes else 0


def print_causes(causes: Sequence[Cause]) -> None:
    """Print causes, the likeliest on top."""
    console = terminal()
    for cause in causes:
        console.print(Text.assemble(f"{cause.rank:>2}  ", _heading(cause)))
        console.print(Padding(_values(cause), (0, 0, 0, 6), expand=False))
        if cause.path:
            console.print(Padding(Text(printable(cause.path), style="dim"), (0, 0, 0, 6), expand=False))


def _heading(cause: Cause) -> Text:
    """What differs, and where: `seed in split`, `column age of output in load`, `input labels in train, only in A`."""
    what, role, side = cause.what, cause.role, ""
    if what.startswith("input only in "):
        what, side = "input", what[-1].upper()
    text = Text()
    if what == "input" and cause.job_name is not None:
        text.append("input", style="bold")
        if role and role != "input":
            text.append(f" {printable(role.removeprefix('input '))}", style="italic")
    else:  # an input of no job is A or B itself, which nobody is known to have written
        text.append(printable("content" if what == "input" else what), style="bold")
        if role:
            text.append(f" of {printable(role)}", style="italic")
    if cause.job_name:
        text.append(f" in {printable(cause.job_name)}")
    if side:
        text.append(f", only in {side}")
    return text


def _values(cause: Cause) -> Text:
    return Text.assemble((_value(cause.a), "red"), (" → ", "dim"), (_value(cause.b), "green"))


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else short(value)
