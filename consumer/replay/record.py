"""Replays as events: of each a run `relineage/replay`, linked to the run that it did again.

Decides that it says nothing about data as inputs or outputs: whoever asks where something comes from meets the original
and not its repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

from ...emitter.clock import iso, new_run_id
from ...emitter.standard import EVENT_SCHEMA, StandardFacets
from ...emitter.transport.files import FileTransport
from ...facets import RelineageReplayRunFacet, ReplayedOutput
from .verdicts import Replayed

NAMESPACE, JOB = "relineage", "replay"


def record(replayed: Iterable[Replayed], events: Path, began: datetime) -> None:
    """Write the events of replays into one file of a folder of events.

    Args:
        replayed: The verdicts on the runs of a process.
        events: Such as `.relineage/events`.
        began: When it began.

    Raises:
        OSError: The folder cannot be written.
    """
    producer = f"urn:relineage:emitter:{version('relineage')}"
    standard = StandardFacets(producer)
    transport = FileTransport(events, strict=True)
    # Of two events the later one counts: the end must be that, though the clock was set back meanwhile.
    end = max(datetime.now(UTC), began + timedelta(microseconds=1))
    for verdict in replayed:
        # It failed where it did not take place; that something else came out is what it has found.
        ended = "FAIL" if verdict.verdict == "not replayed" else "COMPLETE"
        facets: dict[str, Any] = {"relineage_replay": _facet(verdict).to_wire(producer)}
        if ended == "FAIL":
            facets["errorMessage"] = standard.error(verdict.reason or "not replayed", None)
        run_id = new_run_id()
        for event_type, instant, said in (("START", began, {}), (ended, end, facets)):
            transport.emit(
                {
                    "eventType": event_type,
                    "eventTime": iso(instant),
                    "producer": producer,
                    "schemaURL": EVENT_SCHEMA,
                    "run": {"runId": run_id, "facets": said},
                    "job": {"namespace": NAMESPACE, "name": JOB, "facets": {"jobType": standard.job_type()}},
                    "inputs": [],
                    "outputs": [],
                }
            )
    transport.close()


def _facet(replayed: Replayed) -> RelineageReplayRunFacet:
    return RelineageReplayRunFacet(
        original=UUID(replayed.run_id),
        verdict=replayed.verdict,
        reason=replayed.reason,
        tolerance=replayed.tolerance,
        snapshot=replayed.snapshot,
        setting=replayed.setting,
        outputs=tuple(
            ReplayedOutput(
                role=one.role,
                name=one.name,
                original=one.original,
                replayed=one.replayed,
                verdict=one.verdict,
                difference=one.difference,
            )
            for one in replayed.outputs
        ),
    )
