"""`relineage_replay`: a run that did another one again, and whether the same came out.

How a replay is made and how values are compared is the consumer's and the digests'. The word *reproduced* is used
only here.
"""

from typing import ClassVar, Literal
from uuid import UUID

from .base import Base, Digest, Facet, Part


class ReplayedOutput(Part):
    """One output of the original run, and what came out in its place."""

    role: str
    """The part it plays in the run."""

    name: str | None = None
    """The dataset, as the original run called it."""

    original: Digest | None = None
    """The strongest digest of the original output; absent if it had none."""

    replayed: Digest | None = None
    """That of the replayed one, by the same rule; absent if nothing came out."""

    verdict: Literal["bitwise", "within tolerance", "different", "missing", "unknown"]
    """`bitwise`: equal digests; `within tolerance`: values as near as `tolerance` allows; `unknown`: the original has
    no digest."""

    difference: str | None = None
    """The first column or tensor that differs, and by how much, in words."""


class RelineageReplayRunFacet(Facet):
    """Which run was replayed, how, and whether the same came out."""

    KEY: ClassVar[str] = "relineage_replay"
    BASE: ClassVar[Base] = "RunFacet"

    original: UUID
    """The run that was done again."""

    verdict: Literal["bitwise", "within tolerance", "not reproduced", "not replayed"]
    """`not replayed`: it could not be run again, or has no outputs: `reason` says which; nothing is said of them."""

    reason: str | None = None
    """Why it is not reproduced or not replayed, in words."""

    tolerance: str | None = None
    """How far apart values could be, as `atol=1e-9,rtol=1e-6,ulps=4`; absent if only equal digests counted."""

    snapshot: str | None = None
    """The code that ran: the id of a git commit, or the digest of a folder in the store."""

    setting: tuple[str, ...] = ()
    """What differed from the setting of the original run, one a line: `package numpy: 2.4.1 → 2.4.2`."""

    outputs: tuple[ReplayedOutput, ...] = ()
    """The outputs of the original run, in no order."""
