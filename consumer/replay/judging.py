"""What came out of a process that was done again, set against what came out then, run by run.

Decides that all runs are looked at together, since a training has tens of thousands of steps and a question costs the
same for one and for all, and which runs are asked why: all, but of a job with many that are not reproduced the first,
where it began, and the last, whose upstream has all of them.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ...emitter.store import Store, open_store
from .. import engine
from ..chance import chances_of
from .answer import causes_between, not_as_recorded, setting_differences
from .code import Source
from .details import OBJECTS
from .means import Means
from .outcome import compare_outputs, pairs
from .places import Places
from .process import Ended
from .recorded import Member, Output, Recorded, read_outputs
from .verdicts import Replayed, verdict_of

MOST_ASKED = 10  # runs of a job that are all asked why
MOST_NOT_COVERED = 5  # files that are told


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A process that has ended, and the database that knows it and the original."""

    source: Source
    where: Places
    home: Path
    ended: Ended
    notes: tuple[str, ...]
    connection: engine.DuckDBPyConnection
    others: Mapping[tuple[str, str, int], Member]

    @cached_property
    def store(self) -> Store:
        """What came out."""
        return open_store(self.home / "store", self.home)

    def other(self, one: Member) -> Member | None:
        """The run that took the place of an original."""
        return self.others.get((one.namespace, one.job, one.ordinal))

    def outputs(self, others: Iterable[Member]) -> Mapping[str, Sequence[Output]]:
        """What some of its runs made, by their ids."""
        ids = [one.run_id for one in others]
        return _by_run(read_outputs(self.connection, ids, self.home / OBJECTS)) if ids else {}


def judged(wanted: Iterable[Member], run: Recorded, ran: Ran, means: Means) -> list[Replayed]:
    """The verdicts on some runs of a process.

    Args:
        wanted: The runs, in the order in which they began.
        run: One of the process.
        ran: What was done again.
        means: What may be used.
    """
    partners = [(one, ran.other(one)) for one in wanted]
    came = {
        one: other
        for one, other in partners
        if other is not None and (other.state == "COMPLETE" or one.state != "COMPLETE")
    }
    then, now = _by_run(run.outputs), ran.outputs(came.values())
    verdicts: dict[str, Replayed] = {}
    for one, other in partners:
        if one in came and other is not None:
            made = (then.get(one.run_id, ()), now.get(other.run_id, ()))
            verdicts[one.run_id] = _compared(one, other, made, run, ran, means)
        else:
            what = "did not come to this run" if other is None else "did not complete this run"
            reason = f"the program {what}: it {ran.ended.words()}"
            if "FileNotFoundError" in reason:
                reason += (
                    "; a replay has only the files that a run read with run.input and those of the snapshot"
                )
            verdicts[one.run_id] = not_replayed(one, reason, means, [*ran.notes, *_not_covered(run)])
    return _explained(verdicts, came, run, ran)


def _compared(
    one: Member,
    other: Member,
    made: tuple[Sequence[Output], Sequence[Output]],
    run: Recorded,
    ran: Ran,
    means: Means,
) -> Replayed:
    outputs = compare_outputs(*made, stores=(means.objects, ran.store), tolerance=means.tolerance)
    verdict, reason = verdict_of(outputs)
    if verdict == "not reproduced" and ran.ended.asked:
        return not_replayed(
            one, f"it read standard input, of which nothing is recorded; without any, {reason}", means
        )
    notes = list(ran.notes)
    if verdict == "not reproduced":
        notes += _not_covered(run)
    if ran.ended.code != 0:
        notes.append(f"the program {ran.ended.words()}")
    if one.state != "COMPLETE":
        notes.append(f"the original run did not complete: it is {one.state}")
    return Replayed(
        run_id=one.run_id,
        job=f"{one.namespace}/{one.job}",
        verdict=verdict,
        reason=reason,
        tolerance=means.tolerance_text,
        snapshot=ran.source.snapshot,
        outputs=tuple(outputs),
        notes=tuple(notes),
        new_run_id=other.run_id,
    )


