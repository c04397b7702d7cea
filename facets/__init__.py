"""The vocabulary: what is said about runs and datasets beyond OpenLineage's standard facets, and how it is
written.

Facets are pydantic types; their JSON Schemas in `schemas/` are generated from them. No I/O happens here.
"""

from .base import Facet
from .content import Column, RelineageContentDatasetFacet
from .cost import RelineageCostRunFacet
from .encode import encode
from .environment import Code, RelineageEnvironmentRunFacet
from .feature_stats import Feature, Histogram, RelineageFeatureStatsDatasetFacet, TopValue
from .io import RelineageIoInputDatasetFacet, RelineageIoOutputDatasetFacet
from .metrics import Metric, RelineageMetricsRunFacet
from .model import RelineageModelDatasetFacet, TensorDigest
from .redaction import redact
from .replay import RelineageReplayRunFacet, ReplayedOutput
from .seeds import LibrarySeed, RelineageSeedsRunFacet
from .step import Parameter, RelineageStepRunFacet

ALL: tuple[type[Facet], ...] = (
    RelineageSeedsRunFacet,
    RelineageStepRunFacet,
    RelineageMetricsRunFacet,
    RelineageEnvironmentRunFacet,
    RelineageCostRunFacet,
    RelineageReplayRunFacet,
    RelineageContentDatasetFacet,
    RelineageModelDatasetFacet,
    RelineageFeatureStatsDatasetFacet,
    RelineageIoInputDatasetFacet,
    RelineageIoOutputDatasetFacet,
)
"""Every facet of ours, in the order in which the documentation lists them."""

__all__ = [
    "ALL",
    "Code",
    "Column",
    "Facet",
    "Feature",
    "Histogram",
    "LibrarySeed",
    "Metric",
    "Parameter",
    "RelineageContentDatasetFacet",
    "RelineageCostRunFacet",
    "RelineageEnvironmentRunFacet",
    "RelineageFeatureStatsDatasetFacet",
    "RelineageIoInputDatasetFacet",
    "RelineageIoOutputDatasetFacet",
    "RelineageMetricsRunFacet",
    "RelineageModelDatasetFacet",
    "RelineageReplayRunFacet",
    "RelineageSeedsRunFacet",
    "RelineageStepRunFacet",
    "ReplayedOutput",
    "TensorDigest",
    "TopValue",
    "encode",
    "redact",
]
