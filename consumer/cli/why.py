"""`relineage why`: first causes of a difference. Exit code 1 when something differs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from ..ask import Ask, Cause
from ..display import printable
from .output import print_json, short, terminal
from .session import database_option, format_option, question
from .subject import meant


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
    with question(database) as store:
        causes = Ask(store.connection).why(meant(store.connection, a), meant(store.connection, b))
    if format_ == "json":
        print_json([asdict(cause) for cause in causes])
    elif not causes:
        click.echo("relineage: nothing that is recorded differs", err=True)
    else:
        console = terminal()
        for cause in causes:
            console.print(_line(cause))
    return 1 if causes else 0


def _line(cause: Cause) -> Text:
    text = Text(f"{cause.rank:>2}  ")
    text.append(printable(cause.what), style="bold")
    if cause.role:
        text.append(f" of {printable(cause.role)}", style="italic")
    if cause.job_name:
        text.append(f" in {printable(cause.job_name)}")
    text.append("\n      ")
    text.append(_value(cause.a), style="red")
    text.append(" → ", style="dim")
    text.append(_value(cause.b), style="green")
    if cause.path:
        text.append(f"\n      {printable(cause.path)}", style="dim")
    return text


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else short(value)
