"""`relineage trace`: where x comes from, or what came of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click
from rich.text import Text

from ..ask import Ask, Hop
from .asked import asked
from .guides import print_lines
from .output import Section, print_json, print_table, terminal
from .session import database_option, format_option
from .tree import Lineage


@click.command("trace")
@click.argument("x", metavar="X")
@click.option("--up/--down", default=True, help="Where X comes from (the default), or what came of it.")
@click.option(
    "--all-producers", is_flag=True, help="Follow also the other runs that wrote what was read (with --up)."
)
@format_option("tree", "table", "json")
@database_option
def command(x: str, up: bool, all_producers: bool, format_: str, database: Path | None) -> int:
    """Where X comes from, or what came of it.

    A tree: under each dataset the inputs of the run that wrote it; with --down the runs that read it, and what they
    wrote. How each read was bound to a write is marked where it is not by version. Where more than 12 lines would
    each stand to the right of the one before, they go straight down: the one with most below it comes last, marked
    with ↓, and what is below it follows at the same indentation.
    """
    if all_producers and not up:
        raise click.UsageError(
            "--all-producers goes with --up: every reader of X is followed downwards anyway"
        )
    with asked(database, x) as found:
        ask = Ask(found.connection)
        hops = ask.upstream(found.x[0], all_producers=all_producers) if up else ask.downstream(found.x[0])
        runs = {} if up else ask.runs(hop.reader_run_id for hop in hops if hop.reader_run_id)
    if format_ == "json":
        print_json([vars(hop) for hop in hops])
    elif format_ == "table":
        columns = [field.name for field in fields(Hop)]
        print_table(Section("", columns, [[getattr(hop, column) for column in columns] for hop in hops]))
    else:
        lineage = Lineage(hops, runs)
        console = terminal()
        print_lines(console, lineage.upstream(x) if up else lineage.downstream(x))
        if not hops:
            console.print(Text("  no input and no output of it is recorded", style="dim"))
        elif not up and all(hop.reader_run_id is None for hop in hops):
            console.print(Text("  nothing is known to have read it", style="dim"))
        if lineage.legend:
            console.print()
            for mark, meaning in lineage.legend.items():
                console.print(Text.assemble(("  " + mark, "yellow"), (f": {meaning}", "dim")))
    return 0
