"""`relineage_environment`: where a run took place. It is recorded and compared, and is in no identity.

Environment variables have a standard facet (`environmentVariables`), engines another (`processing_engine`).
"""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import Base, Digest, Facet, Flag, Part


class Code(Part):
    """The state of the repository that the code came from."""

    repository: str | None = None
    """Where the repository lives: the URL of its origin, without credentials."""

    commit: Annotated[str, Field(pattern="^[0-9a-f]{40,64}$")] | None = None
    """The commit that was checked out."""

    dirty: Flag | None = None
    """True if tracked files differed from that commit."""

    snapshot: str | None = None
    """What holds the working tree as it was: a digest, or the id of a git object."""

    not_covered: tuple[str, ...] = ()
    """What the snapshot does not hold, and why."""


class RelineageEnvironmentRunFacet(Facet):
    """The interpreter, the machine, the packages and the state of the code of a run."""

    KEY: ClassVar[str] = "relineage_environment"
    BASE: ClassVar[Base] = "RunFacet"

    python: str
    """Version of the Python interpreter."""

    platform: str
    """Operating system, its version and the machine's architecture."""

    cpu: str | None = None
    """The processor's model."""

    gpus: tuple[str, ...] = ()
    """The accelerators' models, in the order of their numbers."""

    packages: dict[str, str] = Field(default_factory=dict)
    """Installed distributions, name to version."""

    packages_digest: Digest | None = None
    """Digest of the list of packages, so that two environments compare without it."""

    argv: tuple[str, ...] = ()
    """The command line, secrets redacted."""

    code: Code | None = None
    """The repository that the code came from; absent where there is none."""
