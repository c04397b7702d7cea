"""One OpenLineage event as a document of plain values, from what a run knows.

Decides which facets an event carries and that none is too large: dataset facets are cut once, when the
dataset is declared; an event with very many of them cuts them further. What is true of a run is decided by
`run.py`, what is in each facet by `standard.py` and `ours.py`.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .clock import iso
from .guard import Guard
from .identity import Identity, Part, identify
from .limits import EVENT_BYTES, FACET_BYTES, fit, size_of_facets
from .naming import DatasetName
from .ours import Measured, cost_facet, metrics_facet, seeds_facet, step_facet, thinned
from .parameters import Parameters, Shown
from .settings import RunReference
from .standard import EVENT_SCHEMA, StandardFacets

if TYPE_CHECKING:
    from .cost import Cost
    from .seeds import SeedRecord
    from .surroundings import Surroundings

log = logging.getLogger("relineage")

Facets = Mapping[str, Mapping[str, Any]]
Keep = Callable[[Mapping[str, Any]], str]
TERMINAL = ("COMPLETE", "FAIL", "ABORT")
_WITH_DETAILS = ("relineage_step", "relineage_seeds", "relineage_metrics", "relineage_environment")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One input or output, as it goes into every event from now on.

    Attributes:
        direction: `input` or `output`.
        name: The dataset.
        role: Its part in the run.
        version: Null if none is known.
        digest: The strongest; null without any.
        facets: Dataset facets, each at most 64 kB.
        whole: The same before they were cut to size.
        io_facets: Input or output facets.
        asked: Whether it counts for what was asked for; not what an inner run has made.
    """

    direction: str
    name: DatasetName
    role: str
    version: str | None
    digest: str | None
    facets: Facets
    whole: Facets
    io_facets: Facets
    asked: bool = True

    @property
    def size_bytes(self) -> int:
        """Of all its facets on the wire."""
        return size_of_facets(self.facets) + size_of_facets(self.io_facets)

    @property
    def key(self) -> tuple[str, DatasetName, str, str | None]:
        """One entry for each (direction, dataset, role, version) of a run."""
        return self.direction, self.name, self.role, self.version


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is known besides of a run that is one call of a step.

    Attributes:
        callable: The function, `module:qualified.name`.
        code: Digest of its source and of what it reaches; null with the reason in `code_missing`.
        code_missing: Why there is none.
        code_not_covered: What may play a part and is not in it.
        served_from: The run whose outputs were handed out; null where the function ran.
        cache: What the cache of steps did; null where it was not asked.
    """

    callable: str
    code: str | None
    code_missing: str | None
    code_not_covered: tuple[str, ...] = ()
    served_from: str | None = None
    cache: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run knows when an event is made.

    Attributes:
        event_type: START, RUNNING, COMPLETE, FAIL or ABORT.
        event_time: The event's instant.
        run: The run itself.
        parent: The run around it; null without any.
        root: The outermost; null without any.
        operation: What is done, by name.
        parameters: As given.
        seeds: What is known of chance; null if seeding failed.
        given_seed: Null if none was given.
        metrics: All figures so far, oldest first.
        surroundings: Code and environment; null if they could not be looked at.
        entries: Inputs and outputs, in the order in which they were declared; of a RUNNING those that no event before
            had.
        gaps: What else was declared and could not be recorded.
        cost: What it has taken; null before the end, and if it never began.
        message: Why the run failed or was aborted.
        error: The exception, if there was one.
        call: Of a step; null for any other run.
    """

    event_type: str
    event_time: datetime
    run: RunReference
    parent: RunReference | None
    root: RunReference | None
    operation: str
    parameters: Parameters
    seeds: "SeedRecord | None"
    given_seed: int | None
    metrics: Sequence[Measured]
    surroundings: "Surroundings | None"
    entries: Sequence[Entry]
    gaps: Sequence[str]
    cost: "Cost | None"
    message: str | None
    error: BaseException | None
    call: Call | None = None


