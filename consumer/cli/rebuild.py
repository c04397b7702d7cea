"""`relineage rebuild`: makes the tables again from the stored events."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..bundle.mark import is_bundle
from ..named import named
from .session import database_option, question


@click.command("rebuild")
@database_option
def command(database: Path | None) -> int:
    """Make the tables again from the stored events, in one transaction.

    Not needed in daily life: they are kept up to date with every batch, and answers are the same afterwards.
    """
    if database is not None and is_bundle(database):
        raise click.UsageError("a bundle has no tables: they are made from its events whenever it is asked")
    with question(database) as store:
        began = time.monotonic()
        store.rebuild()
        [(events, runs)] = store.connection.execute(named("status")["events_and_runs"]).fetchall()
    seconds = time.monotonic() - began
    told = f"{events} event{'s'[: events != 1]}: {runs} run{'s'[: runs != 1]}"
    click.echo(f"relineage: rebuilt from {told}, in {seconds:.1f} s", err=True)
    return 0
