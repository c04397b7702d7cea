"""What could not be kept or sent is counted, and said in the log once a minute: no silence, no flood."""

import logging
import threading
import time

log = logging.getLogger("relineage")

PERIOD_SECONDS = 60.0


class Losses:
    """Counts events that met one kind of trouble.

    Args:
        what: the trouble, as the end of "3 events " in a log line: "could not be written".
    """

    def __init__(self, what: str) -> None:
        """Start at none."""
        self.what = what
        self.count = 0
        self._told = 0
        self._next_line = -float("inf")
        self._lock = threading.Lock()

    def add(self, reason: BaseException | str, count: int = 1) -> None:
        """Count events, and say so unless that was said less than a minute ago."""
        with self._lock:
            self.count += count
            now = time.monotonic()
            if now < self._next_line:
                return
            self._next_line = now + PERIOD_SECONDS
            new, self._told = self.count - self._told, self.count
        log.warning("relineage: %d event%s %s: %s", new, "" if new == 1 else "s", self.what, _text(reason))

    def tell_rest(self) -> None:
        """Say how many came since the last line; for the end, when no later line would tell."""
        with self._lock:
            new, self._told = self.count - self._told, self.count
        if new:
            log.warning("relineage: %d more event%s %s", new, "" if new == 1 else "s", self.what)


def _text(reason: BaseException | str) -> str:
    if isinstance(reason, str):
        return reason
    # Some errors have no text, and in a job's log the name of the error is what people search for.
    text = str(reason)
    name = type(reason).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name
