"""`relineage digest`: what a file or folder would be recorded as. Needs nothing but the emitter."""

from __future__ import annotations

from pathlib import Path

import click

from ...emitter.digests import Refused, content_of
from ..display import printable


@click.command("digest")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...]) -> int:
    """Digest files and folders.

    One line a digest, the strongest first: the digest, two spaces, the path. A Parquet, Arrow, npy or npz file has one
    for what it holds and one for its bytes; the first finds the same table in another file.
    """
    refusals = 0
    for path in paths:
        try:
            content = content_of(path)
        except (Refused, OSError) as refused:  # a name may be too long to be one
            refusals += 1
            reason = getattr(refused, "strerror", None) or str(refused)
            click.echo(f"relineage: {printable(str(path))}: {printable(reason)}", err=True)
            continue
        for digest in content.digests:
            click.echo(f"{digest}  {printable(str(path))}")
        if content.absent:
            click.echo(f"relineage: {printable(str(path))}: {printable(content.absent)}", err=True)
    return 2 if refusals else 0
