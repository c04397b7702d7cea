"""What is recorded of a run, of the other runs of its process, and of what they read and made.

Decides which chance a replay must be told: the entropy that was drawn, not what was given or follows from a run around
it. Leaves whether it suffices to those who use it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import engine
from ..errors import QuestionError
from ..named import named
from .contents import objects
from .details import beside, whole

_CONTENT = {"content": "relineage_content", "model": "relineage_model"}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One run of a process; `ordinal` counts its job's runs, from 0. `entropy` is hexadecimal; `outer` is the run of
    this process around it.
    """

    run_id: str
    namespace: str
    job: str
    state: str | None
    ordinal: int
    entropy: str | None
    given: bool
    outer: str | None

    @property
    def drawn(self) -> bool:
        """Whether its entropy came from the operating system."""
        return self.entropy is not None and not self.given and self.outer is None


@dataclass(frozen=True, kw_only=True)
class Input:
    """What a run read: its digests, and the paths under which it is known if it is a file (those that the
    run has named first), else its Python type.
    """

    run_id: str
    role: str
    namespace: str
    name: str
    version: str | None
    writer_run_id: str | None
    digests: tuple[str, ...]
    paths: tuple[str, ...]
    carrier: str | None = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a run made, and where if it is a file; `content` and `model` are the bodies of its facets."""

    run_id: str
    role: str
    namespace: str
    name: str
    version: str | None
    digest: str | None
    digests: tuple[str, ...]
    paths: tuple[str, ...]
    content: Mapping[str, Any]
    model: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A run, and where and how its process ran.

    Attributes:
        command: What the interpreter was started with.
        directory: The working directory.
        python_path: What `PYTHONPATH` named.
        root: The work tree, or the script's folder.
        snapshot: A commit, or a folder in the store.
        not_covered: What the snapshot does not hold, `path: reason`.
        repository: Where the repository lives.
        callable: `module:qualified.name` of a step's function.
        variables: The environment variables that were recorded.
        members: All runs of the process, in the order in which they began.
        parameters: Of the run: name, type and text of each; null where only some of them are known.
        read: What they read.
        outputs: What they wrote, in order.
        events: Their events and those of `writers`, as they came.
    """

    run_id: str
    namespace: str
    job: str
    state: str | None
    process: str | None
    command: tuple[str, ...]
    directory: str | None
    python_path: tuple[str, ...]
    root: str | None
    commit: str | None
    dirty: bool | None
    snapshot: str | None
    not_covered: tuple[str, ...]
    repository: str | None
    python: str | None
    packages: Mapping[str, str]
    callable: str | None
    variables: Mapping[str, str]
    members: tuple[Member, ...]
    parameters: tuple[dict[str, Any], ...] | None
    read: tuple[Input, ...]
    outputs: tuple[Output, ...]
    events: tuple[str, ...]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What they read that none of them wrote."""
        ids = {one.run_id for one in self.members}
        return tuple(one for one in self.read if one.writer_run_id not in ids)

    @property
    def writers(self) -> tuple[str, ...]:
        """The runs of other processes that wrote what they read: workers, say, which `why` must know of."""
        return _writers(self.inputs)


def read_run(connection: engine.DuckDBPyConnection, run_id: str) -> Recorded:
    """All that is recorded of a run and its process.

    Raises:
        QuestionError: There is no such run.
    """
    rows = _rows(connection, "run", {"run_id": run_id})
    if not rows:
        raise QuestionError(f"no run {run_id} is known")
    [run] = rows
    members = read_members(connection, run_id)
    ids = [one.run_id for one in members]
    folder = beside(connection)
    step, all_parameters = _facet(run, "step", folder)
    environment, _ = _facet(run, "environment", folder)
    parameters = _rows(connection, "parameters", {"run_id": run_id})
    if "details" in step:
        parameters = sorted(objects(step.get("parameters")), key=lambda one: str(one.get("name")))
    read = read_inputs(connection, ids)
    own = set(ids)
    known = [*ids, *_writers(one for one in read if one.writer_run_id not in own)]
    variables = {row["name"]: row["value"] for row in _rows(connection, "variables", {"run_id": run_id})}
    return Recorded(
        run_id=run_id,
        namespace=run["job_namespace"] or "",
        job=run["job_name"] or "",
        state=run["state"],
        process=run["process"],
        command=tuple(run["command"] or ()),
        directory=run["directory"],
        python_path=tuple(map(str, environment.get("pythonPath") or ())),
        root=run["root"],
        commit=run["commit"],
        dirty=run["dirty"],
        snapshot=run["snapshot"],
        not_covered=tuple(run["not_covered"] or ()),
        repository=run["repository"],
        python=run["python"],
        packages=_texts_by_name(environment.get("packages")),
        callable=_text(step.get("callable")),
        variables=variables,
        members=members,
        parameters=tuple(parameters) if all_parameters else None,
        read=read,
        outputs=read_outputs(connection, ids, folder),
        events=tuple(row["body"] for row in _rows(connection, "events", {"run_ids": known})),
    )


def read_members(connection: engine.DuckDBPyConnection, run_id: str) -> tuple[Member, ...]:
    """The runs of a run's process, in the order in which they began; itself alone where no process is known."""
    return tuple(
        Member(
            run_id=row["run_id"],
            namespace=row["job_namespace"] or "",
            job=row["job_name"] or "",
            state=row["state"],
            ordinal=row["ordinal"],
            entropy=row["entropy"],
            given=row["given"],
            outer=row["outer_run_id"],
        )
        for row in _rows(connection, "process_runs", {"run_id": run_id})
    )


