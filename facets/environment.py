"""`relineage_environment`: where a run took place. It is recorded and compared, and is in no identity.

Environment variables have a standard facet (`environmentVariables`), engines another (`processing_engine`).
"""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from .base import Base, Digest, Facet, Flag, Part


class Code(Part):
    """The code as it was: the state of its repository, and what was kept of it."""

    repository: str | None = None
    """Where the repository lives: the URL of its origin, without credentials."""

    commit: Annotated[str, Field(pattern="^[0-9a-f]{40,64}$")] | None = None
    """The commit that was checked out."""

    dirty: Flag | None = None
    """True if tracked files differed from that commit, or untracked ones lay there."""

    root: str | None = None
    """Folder of the working tree, or of the script where there is no repository, on the machine of the run."""

    snapshot: str | None = None
    """What holds the code as it was: the id of a git commit, or without git the digest of a folder in the store."""

    not_covered: tuple[str, ...] = ()
    """What the snapshot does not hold, as `path: reason`; what the program had loaded says `path: in use, reason`, and
    mostly ends with the file's b3-bytes1 in brackets."""


class RelineageEnvironmentRunFacet(Facet):
    """The interpreter, the machine, the packages and the state of the code of a run."""

    KEY: ClassVar[str] = "relineage_environment"
    BASE: ClassVar[Base] = "RunFacet"
    VERSION: ClassVar[str] = "1-0-3"

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

    command: tuple[str, ...] = ()
    """What the interpreter was started with, its own options too: `-m`, `fraud.train`, `--epochs`, `3`; secrets
    redacted."""

    directory: str | None = None
    """The working directory when recording began."""

    python_path: tuple[str, ...] = ()
    """What `PYTHONPATH` named, as it was given: the folders where Python looks for modules first."""

    process: UUID | None = None
    """One id for all runs of one process: who repeats one of them repeats the process."""

    code: Code | None = None
    """The code: the repository that it came from, where there is one, and what was kept of it."""

    details: Digest | None = None
    """Digest of the stored object that holds this facet as a whole, where it did not fit."""
