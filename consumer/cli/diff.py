"""`relineage diff`: what differs between two runs. Exit code 1 when something does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..ask import Ask, Difference
from .asked import asked
from .output import Section, plain_path, print_json, print_table, short
from .session import database_option, format_option


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@format_option("table", "json")
@database_option
def command(a: str, b: str, format_: str, database: Path | None) -> int:
    """What differs between two runs, or between the runs that wrote A and B.

    Exit code 1 when something differs, 0 when nothing does.
    """
    with asked(database, a, b, by_content_only=True) as two:
        found = Ask(two.connection).run_diff(*two.x)
    if format_ == "json":
        print_json([asdict(difference) for difference in found])
    elif found:
        rows = [[d.what, _key(d), _value(d.a), _value(d.b)] for d in found]
        print_table(Section("", ("what", "key", "a", "b"), rows))
    else:
        click.echo("relineage: nothing that is recorded differs", err=True)
    return 1 if found else 0


def _key(difference: Difference) -> str:
    """Of an input or output its role, unless that says no more than `what`, and its name."""
    if difference.what not in ("input", "output"):
        return difference.key
    return plain_path(difference.key.removeprefix(f"{difference.what} "))


def _value(value: str | None) -> str | None:
    return None if value is None else short(value)
