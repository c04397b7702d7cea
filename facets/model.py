"""`relineage_model`: the identity of a model's weights. That it is one says the standard `datasetType`."""

from typing import ClassVar

from .base import Base, Count, Digest, Facet, Part


class TensorDigest(Part):
    """One tensor of a model."""

    name: str
    """The tensor's name in the model."""

    dtype: str
    """The type of its elements, such as `float32` or `bfloat16`."""

    shape: tuple[Count, ...]
    """Its dimensions; empty for a single number."""

    digest: Digest
    """Digest of its type, shape and little-endian bytes."""


class RelineageModelDatasetFacet(Facet):
    """The two roots over a model's tensors, with and without their names, and what the model is."""

    KEY: ClassVar[str] = "relineage_model"
    BASE: ClassVar[Base] = "DatasetFacet"
    VERSION: ClassVar[str] = "1-0-1"

    tensors: Digest | None = None
    """Root over the tensors with their names."""

    weights: Digest | None = None
    """Root over the distinct tensors without their names: models are linked by it."""

    architecture: str | None = None
    """What the weights are poured into: the digest of its description, or the class's dotted name."""

    framework: str | None = None
    """The library that the model belongs to, such as `torch` or `scikit-learn`."""

    parameters: Count | None = None
    """Number of parameters: the elements of all tensors, those that share their memory once; of a fitted
    estimator, its floating-point values."""

    tensor_digests: tuple[TensorDigest, ...] = ()
    """The tensors, sorted by name."""

    aliases: tuple[tuple[str, ...], ...] = ()
    """Groups of names that share one tensor's memory: tied weights. A file holds no ties, so its list is empty."""
