"""`relineage_seeds`: how chance was fixed in a run. Drawing seeds and setting switches is the emitter's."""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import Base, Digest, Facet, Flag, IntegerText, Part


class LibrarySeed(Part):
    """The seed that one random number generator was given, and its state around the run."""

    library: str
    """The library, or one generator of it: `random`, `numpy`, `torch`, `torch.cuda:0`; one that the run handed out:
    `generator:flip`, `seed:jax`, `workers:loader`, and to inner runs that drew, `run:augment`."""

    seed: IntegerText | None = None
    """The seed as decimal text; absent when the generator was left as it was found."""

    state_before: Digest | None = None
    """Digest of the generator's state when the run began."""

    state_after: Digest | None = None
    """Digest of the generator's state when the run ended."""


class RelineageSeedsRunFacet(Facet):
    """How chance was fixed: the entropy, the seeds derived from it, and what was not covered."""

    KEY: ClassVar[str] = "relineage_seeds"
    BASE: ClassVar[Base] = "RunFacet"
    VERSION: ClassVar[str] = "1-0-2"

    entropy: Annotated[str, Field(pattern="^[0-9a-f]+$")] | None = None
    """The entropy that every seed is derived from, in hexadecimal."""

    given: Flag
    """True if the caller gave the entropy, false if it was drawn from the operating system."""

    derived_from: Annotated[str, Field(pattern="^[0-9a-f]+$")] | None = None
    """The entropy that this one was derived from in the first place, in hexadecimal: that of an outer run, or the seed
    of a step; absent where it was not derived."""

    derivation: str | None = None
    """Name and version of the rule by which the seeds follow from the entropy."""

    libraries: tuple[LibrarySeed, ...] = ()
    """One entry a generator that was seeded or watched."""

    switches: dict[str, str] = Field(default_factory=dict)
    """Determinism switches as found during the run, such as `torch.backends.cudnn.benchmark`, each as
    text."""

    uncovered: tuple[str, ...] = ()
    """Sources of chance that were used and not fixed; what could not be looked at begins with `not observed: `."""

    details: Digest | None = None
    """Digest of the stored object that holds this facet as a whole, where it did not fit."""
