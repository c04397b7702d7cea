"""Instants and run ids: when something happened, and which run it was.

Decides: every instant of a process is later than the one before it, so a write is never at or before the read
that led to it, whatever the wall clock does. Run ids come from the operating system's randomness, never from
Python's `random`: a job that seeds `random` must not get the run id of the last job that did.
"""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """UTC with microseconds, strictly increasing.

    Where the wall clock stands still or steps back, instants go on by one microsecond each until it has
    caught up. Safe for threads; a forked child goes on from the parent's last instant (call `after_fork`
    there).

    Args:
        wall_nanoseconds: Nanoseconds since 1970 (UTC).
    """

    def __init__(self, wall_nanoseconds: Callable[[], int] = time.time_ns) -> None:
        """Start before every instant."""
        self._wall_nanoseconds = wall_nanoseconds
        self._last_microseconds = 0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The present instant, later than every one given out before."""
        with self._lock:
            present = self._wall_nanoseconds() // 1000
            self._last_microseconds = max(present, self._last_microseconds + 1)
            return _EPOCH + timedelta(microseconds=self._last_microseconds)

    def after_fork(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.Lock()


def iso(instant: datetime) -> str:
    """An instant as OpenLineage wants it: `2026-01-31T10:00:03.000001Z`."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def new_run_id(milliseconds: int | None = None) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) whose 74 random bits come from the operating system.

    Args:
        milliseconds: Since 1970 (UTC); default: the wall clock.
    """
    stamp = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    value = (stamp & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
