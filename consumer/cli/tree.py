"""The rows of `upstream` and `downstream` as a tree for people.

Decides what stands under what: in an upstream tree the inputs of a run under what it wrote, in a downstream tree the
outputs of a run under what it read. A run is unfolded once; where it comes again it says so. Pure: rows in, lines and
their legend out. How lines are drawn is decided in guides.py, the answer itself in macros/trace.sql.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from ..ask import Hop, RunOutline
from ..display import printable
from .guides import Again, Line, Parts, tree_lines
from .output import namespace_prefix, short

# How a binding is marked, and what the mark means; a read of a declared version has none.
MARKS = {
    "version-late": ("late", "that version was recorded only after it was read"),
    "content": ("≈ same content", "bound because another name had the same content"),
    "also": ("+ also", "another run that wrote the same version or content"),
    "inferred": ("~ inferred", "no version was declared: the latest write before the read"),
}
RAW = ("○ raw source", "no run is known that wrote it")
AGAIN = {
    Again.ABOVE: ("↑ see above", "unfolded where it came first"),
    Again.BELOW: ("↓ see below", "unfolded where the history goes straight on"),
    Again.CYCLE: (
        "↺ cycle",
        "stands above on this branch: its run is, by names or versions, upstream of itself",
    ),
}
STRAIGHT = ("↓", "what is below it follows at the same indentation")
STATES = {"COMPLETE": "green", "FAIL": "red", "ABORT": "red", "RUNNING": "yellow"}
_RUN_ID_DIGITS = 13  # the part of a UUIDv7 that is a time, in milliseconds

# What a line is about: a write or a read, in a downstream tree a reader; all rows of a version; or what was asked for.
_Thing = Hop | list[Hop] | str
_Drawn = Iterator[tuple[str, str, Parts]]


class Lineage:
    """The rows of one answer, and what is needed to draw them.

    Args:
        hops: The rows.
        runs: Jobs and states of readers, which the rows do not name.
    """

    def __init__(self, hops: Sequence[Hop], runs: Mapping[str, RunOutline]) -> None:
        self._hops = hops
        self._runs = runs
        self._digits = distinct_digits(
            {run for hop in hops for run in (hop.writer_run_id, hop.reader_run_id) if run}
        )
        self.legend: dict[str, str] = {}

    def upstream(self, x: str) -> _Drawn:
        """x, and under each dataset the inputs of the run that wrote it."""
        roots = [hop for hop in self._hops if hop.depth == 0]
        inputs: dict[str, list[Hop]] = defaultdict(list)
        for hop in self._hops:
            if hop.reader_run_id is not None:
                inputs[hop.reader_run_id].append(hop)

        def run_of(thing: _Thing) -> str | None:
            return thing.writer_run_id if isinstance(thing, Hop) else None

        def below(thing: _Thing) -> Sequence[_Thing]:
            return inputs.get(run_of(thing) or "", []) if isinstance(thing, Hop) else roots

        top: _Thing = roots[0] if len(roots) == 1 else x
        return (self._drawn(line, self._read) for line in tree_lines(top, run_of, below))

    def downstream(self, x: str) -> _Drawn:
        """x, under each dataset the runs that read it, and under each run what it wrote."""
        roots: dict[tuple[str, ...], list[Hop]] = defaultdict(list)
        written: dict[str, dict[tuple[str, ...], list[Hop]]] = defaultdict(lambda: defaultdict(list))
        for hop in self._hops:
            of_run = written[hop.writer_run_id] if hop.depth > 0 and hop.writer_run_id else roots
            of_run[_dataset_of(hop)].append(hop)
        tops = list(roots.values())
        outputs = {run: list(datasets.values()) for run, datasets in written.items()}

        def run_of(thing: _Thing) -> str | None:
            return thing.reader_run_id if isinstance(thing, Hop) else None

        def below(thing: _Thing) -> Sequence[_Thing]:
            if isinstance(thing, Hop):
                return outputs.get(run_of(thing) or "", [])
            return tops if isinstance(thing, str) else [hop for hop in thing if hop.reader_run_id]

        top: _Thing = tops[0] if len(tops) == 1 else x
        return (self._drawn(line, self._reader) for line in tree_lines(top, run_of, below))

    def _drawn(self, line: Line[_Thing], said: Callable[[Hop], Parts]) -> tuple[str, str, Parts]:
        thing = line.thing
        if isinstance(thing, str):
            parts = [(printable(thing), "bold")]
        elif isinstance(thing, list):
            parts = self._written(thing[0]) if thing[0].depth == 0 else self._dataset(thing[0])
        else:
            parts = said(thing)
        if line.again is not None:
            parts.append(self._mark(AGAIN[line.again]))
        if line.straight:
            self.legend[STRAIGHT[0]] = STRAIGHT[1]
        return line.guide, line.rest, parts

    def _dataset(self, hop: Hop) -> Parts:
        version = [(f"@{short(hop.version)}", "cyan")] if hop.version is not None else []
        prefix = printable(namespace_prefix(hop.dataset_namespace, hop.dataset_name))
        return [(prefix, "dim"), (printable(hop.dataset_name), "bold"), *version]

    def _written(self, hop: Hop) -> Parts:
        if hop.writer_run_id is None:
            return [*self._dataset(hop), self._mark(RAW)]
        run = self._run(hop.writer_run_id, hop.writer_job_name, hop.writer_state)
        parts = [*self._dataset(hop), (" ← ", ""), *run]
        others = hop.also_written_by or []
        if others and hop.how != "also":
            parts.append((f"  +{len(others)}", "yellow"))
            self.legend["+n"] = "n other runs wrote the same version or content; --all-producers follows them"
        return parts

    def _read(self, hop: Hop) -> Parts:
        if hop.depth == 0:
            return self._written(hop)
        role = [(f"{printable(hop.role)}: ", "italic")] if hop.role else []
        mark = [self._mark(MARKS[hop.how])] if hop.how in MARKS else []
        return [*role, *self._written(hop), *mark]

    def _reader(self, hop: Hop) -> Parts:
        run_id = hop.reader_run_id or ""
        run = self._runs.get(run_id)
        role = [(f" as {printable(hop.role)}", "italic")] if hop.role else []
        mark = [self._mark(MARKS[hop.how])] if hop.how in MARKS else []
        told = self._run(run_id, run.job_name if run else None, run.state if run else None)
        return [("→ ", ""), *told, *role, *mark]

    def _run(self, run_id: str, job_name: str | None, state: str | None) -> Parts:
        return [
            (printable(job_name) if job_name is not None else "a run of an unknown job", ""),
            (" (", ""),
            ((state or "never seen itself").lower(), STATES.get(state or "", "yellow")),
            (") ", ""),
            (run_id[: self._digits], "dim"),
        ]

    def _mark(self, mark: tuple[str, str]) -> tuple[str, str]:
        self.legend[mark[0]] = mark[1]
        return (f"  {mark[0]}", "yellow")


def _dataset_of(hop: Hop) -> tuple[str, ...]:
    return (hop.dataset_namespace, hop.dataset_name, hop.version or "", hop.writer_run_id or "")


def distinct_digits(run_ids: Iterable[str]) -> int:
    """How many characters of a run id tell these runs apart: ids of one minute begin alike."""
    digits = _RUN_ID_DIGITS
    for one, other in pairwise(sorted(run_ids)):
        while one != other and one[:digits] == other[:digits]:
            digits += 1
    return digits
