"""`relineage letters`: the messages that are no events. Exit code 1 when there are some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..display import printable
from ..errors import QuestionError
from ..named import named
from .listing import print_list
from .output import Section, place_of, print_json, print_sections
from .session import database_option, format_option, limit_option, question

SHOWN_BYTES = 64 << 10
DIGEST_DIGITS = 8  # find a letter again


@click.command("letters")
@click.argument("digest", metavar="[DIGEST]", required=False)
@limit_option
@format_option("table", "json")
@database_option
def command(digest: str | None, limit: int | None, format_: str, database: Path | None) -> int:
    """List the messages that are no events, newest first, with the reason; or show one with its bytes.

    DIGEST is a letter's digest or the beginning of it. In JSON its bytes are `body`, or `body_base64` where they are no
    UTF-8. Exit code 1 when there are letters, 0 when there are none.
    """
    queries = named("lists")
    with question(database) as store:
        if digest is None:
            [(count,)] = store.connection.execute(queries["letter_count"]).fetchall()
            if count or format_ == "json":
                print_list(store.connection, queries["letters"], limit, format_, _line)
            else:
                click.echo("relineage: every message was an event", err=True)
            return 1 if count else 0
        found = store.connection.execute(queries["letters_beginning_with"], {"digest": digest})
        columns = [column[0] for column in found.description]
        rows = found.fetchall()
    if not rows:
        raise QuestionError(f"no letter is known as {digest}; relineage letters lists them")
    if len(rows) > 1:
        raise QuestionError(
            "\n".join(
                [f"ambiguous: letters that begin with {digest}:", *(f"  {row[0]}" for row in rows[:10])]
            )
        )
    letter = dict(zip(columns, rows[0], strict=True))
    body = letter.pop("body")
    if format_ == "json":
        print_json(letter | _json_body(body))
    else:
        print_sections([Section("", tuple(letter), [list(letter.values())], upright=True)], format_)
        _print_body(body)
    return 1


def _line(letter: dict[str, Any]) -> dict[str, Any]:
    unit = "byte" if letter["topic"] is None else "offset"
    return {
        "digest": letter["digest"][:DIGEST_DIGITS],
        "received_at": letter["received_at"],
        "bytes": letter["bytes"],
        "reason": letter["reason"],
        "from": f"{place_of(letter['source'], letter['topic'], letter['partition'])} at {unit} {letter['offset']}",
    }


def _json_body(body: bytes | None) -> dict[str, Any]:
    try:
        return {"body": None if body is None else body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": body}


def _print_body(body: bytes | None) -> None:
    """The bytes as text, what would not print escaped."""
    click.echo()
    for line in (body or b"")[:SHOWN_BYTES].decode("utf-8", "backslashreplace").split("\n"):
        click.echo(printable(line))
    if body is not None and len(body) > SHOWN_BYTES:
        click.echo(
            f"relineage: the first {SHOWN_BYTES >> 10} of {len(body) >> 10} KiB; --format json has all",
            err=True,
        )
