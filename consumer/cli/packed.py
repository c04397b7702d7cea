"""What a bundle itself shows of a verdict: whether it holds what was read, as it was, and the code.

Decides the checks `inputs_unchanged` and `code_reachable` of a bundle by what is in it alone, as evidence.py does for
this machine: the files that may lie here under the same paths are others. What is not in it leaves a check unknown.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ...emitter.errors import Damaged, StoreError
from ...emitter.store import Store
from ..ask import Check, Hop
from ..bundle.code import COMMIT, holds
from ..named import named
from .asked import Asked
from .evidence import Finding
from .output import dataset_name

# A writer bound by these wrote the very version or content that was read.
_SAME_CONTENT = {"version", "version-late", "content"}


def with_bundled_evidence(
    checks: Sequence[Check], hops: Sequence[Hop], found: Asked, looking_at: Callable[[str], None]
) -> list[Check]:
    """The checks, with those filled in that contents or code in the bundle can tell.

    Args:
        checks: The rows of `reproducibility(x)`.
        hops: The rows of `upstream(x)`, which name the inputs of each run.
        found: What was asked.
        looking_at: Told of each content before it is digested, which may take a while.

    Raises:
        BundleError: What is in the bundle is not what it says.
    """
    looked = {
        "inputs_unchanged": _inputs_unchanged(hops, found, looking_at),
        "code_reachable": _code_reachable({check.run_id for check in checks}, found),
    }
    return [
        replace(check, status=finding.status, reason=finding.reason)
        if check.status == "unknown"
        and (finding := looked.get(check.check_name, {}).get(check.run_id)) is not None
        else check
        for check in checks
    ]


def _inputs_unchanged(
    hops: Sequence[Hop], found: Asked, looking_at: Callable[[str], None]
) -> dict[str, Finding]:
    objects = found.objects()
    reads = [hop for hop in hops if hop.reader_run_id is not None]
    recorded = _digests(reads, found)
    by_run: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for hop in reads:
        assert hop.reader_run_id is not None
        digests = recorded.get((hop.dataset_namespace, hop.dataset_name, hop.version), ())
        finding = _unchanged(hop, digests, objects, looking_at)
        if finding is None:
            why = "" if found.has_data else ", which was made without --data"
            name = dataset_name(hop.dataset_namespace, hop.dataset_name)
            finding = Finding("unknown", f"{name} is not in the bundle{why}")
        by_run[hop.reader_run_id][finding.status].append(finding.reason)
    result = {}
    for run_id, reasons in by_run.items():
        status = next(one for one in ("failed", "unknown", "passed") if reasons[one])
        result[run_id] = Finding(status, "; ".join(dict.fromkeys(reasons[status])))
    return result


def _digests(reads: Sequence[Hop], found: Asked) -> dict[tuple[str, str, str | None], tuple[str, ...]]:
    versions = sorted(
        {(h.dataset_namespace, h.dataset_name, h.version) for h in reads if h.version is not None}
    )
    columns = {
        key: [version[i] for version in versions] for i, key in enumerate(("namespaces", "names", "versions"))
    }
    rows = found.connection.execute(named("evidence")["recorded"], columns).fetchall()
    return {(namespace, name, version): tuple(digests) for namespace, name, version, digests, _ in rows}


def _unchanged(
    hop: Hop, digests: Sequence[str], objects: Store | None, looking_at: Callable[[str], None]
) -> Finding | None:
    """What is known of an input; null if it is not in the bundle."""
    name = dataset_name(hop.dataset_namespace, hop.dataset_name)
    if not digests:
        return Finding("unknown", f"no digest of {name} was recorded")
    for digest in digests:
        kept = None if objects is None else objects.find(digest)
        if objects is None or kept is None:
            continue
        looking_at(name)
        try:
            objects.check(kept)
        except Damaged:
            return Finding("failed", f"{name} is in the bundle, and is not what was read")
        except (StoreError, OSError) as error:
            return Finding("unknown", f"{name} is in the bundle, and cannot be read: {error}")
        return Finding("passed", f"{name} is in the bundle as it was read")
    if hop.writer_run_id is not None and hop.how in _SAME_CONTENT:
        return Finding("passed", f"{name} is what {hop.writer_job_name} wrote")
    return None


def _code_reachable(run_ids: set[str], found: Asked) -> dict[str, Finding]:
    rows = found.connection.execute(named("evidence")["code"], {"run_ids": sorted(run_ids)}).fetchall()
    wanted = {run_id: snapshot or commit for run_id, _, commit, snapshot in rows if snapshot or commit}
    has_git = shutil.which("git") is not None
    repositories = found.repositories() if has_git and any(map(COMMIT.fullmatch, wanted.values())) else []
    objects = found.objects()
    return {
        run_id: _reachable(code, has_git=has_git, here=_is_here(code, repositories, objects))
        for run_id, code in wanted.items()
    }


def _is_here(code: str, repositories: Sequence[Path], objects: Store | None) -> bool:
    if COMMIT.fullmatch(code):
        return holds(repositories, code)
    return objects is not None and objects.find(code) is not None


def _reachable(code: str, *, has_git: bool, here: bool) -> Finding:
    called = f"commit {code[:12]}" if COMMIT.fullmatch(code) else code[:24]
    if here:
        return Finding("passed", f"{called} is in the bundle")
    if COMMIT.fullmatch(code) and not has_git:
        return Finding("unknown", f"{called} cannot be looked for: git is not installed here")
    return Finding("unknown", f"{called} is not in the bundle")
