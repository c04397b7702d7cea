"""One process, or all that something comes from in order: each on what the replays before it have made.

Decides the order of the processes and what is handed on between them: files, by their paths and versions. Leaves each
process to `replaying`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from .. import engine
from ..ask import question_errors
from ..named import named
from .means import Means
from .recorded import Recorded, read_run
from .replaying import replay_process
from .verdicts import Replayed


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One process, by one of its runs, and the runs of it that something comes from."""

    run: Recorded
    run_ids: tuple[str, ...]


def wanted(run: Recorded) -> Wanted:
    """The process of a run, to judge that run; one without outputs by those of the runs within it."""
    writers = {one.run_id for one in run.outputs}
    within = {run.run_id}
    for one in run.members:  # in the order in which they began
        if one.outer in within:
            within.add(one.run_id)
    writing = within & writers
    inner = tuple(one.run_id for one in run.members if one.run_id in writing)
    return Wanted(run=run, run_ids=(run.run_id,) if run.run_id in writers else inner or (run.run_id,))


def read_closure(connection: engine.DuckDBPyConnection, x: str) -> list[Wanted]:
    """The processes that x comes from, each after those whose data it read.

    Processes that read from each other stand in the order in which they began.

    Raises:
        QuestionError: x is nothing that is known, or several things.
    """
    with question_errors():
        rows = connection.execute(named("replay")["upstream_processes"], {"x": x}).fetchall()
    ids: dict[str, list[str]] = {}
    for run_id, process, _ in rows:
        ids.setdefault(process, []).append(run_id)
    found = [Wanted(run=read_run(connection, run_ids[0]), run_ids=tuple(run_ids)) for run_ids in ids.values()]
    home = {one.run_id: place for place, wanted in enumerate(found) for one in wanted.run.members}
    order = TopologicalSorter(
        {
            place: {home[one.writer_run_id] for one in wanted.run.inputs if one.writer_run_id in home}
            for place, wanted in enumerate(found)
        }
    )
    try:
        return [found[place] for place in order.static_order()]
    except CycleError:
        return found


def replay_closure(processes: Sequence[Wanted], means: Means) -> Iterator[list[Replayed]]:
    """Do processes again in this order, and judge the runs of each as it has ended.

    A file that one of them wrote is what its replay made for those that read it; where that failed, it is what was
    recorded.

    Args:
        processes: As `read_closure` has found them.
        means: What may be used.
    """
    remade: dict[tuple[str, str], Path] = {}
    with tempfile.TemporaryDirectory(prefix="relineage-replay-", ignore_cleanup_errors=True) as folder:
        for number, one in enumerate(processes, start=1):
            own = Path(folder).resolve() / str(number)
            own.mkdir()
            keep = means.keep if means.keep is None or len(processes) == 1 else means.keep / str(number)
            verdicts, made = replay_process(one.run, one.run_ids, replace(means, keep=keep), own, remade)
            remade |= made
            yield verdicts
