"""`relineage_cost`: what a run took, and in which terms it is paid for. Measuring is the emitter's."""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import Base, Count, Facet, Real

Amount = Annotated[Real, Field(ge=0)]


class RelineageCostRunFacet(Facet):
    """What a run took: time, memory, energy, money, and for whom. What nobody has measured is absent."""

    KEY: ClassVar[str] = "relineage_cost"
    BASE: ClassVar[Base] = "RunFacet"

    wall_seconds: Amount | None = None
    """Seconds from its beginning to its end."""

    cpu_seconds: Amount | None = None
    """Seconds of processors that its process and the children of it that ended have used meanwhile, whatever
    they did."""

    gpu_seconds: Amount | None = None
    """Seconds of graphics processors."""

    peak_memory_bytes: Count | None = None
    """The most memory that its process has held at once since the process started, in bytes."""

    overhead_seconds: Amount | None = None
    """Seconds in which the job waited for the recording itself: digests, statistics, the store, events."""

    money: Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")] | None = None
    """What was paid, as decimal text, so that it stays exact."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    """Of `money`, as ISO 4217 has it: `EUR`."""

    energy_joules: Amount | None = None
    """Energy, in joules."""

    team: str | None = None
    """Who it was done for."""

    experiment: str | None = None
    """What it was a part of."""
