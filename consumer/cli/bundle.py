"""`relineage bundle`: everything that is known of x, as one file to keep beside it.

Decides where code and contents are looked for, and what is said of what could not be had. What belongs to a bundle and
what it looks like is decided in consumer/bundle.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ...emitter.errors import StoreError
from ..bundle.making import Made, Origin, make
from ..display import printable
from ..errors import SourceError
from .asked import Asked, asked
from .gathering import KnownContents
from .session import database_option


@click.command("bundle")
@click.argument("x", metavar="X")
@click.option(
    "-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path),
    help="The bundle; a file that is not there yet.",
)  # fmt: skip
@click.option(
    "--data", is_flag=True,
    help="With what the runs read, and what came out in the end; then it can be replayed from the bundle.",
)  # fmt: skip
@database_option
def command(x: str, output: Path, data: bool, database: Path | None) -> int:
    """Put everything that is known of X into one file, to keep beside it.

    The events of all runs that X comes from, the code of these runs as a git bundle without its history, and with
    --data the contents that they read from outside and that the runs wrote which made X, from the store or their paths.
    Wherever a command takes X, it takes the file instead, on any machine: relineage verify FILE. As --database FILE
    whatever is in it can be asked for.

    The same content makes the same bytes. Digests in it prove that its parts belong together, not who made it. Exit
    code 0 when all is in it, 1 when something could not be had, which is said and noted in it.
    """
    with asked(database, x) as found, tempfile.TemporaryDirectory(prefix="relineage-") as aside:
        bundles = found.bundles
        origin = Origin(
            connection=found.connection,
            details=_beside(found) / "objects",
            repositories=found.repositories(),
            elsewhere=found.elsewhere,
            known_missing=[one for bundle in bundles for one in bundle.manifest.missing],
        )
        contents = KnownContents(found.objects(), Path(aside), paths=not found.elsewhere)
        try:
            made = make(origin, found.x[0], output, contents, data=data)
        except (OSError, StoreError) as error:
            raise SourceError(f"{output} cannot be made: {error}") from error
    _tell(made, output)
    return 1 if made.manifest.missing else 0


def _beside(found: Asked) -> Path:
    """The folder of the database."""
    return found.store.folder() or Path.cwd()


def _tell(made: Made, output: Path) -> None:
    manifest = made.manifest
    for one in manifest.missing:
        what = "object" if one.what == "details" else one.what
        click.echo(f"relineage: {what} {printable(one.name)} is not in it: {printable(one.reason)}", err=True)
    objects = sum(member.name.startswith("objects/") for member in manifest.members)
    parts = [
        _counted(len(manifest.runs) + len(manifest.besides), "run"),
        _counted(manifest.events, "event"),
        _counted(len(manifest.commits), "commit"),
        *([_counted(objects, "object")] if objects else []),
        f"{made.bytes:,} bytes",
    ]
    already = " (it was there already)" if made.unchanged else ""
    click.echo(f"{printable(str(output))}: {', '.join(parts)}{already}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s'[: number != 1]}"
