"""`relineage_featureStats`: what the standard `dataQualityMetrics` lacks about the columns of a table.

Statistics are compared between runs, so each is exact or defined by fixed edges; how they are computed is
the emitter's.
"""

from typing import ClassVar, Self

from pydantic import model_validator

from .base import Base, Count, Facet, Part, Real, Scalar


class Histogram(Part):
    """Counts between edges. Bin i holds edges[i] ≤ value < edges[i+1]; the last bin holds its upper edge
    too."""

    edges: tuple[Real, ...]
    """The edges, ascending: one more than there are bins."""

    counts: tuple[Count, ...]
    """How many values fell into each bin."""

    @model_validator(mode="after")
    def _one_edge_more_than_bins(self) -> Self:
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(
                f"{len(self.counts)} bins need {len(self.counts) + 1} edges, got {len(self.edges)}"
            )
        return self


class TopValue(Part):
    """A frequent value of a column."""

    value: Scalar
    """The value."""

    count: Count
    """How often it occurs."""


class Feature(Part):
    """Statistics of one column."""

    name: str
    """The column's name."""

    type: str
    """The column's type."""

    rows: Count
    """Number of rows, nulls included."""

    nulls: Count | None = None
    """Number of nulls; a NaN is not one."""

    nans: Count | None = None
    """Number of NaNs."""

    infinities: Count | None = None
    """Number of infinite values of either sign."""

    min: Scalar | None = None
    """Least value, NaN and nulls left out; an ISO 8601 text for dates and instants, a decimal text for
    decimals."""

    max: Scalar | None = None
    """Greatest value, in the form of `min`."""

    mean: Real | None = None
    """Arithmetic mean of the finite values."""

    deviation: Real | None = None
    """Standard deviation of the finite values."""

    distinct: Count | None = None
    """Number of distinct values, nulls left out."""

    histogram: Histogram | None = None
    """How the values are spread."""

    top: tuple[TopValue, ...] = ()
    """The most frequent values, most frequent first."""


class RelineageFeatureStatsDatasetFacet(Facet):
    """Statistics of the columns of a dataset version, for comparing what a model was trained on and what
    it meets."""

    KEY: ClassVar[str] = "relineage_featureStats"
    BASE: ClassVar[Base] = "DatasetFacet"

    features: tuple[Feature, ...]
    """One entry a column."""
