"""The facets of this project's own vocabulary, filled from what the emitter found out.

Decides which field takes which finding. What the facets are and how they look on the wire is the package
`relineage.facets`; it is imported late, since pydantic behind it takes a tenth of a second. What each call of a step
says again is brought into that form once; the rest, which is new in each event, is added to it as it is. Pure.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .clock import iso

if TYPE_CHECKING:
    from .capture.environment import Environment
    from .capture.kept import Kept
    from .cost import Cost
    from .digests.records import Content
    from .events import Call
    from .identity import Identity
    from .parameters import Parameters, Shown
    from .seeds import SeedRecord
    from .statistics import FeatureStatistics

Measured = tuple[str, Any, int | None]  # name, value, step
_MOST_REMEMBERED = 64  # of each facet; parameters may be long
_MOST_METRICS = 400  # in an event; a facet of 64 kB holds about a thousand short ones


def io_facet(
    direction: str, role: str, instant: datetime, origin: str, producer: str, part_of: str | None = None
) -> dict[str, Any]:
    """`relineage_io` of an input or an output; `part_of` is the role of the output that it is a part of."""
    said = {**_io_facet(direction, role, origin, producer), "instant": iso(instant)}
    return said if part_of is None else {**said, "partOf": part_of}


@lru_cache(maxsize=_MOST_REMEMBERED)
def _io_facet(direction: str, role: str, origin: str, producer: str) -> dict[str, Any]:
    from ..facets.io import RelineageIoInputDatasetFacet, RelineageIoOutputDatasetFacet

    facet = RelineageIoInputDatasetFacet if direction == "input" else RelineageIoOutputDatasetFacet
    return facet(role=role, instant=datetime.fromtimestamp(0, UTC), origin=origin).to_wire(producer)


def seeds_facet(record: "SeedRecord", producer: str) -> dict[str, Any]:
    """`relineage_seeds`."""
    switches = tuple(record.switches.items())
    libraries = [
        _without_nulls(
            library=one.library, seed=one.seed, stateBefore=one.state_before, stateAfter=one.state_after
        )
        for one in record.libraries
    ]
    return {
        **_seeds_facet(
            record.given,
            record.derived_from is not None,
            record.derivation,
            switches,
            record.uncovered,
            producer,
        ),
        "entropy": record.entropy,
        **_without_nulls(derivedFrom=record.derived_from),
        "libraries": libraries,
    }


@lru_cache(maxsize=_MOST_REMEMBERED)
def _seeds_facet(
    given: bool,
    derived: bool,
    derivation: str,
    switches: tuple[tuple[str, str], ...],
    uncovered: tuple[str, ...],
    producer: str,
) -> dict[str, Any]:
    from ..facets.seeds import RelineageSeedsRunFacet

    return RelineageSeedsRunFacet(
        entropy="0",
        given=given,
        derived_from="0" if derived else None,
        derivation=derivation,
        switches=dict(switches),
        uncovered=uncovered,
    ).to_wire(producer)


def step_facet(
    operation: str,
    code: str | None,
    parameters: "Parameters",
    identity: "Identity",
    producer: str,
    call: "Call | None" = None,
) -> dict[str, Any]:
    """`relineage_step`; `call` is null for a run that is no step's."""
    called = (call.callable, call.code_not_covered or None) if call is not None else (None, None)
    served_from = call.served_from if call is not None else None
    new = _without_nulls(
        task=identity.task,
        recipe=identity.recipe,
        outcome=identity.outcome,
        missing=identity.missing,
        servedFrom=str(UUID(served_from)) if served_from is not None else None,
        cache=call.cache if call is not None else None,
    )
    if new.keys() == {"missing"}:  # before the end: each call says the same
        return _step_facet(operation, *called, code, parameters.shown, identity.missing, producer)
    return {**_step_facet(operation, *called, code, parameters.shown, None, producer), **new}


@lru_cache(maxsize=_MOST_REMEMBERED)
def _step_facet(
    operation: str,
    callable_: str | None,
    not_covered: tuple[str, ...] | None,
    code: str | None,
    parameters: tuple["Shown", ...],
    missing: str | None,
    producer: str,
) -> dict[str, Any]:
    from ..facets.encode import Settled
    from ..facets.step import Parameter, RelineageStepRunFacet

    facet = RelineageStepRunFacet(
        operation=operation,
        callable=callable_,
        code=code,
        code_not_covered=not_covered,
        parameters=tuple(Parameter(name=one.name, type=one.type, value=one.text) for one in parameters),
        missing=missing,
    )
    return Settled(facet.to_wire(producer))


