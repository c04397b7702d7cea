"""`relineage replay`: does a run again and says whether the same came out.

Decides that it asks before it runs recorded code, where code and objects are looked for, what the verdict looks like,
and the exit code: 0 reproduced, 1 not, 2 not replayed. How a run is done again is decided in consumer/replay.
"""

from __future__ import annotations

import signal
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
from rich.padding import Padding
from rich.text import Text

from ...emitter.capture.environment import ALLOWED_VARIABLES
from .. import engine
from ..ask import question_errors
from ..display import printable
from ..home import EVENTS, find_home
from ..named import named
from ..replay.closure import read_closure, replay_closure, wanted
from ..replay.means import Means
from ..replay.record import record
from ..replay.recorded import Recorded, read_run
from ..replay.verdicts import Replayed
from .asked import Asked, asked, work_tree
from .causes import print_causes
from .comparing import parsed_tolerance
from .output import print_json, terminal
from .session import database_option, format_option
from .subject import meant

CODES = {"bitwise": 0, "within tolerance": 0, "not reproduced": 1, "not replayed": 2}
STYLES = {"bitwise": "bold green", "within tolerance": "bold green", "not reproduced": "bold red"}
OUTPUT_SIGNS = {
    "bitwise": ("✓", "green"), "within tolerance": ("≈", "green"), "different": ("✗", "red"), "missing": ("✗", "red"),
    "unknown": ("?", "yellow"),
}  # fmt: skip
SHOWN_SETTINGS = 10
SHOWN_RUNS = 10  # of one job and verdict


@click.command("replay")
@click.argument("x", metavar="RUN")
@click.option("--yes", is_flag=True, help="Do not ask before the recorded code is run.")
@click.option(
    "--tolerance", metavar="TOLERANCE",
    help="How far apart values may be: atol=1e-9,rtol=1e-6,ulps=4, or some of them.",
)  # fmt: skip
@click.option(
    "--environment", is_flag=True, help="Install the recorded packages in a virtual environment first."
)
@click.option(
    "--closure", is_flag=True, help="First all that it comes from, each on what the replays before have made."
)
@click.option(
    "--keep", metavar="FOLDER", type=click.Path(path_type=Path),
    help="Keep the events and outputs of the replay in a folder that is not there yet.",
)  # fmt: skip
@format_option("table", "json")
@database_option
def command(
    x: str,
    yes: bool,
    tolerance: str | None,
    environment: bool,
    closure: bool,
    keep: Path | None,
    format_: str,
    database: Path | None,
) -> int:
    """Do RUN again and say whether the same came out.

    A fresh process runs the recorded code, out of a temporary git work tree of its snapshot, on the recorded inputs,
    from their paths or the store, with the recorded seeds. THIS RUNS THE RECORDED CODE, WITH YOUR RIGHTS, so it asks
    first; without a terminal it needs --yes. Your work tree, your events and your files stay as they are; the replay is
    recorded as a run of relineage/replay.

    RUN is any X whose run is known, also a bundle that was made with --data. All runs of its process are done again.
    What the program prints goes to standard error. Exit code 0: reproduced, bitwise or within the tolerance; 1: not
    reproduced, with the first column or tensor that differs, and why; 2: not replayed, or nothing to compare, with the
    reason.
    """
    allowed = parsed_tolerance(tolerance) if tolerance is not None else None
    if keep is not None and keep.exists():
        raise click.BadParameter(f"{keep} is there already", param_hint="--keep")
    with ExitStack() as stack:
        found = stack.enter_context(asked(database, x))
        if closure:
            processes = read_closure(found.connection, found.x[0])
        else:
            run = read_run(found.connection, run_meant(found.connection, found.x[0]))
            processes = [wanted(run)]
        means = Means(
            repositories=found.repositories(),
            objects=found.objects(),
            here=not found.elsewhere,
            kept=_kept(found),
            around=work_tree(Path.cwd()),
            tolerance=allowed,
            tolerance_text=tolerance,
            environment=environment,
            keep=keep,
            say=lambda line: click.echo(f"│ {printable(line)}", err=True),
        )
        if not found.elsewhere:
            stack.close()  # others may use the database: a replay may take as long as its run
        if not yes:
            _ask_first([one.run for one in processes])
        stack.enter_context(_ended_by_signals())
        verdicts: list[Replayed] = []
        home = find_home(Path.cwd())
        if home is None:
            click.echo(
                "relineage: the replay is not recorded, as there is no .relineage here or above", err=True
            )
        began = datetime.now(UTC)
        for judged in replay_closure(processes, means):
            verdicts += judged
            if home is not None:
                _record(judged, home / EVENTS, began)
            if format_ == "table":
                _print_process(judged)
            began = datetime.now(UTC)
    if format_ == "json":
        print_json([asdict(one) for one in verdicts])
    return max((CODES[one.verdict] for one in verdicts), default=2)


