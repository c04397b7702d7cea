"""The questions in Python: each calls the macro of the same name and gives its rows as frozen dataclasses.

    with Store.open(path) as store:
        for hop in Ask(store.connection).upstream("models/fraud"):
            print(hop.depth, hop.dataset_name, hop.writer_job_name)

Decides what an error of a question looks like. What `x` may be, what the columns mean and every answer is decided in
macros/*.sql, which queries/ask.sql calls, and why_steps.py; a field here has the name and the meaning of the column
there. Times are UTC without a zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from . import engine
from .display import printable
from .errors import QuestionError
from .named import named
from .why_steps import take_steps


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One row of `upstream` or `downstream`: a dataset version, the run that wrote it, and a run that read it."""

    depth: int
    dataset_namespace: str
    dataset_name: str
    version: str | None
    digest: str | None
    role: str | None
    how: str | None
    writer_run_id: str | None
    writer_job_namespace: str | None
    writer_job_name: str | None
    writer_state: str | None
    reader_run_id: str | None
    also_written_by: list[str] | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One row of `reproducibility`: a check of one run; `status` is passed, failed or unknown."""

    run_id: str
    job_name: str | None
    check_name: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One row of `run_diff`: something that two runs do not have in common; None where one lacks it."""

    what: str
    key: str
    a: str | None
    b: str | None


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One row of `why`: something that differs, the first cause at rank 1, and the way from it to the result.

    `grade` is `cause`, `unknown` (it may differ: too little is recorded), or `also` (it differs, and something else is
    the cause or explains it as well). `run_a` and `run_b` are the runs in which it arose, the first of `runs` of that
    job of which the same is to be told.
    """

    rank: int
    job_name: str | None
    role: str | None
    what: str
    a: str | None
    b: str | None
    path: str | None
    grade: str
    run_a: str | None
    run_b: str | None
    runs: int


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What `x` is: a run, a job (with its latest run), a dataset, a version of one, or a digest."""

    kind: str
    run_id: str | None
    namespace: str | None
    name: str | None
    version: str | None
    digest: str | None


@dataclass(frozen=True, kw_only=True)
class RunOutline:
    """A run in one line."""

    run_id: str
    job_namespace: str | None
    job_name: str | None
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None


Row = TypeVar("Row", Hop, Check, Difference, Cause, Thing, RunOutline)

_LABEL = re.compile(r", (?=(?:run|job|dataset|digest):)")


class Ask:
    """Questions to an open lineage database.

    Every method raises `QuestionError` where an x names nothing that is known, or more than one thing; its text lists
    what may have been meant, one a line.

    Args:
        connection: Of a `Store`, or a cursor of it.
    """

    def __init__(self, connection: engine.DuckDBPyConnection) -> None:
        self._connection = connection

    def upstream(self, x: str, *, all_producers: bool = False, served: bool = False) -> list[Hop]:
        """Where x comes from, nearest first.

        Args:
            x: What is asked for.
            all_producers: Follow whoever else wrote what was read, too.
            served: Then where what steps were served with from their cache comes from, too.
        """
        return self._rows(Hop, "upstream", {"x": x, "all_producers": all_producers, "served": served})

    def downstream(self, x: str) -> list[Hop]:
        """What came of x, nearest first."""
        return self._rows(Hop, "downstream", {"x": x})

    def reproducibility(self, x: str, *, served: bool = False) -> list[Check]:
        """Whether x can be made again: eight checks a run. What needs files or git is unknown here.

        With `served` also of the runs that computed what steps were served with from their cache.
        """
        return self._rows(Check, "reproducibility", {"x": x, "served": served})

    def run_diff(self, a: str, b: str) -> list[Difference]:
        """What differs between two runs, or the runs that wrote a and b."""
        return self._rows(Difference, "run_diff", {"a": a, "b": b})

    def why(self, a: str, b: str) -> list[Cause]:
        """Why a and b differ: first causes, ranked."""
        with question_errors(), self._connection.cursor() as cursor:
            return _as(Cause, take_steps(cursor, a, b))

    def thing(self, x: str) -> Thing:
        """What x is."""
        [thing] = self._rows(Thing, "thing", {"x": x})
        return thing

    def runs(self, run_ids: Iterable[str]) -> dict[str, RunOutline]:
        """These runs, by their ids."""
        return {run.run_id: run for run in self._rows(RunOutline, "runs", {"ids": list(set(run_ids))})}

    def _rows(self, kind: type[Row], statement: str, parameters: dict[str, Any]) -> list[Row]:
        with question_errors():
            return _as(kind, self._connection.execute(named("ask")[statement], parameters))


def _as(kind: type[Row], found: engine.DuckDBPyConnection) -> list[Row]:
    columns = [column[0] for column in found.description]
    return [kind(**dict(zip(columns, row, strict=True))) for row in found.fetchall()]


@contextmanager
def question_errors() -> Iterator[None]:
    """Turn what our macros say of an x into `QuestionError`; other errors of the database pass.

    The candidates stand one a line. Names in them are hostile text, so they are shown escaped.
    """
    try:
        yield
    except engine.InvalidInputException as error:
        text = printable(str(error).removeprefix("Invalid Input Error: "))
        kind, colon, rest = text.partition(": ")
        if kind not in ("ambiguous", "unknown") or not colon:
            raise
        head, mark, listed = rest.rpartition("; nearest: ")
        if not mark:  # of an ambiguous x, or nothing is near
            head, mark, listed = rest.partition(" things: ")
            listed, _, advice = listed.rpartition("; ")
            head = f"{head} things; {advice}" if mark else rest
        candidates = [f"  {label}" for label in _LABEL.split(listed) if label not in ("", "nothing")]
        first = f"{head}; nearest:" if kind == "unknown" and candidates else head
        raise QuestionError("\n".join([first, *candidates])) from None
