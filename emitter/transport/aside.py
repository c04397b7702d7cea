"""Chance for kafka-python's threads, away from the job's.

kafka-python chooses brokers and delays with Python's shared generator, in threads of its own, so a job that seeded
`random` would get other numbers depending on when the broker answers. Decides that in those threads, and in ours
that call it, its modules draw from a generator of their own; in every other thread nothing changes.
"""

import random
import sys
import threading
from typing import Any

_THREADS = ("kafka-io-", "relineage-")


class _Aside:
    """Stands in kafka-python's modules where `random` stood."""

    def __init__(self) -> None:
        self._own = random.Random()  # noqa: S311  # for delays

    def __getattr__(self, name: str) -> Any:
        in_background = threading.current_thread().name.startswith(_THREADS)
        return getattr(self._own if in_background else random, name)


_ASIDE = _Aside()


def draw_aside() -> None:
    """Give the modules of kafka-python that are imported their own generator; again: those that came since."""
    for name, module in list(sys.modules.items()):
        if name.startswith("kafka.") and getattr(module, "random", None) is random:
            module.random = _ASIDE  # type: ignore[attr-defined]
