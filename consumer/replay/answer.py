"""The original and its replay in one database, where they can be asked together.

Decides that the replay's events are read as if it had happened where the original did: paths by their old names, and
the code, which was the snapshot by construction, and the command line, which was the recorded one, as the original says
them. The database lives in memory and is gone afterwards: a replay never becomes the writer of anybody's data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import engine
from ..ask import Ask, Cause
from ..consume import take_in
from ..errors import QuestionError
from ..named import named
from ..store import Store
from .places import Places
from .recorded import Input, Member, Recorded, read_inputs


@contextmanager
def joined(run: Recorded, events: Path, where: Places, folder: Path) -> Iterator[engine.DuckDBPyConnection]:
    """A database with the events of the run's process, and those of its replay.

    Args:
        run: What was replayed.
        events: The folder with the replay's events.
        where: What was moved.
        folder: For files on the way.
    """
    folder.mkdir()
    # A message may hold no line break: JSON as it came may.
    originals = [json.dumps(json.loads(body)) for body in run.events]
    (folder / "original.ndjson").write_text("".join(f"{line}\n" for line in originals), "utf-8")
    same = _same_by_construction(originals)
    replayed = [
        json.dumps(_as_then(event, where, same))
        for file in sorted(events.glob("*.ndjson"))
        for event in _events_in(file)
    ]
    (folder / "replay.ndjson").write_text("".join(f"{line}\n" for line in replayed), "utf-8")
    with Store.open() as store:
        take_in(store, [folder / "original.ndjson", folder / "replay.ndjson"])
        yield store.connection


def setting_differences(
    connection: engine.DuckDBPyConnection, pairs: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """What differs between the settings of runs, by the first of each pair, one a line: `package numpy: 2.4.1 → 2.4.2`.

    The runs of a process have a handful of settings between them: each two are compared once.
    """
    rows = connection.execute(named("replay")["settings"], {"run_ids": [*pairs, *pairs.values()]}).fetchall()
    setting = dict(rows)
    both = {one: (setting.get(one), setting.get(other)) for one, other in pairs.items()}
    example = {settings: one for one, settings in both.items()}
    found = _differences(connection, {one: pairs[one] for one in example.values()}, setting=True)
    return {one: found.get(example[settings], ()) for one, settings in both.items()}


def not_as_recorded(
    connection: engine.DuckDBPyConnection, pairs: Mapping[Member, Member], read: Iterable[Input]
) -> dict[str, list[str]]:
    """What is recorded of runs otherwise than their replays have said it: what they were asked for, and what they read.

    Args:
        connection: Of the database with both.
        pairs: Each original with its replay.
        read: What the runs of the original's process have read.
    """
    ids = {one.run_id: other.run_id for one, other in pairs.items()}
    differences = _differences(connection, ids, setting=False)
    then, now = _digests_by_role(read), _digests_by_role(read_inputs(connection, ids.values()) if ids else ())
    found = {}
    for one, other in pairs.items():
        told = list(differences.get(one.run_id, ()))
        if one.entropy is not None and other.entropy is not None and one.entropy != other.entropy:
            told.append(f"seed: {one.entropy} → {other.entropy}")
        a, b = then.get(one.run_id, {}), now.get(other.run_id, {})
        told += [
            f"input {role or 'without a role'}: {min(a[role])} → {min(b[role])}"
            for role in a
            if a[role] and b.get(role) and not a[role] & b[role]
        ]
        found[one.run_id] = [f"recorded otherwise than done: {difference}" for difference in told]
    return found


def _digests_by_role(read: Iterable[Input]) -> dict[str, dict[str, set[str]]]:
    """Run → role → digests."""
    found: dict[str, dict[str, set[str]]] = {}
    for one in read:
        found.setdefault(one.run_id, {}).setdefault(one.role, set()).update(one.digests)
    return found


def _differences(
    connection: engine.DuckDBPyConnection, pairs: Mapping[str, str], *, setting: bool
) -> dict[str, tuple[str, ...]]:
    if not pairs:
        return {}
    values = {"a": list(pairs), "b": list(pairs.values()), "setting": setting}
    found: dict[str, tuple[str, ...]] = {}
    for run_id, what, key, then, now in connection.execute(named("replay")["differences"], values).fetchall():
        said = f"{f'{what} {key}'.strip()}: {then or 'none'} → {now or 'none'}"
        found[run_id] = (*found.get(run_id, ()), said)
    return found


def causes_between(connection: engine.DuckDBPyConnection, a: str, b: str) -> tuple[Cause, ...]:
    """Why two runs differ; nothing where they have no output to compare."""
    try:
        return tuple(Ask(connection).why(f"run:{a}", f"run:{b}"))
    except QuestionError:
        return ()


def _events_in(file: Path) -> Iterator[Any]:
    """The events of a file, but for a line that was not finished when its process was ended."""
    # JSON may hold what str.splitlines takes for the end of a line.
    for line in file.read_bytes().split(b"\n"):
        with suppress(ValueError):
            yield json.loads(line)


def _same_by_construction(events: Sequence[str]) -> dict[str, Any]:
    """What the original's events say of the repository and the command line."""
    for line in reversed(events):
        said = json.loads(line).get("run", {}).get("facets", {}).get("relineage_environment", {})
        if said.get("code") is not None:
            return {key: said[key] for key in ("code", "argv") if key in said}
    return {}


def _as_then(event: Any, where: Places, same: Mapping[str, Any]) -> Any:
    event = _renamed(event, where)
    facets = event.get("run", {}).get("facets", {})
    if isinstance(environment := facets.get("relineage_environment"), dict):
        for key in ("code", "argv"):
            environment.pop(key, None)
        environment |= same
    event.get("job", {}).get("facets", {}).pop("sourceCodeLocation", None)
    return event


def _renamed(value: Any, where: Places) -> Any:
    if isinstance(value, str):
        return where.then(value)
    if isinstance(value, list):
        return [_renamed(one, where) for one in value]
    if isinstance(value, dict):
        return {key: _renamed(one, where) for key, one in value.items()}
    return value