def _without_nulls(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def thinned(metrics: Sequence[Measured]) -> Sequence[Measured]:
    """At most about 400 of a long history, evenly spread, each metric's first and last value among them.

    The facet replaces the one before, so it has to hold the whole history at once.
    """
    if len(metrics) <= _MOST_METRICS:
        return metrics
    by_name: dict[str, list[int]] = {}
    for position, (name, _, _) in enumerate(metrics):
        by_name.setdefault(name, []).append(position)
    share = max(2, _MOST_METRICS // len(by_name))
    chosen = {
        positions[round(i * (len(positions) - 1) / (share - 1))]
        for positions in by_name.values()
        for i in range(share)
    }
    return [metrics[position] for position in sorted(chosen)]


def metrics_facet(metrics: Iterable[Measured], producer: str) -> dict[str, Any]:
    """`relineage_metrics`."""
    from ..facets.metrics import Metric, RelineageMetricsRunFacet

    made = tuple(Metric(name=name, value=value, step=step) for name, value, step in metrics)
    return RelineageMetricsRunFacet(metrics=made).to_wire(producer)


def environment_facet(
    environment: "Environment", kept: "Kept", not_covered: Sequence[str], producer: str
) -> dict[str, Any]:
    """`relineage_environment`."""
    from ..facets.environment import Code, RelineageEnvironmentRunFacet

    repository = kept.repository
    code = Code(
        root=str(kept.snapshot.root),
        repository=repository.remote if repository is not None else None,
        commit=repository.commit if repository is not None else None,
        dirty=repository.dirty if repository is not None else None,
        snapshot=kept.snapshot.id,
        not_covered=tuple(not_covered),
    )
    return RelineageEnvironmentRunFacet(
        python=environment.python,
        platform=environment.platform,
        cpu=environment.cpu,
        gpus=environment.gpus,
        packages=dict(environment.packages),
        packages_digest=environment.packages_digest,
        argv=environment.argv,
        command=environment.command,
        directory=environment.directory,
        python_path=environment.python_path,
        process=environment.process,
        code=code,
    ).to_wire(producer)


def cost_facet(cost: "Cost", producer: str) -> dict[str, Any]:
    """`relineage_cost`."""
    return {
        **_cost_facet(producer),
        **_without_nulls(
            wallSeconds=cost.wall_seconds,
            cpuSeconds=cost.cpu_seconds,
            peakMemoryBytes=cost.peak_memory_bytes,
            overheadSeconds=cost.overhead_seconds,
        ),
    }


@lru_cache(maxsize=16)
def _cost_facet(producer: str) -> dict[str, Any]:
    from ..facets.cost import RelineageCostRunFacet

    return RelineageCostRunFacet().to_wire(producer)


def features_facet(statistics: Sequence["FeatureStatistics"], producer: str) -> dict[str, Any]:
    """`relineage_featureStats`."""
    from ..facets.feature_stats import Feature, Histogram, RelineageFeatureStatsDatasetFacet, TopValue

    features = tuple(
        Feature(
            name=one.name,
            type=one.type,
            rows=one.rows,
            nulls=one.nulls,
            nans=one.nans,
            infinities=one.infinities,
            min=one.min,
            max=one.max,
            mean=one.mean,
            deviation=one.deviation,
            distinct=one.distinct,
            histogram=Histogram(edges=one.histogram.edges, counts=one.histogram.counts)
            if one.histogram
            else None,
            top=tuple(TopValue(value=value, count=count) for value, count in one.top),
        )
        for one in statistics
    )
    return RelineageFeatureStatsDatasetFacet(features=features).to_wire(producer)


def model_facet(content: "Content", producer: str) -> dict[str, Any]:
    """`relineage_model`."""
    from ..facets.model import RelineageModelDatasetFacet, TensorDigest

    model = content.model
    assert model is not None
    return RelineageModelDatasetFacet(
        tensors=model.tensors,
        weights=model.weights,
        architecture=model.architecture,
        framework=model.framework,
        parameters=model.parameters,
        tensor_digests=tuple(
            TensorDigest(name=one.name, dtype=one.dtype, shape=one.shape, digest=one.digest)
            for one in model.tensor_digests
        ),
        aliases=model.aliases,
    ).to_wire(producer)


def content_facet(
    content: "Content", stored: str | None, carrier: str | None, producer: str
) -> dict[str, Any]:
    """`relineage_content`.

    Args:
        content: What is known of it.
        stored: URL of the object that holds the content, null without one.
        carrier: The Python type that held it; null for a file.
        producer: URI for our own facets.
    """
    from ..facets.content import Column, RelineageContentDatasetFacet
    from .digests.columns import LEAF_ROWS

    return RelineageContentDatasetFacet(
        digests=content.digests,
        kind=content.kind,
        modality=content.modality,
        rows=content.rows,
        bytes=content.bytes,
        columns=tuple(
            Column(
                name=one.name,
                type=one.type,
                digest=one.digest,
                leaves=b64encode(one.leaves).decode() if (content.rows or 0) >= LEAF_ROWS else None,
            )
            for one in content.columns
        ),
        distinctive=content.distinctive,
        absent=content.absent,
        stored=stored,
        carrier=carrier,
    ).to_wire(producer)


def absent_facet(reason: str, rows: int | None, size: int | None, producer: str) -> dict[str, Any]:
    """`relineage_content` of something without a digest."""
    from ..facets.content import RelineageContentDatasetFacet

    return RelineageContentDatasetFacet(rows=rows, bytes=size, absent=reason).to_wire(producer)
