"""Which runs `why` compares: those that a naive walk finds, written from docs/why.md, whatever the lineages look like.

Bindings are taken from the view `inputs`, which other tests compare with the oracle.
"""

from collections import Counter, defaultdict
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

import pytest
from executions import two_executions
from hypothesis import given
from soak import examples
from streams import run_id

from relineage.consumer.ask import Ask

LINEAGES = examples(10, 200)


@dataclass(frozen=True)
class Read:
    """What a run has read, as the view tells it."""

    dataset: str
    version: str | None
    digest: str | None
    writer: str | None
    at: datetime


def same(x: Read, y: Read) -> bool:
    """Whether two reads are known to have seen one content."""
    if x.version is not None and (x.dataset, x.version) == (y.dataset, y.version):
        return True
    return x.digest is not None and x.digest == y.digest


def counterparts(xs: list[Read], ys: list[Read]) -> list[tuple[Read, Read]]:
    """Of one role: by dataset, in the order in which they were read, and those left over by their names' order where
    there are equally many.
    """
    known = {x.dataset for x in xs} & {y.dataset for y in ys}
    left = [
        sorted((r for r in side if r.dataset not in known), key=lambda r: (r.dataset, r.at))
        for side in (xs, ys)
    ]
    named = []
    for dataset in known:
        x, y = (sorted((r for r in side if r.dataset == dataset), key=lambda r: r.at) for side in (xs, ys))
        named += list(zip(x, y, strict=False))
    return named + (list(zip(*left, strict=True)) if len(left[0]) == len(left[1]) else [])


def level_pairs(reads: dict[str, dict[str, list[Read]]], a: str, b: str) -> Counter[str]:
    """Of the pairs reached from (a, b), those that have read the same, counted by the run of the first side."""
    level: Counter[str] = Counter()
    seen, todo = {(a, b)}, [(a, b)]
    while todo:
        one, two = todo.pop()
        equal = True
        for role in reads[one].keys() | reads[two].keys():
            xs, ys = reads[one].get(role, []), reads[two].get(role, [])
            pairs = counterparts(xs, ys)
            equal = equal and len(pairs) == len(xs) == len(ys) and all(same(x, y) for x, y in pairs)
            for x, y in pairs:
                if not same(x, y) and x.writer and y.writer and x.writer != y.writer:
                    reached = (x.writer, y.writer)
                    todo += [reached] if reached not in seen else []
                    seen.add(reached)
        level[one] += equal
    return +level


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_runs_compared_are_those_of_a_naive_walk(new_store: Any) -> None:
    store = new_store()

    @LINEAGES
    @given(two_executions())
    def law(lineage: tuple[list[bytes], int]) -> None:
        messages, steps = lineage
        store.clear()
        store.ingest(messages)
        reads: dict[str, dict[str, list[Read]]] = defaultdict(lambda: defaultdict(list))
        # What a run itself has written before is no input.
        rows = store.sql(
            """select run_id, role, dataset_name, version, digest, writer_run_id, read_at from inputs i
               where not exists (from outputs o where o.run_id = i.run_id and o.dataset_name = i.dataset_name
                                 and o.version = i.version and o.written_at < i.read_at)"""
        )
        for reader, role, *told in rows:
            reads[reader][role].append(Read(*told))
        a, b = run_id(10 + steps - 1), run_id(20 + steps - 1)
        jobs = dict(store.sql("select run_id, job_name from runs"))
        expected: Counter[str] = Counter()
        for run, count in level_pairs(reads, a, b).items():
            expected[jobs[run]] += count
        causes = Ask(store.connection).why(a, b)
        found: Counter[str] = Counter()
        for cause in causes:
            if cause.what in ("unknown", "non-determinism"):
                found[cause.job_name or ""] += cause.runs
        assert found == expected
        assert [astuple(cause) for cause in causes] == store.sql("from why($a, $b)", {"a": a, "b": b})

    law()
