"""What a replay may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...emitter.digests.closeness import Tolerance
from ...emitter.store import Store
from .process import Say


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a replay may use.

    Attributes:
        repositories: Where commits are looked for, in this order.
        objects: The store of contents.
        tolerance: How far apart values may be; null if only equal digests count.
        tolerance_text: The same as it was asked for.
        here: Whether recorded paths may be of this machine: the work tree is asked for the code, too, and files are
            taken from their paths. Else the events are those of a bundle.
        kept: What `objects` is called.
        around: A work tree on this machine: what lay in that of the run may be at the same place in this one.
        environment: Rebuild the recorded packages first; default: this interpreter with what it has.
        keep: A folder that is not there yet, for the replay's own events and store.
        say: Gets what the program prints, line by line.
    """

    repositories: Sequence[Path]
    objects: Store | None
    tolerance: Tolerance | None = None
    tolerance_text: str | None = None
    here: bool = True
    kept: str = "the store"
    around: Path | None = None
    environment: bool = False
    keep: Path | None = None
    say: Say = field(default=lambda line: None)
