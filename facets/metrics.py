"""`relineage_metrics`: the figures that a run measured of its result. What they mean is the job's."""

from typing import ClassVar

from .base import Base, Count, Digest, Facet, Number, Part


class Metric(Part):
    """One measured figure."""

    name: str
    """The metric's name, such as `accuracy`."""

    value: Number
    """The measured value."""

    step: Count | None = None
    """The training step or epoch that it belongs to; absent for a figure of the whole run."""


class RelineageMetricsRunFacet(Facet):
    """The figures that a run measured: losses, scores, counts."""

    KEY: ClassVar[str] = "relineage_metrics"
    BASE: ClassVar[Base] = "RunFacet"
    VERSION: ClassVar[str] = "1-0-1"

    metrics: tuple[Metric, ...]
    """The figures, in the order in which they were recorded."""

    details: Digest | None = None
    """Digest of the stored object that holds every figure, where they did not fit."""