def document(
    facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep, guard: Guard
) -> dict[str, Any]:
    """The event: every facet at most 64 kB, the whole at most about 900 kB.

    A facet that cannot be made is left out (and raised if strict): the event is worth more than its parts.

    Args:
        facts: What the run knows.
        standard: Makes the standard facets.
        producer: URI of the code that makes the event.
        keep: Keeps a JSON value beside the events and returns its digest.
        guard: Catches what goes wrong.
    """
    run_facets: dict[str, Any] = {}
    for what, part in _PARTS:
        try:
            run_facets |= part(facts, standard, producer, keep)
        except Exception as error:
            guard.meet(what, error)
    job_facets: dict[str, Any] = {"jobType": standard.job_type()}
    if facts.surroundings is not None:
        with guard.protecting("making facets (surroundings)"):
            of_run, of_job = facts.surroundings.facets(standard, producer)
            job_facets |= of_job
            if facts.event_type != "RUNNING":  # START has said it and the end says it again
                run_facets |= of_run
    from ..facets.encode import Settled  # late, as in `ours.py`

    event = Settled(
        {
            "eventType": facts.event_type,
            "eventTime": iso(facts.event_time),
            "producer": producer,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": facts.run.run_id, "facets": run_facets},
            "job": {"namespace": facts.run.namespace, "name": facts.run.name, "facets": job_facets},
            **_datasets(facts.entries, lambda entry: entry.facets),
        }
    )
    if event.wire_bytes <= FACET_BYTES:  # then no facet in it is larger
        return event
    whole: dict[str, str] = {}
    for key, facet in run_facets.items():
        run_facets[key], cut = fit(facet)
        if cut:
            whole[key] = keep({key: facet})
            if key in _WITH_DETAILS:
                run_facets[key]["details"] = whole[key]
    if whole and facts.event_type in TERMINAL:  # each event before has been cut as well
        what = ", ".join(f"{key} ({every})" for key, every in whole.items())
        log.warning("run %s: cut to 64 kB in the events, whole in their objects: %s", facts.run.run_id, what)
    size = size_of_facets(run_facets)
    if size + sum(entry.size_bytes for entry in facts.entries) > EVENT_BYTES:
        # Many datasets, each within its bounds: all of them give way alike.
        facets = sum(len(entry.facets) for entry in facts.entries)
        share = max(1000, (EVENT_BYTES - size) // facets - 200)
        return event | _datasets(facts.entries, lambda entry: fit_dataset(entry.whole, keep, share))
    return dict(event) if whole else event


def told_afterwards(run: RunReference, output: Entry, instant: datetime, producer: str) -> dict[str, Any]:
    """An event with one more output of a run that may have ended: of type OTHER, which leaves its state as it is, and
    without facets of the run, since of these the latest would count.
    """
    return {
        "eventType": "OTHER",
        "eventTime": iso(instant),
        "producer": producer,
        "schemaURL": EVENT_SCHEMA,
        "run": {"runId": run.run_id, "facets": {}},
        "job": {"namespace": run.namespace, "name": run.name, "facets": {}},
        **_datasets((output,), lambda entry: entry.facets),
    }


def fit_dataset(whole: Facets, keep: Keep, limit_bytes: int = FACET_BYTES) -> Facets:
    """The facets of one dataset, each cut to size.

    What was cut is kept whole as one object, which `relineage_content.details` names.
    """
    facets: dict[str, Mapping[str, Any]] = {}
    beyond: dict[str, Any] = {}
    for key, facet in whole.items():
        facets[key], cut = fit(facet, limit_bytes)
        if cut:
            beyond[key] = facet
    if beyond and "relineage_content" in facets:
        facets["relineage_content"] = {**facets["relineage_content"], "details": keep(beyond)}
    return facets


def _place(facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep) -> dict[str, Any]:
    if facts.parent is None:
        return {}
    return {"parent": standard.parent(facts.parent, facts.root or facts.parent)}


def _step(facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep) -> dict[str, Any]:
    code, code_missing = None, None
    call = facts.call
    if call is not None:
        code, code_missing = call.code, call.code_missing
    elif facts.surroundings is not None:
        code, code_missing = facts.surroundings.code()
    identity = _identity(facts, code, code_missing)
    return {"relineage_step": step_facet(facts.operation, code, facts.parameters, identity, producer, call)}


def _chance(facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep) -> dict[str, Any]:
    return {} if facts.seeds is None else {"relineage_seeds": seeds_facet(facts.seeds, producer)}


def _metrics(facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep) -> dict[str, Any]:
    if not facts.metrics:
        return {}
    some = thinned(facts.metrics)
    facet = metrics_facet(some, producer)
    if len(some) < len(facts.metrics) and facts.event_type in TERMINAL:
        every = keep({"relineage_metrics": metrics_facet(facts.metrics, producer)})
        text = "run %s: the events hold %d of %d metric values; all are in %s"
        log.warning(text, facts.run.run_id, len(some), len(facts.metrics), every)
        facet["details"] = every
    return {"relineage_metrics": facet}


def _cost(facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep) -> dict[str, Any]:
    return {} if facts.cost is None else {"relineage_cost": cost_facet(facts.cost, producer)}


def _error(facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep) -> dict[str, Any]:
    return {} if facts.message is None else {"errorMessage": standard.error(facts.message, facts.error)}


def _parameters(facts: RunFacts, standard: StandardFacets, producer: str, keep: Keep) -> dict[str, Any]:
    if facts.event_type == "RUNNING" or not facts.parameters.shown:
        return {}
    return {"executionParameters": _parameters_facet(facts.parameters.shown, standard)}


@lru_cache(maxsize=64)
def _parameters_facet(shown: tuple[Shown, ...], standard: StandardFacets) -> Mapping[str, Any]:
    from ..facets.encode import Settled

    return Settled(standard.parameters([(one.name, one.text) for one in shown]))


def _identity(facts: RunFacts, code: str | None, code_missing: str | None) -> Identity:
    if facts.event_type != "COMPLETE":
        # Inputs and outputs may be missing still: half a task would be the key of another one.
        why = "the run has not completed"
        if facts.event_type in TERMINAL:
            why = f"the run ended in {facts.event_type}"
        return Identity(task=None, recipe=None, outcome=None, missing=why)
    return identity_of(
        operation=facts.operation,
        parameters=facts.parameters,
        entries=facts.entries,
        gaps=facts.gaps,
        code=code,
        code_missing=code_missing,
        given_seed=facts.given_seed,
    )


def identity_of(
    *,
    operation: str,
    parameters: Parameters,
    entries: Sequence[Entry],
    gaps: Sequence[str],
    code: str | None,
    code_missing: str | None,
    given_seed: int | None,
) -> Identity:
    """Task, recipe and outcome of what is known; arguments as in `RunFacts`."""

    def parts(direction: str) -> list[Part]:
        return [
            Part(role=entry.role, digest=entry.digest, name=entry.name.name)
            for entry in entries
            if entry.direction == direction and entry.asked
        ]

    return identify(
        operation=operation,
        inputs=parts("input"),
        outputs=parts("output"),
        parameters=parameters.forms,
        unknown=(*parameters.formless, *gaps),
        code=code,
        code_missing=code_missing,
        given_seed=given_seed,
    )


def _datasets(
    entries: Sequence[Entry], facets_of: Callable[[Entry], Facets]
) -> dict[str, list[dict[str, Any]]]:
    return {
        f"{direction}s": [
            {
                "namespace": entry.name.namespace,
                "name": entry.name.name,
                "facets": facets_of(entry),
                f"{direction}Facets": entry.io_facets,
            }
            for entry in entries
            if entry.direction == direction
        ]
        for direction in ("input", "output")
    }


_PARTS = tuple(
    (f"making facets ({part.__name__.strip('_')})", part)
    for part in (_place, _step, _chance, _metrics, _error, _parameters, _cost)
)