def run_meant(connection: engine.DuckDBPyConnection, x: str) -> str:
    """The run that x stands for.

    Raises:
        QuestionError: None is known, or x is several things.
    """
    with question_errors():
        [(run_id,)] = connection.execute(named("replay")["run_of"], {"x": meant(connection, x)}).fetchall()
    return str(run_id)


def _kept(found: Asked) -> str:
    """What the contents that can be had are called, and how more of them come there."""
    if not found.elsewhere:
        return "the store"
    with_data = any(bundle.manifest.data for bundle in found.bundles)
    return "the bundle" if with_data else "the bundle: --data puts it there when it is made"


def _ask_first(runs: Sequence[Recorded]) -> None:
    """Whoever replays runs somebody's code: never unasked.

    Raises:
        click.UsageError: There is nobody to ask.
        click.Abort: It is not wanted.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(
            "a replay runs recorded code, and there is no terminal to ask at: --yes agrees to it"
        )
    click.echo("relineage: this runs recorded code, with your rights:", err=True)
    for run in runs:
        # Any of these may decide what is run: LD_PRELOAD, PATH.
        set_ = [f"{name}={value}" for name, value in run.variables.items() if name not in ALLOWED_VARIABLES]
        what = " ".join([*set_, *run.command]) or f"{run.namespace}/{run.job}"
        code = (run.snapshot or run.commit or "unknown")[:12]
        click.echo(f"  {printable(what)} (code {printable(code)})", err=True)
    click.confirm("Run it?", abort=True, err=True)


def _record(judged: Sequence[Replayed], events: Path, began: datetime) -> None:
    try:
        record(judged, events, began)
    except OSError as error:
        click.echo(f"relineage: the replay could not be recorded: {printable(str(error))}", err=True)


def _print_process(judged: Sequence[Replayed]) -> None:
    """Each run, in their order; of many of one job with one verdict only how many, and those that were asked why."""
    alike = defaultdict[tuple[str | None, ...], list[Replayed]](list)
    for one in judged:
        alike[one.job, one.verdict, one.reason if one.verdict == "not replayed" else None].append(one)
    for group in alike.values():
        if len(group) <= SHOWN_RUNS:
            for one in group:
                _print(one, f"{one.job} {one.run_id}")
            continue
        many = f"{group[0].job}, {len(group):,} runs"
        explained = [one for one in group if one.causes]
        if not explained:
            _print(replace(group[0], outputs=()), many)
        for one in explained:
            _print(one, f"{many}, such as {one.run_id}")


def _print(verdict: Replayed, whose: str) -> None:
    console = terminal()
    headline = (_headline(verdict), STYLES.get(verdict.verdict, "bold yellow"))
    console.print(Text.assemble(headline, f": {printable(whose)}"))
    if verdict.reason is not None:
        console.print(Padding(Text(printable(verdict.reason)), (0, 0, 0, 2), expand=False))
    for one in verdict.outputs:
        sign, style = OUTPUT_SIGNS[one.verdict]
        label = f"{one.role} {one.name}" if one.role not in ("", "output") else one.name
        said = f": {one.difference}" if one.difference else ""
        line = Text.assemble((sign, style), f" {printable(label)} ", (one.verdict, style), printable(said))
        console.print(Padding(line, (0, 0, 0, 2), expand=False))
    for note in verdict.notes:
        console.print(Padding(Text(f"note: {printable(note)}"), (0, 0, 0, 2), expand=False))
    if verdict.setting:
        console.print(Text("\nsetting, then → now", style="bold"))
        for difference in verdict.setting[:SHOWN_SETTINGS]:
            console.print(Padding(Text(printable(difference)), (0, 0, 0, 2), expand=False))
        if len(verdict.setting) > SHOWN_SETTINGS:
            console.print(f"  and {len(verdict.setting) - SHOWN_SETTINGS} more: --format json has all")
    if verdict.causes:
        console.print(Text("\nwhy, then → now", style="bold"))
        print_causes(verdict.causes, chances=verdict.chances)


def _headline(verdict: Replayed) -> str:
    if verdict.verdict == "bitwise":
        return "✓ reproduced bitwise"
    if verdict.verdict == "within tolerance":
        return f"✓ reproduced within tolerance {verdict.tolerance}"
    return f"✗ {verdict.verdict}" if verdict.verdict == "not reproduced" else f"? {verdict.verdict}"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends a replay as Ctrl-C does: its process and its folders go, too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise click.Abort from None
    finally:
        signal.signal(signal.SIGTERM, before)
