"""What SQL cannot know of a verdict: whether data is still as it was, whether the code can be got, whether this machine
is as that one was.

Decides the checks `inputs_unchanged`, `code_reachable` and `weights_known` by looking, adds `setting_equal`, and where
everything is to be looked at `outputs_unchanged`. All other checks stay as the macro `reproducibility` judged them.
What is not here, and another repository, leave a check unknown.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import which

import duckdb

from ...emitter.capture.code import Repositories
from ...emitter.capture.environment import environment
from ...emitter.process import process_id
from ...emitter.store import Store as Objects
from ..ask import Check, Hop
from ..bundle.code import holds
from ..named import named
from ..replay.code import has_commit
from .reached import Finding, Reach, Version, recorded_versions, worst

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# A writer bound by these wrote the very version or content that was read.
_SAME_CONTENT = {"version", "version-late", "content"}
_TOLD = 5  # of the differences between two settings


def with_evidence(
    checks: Sequence[Check],
    hops: Sequence[Hop],
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    looking_at: Callable[[str], None],
    *,
    objects: Objects | None = None,
    deep: bool = False,
    packed: Sequence[Path] | None = None,
) -> list[Check]:
    """The checks, with those filled in that need files, git, or this machine.

    Args:
        checks: The rows of `reproducibility(x)`.
        hops: The rows of `upstream(x)`, which name the inputs of each run.
        connection: Of the store.
        folder: Where the repository is looked for, besides the recorded work trees.
        looking_at: Told of each file and object before it is digested, which may take a while.
        objects: The store of contents.
        deep: Digest whatever can be reached, outputs and objects too.
        packed: The repositories of a bundle. Then its objects are digested, and nothing else is looked at: the paths
            in its events are those of another machine.
    """
    run_ids = sorted({check.run_id for check in checks})
    models = _models(connection, run_ids)
    written = _written(connection, run_ids) if deep else {}
    wanted = {_version(hop) for hop in hops if hop.reader_run_id is not None and hop.version is not None}
    wanted.update(one for some in (*models.values(), *written.values()) for one in some)
    reach = Reach(
        recorded=recorded_versions(wanted, connection), objects=objects, deep=deep or packed is not None,
        looking_at=looking_at, bundled=packed is not None,
    )  # fmt: skip
    data = _data(hops, models, reach)
    filled = {
        "inputs_unchanged": {run_id: worst(list(found.values())) for run_id, found in data.items()},
        "code_reachable": _code_reachable(run_ids, connection, folder, objects)
        if packed is None
        else _code_in_bundle(run_ids, connection, packed, objects),
        "weights_known": _weights(models, data),
    }
    added: dict[str, tuple[str, Mapping[str, Finding]]] = {
        "setting_recorded": ("setting_equal", _settings(run_ids, connection))
    }
    if deep:
        outputs = {run_id: _outputs(written.get(run_id, []), reach) for run_id in run_ids}
        added["weights_known"] = ("outputs_unchanged", outputs)
    return list(_judged(checks, filled, added))


def _judged(
    checks: Sequence[Check],
    filled: Mapping[str, Mapping[str, Finding]],
    added: Mapping[str, tuple[str, Mapping[str, Finding]]],
) -> Iterator[Check]:
    for check in checks:
        finding = filled.get(check.check_name, {}).get(check.run_id)
        # Of weights the macro has said that they are known; whether they are there is another matter.
        open_ = check.status == "unknown" or (
            check.check_name == "weights_known" and check.status == "passed"
        )
        yield replace(check, status=finding.status, reason=finding.reason) if finding and open_ else check
        if check.check_name in added:
            name, findings = added[check.check_name]
            more = findings.get(check.run_id, Finding("unknown", "nothing is known of it"))
            yield replace(check, check_name=name, status=more.status, reason=more.reason)


def _version(hop: Hop) -> Version:
    return hop.dataset_namespace, hop.dataset_name, hop.version or ""


def _data(
    hops: Sequence[Hop], models: Mapping[str, Sequence[Version]], reach: Reach
) -> dict[str, dict[Version, Finding]]:
    """Of each run what looking at its inputs has shown."""
    found: dict[str, dict[Version, Finding]] = defaultdict(dict)
    for hop in hops:
        if hop.reader_run_id is None:
            continue
        version = _version(hop)
        same = hop.writer_run_id is not None and hop.how in _SAME_CONTENT
        finding = reach.judge(version, hop.writer_job_name if same else None)
        before = found[hop.reader_run_id].get(version)
        found[hop.reader_run_id][version] = finding if before is None else worst([before, finding])
    return found


def _models(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> dict[str, list[Version]]:
    return _by_run(connection.execute(named("evidence")["models_read"], {"run_ids": run_ids}).fetchall())


def _written(connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> dict[str, list[Version]]:
    return _by_run(connection.execute(named("evidence")["written"], {"run_ids": run_ids}).fetchall())


def _by_run(rows: Iterable[tuple[str, str, str, str | None]]) -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = defaultdict(list)
    for run_id, namespace, name, version in rows:
        found[run_id].append((namespace, name, version or ""))
    return found


def _weights(
    models: Mapping[str, Sequence[Version]], data: Mapping[str, Mapping[Version, Finding]]
) -> dict[str, Finding]:
    result = {}
    for run_id, versions in models.items():
        found = [data[run_id][one] for one in versions if one in data.get(run_id, {})]
        if found:
            result[run_id] = worst(found)
    return result


def _outputs(versions: Sequence[Version], reach: Reach) -> Finding:
    """A file may have been written again since, and most data was never kept: only what is damaged fails."""
    if not versions:
        return Finding("passed", "it wrote nothing")
    found = [reach.judge(one, None, "written") for one in versions]
    seen = [one for one in found if one.status != "unknown"]
    return worst(seen or found)


def _code_reachable(
    run_ids: Sequence[str], connection: duckdb.DuckDBPyConnection, folder: Path, objects: Objects | None
) -> dict[str, Finding]:
    rows = connection.execute(named("evidence")["code"], {"run_ids": run_ids}).fetchall()
    repositories = Repositories()
    present: dict[tuple[str, Path], bool] = {}
    result = {}
    for run_id, recorded_in, commit, snapshot, root in rows:
        wanted = snapshot or commit
        if wanted is None:
            continue
        if wanted.startswith("b3-folder1:"):
            kept = objects is not None and objects.find(wanted) is not None
            where = "is in the store" if kept else "is not in the store that is looked at here"
            result[run_id] = Finding("passed" if kept else "unknown", f"{wanted[:19]}… {where}")
            continue
        around = repositories.at(folder)
        if not _COMMIT.fullmatch(wanted):  # what other producers call a commit may be an option of git
            where = str(around.root if around else folder)
            result[run_id] = Finding("unknown", f"git in {where} could not be asked for {wanted}")
            continue
        places = [around.root] if around is not None else []
        places += [Path(root)] if root is not None and Path(root).is_absolute() else []
        for place in places:
            if (wanted, place) not in present:
                present[wanted, place] = has_commit(place, wanted)
        there = next((place for place in places if present[wanted, place]), None)
        if there is not None:
            result[run_id] = Finding("passed", f"commit {wanted[:12]} is in {there}")
        elif around is None:
            result[run_id] = Finding("unknown", f"{folder} is in no git repository")
        elif recorded_in is not None and recorded_in == around.remote:
            said = f"commit {wanted[:12]} is not in {around.root}; perhaps git fetch brings it"
            result[run_id] = Finding("failed", said)
        else:
            said = f"commit {wanted[:12]} is not in {around.root}, which may be another repository"
            result[run_id] = Finding("unknown", said)
    return result


def _code_in_bundle(
    run_ids: Sequence[str],
    connection: duckdb.DuckDBPyConnection,
    packed: Sequence[Path],
    objects: Objects | None,
) -> dict[str, Finding]:
    rows = connection.execute(named("evidence")["code"], {"run_ids": run_ids}).fetchall()
    result = {}
    for run_id, _, commit, snapshot, _ in rows:
        wanted = snapshot or commit
        if wanted is None:
            continue
        if wanted.startswith("b3-folder1:"):
            called, there = f"{wanted[:19]}…", objects is not None and objects.find(wanted) is not None
        else:
            called, there = f"commit {wanted[:12]}", bool(_COMMIT.fullmatch(wanted)) and holds(packed, wanted)
        if there:
            result[run_id] = Finding("passed", f"{called} is in the bundle")
        elif which("git") is None:
            result[run_id] = Finding("unknown", f"{called} cannot be looked for: git is not installed here")
        else:
            result[run_id] = Finding("unknown", f"{called} is not in the bundle")
    return result


def _settings(run_ids: Sequence[str], connection: duckdb.DuckDBPyConnection) -> dict[str, Finding]:
    """Whether this Python, its packages and this machine are as they were then."""
    here = environment(sys.argv, sys.orig_argv, sys.path, Path.cwd(), process_id())
    result = {}
    for run_id, python, platform, cpu, packages in connection.execute(
        named("evidence")["settings"], {"run_ids": run_ids}
    ).fetchall():
        if python is None or packages is None:
            result[run_id] = Finding("unknown", "where it ran is not recorded, so nothing can be compared")
            continue
        then = {"Python": python} | {f"package {name}": version for name, version in packages.items()}
        now = {"Python": here.python} | {f"package {name}": one for name, one in here.packages.items()}
        software = list(_differences(then, now))
        machine = list(
            _differences(
                {"platform": platform, "processor": cpu}, {"platform": here.platform, "processor": here.cpu}
            )
        )
        if software:
            result[run_id] = Finding("failed", _listed([*software, *machine]))
        elif machine:
            result[run_id] = Finding("unknown", f"another machine: {_listed(machine)}")
        else:
            result[run_id] = Finding("passed", f"Python {python}, packages and machine are as they were")
    return result


def _differences(then: Mapping[str, str | None], now: Mapping[str, str | None]) -> Iterator[str]:
    for name in dict.fromkeys([*then, *now]):
        if then.get(name) != now.get(name):
            yield f"{name} {then.get(name) or 'none'}, here {now.get(name) or 'none'}"


def _listed(differences: Sequence[str]) -> str:
    more = f" and {len(differences) - _TOLD} more" if len(differences) > _TOLD else ""
    return "; ".join(differences[:_TOLD]) + more
