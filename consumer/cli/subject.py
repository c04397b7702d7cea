"""What a person typed for x: besides all that the macros know, a file or folder, and the beginning of a run id.

Decides when the text is taken for a path. Leaves names, versions, digests and their doubts to the macros.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from .. import engine
from ..ask import Ask
from ..display import printable
from ..errors import QuestionError
from ..named import named
from .output import dataset_name

_OF_PATHS = ("/", "./", "../", "~")
_RUN_PREFIX = re.compile(r"(?:run:)?([0-9a-fA-F-]{8,35})")


def meant(
    connection: engine.DuckDBPyConnection, x: str, *, by_content_only: bool = False, names_pass: bool = False
) -> str:
    """The x to put to the macros.

    An existing path that begins with `/`, `./`, `../` or `~` is meant as such. One that has a slash further on is too,
    unless something of that name is recorded: then it is an error that says so. Any other existing file is looked for
    if nothing of its name is known. A file or folder stands for the strongest of its digests that is recorded.

    A whole path is a name too, as lists show it: where the content is unknown it stands for what was recorded under
    it, and that is said.

    Args:
        connection: Of the store.
        x: As typed.
        by_content_only: An existing file is never taken by its name: a verdict on what it was is none on what it is.
        names_pass: What can only be a name is not looked up: whoever asks for it next says whether it is known.

    Raises:
        QuestionError: Nothing is known by that name or with that content, or several things are.
    """
    if not x.strip():
        raise QuestionError("X is empty; relineage runs, datasets and models list what is recorded")
    path = Path(os.path.expanduser(x))  # noqa: PTH111 - Path.expanduser raises where there is no such user
    if x.startswith(_OF_PATHS) and _exists(path):
        try:
            return _by_content(connection, path)
        except QuestionError as unknown:
            if by_content_only or not _is_recorded_name(connection, x):
                raise
            said = printable(str(unknown).splitlines()[0])
            click.echo(f"relineage: {said}; this is what was recorded under its name", err=True)
            return x
    if names_pass and not _exists(path) and _RUN_PREFIX.fullmatch(x) is None:
        return x
    try:
        thing = Ask(connection).thing(x)
    except QuestionError as unknown:
        if _exists(path):
            return _by_content(connection, path)
        if (run_id := _run_beginning_with(connection, x)) is not None:
            return f"run:{run_id}"
        if str(unknown).startswith("nothing is known as ") and looks_like_a_file(x):
            raise QuestionError(f"there is no file {printable(x)} here, and {unknown}") from None
        raise unknown
    if os.sep in x and _exists(path):
        prefix = thing.kind if thing.kind in ("run", "job", "digest") else "dataset"
        raise QuestionError(
            f"{printable(x)} is a recorded {thing.kind}, and a file here; say which:\n"
            f"  {prefix}:{printable(x)}\n  ./{printable(x)}"
        )
    return x


def looks_like_a_file(x: str) -> bool:
    """Whether who typed that may have meant a file, there or not."""
    return x.startswith(_OF_PATHS) or Path(x).suffix != ""


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where a name is too long to be one


def _by_content(connection: engine.DuckDBPyConnection, path: Path) -> str:
    from ...emitter.digests import Refused, content_of  # it takes 0.1 s to import, and few things are files

    try:
        digests = content_of(path).digests
    except Refused as refused:
        raise QuestionError(f"{path} cannot be digested: {refused}") from None
    rows = connection.execute(named("subject")["known_digests"], {"digests": list(digests)}).fetchall()
    known = {row[0] for row in rows}
    for digest in digests:
        if digest in known:
            return f"digest:{digest}"
    raise QuestionError(
        "\n".join([f"{path} is not known by its content ({digests[0]})", *_recorded_under(connection, path)])
    )


def _is_recorded_name(connection: engine.DuckDBPyConnection, x: str) -> bool:
    try:
        return Ask(connection).thing(x).kind == "dataset"
    except QuestionError:
        return False


def _recorded_under(connection: engine.DuckDBPyConnection, path: Path) -> list[str]:
    """What is recorded of that path, newest first."""
    from ...emitter.naming import of_path

    name = of_path(path)
    versions = connection.execute(
        named("subject")["versions_under_name"],
        {"namespace": name.namespace, "name": name.name},
    ).fetchall()
    if not versions:
        return ["nothing was ever recorded under that path; a run reads it with run.input(Path(…))"]
    lines = [
        f"  dataset:{dataset_name(name.namespace, name.name)}@{version}"
        + (f", written {at:%Y-%m-%d %H:%M:%S} UTC" if at else "")
        for version, at in versions[:5]
    ]
    return ["recorded under that path:", *lines, *(["  … and older ones"] if len(versions) > 5 else [])]


def _run_beginning_with(connection: engine.DuckDBPyConnection, x: str) -> str | None:
    """The one run whose id begins with x; None where there is none.

    Raises:
        QuestionError: There are several.
    """
    match = _RUN_PREFIX.fullmatch(x)
    if match is None:
        return None
    starting = {"start": match[1].lower()}
    found = connection.execute(named("subject")["runs_beginning_with"], starting).fetchall()
    if len(found) > 1:
        lines = [f"  run:{run_id} {printable(job or '')}" for run_id, job in found[:10]]
        more = ["  … and more"] if len(found) > 10 else []
        raise QuestionError("\n".join([f"ambiguous: run ids that begin with {match[1]}:", *lines, *more]))
    return found[0][0] if found else None
