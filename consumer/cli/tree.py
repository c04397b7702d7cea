"""The rows of `upstream` and `downstream` as a tree for people.

Decides what stands under what: in an upstream tree the inputs of a run under what it wrote, in a downstream tree the
outputs of a run under what it read. A run is unfolded once; where it comes again it says so. Pure: rows in, a rich
tree and its legend out. The answer itself is decided in macros/trace.sql.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich.text import Text
from rich.tree import Tree

from ..ask import Hop, RunOutline
from ..display import printable
from .output import namespace_prefix, short

# How a binding is marked, and what the mark means; a read of a declared version has none.
MARKS = {
    "version-late": ("late", "that version was recorded only after it was read"),
    "content": ("≈ same content", "bound because another name had the same content"),
    "also": ("+ also", "another run that wrote the same version or content"),
    "inferred": ("~ inferred", "no version was declared: the latest write before the read"),
}
RAW = ("○ raw source", "no run is known that wrote it")
AGAIN = ("↑ see above", "unfolded where it came first")
CYCLE = ("↺ cycle", "stands above on this branch: its run is, by names or versions, upstream of itself")
STATES = {"COMPLETE": "green", "FAIL": "red", "ABORT": "red", "RUNNING": "yellow"}
_RUN_ID_DIGITS = 13  # the part of a UUIDv7 that is a time, in milliseconds

# The runs unfolded above a place, nearest first: (run id, those above it).
_Above = tuple[str, "_Above"] | None


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
        self._by_reader: dict[str, list[Hop]] = defaultdict(list)
        self._by_writer: dict[str, dict[tuple[str, ...], list[Hop]]] = defaultdict(lambda: defaultdict(list))
        for hop in hops:
            if hop.reader_run_id is not None:
                self._by_reader[hop.reader_run_id].append(hop)
            if hop.writer_run_id is not None and hop.depth > 0:
                self._by_writer[hop.writer_run_id][_dataset_of(hop)].append(hop)
        self.legend: dict[str, str] = {}
        self.depth = 0

    def upstream(self, x: str) -> Tree:
        """x, and under each dataset the inputs of the run that wrote it."""
        roots = [hop for hop in self._hops if hop.depth == 0]
        tree = self._root(x, [self._written(hop) for hop in roots])
        places = [tree] if len(roots) == 1 else tree.children
        seen: set[str] = set()
        # Depth first by hand: a lineage may be deeper than Python's stack.
        pending: list[tuple[Tree, Hop, _Above, int]] = []
        pending += [(place, hop, None, 1) for place, hop in reversed([*zip(places, roots, strict=True)])]
        while pending:
            place, hop, above, depth = pending.pop()
            run = hop.writer_run_id
            if run is None or not self._by_reader.get(run):
                continue
            if run in seen:
                assert isinstance(place.label, Text)
                place.label.append_text(self._mark(CYCLE if _holds(above, run) else AGAIN))
                continue
            seen.add(run)
            self.depth = max(self.depth, depth)
            inputs = [
                (place.add(self._read(inner)), inner, (run, above), depth + 1)
                for inner in self._by_reader[run]
            ]
            pending += reversed(inputs)
        return tree

    def downstream(self, x: str) -> Tree:
        """x, under each dataset the runs that read it, and under each run what it wrote."""
        datasets: dict[tuple[str, ...], list[Hop]] = defaultdict(list)
        for hop in self._hops:
            if hop.depth == 0:
                datasets[_dataset_of(hop)].append(hop)
        tree = self._root(x, [self._written(hops[0]) for hops in datasets.values()])
        places = [tree] if len(datasets) == 1 else tree.children
        seen: set[str] = set()
        pending: list[tuple[Tree, list[Hop], _Above, int]] = []
        pending += [
            (place, hops, None, 1) for place, hops in reversed([*zip(places, datasets.values(), strict=True)])
        ]
        while pending:
            place, hops, above, depth = pending.pop()
            self.depth = max(self.depth, depth)
            inner = []
            for hop in hops:
                run = hop.reader_run_id
                if run is None:
                    continue
                outputs = self._by_writer.get(run, {})
                mark = None
                if run in seen and outputs:
                    mark = CYCLE if _holds(above, run) else AGAIN
                branch = place.add(self._reader(hop, run, mark))
                if mark is None:
                    seen.add(run)
                    inner += [
                        (branch.add(self._dataset(written[0])), written, (run, above), depth + 2)
                        for written in outputs.values()
                    ]
            pending += reversed(inner)
        return tree

    def _root(self, x: str, labels: Sequence[Text]) -> Tree:
        if len(labels) == 1:
            return Tree(labels[0], guide_style="dim")
        tree = Tree(Text(printable(x), style="bold"), guide_style="dim")
        for label in labels:
            tree.add(label)
        return tree

    def _dataset(self, hop: Hop) -> Text:
        text = Text()
        text.append(printable(namespace_prefix(hop.dataset_namespace, hop.dataset_name)), style="dim")
        text.append(printable(hop.dataset_name), style="bold")
        if hop.version is not None:
            text.append(f"@{short(hop.version)}", style="cyan")
        return text

    def _written(self, hop: Hop) -> Text:
        text = self._dataset(hop)
        if hop.writer_run_id is None:
            return text.append_text(self._mark(RAW))
        text.append(" ← ")
        text.append_text(self._run(hop.writer_run_id, hop.writer_job_name, hop.writer_state))
        others = hop.also_written_by or []
        if others and hop.how != "also":
            text.append(f"  +{len(others)}", style="yellow")
            self.legend["+n"] = "n other runs wrote the same version or content; --all-producers follows them"
        return text

    def _read(self, hop: Hop) -> Text:
        text = Text()
        if hop.role:
            text.append(f"{printable(hop.role)}: ", style="italic")
        text.append_text(self._written(hop))
        if hop.how in MARKS:
            text.append_text(self._mark(MARKS[hop.how]))
        return text

    def _reader(self, hop: Hop, run_id: str, mark: tuple[str, str] | None) -> Text:
        text = Text("→ ")
        run = self._runs.get(run_id)
        text.append_text(self._run(run_id, run.job_name if run else None, run.state if run else None))
        if hop.role:
            text.append(f" as {printable(hop.role)}", style="italic")
        for one in (MARKS.get(hop.how or ""), mark):
            if one is not None:
                text.append_text(self._mark(one))
        return text

    def _run(self, run_id: str, job_name: str | None, state: str | None) -> Text:
        text = Text(printable(job_name) if job_name is not None else "a run of an unknown job")
        shown = (state or "never seen itself").lower()
        text.append(" (")
        text.append(shown, style=STATES.get(state or "", "yellow"))
        text.append(") ")
        return text.append(run_id[: self._digits], style="dim")

    def _mark(self, mark: tuple[str, str]) -> Text:
        self.legend[mark[0]] = mark[1]
        return Text(f"  {mark[0]}", style="yellow")


def _holds(above: _Above, run_id: str) -> bool:
    while above is not None:
        if above[0] == run_id:
            return True
        above = above[1]
    return False


def _dataset_of(hop: Hop) -> tuple[str, ...]:
    return (hop.dataset_namespace, hop.dataset_name, hop.version or "", hop.writer_run_id or "")


def distinct_digits(run_ids: Iterable[str]) -> int:
    """How many characters of a run id tell these runs apart: ids of one minute begin alike."""
    ordered = sorted(run_ids)
    common = [
        next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        for one, other in pairwise(ordered)
    ]
    return max([_RUN_ID_DIGITS, *(length + 1 for length in common)])
