"""What `runs`, `datasets` and `models` have in common: a statement of queries/lists.sql, as a table or as JSON.

Decides where a list is cut, and that people get many alike as one row unless they say how many rows they want, which is
told. What a row looks like is decided by the command.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .. import engine
from ..named import named
from .output import Section, print_json, print_table
from .session import database_option, format_option, limit_option, question
from .tree import distinct_digits

TABLE_LIMIT = 50

# A row as a program gets it → as people do.
Line = Callable[[dict[str, Any]], dict[str, Any]]


def list_command(name: str, says: str, line: Line, counted: str | None = None) -> click.Command:
    """The command of that name, which lists what the statement of that name finds.

    Args:
        name: Of the command and of the statement.
        says: Its help.
        line: How a row is shown.
        counted: The column that says how many are in one row of the statement `<name>_together`, if there is one.
    """

    @click.command(name, help=says)
    @limit_option
    @format_option("table", "json")
    @database_option
    def command(limit: int | None, format_: str, database: Path | None) -> int:
        with question(database) as store:
            together = counted is not None and limit is None and format_ == "table"
            query = named("lists")[f"{name}_together" if together else name]
            print_list(store.connection, query, limit, format_, line, counted if together else None)
        return 0

    return command


def print_list(
    connection: engine.DuckDBPyConnection,
    query: str,
    limit: int | None,
    format_: str,
    line: Line,
    counted: str | None = None,
) -> None:
    """What a query finds, and a line if that was more than the limit: 50 in a table, none for a program.

    Args:
        connection: Of the store.
        query: Its columns are what a program gets.
        limit: As asked for.
        format_: `table` or `json`.
        line: How a row is shown.
        counted: The column that says how many stand in a row, if some may.
    """
    limit = limit if limit is not None or format_ == "json" else TABLE_LIMIT
    found = connection.execute(query)
    columns = [column[0] for column in found.description]
    rows = found.fetchall() if limit is None else found.fetchmany(limit + 1)
    objects = Section("", columns, rows[:limit]).objects()
    if format_ == "json":
        print_json(objects)
    elif rows:
        lines = [line(one) for one in with_short_run_ids(objects)]
        print_table(Section("", list(lines[0]), [list(one.values()) for one in lines]))
    else:
        click.echo("relineage: none is recorded", err=True)
    if counted is not None and any(one[counted] > 1 for one in objects):
        click.echo(f"relineage: many {counted} alike are one line: --limit N lists each", err=True)
    if limit is not None and len(rows) > limit:
        click.echo(f"relineage: these are the first {limit}, there are more: --limit N lists more", err=True)


def with_short_run_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with as much of each run id as tells these apart, which finds it again."""
    digits = distinct_digits(
        {value for row in rows for column, value in row.items() if column.endswith("run_id") and value}
    )
    return [
        {
            column: value[:digits] if column.endswith("run_id") and value else value
            for column, value in row.items()
        }
        for row in rows
    ]
