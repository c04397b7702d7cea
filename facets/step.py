"""`relineage_step`: what was asked of a run and the identities that follow from it.

Parameters travel as text with their type beside them, so that 1, 1.0, "1" and True stay four values. How
task, recipe and outcome are computed is the emitter's.
"""

from typing import ClassVar
from uuid import UUID

from .base import Base, Digest, Facet, Part


class Parameter(Part):
    """One parameter of the operation."""

    name: str
    """The parameter's name."""

    type: str
    """The value's type, such as `int`, `float`, `str`, `bool`, `none`, `json`."""

    value: str
    """The value as text, exact for its type."""


class RelineageStepRunFacet(Facet):
    """What the run was asked to do (task), with which chance (recipe), and what came out (outcome)."""

    KEY: ClassVar[str] = "relineage_step"
    BASE: ClassVar[Base] = "RunFacet"
    VERSION: ClassVar[str] = "1-0-2"

    operation: str
    """What was asked for, by name: it is part of the task."""

    callable: str | None = None
    """The function that did it, as `module:qualified.name`."""

    code: Digest | None = None
    """Digest of the callable's source and the local modules it reaches."""

    code_not_covered: tuple[str, ...] | None = None
    """What may play a part in what the callable does and is not in that digest, each with why."""

    parameters: tuple[Parameter, ...] = ()
    """The parameters of the operation, typed."""

    task: Digest | None = None
    """Digest of what was asked for: operation, inputs by role, parameters, code."""

    recipe: Digest | None = None
    """Digest of the task and the seeds that were given."""

    outcome: Digest | None = None
    """Digest of what came out: outputs by role. Absent until the run has ended."""

    missing: str | None = None
    """Why task and recipe are absent, when they are: the input that has no digest, say."""

    served_from: UUID | None = None
    """The run whose outputs were handed out instead of computing them again."""

    cache: str | None = None
    """What the cache of steps did, where it was asked: `served`, or why not, and whether the outputs are kept."""

    details: Digest | None = None
    """Digest of the stored object that holds this facet as a whole, where it did not fit."""
