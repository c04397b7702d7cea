"""`relineage_io`: one read or write of a run. Input and output have the same key, and fields in common."""

from typing import ClassVar, Literal

from .base import Base, Facet, Instant


class _Occurrence(Facet):
    """The fields that a read and a write share."""

    KEY: ClassVar[str] = "relineage_io"

    role: str
    """The part the dataset plays in the run, such as `train` or `test`."""

    instant: Instant
    """When it was read or written, in UTC."""

    origin: Literal["declared", "observed", "forwarded"]
    """How it is known: said by the job, seen by watching it, or handed on from an inner run that has it
    first."""


class RelineageIoInputDatasetFacet(_Occurrence):
    """One read of a dataset by a run."""

    BASE: ClassVar[Base] = "InputDatasetFacet"


class RelineageIoOutputDatasetFacet(_Occurrence):
    """One write of a dataset by a run."""

    BASE: ClassVar[Base] = "OutputDatasetFacet"
    VERSION: ClassVar[str] = "1-0-1"

    part_of: str | None = None
    """The role of the output of the same run that it is a part of, such as one array of a state, and with which the
    outcome has it."""
