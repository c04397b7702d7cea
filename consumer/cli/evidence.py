"""What SQL cannot know of a verdict: whether files are still as they were read, and whether the code can be got.

Decides the checks `inputs_unchanged` and `code_reachable` by looking: each recorded input that is a file on this
machine is digested again, and git is asked for the snapshot, or the commit of a clean work tree, in the repository
around a folder and in the one that the run was made in; sources outside of git are looked for in the store. All other
checks stay as the macro `reproducibility` judged them. What is not here, and another repository, leave a check unknown.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from ...emitter.capture.code import Repositories, Repository
from ...emitter.digests import Refused, content_of
from ...emitter.errors import Damaged
from ..ask import Check, Hop
from ..errors import SourceError
from ..named import named
from .contents import contents
from .output import dataset_name

_GIT_SECONDS = 10.0
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# A writer bound by these wrote the very version or content that was read.
_SAME_CONTENT = {"version", "version-late", "content"}

_Version = tuple[str, str, str]


@dataclass(frozen=True)
class Finding:
    """What looking has shown."""

    status: str
    reason: str


def with_evidence(
    checks: Sequence[Check],
    hops: Sequence[Hop],
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    looking_at: Callable[[str], None],
) -> list[Check]:
    """The checks, with those filled in that need files or git.

    Args:
        checks: The rows of `reproducibility(x)`.
        hops: The rows of `upstream(x)`, which name the inputs of each run.
        connection: Of the store.
        folder: Where the repository is looked for.
        looking_at: Told of each file before it is digested, which may take a while.
    """
    inputs = _inputs_unchanged(hops, connection, looking_at)
    code = _code_reachable({check.run_id for check in checks}, connection, folder)
    found = {"inputs_unchanged": inputs, "code_reachable": code}
    return [
        replace(check, status=finding.status, reason=finding.reason)
        if check.status == "unknown"
        and (finding := found.get(check.check_name, {}).get(check.run_id)) is not None
        else check
        for check in checks
    ]


def _inputs_unchanged(
    hops: Sequence[Hop], connection: duckdb.DuckDBPyConnection, looking_at: Callable[[str], None]
) -> dict[str, Finding]:
    reads = [hop for hop in hops if hop.reader_run_id is not None]
    recorded = _recorded(
        {(h.dataset_namespace, h.dataset_name, h.version) for h in reads if h.version is not None}, connection
    )
    digested: dict[str, frozenset[str] | str] = {}
    by_run: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for hop in reads:
        digests, paths = recorded.get(
            (hop.dataset_namespace, hop.dataset_name, hop.version or ""), (frozenset(), ())
        )
        finding = _unchanged(hop, digests, paths, digested, looking_at)
        assert hop.reader_run_id is not None
        by_run[hop.reader_run_id][finding.status].append(finding.reason)
    result = {}
    for run_id, reasons in by_run.items():
        status = next(one for one in ("failed", "unknown", "passed") if reasons[one])
        result[run_id] = Finding(status, "; ".join(dict.fromkeys(reasons[status])))
    return result


def _recorded(
    versions: set[tuple[str, str, str]], connection: duckdb.DuckDBPyConnection
) -> dict[_Version, tuple[frozenset[str], tuple[str, ...]]]:
    ordered = sorted(versions)
    columns = {
        key: [version[i] for version in ordered] for i, key in enumerate(("namespaces", "names", "versions"))
    }
    rows = connection.execute(named("evidence")["recorded"], columns).fetchall()
    return {
        (namespace, name, version): (frozenset(digests), tuple(paths))
        for namespace, name, version, digests, paths in rows
    }


def _unchanged(
    hop: Hop,
    recorded: frozenset[str],
    paths: Sequence[str],
    digested: dict[str, frozenset[str] | str],
    looking_at: Callable[[str], None],
) -> Finding:
    name = dataset_name(hop.dataset_namespace, hop.dataset_name)
    # os.path.exists: what events call a file may be too long to be one, and Path.exists would raise.
    here = [path for path in paths if Path(path).is_absolute() and os.path.exists(path)]  # noqa: PTH110
    if not recorded:
        return Finding("unknown", f"no digest of {name} was recorded")
    for path in here:
        if path not in digested:
            looking_at(path)
            digested[path] = _digests_of(path)
    looked = [(path, digested[path]) for path in here]
    if any(recorded & now for _, now in looked if isinstance(now, frozenset)):
        return Finding("passed", f"{name} is as it was read")
    labels = {_label(digest) for digest in recorded}
    for path, now in looked:
        if isinstance(now, str):
            return Finding("unknown", now)
        if labels & {_label(digest) for digest in now}:
            return Finding(
                "failed", f"{path} is not what was read: it is {min(now, key=_by_label(labels))} now"
            )
        return Finding("unknown", f"{path} has no digest of the kind that was recorded")
    if hop.writer_run_id is not None and hop.how in _SAME_CONTENT:
        return Finding("passed", f"{name} is what {hop.writer_job_name} wrote")
    if paths:
        return Finding("unknown", f"{paths[0]} is not on this machine")
    return Finding("unknown", f"{name} cannot be looked at from here")


def _digests_of(path: str) -> frozenset[str] | str:
    try:
        return frozenset(content_of(Path(path)).digests)
    except Refused as refused:
        return f"{path} cannot be digested: {refused}"


def _label(digest: str) -> str:
    return digest.partition(":")[0]


def _by_label(labels: set[str]) -> Callable[[str], tuple[bool, str]]:
    return lambda digest: (_label(digest) not in labels, digest)


def _code_reachable(
    run_ids: set[str], connection: duckdb.DuckDBPyConnection, folder: Path
) -> dict[str, Finding]:
    rows = connection.execute(named("evidence")["code"], {"run_ids": sorted(run_ids)}).fetchall()
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
                found[key] = _in_store(snapshot)
            else:
                other = repositories.at(Path(root)) if root and os.path.isdir(root) else None  # noqa: PTH112
                places = [one for one in (here, other) if one is not None]
                found[key] = _in_git(places, commit, snapshot, dirty, recorded_in, root, folder)
        result[run_id] = found[key]
    return result


def _in_store(digest: str) -> Finding:
    """Whether the sources of a run are in the store; each file is there, and the list of them is what it was."""
    try:
        with contents() as store:
            known = store.find(digest)
            if known is None:
                return Finding("unknown", f"its sources {digest} are not in this store; perhaps in another")
            try:
                store.check(known, files=False)
            except Damaged as damaged:
                return Finding("failed", str(damaged))
    except SourceError as error:
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
) -> Finding:
    if not places:
        return Finding("unknown", f"{folder} is in no git repository")
    asked = [("snapshot", snapshot)] if snapshot is not None else []
    if commit is not None and (snapshot is None or dirty is False):
        asked.append(("commit", commit))  # of a clean work tree: the same files
    for name, wanted in asked:
        for place in places:
            # What other producers call a commit may be anything, an option of git too.
            if _COMMIT.fullmatch(wanted) and _has_commit(place.root, wanted):
                return Finding("passed", f"{name} {wanted[:12]} is in {place.root}")
    name, wanted = asked[0]
    root = places[0].root
    if not _COMMIT.fullmatch(wanted) or _has_commit(root, wanted) is None:
        return Finding("unknown", f"git in {root} could not be asked for {wanted}")
    if name == "snapshot" and recorded_root is not None:
        if any(str(place.root) == recorded_root for place in places):
            return Finding("failed", f"snapshot {wanted[:12]} is not in {recorded_root} any more")
        return Finding("unknown", f"snapshot {wanted[:12]} is not in {root}: it was made in {recorded_root}")
    if recorded_in is not None and recorded_in == places[0].remote:
        return Finding("failed", f"{name} {wanted[:12]} is not in {root}; perhaps git fetch brings it")
    return Finding("unknown", f"{name} {wanted[:12]} is not in {root}, which may be another repository")


def _has_commit(root: Path, commit: str) -> bool | None:
    """Whether the repository holds the commit; None if git does not say."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    # A partial clone would go and fetch what it lacks.
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program; the commit is hex digits
            ["git", "-c", "core.fsmonitor=false", "-C", str(root), "cat-file", "-e", f"{commit}^{{commit}}"],  # noqa: S607
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_SECONDS, check=False, env=environment,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.returncode == 0
