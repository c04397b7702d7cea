"""`relineage cache`: which results of steps are kept, and why a call was not answered from them.

Decides which entry is the nearest to a call: of those of its job that were kept before it, the one that differs in the
fewest parts. What a recipe is made of and when a result is kept is decided by the emitter's steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ...emitter.steps.index import Entry, Index
from .. import engine
from ..ask import Ask
from ..display import printable
from ..errors import QuestionError, SourceError
from ..home import find_home
from ..named import named
from .listing import TABLE_LIMIT, with_short_run_ids
from .output import Section, print_json, print_table, short
from .session import database_option, format_option, limit_option, question
from .subject import meant

SERVED = "served"
_NOTHING = "nothing is kept for this recipe"


@click.group("cache")
def command() -> None:
    """Look into what steps have kept of their results: those with cache=True.

    A call with the recipe of an earlier one (operation, inputs, parameters, code, seed) is answered with what that one
    returned. What is kept lies in .relineage/cache-steps, the outputs in the store; both may be removed at any time.
    """


@command.command("ls")
@limit_option
@format_option("table", "json")
def list_entries(limit: int | None, format_: str) -> int:
    """List what is kept, the last used first. Times are UTC.

    The run is the one that made it, bytes are those of its outputs.
    """
    entries = list(_index().scan())
    limit = limit if limit is not None or format_ == "json" else TABLE_LIMIT
    rows = [_row(entry) for entry in entries[:limit]]
    if format_ == "json":
        print_json(rows)
    elif rows:
        lines = [row | {"recipe": short(row["recipe"])} for row in with_short_run_ids(rows)]
        print_table(Section("", list(lines[0]), [list(line.values()) for line in lines]))
    else:
        click.echo("relineage: nothing is kept; steps with cache=True keep their results", err=True)
    if limit is not None and len(entries) > limit:
        click.echo(f"relineage: these are the first {limit}, there are more: --limit N lists more", err=True)
    return 0


@command.command("why-miss")
@click.argument("x", metavar="RUN")
@format_option("table", "json")
@database_option
def why_miss(x: str, format_: str, database: Path | None) -> int:
    """Why a call was not answered from the cache: what differs from the nearest result that was kept before it.

    RUN is a run, or a job: its latest run. Exit code 0 when the call was answered, 1 when it was not.
    """
    with question(database) as store:
        connection = store.connection
        thing = Ask(connection).thing(meant(connection, x))
        if thing.kind not in ("run", "job") or thing.run_id is None:
            raise QuestionError(f"{printable(x)} is no run: relineage runs lists them")
        call = _call(connection, thing.run_id)
    answer = _answer(call)
    if format_ == "json":
        print_json(answer)
    else:
        _print(answer)
    return 0 if answer["served_from"] is not None else 1


@dataclass(frozen=True, kw_only=True)
class _Call:
    """What is known of the run in question."""

    run_id: str
    namespace: str
    job: str
    state: str | None
    step: Mapping[str, Any]
    seed: str | None
    inputs: Mapping[str, str]
    parameters: Mapping[str, str]


def _index() -> Index:
    home = find_home(Path.cwd())
    if home is None:
        raise SourceError(f"there is no .relineage in {Path.cwd()} or above")
    return Index(home)


def _row(entry: Entry) -> dict[str, Any]:
    said = entry.said
    return {
        "operation": said["operation"],
        "recipe": said["recipe"],
        "outputs": [f"{output['namespace']}/{output['name']}" for output in said["outputs"]],
        "bytes": said["bytes"],
        "used_at": datetime.fromtimestamp(entry.used, UTC).replace(tzinfo=None),
        "run_id": said["run"],
    }


def _call(connection: engine.DuckDBPyConnection, run_id: str) -> _Call:
    asked = named("cache")
    run = {"run_id": run_id}
    row = connection.execute(asked["run"], run).fetchone()
    assert row is not None
    namespace, job, state, step, seeds = row
    chance = json.loads(seeds) if seeds else {}
    inputs = connection.execute(asked["inputs"], run).fetchall()
    return _Call(
        run_id=run_id,
        namespace=namespace,
        job=job,
        state=state,
        step=json.loads(step) if step else {},
        seed=chance.get("entropy") if chance.get("given") else None,
        inputs={role: digest or "without a digest" for role, digest in inputs},
        parameters=dict(connection.execute(asked["parameters"], run).fetchall()),
    )


def _answer(call: _Call) -> dict[str, Any]:
    """Run, reason, who served it, the nearest entry and the differences from it."""
    said = call.step.get("cache")
    answer: dict[str, Any] = {
        "run_id": call.run_id,
        "reason": said,
        "served_from": call.step.get("servedFrom"),
        "nearest_run_id": None,
        "differences": [],
    }
    if answer["served_from"] is not None:
        return answer
    if not isinstance(said, str):
        answer["reason"] = _not_asked(call)
    elif _NOTHING in said:
        before = [entry for entry in _index().scan() if _may_be_meant(entry, call)]
        found = [(_differences(call, entry), entry) for entry in before]
        if found:
            differences, nearest = min(found, key=lambda pair: (len(pair[0]), -pair[1].used))
            answer |= {"nearest_run_id": nearest.said["run"], "differences": differences}
    return answer


def _not_asked(call: _Call) -> str:
    if not call.step.get("callable"):
        return "it is no call of a step"
    if call.state != "COMPLETE":
        return f"it has not completed ({call.state})"
    return "the step was not told to ask: @lineage.step(cache=True)"


def _may_be_meant(entry: Entry, call: _Call) -> bool:
    """Of the same job, and kept before: run ids grow with time."""
    said = entry.said
    return (said["namespace"], said["job"]) == (call.namespace, call.job) and said["run"] < call.run_id


def _differences(call: _Call, entry: Entry) -> list[dict[str, str | None]]:
    said = entry.said
    kept_seed = said["seed"] if said["chance"] else call.seed  # without chance no seed counts
    pairs: list[tuple[str, str, str | None, str | None]] = [
        ("operation", "", call.step.get("operation"), said["operation"]),
        ("code", "", call.step.get("code"), said["code"]),
        ("seed", "", call.seed, kept_seed),
        *_by_name("input", call.inputs, dict(said["inputs"])),
        *_by_name(
            "parameter",
            call.parameters,
            {name: f"{kind}: {value}" for name, kind, value in said["parameters"]},
        ),
    ]
    return [
        {"what": what, "key": key, "run": run, "kept": kept} for what, key, run, kept in pairs if run != kept
    ]


def _by_name(
    what: str, run: Mapping[str, str], kept: Mapping[str, str]
) -> Sequence[tuple[str, str, str | None, str | None]]:
    return [(what, name, run.get(name), kept.get(name)) for name in dict.fromkeys((*run, *kept))]


def _print(answer: Mapping[str, Any]) -> None:
    if answer["served_from"] is not None:
        click.echo(f"served from run {printable(answer['served_from'])}")
        return
    click.echo(printable(str(answer["reason"])))
    if answer["nearest_run_id"] is None:
        if _NOTHING in str(answer["reason"]):
            click.echo("relineage: no call of this job was kept before it", err=True)
        return
    rows = [[one["what"], one["key"], short(one["run"]), short(one["kept"])] for one in answer["differences"]]
    run_id = printable(answer["nearest_run_id"])
    if rows:
        print_table(Section(f"nearest: run {run_id}", ["what", "key", "this run", "kept"], rows))
    else:
        click.echo(
            f"relineage: run {run_id} has all of it; it was kept later, or is of another version", err=True
        )
