"""What is said after a replay.

Decides how the verdicts of outputs make that of a run: reproduced only if every output has the same digest, or is
within the tolerance; an output of which nothing can be said is no success, and where there is none nothing is said
of the run. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..ask import Cause
from ..chance import Chance

Verdict = Literal["bitwise", "within tolerance", "not reproduced", "not replayed"]
OfOutput = Literal["bitwise", "within tolerance", "different", "missing", "unknown"]


class NotReplayed(Exception):
    """It cannot be run again; the text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class OutputVerdict:
    """One output, and what came out in its place.

    Attributes:
        role: Its part in the run.
        name: As the original run called it, `namespace/name`, or a path.
        original: Its strongest digest; null if it has none, or only the replay made it.
        replayed: The replayed one's, by the same rule if it has one; null if nothing came out.
        verdict: `unknown` where one of them has no digest.
        difference: The first column or tensor that differs, in words; null where none does.
    """

    role: str
    name: str
    original: str | None
    replayed: str | None
    verdict: OfOutput
    difference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """The verdict on one run.

    Attributes:
        run_id: The original run.
        job: Its job, `namespace/name`.
        verdict: As `verdict_of` has it, or `not replayed` where it could not run again.
        reason: Why it is not reproduced or not replayed; null otherwise.
        tolerance: As it was asked for, where it was.
        snapshot: The commit, or the folder in the store, whose code ran; null if none did.
        setting: What differed from the original's setting, one a line.
        outputs: Each output.
        causes: Why they differ, likeliest first; only where they do.
        chances: What is known of chance where nothing else explains it, by run.
        notes: What else whoever reads the verdict must know.
        new_run_id: The run of the replay, as its own events call it; null if there is none.
    """

    run_id: str
    job: str
    verdict: Verdict
    reason: str | None = None
    tolerance: str | None = None
    snapshot: str | None = None
    setting: tuple[str, ...] = ()
    outputs: tuple[OutputVerdict, ...] = ()
    causes: tuple[Cause, ...] = ()
    chances: Mapping[str, Chance] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    new_run_id: str | None = None


def verdict_of(outputs: Sequence[OutputVerdict]) -> tuple[Verdict, str | None]:
    """The verdict on a run that ran again, and the reason where it is no success."""
    if not outputs:
        return "not replayed", "it has no outputs, then or now: there is nothing to compare"
    for wrong in ("different", "missing", "unknown"):
        found = next((one for one in outputs if one.verdict == wrong), None)
        if found is not None:
            return "not reproduced", _reason(found)
    within = any(one.verdict == "within tolerance" for one in outputs)
    return ("within tolerance" if within else "bitwise"), None


def _reason(one: OutputVerdict) -> str:
    what = f"output {one.role} {one.name}" if one.role not in ("", "output") else f"output {one.name}"
    if one.verdict == "missing":
        return f"{what} did not come out"
    return f"{what}: {one.difference or 'its digest differs'}"
