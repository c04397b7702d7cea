"""What SQL cannot know of a verdict: whether data is still as it was, whether the code can be got, whether this machine
is as that one was.

Decides the checks `inputs_unchanged`, `code_reachable` and `weights_known` by looking, adds `setting_equal`, and where
everything is to be looked at `outputs_unchanged`. All other checks stay as the macro `reproducibility` judged them.
What is not here, and another repository, leave a check unknown.
"""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

from ...emitter.capture.code import Repositories, Repository
from ...emitter.capture.environment import Environment, environment
from ...emitter.errors import Damaged, StoreError
from ...emitter.process import process_id
from ...emitter.store import Store as Objects
from .. import engine
from ..ask import Check, Hop
from ..git import GitError, has_commit
from ..named import named
from ..replay.places import below
from ..submodules import lacks, submodules
from .asked import work_tree
from .reached import Finding, Reach, Version, models_among, recorded_versions, worst

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# A writer bound by these wrote the very version or content that was read.
_SAME_CONTENT = {"version", "version-late", "content"}
_TOLD = 5  # of the differences between two settings


def with_evidence(
    checks: Sequence[Check],
    hops: Sequence[Hop],
    connection: engine.DuckDBPyConnection,
    folder: Path,
    looking_at: Callable[[str], None],
    *,
    objects: Objects | None = None,
    deep: bool = False,
    packed: Sequence[Path] | None = None,
    with_data: bool = False,
) -> list[Check]:
    """The checks, with those filled in that need files, git, or this machine.

    Args:
        checks: The rows of `reproducibility(x)`.
        hops: The rows of `upstream(x)`, which name the inputs of each run.
        connection: Of the store.
        folder: Where the repository is looked for, besides the recorded work trees, and data that lay in them.
        looking_at: Told of each file and object before it is digested, which may take a while.
        objects: The store of contents.
        deep: Digest whatever can be reached, outputs and objects too.
        packed: The repositories of a bundle. Then its objects are digested, and nothing else is looked at: the paths
            in its events are those of another machine.
        with_data: The bundle was made with contents.
    """
    run_ids = sorted({check.run_id for check in checks})
    written = _written(connection, run_ids) if deep else {}
    read = {_version(hop) for hop in hops if hop.reader_run_id is not None and hop.version is not None}
    wanted = read.union(*written.values())
    reach = Reach(
        recorded=recorded_versions(wanted, connection), objects=objects, deep=deep or packed is not None,
        looking_at=looking_at, bundled=packed is not None, with_data=with_data,
        may_be=partial(_in_this_work_tree, roots=_roots(connection, run_ids), here=work_tree(folder)),
    )  # fmt: skip
    data = _data(hops, reach)
    filled = {
        "inputs_unchanged": {run_id: worst(list(found.values())) for run_id, found in data.items()},
        "code_reachable": _code_reachable(run_ids, connection, folder, objects, deep)
        if packed is None
        else _code_in_bundle(run_ids, connection, packed, objects),
        "weights_known": _weights(models_among(read, connection), data),
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


def _data(hops: Sequence[Hop], reach: Reach) -> dict[str, dict[Version, Finding]]:
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


def _written(connection: engine.DuckDBPyConnection, run_ids: Sequence[str]) -> dict[str, list[Version]]:
    rows = connection.execute(named("evidence")["written"], {"run_ids": run_ids}).fetchall()
    found: dict[str, list[Version]] = defaultdict(list)
    for run_id, *version in rows:
        found[run_id].append(tuple(version))
    return found


def _weights(models: Set[Version], data: Mapping[str, Mapping[Version, Finding]]) -> dict[str, Finding]:
    result = {}
    for run_id, findings in data.items():
        found = [findings[one] for one in sorted(findings) if one in models]
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


def _roots(connection: engine.DuckDBPyConnection, run_ids: Sequence[str]) -> set[str]:
    """The work trees of some runs."""
    rows = connection.execute(named("evidence")["code"], {"run_ids": run_ids}).fetchall()
    return {root for *_, root in rows if root}


def _in_this_work_tree(path: str, *, roots: Iterable[str], here: Path) -> list[str]:
    """A clone, and a project that has moved, have what lay in the work tree at the same place."""
    return [f"{here}{path[len(root.rstrip('/')) :]}" for root in roots if below(path, root)]


def _code_reachable(
    run_ids: Sequence[str],
    connection: engine.DuckDBPyConnection,
    folder: Path,
    objects: Objects | None,
    deep: bool,
) -> dict[str, Finding]:
    rows = connection.execute(named("evidence")["code"], {"run_ids": run_ids}).fetchall()
    repositories = Repositories()
    here = repositories.at(folder)
    found: dict[tuple[Any, ...], Finding] = {}
    result = {}
    for run_id, *code in rows:
        recorded_in, commit, snapshot, dirty, root = code
        if commit is None and snapshot is None:
            continue
        key = tuple(code)
        if key not in found:
            if snapshot is not None and snapshot.startswith("b3-"):
                found[key] = _in_store(snapshot, objects, deep)
            else:
                other = repositories.at(Path(root)) if root and os.path.isdir(root) else None  # noqa: PTH112
                places = [one for one in (here, other) if one is not None]
                found[key] = _in_git(places, commit, snapshot, dirty, recorded_in, root, folder, deep)
                refused = repositories.refusal(folder) or (repositories.refusal(Path(root)) if root else None)
                if found[key].status != "passed" and refused is not None:
                    found[key] = Finding("unknown", f"it cannot be looked for: {refused}")
        result[run_id] = found[key]
    return result


def _code_in_bundle(
    run_ids: Sequence[str],
    connection: engine.DuckDBPyConnection,
    packed: Sequence[Path],
    objects: Objects | None,
) -> dict[str, Finding]:
    rows = connection.execute(named("evidence")["code"], {"run_ids": run_ids}).fetchall()
    result = {}
    for run_id, _, commit, snapshot, dirty, _ in rows:
        if snapshot is not None and snapshot.startswith("b3-"):
            result[run_id] = _in_store(snapshot, objects, deep=True)
            continue
        asked = [snapshot] if snapshot is not None else []
        asked += [commit] if commit is not None and (snapshot is None or dirty is False) else []
        there = next(
            (
                (one, repository)
                for one in asked
                if _COMMIT.fullmatch(one)
                for repository in packed
                if has_commit(repository, one, settings=False)
            ),
            None,
        )
        if there is not None:
            result[run_id] = _without_submodules(*there)
        elif asked and which("git") is None:
            said = f"commit {asked[0][:12]} cannot be looked for: git is not installed here"
            result[run_id] = Finding("unknown", said)
        elif asked:
            result[run_id] = Finding("unknown", f"commit {asked[0][:12]} is not in the bundle")
    return result


def _without_submodules(commit: str, repository: Path) -> Finding:
    said = f"commit {commit[:12]} is in the bundle"
    try:
        missing = submodules(repository, commit, settings=False)
    except GitError as error:
        return Finding("unknown", str(error))
    return (
        Finding("unknown", f"{said}, its submodule {missing[0].path} is not")
        if missing
        else Finding("passed", said)
    )


def _in_store(digest: str, objects: Objects | None, deep: bool) -> Finding:
    """Whether the sources of a run are in the store; each file is there, and the list of them is what it was, or each
    file, too, where all is to be looked at.
    """
    known = objects.find(digest) if objects is not None else None
    if objects is None or known is None:
        return Finding("unknown", f"its sources {digest} are not in this store; perhaps in another")
    try:
        objects.check(known, files=deep)
    except Damaged as damaged:
        return Finding("failed", str(damaged))
    except (StoreError, OSError) as error:
        return Finding("unknown", str(error))
    return Finding("passed", f"its sources {digest} are in the store")


def _in_git(
    places: Sequence[Repository],
    commit: str | None,
    snapshot: str | None,
    dirty: bool | None,
    recorded_in: str | None,
    recorded_root: str | None,
    folder: Path,
    deep: bool,
) -> Finding:
    if not places:
        return Finding("unknown", f"{folder} is in no git repository")
    asked = [("snapshot", snapshot)] if snapshot is not None else []
    if commit is not None and (snapshot is None or dirty is False):
        asked.append(("commit", commit))  # of a clean work tree: the same files
    there = []
    for name, wanted in asked:
        for place in places:
            # What other producers call a commit may be anything, an option of git too.
            if _COMMIT.fullmatch(wanted) and has_commit(place.root, wanted):
                there.append(_whole(place.root, wanted, f"{name} {wanted[:12]} is in {place.root}", deep))
                if there[-1].status == "passed":
                    return there[-1]
    if there:
        return there[0]
    name, wanted = asked[0]
    root = places[0].root
    if not _COMMIT.fullmatch(wanted):
        return Finding("unknown", f"git in {root} could not be asked for {wanted}")
    if name == "snapshot" and recorded_root is not None:
        if any(str(place.root) == recorded_root for place in places):
            return Finding("failed", f"snapshot {wanted[:12]} is not in {recorded_root} any more")
        return Finding("unknown", f"snapshot {wanted[:12]} is not in {root}: it was made in {recorded_root}")
    if recorded_in is not None and recorded_in == places[0].remote:
        return Finding("failed", f"{name} {wanted[:12]} is not in {root}; perhaps git fetch brings it")
    return Finding("unknown", f"{name} {wanted[:12]} is not in {root}, which may be another repository")


def _whole(root: Path, commit: str, said: str, deep: bool) -> Finding:
    try:
        missing = lacks(root, commit, deep=deep)
    except GitError as error:
        return Finding("unknown", str(error))
    return Finding("failed", f"{said}, but {missing[0]}") if missing else Finding("passed", said)


def _settings(run_ids: Sequence[str], connection: engine.DuckDBPyConnection) -> dict[str, Finding]:
    """Whether this Python, its packages and this machine are as they were then."""
    here = environment(sys.argv, sys.orig_argv, sys.path, Path.cwd(), process_id())
    result = {}
    for ids, python, platform, cpu, packages in connection.execute(
        named("evidence")["settings"], {"run_ids": run_ids}
    ).fetchall():
        found = _setting(here, python, platform, cpu, packages)
        result.update(dict.fromkeys(ids, found))
    return result


def _setting(
    here: Environment,
    python: str | None,
    platform: str | None,
    cpu: str | None,
    packages: Mapping[str, str] | None,
) -> Finding:
    if python is None or packages is None:
        return Finding("unknown", "where it ran is not recorded, so nothing can be compared")
    then = {"Python": python} | {f"package {name}": version for name, version in packages.items()}
    now = {"Python": here.python} | {f"package {name}": one for name, one in here.packages.items()}
    software = list(_differences(then, now))
    machine = list(
        _differences(
            {"platform": platform, "processor": cpu}, {"platform": here.platform, "processor": here.cpu}
        )
    )
    if software:
        return Finding("failed", _listed([*software, *machine]))
    if machine:
        return Finding("unknown", f"another machine: {_listed(machine)}")
    return Finding("passed", f"Python {python}, packages and machine are as they were")


def _differences(then: Mapping[str, str | None], now: Mapping[str, str | None]) -> Iterator[str]:
    for name in dict.fromkeys([*then, *now]):
        if then.get(name) != now.get(name):
            yield f"{name} {then.get(name) or 'none'}, here {now.get(name) or 'none'}"


def _listed(differences: Sequence[str]) -> str:
    more = f" and {len(differences) - _TOLD} more" if len(differences) > _TOLD else ""
    return "; ".join(differences[:_TOLD]) + more
