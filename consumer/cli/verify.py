"""`relineage verify`: whether x can be made again. Exit code 0 only if nothing failed and nothing is unknown.

Decides how a verdict looks. The checks are the macro's, and evidence.py looks at data, git and this machine.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import engine
from ..ask import Ask, Check
from ..display import printable
from ..named import named
from .asked import asked
from .evidence import with_evidence
from .output import calm_table, print_json, terminal
from .session import database_option, format_option
from .tree import distinct_digits

_MOST_ROWS = 20
_RUN_COLUMNS, _LEAST_RUN_COLUMNS = 16, 8
_PARTS = {
    "unchanged": "un-|changed", "nothing": "noth-|ing", "unrecorded": "un-|re-|corded", "recorded": "re-|corded",
    "reachable": "reach-|able", "complete": "com-|plete", "setting": "set-|ting", "outputs": "out-|puts",
}  # fmt: skip
SIGNS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "unknown": ("?", "yellow")}


@click.command("verify")
@click.argument("x", metavar="X")
@click.option(
    "--deep", is_flag=True, help="Digest all that can be reached: outputs and objects of the store, too."
)
@format_option("table", "json")
@database_option
def command(x: str, deep: bool, format_: str, database: Path | None) -> int:
    """Whether X can be made again: nine checks of each run that it comes from.

    Files that are on this machine, at their paths or at the same place in the work tree around the working directory,
    are digested again, the store is looked into, git is asked for the code in the repository around the working
    directory and in that of the run, and the packages are compared with those that are installed here. That X was done
    again and came out the same is told, too, and is no check: relineage replay does it. Of a bundle only what is in it
    is looked at. Exit code 0 only if nothing failed and nothing is unknown, else 1.
    """
    with asked(database, x, by_content_only=True) as found, _looking() as looking_at:
        ask = Ask(found.connection)
        checks = ask.reproducibility(found.x[0], served=True)
        hops = ask.upstream(found.x[0], served=True)
        checks = with_evidence(
            checks, hops, found.connection, Path.cwd(), looking_at,
            objects=found.objects(), deep=deep, packed=found.packed(),
            with_data=any(bundle.manifest.data for bundle in found.bundles),
        )  # fmt: skip
        replays = _replays(found.connection, checks)
    counts = Counter(check.status for check in checks)
    sound = bool(checks) and counts["passed"] == len(checks)
    if format_ == "json":
        print_json([asdict(check) for check in checks])
    else:
        _print(x, checks, counts, replays, terminal())
    return 0 if sound else 1


def _replays(connection: engine.DuckDBPyConnection, checks: Sequence[Check]) -> str | None:
    """What came of it when the run that the first checks are of was done again; null if nobody did."""
    if not checks:
        return None
    rows = connection.execute(named("evidence")["replays"], {"run_ids": [checks[0].run_id]}).fetchall()
    if not rows:
        return None
    said = {"bitwise": "reproduced bitwise", "within tolerance": "reproduced within tolerance {}"}
    done = [row for row in rows if row[1] != "not replayed"]
    _, verdict, tolerance, at = (done or rows)[0]
    words = said.get(verdict, verdict).format(tolerance)
    times = f", done again {len(done)} times" if len(done) > 1 else ""
    since = ", and could not be replayed since" if done and rows[0] is not done[0] else ""
    return f"last replay, {at:%Y-%m-%d %H:%M} UTC: {words}{times}{since}"


def _print(
    x: str, checks: Sequence[Check], counts: Counter[str], replays: str | None, console: Console
) -> None:
    if not checks:
        console.print(
            Text(f"? {printable(x)}: no run is known that made it, so nothing can be checked", style="yellow")
        )
        return
    names = list(dict.fromkeys(check.check_name for check in checks))
    runs: dict[str, dict[str, Check]] = defaultdict(dict)
    for check in checks:
        runs[check.run_id][check.check_name] = check
    _print_matrix(names, runs, console.width)
    for status in ("failed", "unknown", "passed"):
        reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
        for check in checks:
            # Of what passed only what whoever reads it must know: files that the snapshot does not hold.
            reason = check.reason if status != "passed" else check.reason.partition("; not covered: ")[2]
            if check.status == status and reason:
                reason = reason if status != "passed" else f"not in the snapshot: {reason}"
                reasons[check.check_name, reason].append(check.job_name or check.run_id)
        if not reasons:
            continue
        listed = Table.grid(padding=(0, 2, 0, 0))
        listed.add_column(no_wrap=True)
        listed.add_column(overflow="fold")  # a digest or a path may be longer than the line
        for (name, reason), jobs in reasons.items():
            everyone = len(jobs) == len(runs) > 1
            who = "all runs" if everyone else ", ".join(printable(job) for job in dict.fromkeys(jobs))
            heading = Text.assemble(SIGNS[status], " ", (printable(name.replace("_", " ")), "bold"))
            listed.add_row(heading, Text.assemble((f"{who}: ", "dim"), printable(reason)))
        console.print()
        console.print(listed)
    console.print()
    console.print(_verdict(x, len(runs), counts, replays))


def _print_matrix(names: Sequence[str], runs: Mapping[str, Mapping[str, Check]], width: int) -> None:
    """Runs as rows, checks as columns; on a narrow terminal the checks are hyphenated, so that runs keep names."""
    digits = distinct_digits(runs)
    headings = [[printable(word) for word in name.split("_")] for name in names]
    if _widths(headings) + _RUN_COLUMNS > width:
        headings = [
            [part for word in words for part in _PARTS.get(word, word).split("|")] for words in headings
        ]
    table = calm_table()
    table.padding = (0, 0)  # nine checks and a run fit into 100 columns
    table.add_column("run", vertical="bottom", overflow="fold", min_width=_LEAST_RUN_COLUMNS)
    for words in headings:
        table.add_column(Text("\n".join(words)), justify="center", no_wrap=True)
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for run_id, checks in runs.items():
        job = next(iter(checks.values())).job_name or "?"
        alike[(job, *(checks[name].status for name in names))].append(run_id)
    for job, *statuses, which in _rows(alike, digits):
        table.add_row(Text.assemble(job, " ", (which, "dim")), *(Text(*SIGNS[status]) for status in statuses))
    terminal(at_least=_widths(headings) + _LEAST_RUN_COLUMNS).print(table)


def _rows(alike: Mapping[tuple[str, ...], Sequence[str]], digits: int) -> Iterator[tuple[str, ...]]:
    """Job, status of each check, which runs: one row for the runs of a job that are alike, so that a screen suffices;
    beyond its end, one for all that are alike. What failed is named first.
    """
    shown = set(sorted(alike, key=lambda row: "failed" not in row)[:_MOST_ROWS])
    rest: Counter[tuple[str, ...]] = Counter()
    for (job, *statuses), run_ids in alike.items():
        if (job, *statuses) in shown:
            which = run_ids[0][:digits] if len(run_ids) == 1 else f"{len(run_ids)} runs"
            yield printable(job), *statuses, which
        else:
            rest[tuple(statuses)] += len(run_ids)
    for statuses_of_rest, count in rest.items():
        yield "others:", *statuses_of_rest, f"{count} run{'s'[: count != 1]}"


def _widths(headings: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, words)) + 1 for words in headings)


def _verdict(x: str, runs: int, counts: Counter[str], replays: str | None) -> Text:
    total = sum(counts.values())
    of = f"{total} checks of {runs} run{'s'[: runs != 1]}"
    name = printable(x)
    tail = f"; {printable(replays)}" if replays else ""
    if counts["failed"]:
        are = "is" if counts["unknown"] == 1 else "are"
        rest = f" and {counts['unknown']} {are} unknown" if counts["unknown"] else ""
        return Text(f"✗ {name}: {counts['failed']} of {of} failed{rest}{tail}", style="bold red")
    if counts["unknown"]:
        are = "is" if counts["unknown"] == 1 else "are"
        of_them = f"{counts['unknown']} of {of} {are} unknown, the others passed"
        return Text(f"? {name}: {of_them}{tail}", style="bold yellow")
    return Text(f"✓ {name}: all {of} passed{tail}", style="bold green")


@contextmanager
def _looking() -> Iterator[Callable[[str], None]]:
    """Shows on a terminal which file is being digested."""
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield lambda path: None
        return
    with console.status("") as status:
        yield lambda path: status.update(Text(f"digesting {printable(path)}"))