def read_inputs(connection: engine.DuckDBPyConnection, run_ids: Iterable[str]) -> tuple[Input, ...]:
    """What some runs read."""
    return tuple(
        Input(**{**row, "digests": tuple(row["digests"]), "paths": _paths(row)})
        for row in _rows(connection, "inputs", {"run_ids": list(run_ids)})
    )


def read_outputs(
    connection: engine.DuckDBPyConnection, run_ids: Iterable[str], folder: Path | None
) -> tuple[Output, ...]:
    """What some runs made, in the order in which they made it.

    Args:
        connection: Of the database.
        run_ids: The runs.
        folder: Where the objects are that hold what did not fit into facets.
    """
    found = []
    for row in _rows(connection, "outputs", {"run_ids": list(run_ids)}):
        said = {key: json.loads(row.pop(name) or "{}") for name, key in _CONTENT.items()}
        facets, _ = whole(said, folder, named_by="relineage_content")
        content = {name: facets[key] for name, key in _CONTENT.items()}
        found.append(Output(**row | content | {"digests": tuple(row["digests"]), "paths": _paths(row)}))
    return tuple(found)


def _writers(read: Iterable[Input]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.writer_run_id for one in read if one.writer_run_id is not None))


def _facet(row: Mapping[str, Any], name: str, folder: Path | None) -> tuple[dict[str, Any], bool]:
    """A facet of a run with what did not fit into it, and whether it is whole."""
    key = f"relineage_{name}"
    facets, complete = whole({key: json.loads(row[name] or "{}")}, folder, named_by=key)
    return facets[key], complete


def _text(value: object) -> str | None:
    """A text; null for anything else, as events are anybody's."""
    return value if isinstance(value, str) else None


def _texts_by_name(value: object) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in items if isinstance(text, str)}


def _paths(row: Mapping[str, Any]) -> tuple[str, ...]:
    own = [row["name"]] if row["namespace"] == "file" else []
    return tuple(dict.fromkeys([*own, *row["paths"]]))


def _rows(
    connection: engine.DuckDBPyConnection, statement: str, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found = connection.execute(named("replay")[statement], dict(values))
    columns = [column[0] for column in found.description]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
