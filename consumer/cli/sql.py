"""`relineage sql`: any question to the public views and macros.

Decides what keeps a question a question: one statement, in a transaction that cannot write, on a database that can
neither reach other files nor be configured anew. (That a statement is a SELECT proves nothing: it may read files and
change tables.)
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import click

from .. import engine
from ..ask import question_errors
from ..display import printable
from ..errors import QuestionError
from .output import Section, print_json, print_table
from .session import database_option, format_option, question

TABLE_ROWS = 1000


@click.command("sql")
@click.argument("query", metavar="SQL")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"Print at most that many rows. Default: {TABLE_ROWS} in tables, else all.",
)
@format_option("table", "json")
@database_option
def command(query: str, limit: int | None, format_: str, database: Path | None) -> int:
    """Ask anything in SQL, in DuckDB's dialect.

    `relineage sql "describe"` lists the views; upstream('…'), downstream('…'), reproducibility('…'), run_diff('…', '…')
    and why('…', '…') are tables. Nothing can be changed, and no other file be read.
    """
    limit = limit if limit is not None or format_ == "json" else TABLE_ROWS
    with question(database) as store:
        _lock(store.connection)
        try:
            with question_errors():
                columns, types, rows = _answer(store.connection, query, limit)
        except engine.Error as error:
            raise QuestionError(
                "\n".join(printable(line) for line in str(error).rstrip().splitlines())
            ) from None
    cut = limit is not None and len(rows) > limit
    if format_ == "json":
        names = _distinct(columns)
        embedded = [
            [_value(value, type_) for value, type_ in zip(row, types, strict=True)] for row in rows[:limit]
        ]
        print_json(Section("", names, embedded).objects())
    else:
        print_table(Section("", columns, rows[:limit]))
    if cut:
        click.echo(
            f"relineage: these are the first {limit} rows, there are more: --limit N prints more", err=True
        )
    return 0


def _lock(connection: engine.DuckDBPyConnection) -> None:
    for setting in (
        "enable_external_access = false",
        "python_enable_replacements = false",  # else a name that is no table could be a variable of ours
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")


def _answer(
    connection: engine.DuckDBPyConnection, query: str, limit: int | None
) -> tuple[list[str], list[str], list[tuple[object, ...]]]:
    statements = engine.extract_statements(query)
    if len(statements) != 1:
        raise QuestionError(f"one statement at a time, not {len(statements)}")
    connection.execute("begin transaction read only")
    try:
        found = connection.execute(statements[0])
        columns = [column[0] for column in found.description or ()]
        types = [str(column[1]) for column in found.description or ()]
        return columns, types, found.fetchall() if limit is None else found.fetchmany(limit + 1)
    finally:
        with suppress(engine.TransactionException):  # the statement may have ended the transaction itself
            connection.rollback()


def _distinct(columns: list[str]) -> list[str]:
    """Names for an object's members: a column whose name was there before gets a number."""
    names: list[str] = []
    for column in columns:
        name, number = column, 2
        while name in names:
            name, number = f"{column}_{number}", number + 1
        names.append(name)
    return names


def _value(value: object, type_: str) -> object:
    """JSON columns as JSON, not as text with JSON in it."""
    if type_ != "JSON" or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
