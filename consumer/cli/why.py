"""`relineage why`: first causes of a difference. Exit code 1 when something differs.

Decides which two things are compared where only one is named. How they are shown is decided in `causes.py`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .. import engine
from ..ask import Ask, question_errors
from ..chance import chances_of
from ..display import printable
from ..errors import QuestionError
from ..named import named
from .asked import asked
from .code_changes import code_changes, with_commits_weighed
from .output import print_json
from .session import database_option, format_option


@click.command("why")
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", required=False)
@format_option("table", "json")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@database_option
def command(a: str, b: str | None, format_: str, as_json: bool, database: Path | None) -> int:
    """Why A and B differ: first causes, the likeliest on top.

    Each with the job in which it arose, its values in A and in B, and the way to the result; of code what git tells of
    the two states, where a repository around the working directory or on this machine holds them. Without B, the latest
    version of A, or run of a job, and as A the one before that differs and is of another execution: not two checkpoints
    of one training, unless there is no other. Exit code 1 when something differs, 0 when nothing does.
    """
    things = [a] if b is None else [a, b]
    with asked(database, *things, by_content_only=True, names_pass=True) as found:
        connection = found.connection
        one, two = found.x if b is not None else _latest_two(connection, found.x[0], a)
        causes = Ask(connection).why(one, two)
        changes = code_changes(causes, connection, found.repositories(), elsewhere=found.elsewhere)
        causes = with_commits_weighed(causes, changes)
        chances = chances_of(connection, causes)
    if as_json or format_ == "json":
        print_json([asdict(cause) for cause in causes])
    elif not causes:
        click.echo("relineage: they do not differ, as far as is recorded", err=True)
    else:
        from .causes import print_causes  # which needs rich

        print_causes(causes, changes, chances)
    return 1 if causes else 0


def _latest_two(connection: engine.DuckDBPyConnection, x: str, typed: str) -> tuple[str, str]:
    """The earlier and the later one.

    Raises:
        QuestionError: There are no two, or x is none of which there could be.
    """
    kind = Ask(connection).thing(x).kind
    if kind not in ("dataset", "job"):
        raise QuestionError(f"{printable(typed)} is one {kind}; name another one to compare it with")
    with question_errors():
        rows = connection.execute(named("why")["latest_two"], {"x": x}).fetchall()
    if len(rows) < 2:
        kinds = "versions" if kind == "dataset" else "runs with different outcomes"
        raise QuestionError(f"no two {kinds} of {printable(typed)} are recorded")
    (later, *_), (earlier, *_) = rows
    click.echo(f"relineage: A is {printable(earlier)}, B is {printable(later)}", err=True)
    return earlier, later