def _explained(
    verdicts: Mapping[str, Replayed], came: Mapping[Member, Member], run: Recorded, ran: Ran
) -> list[Replayed]:
    """The verdicts with what differed beside the outputs, and why they do."""
    compared = {one: other for one, other in came.items() if verdicts[one.run_id].new_run_id == other.run_id}
    settings = setting_differences(
        ran.connection, {one.run_id: other.run_id for one, other in compared.items()}
    )
    differ = {one.run_id for one in compared if verdicts[one.run_id].verdict == "not reproduced"}
    # What is recorded may be another story that ends alike.
    alike = {one: other for one, other in compared.items() if one.run_id not in differ}
    otherwise = not_as_recorded(ran.connection, alike, run.read)
    asked = _to_be_asked([verdicts[one.run_id] for one in compared if one.run_id in differ])
    explained = []
    for one in verdicts.values():
        causes = (
            causes_between(ran.connection, one.run_id, one.new_run_id)
            if one.run_id in asked and one.new_run_id
            else ()
        )
        explained.append(
            replace(
                one,
                setting=settings.get(one.run_id, ()),
                notes=(*one.notes, *otherwise.get(one.run_id, ())),
                causes=causes,
                chances=chances_of(ran.connection, causes),
            )
        )
    return explained


def _to_be_asked(differ: Sequence[Replayed]) -> set[str]:
    """The runs that are asked why they were not reproduced."""
    by_job: dict[str, list[str]] = defaultdict(list)
    for one in differ:
        by_job[one.job].append(one.run_id)
    asked = [ids if len(ids) <= MOST_ASKED else [ids[0], ids[-1]] for ids in by_job.values()]
    return set(itertools.chain.from_iterable(asked))


def files_made(run: Recorded, ran: Ran) -> dict[tuple[str, str], Path]:
    """Copies of what was written in place of each file, out of the store of the replay, by path and version."""
    made: dict[tuple[str, str], Path] = {}
    then = _by_run(run.outputs)
    with_files = [one for one in run.members if any(output.paths for output in then.get(one.run_id, ()))]
    others = [(one, other) for one in with_files if (other := ran.other(one)) is not None]
    now = ran.outputs(other for _, other in others)
    for one, other in others:
        for original, replayed in pairs(then[one.run_id], now.get(other.run_id, ())):
            if original is None or replayed is None or not original.paths:
                continue
            copy = _taken(replayed, ran.store, ran.home / "made" / str(len(made)))
            if copy is not None:
                made |= {(path, original.version or ""): copy for path in original.paths}
    return made


def _taken(output: Output, store: Store, target: Path) -> Path | None:
    for digest in output.digests:
        if digest.startswith(("b3-bytes1:", "b3-folder1:")) and store.find(digest) is not None:
            target.parent.mkdir(exist_ok=True)
            store.fetch(digest, target)
            return target
    return None


def _by_run(outputs: Iterable[Output]) -> dict[str, list[Output]]:
    found: dict[str, list[Output]] = defaultdict(list)
    for one in outputs:
        found[one.run_id].append(one)
    return found


def _not_covered(run: Recorded) -> list[str]:
    """What may be missing, since the snapshot does not hold it."""
    left = len(run.not_covered) - MOST_NOT_COVERED
    told = [*run.not_covered[:MOST_NOT_COVERED], *([f"and {left} more"] if left > 0 else [])]
    return [f"not in the snapshot: {', '.join(told)}"] if told else []


def not_replayed(one: Member, reason: str, means: Means, notes: Sequence[str] = ()) -> Replayed:
    """The verdict on a run that could not be done again."""
    return Replayed(
        run_id=one.run_id,
        job=f"{one.namespace}/{one.job}",
        verdict="not replayed",
        reason=reason,
        tolerance=means.tolerance_text,
        notes=tuple(notes),
    )
