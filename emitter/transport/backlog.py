"""Messages between `emit` and the broker's acknowledgement, in memory.

Decides what is pending, and that memory is bounded; says no instead of waiting. Who sends, and what a
broker's error means, is decided elsewhere. Whatever keeps messages better than memory does can take this
class's place: a message is appended, taken, and then either acknowledged, refused or put back; until one of
the three it is pending.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One record of a Kafka topic: the bytes of an event and its key."""

    key: bytes | None
    value: bytes


class Backlog:
    """A queue whose messages stay counted until they are settled. All methods may be called from any thread.

    Args:
        limit_bytes: how much may be pending. One message is always taken, so that none is too large for ever.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Start empty."""
        self._limit_bytes = limit_bytes
        self._queue: deque[Message] = deque()
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._settled = threading.Condition(self._lock)
        self._pending_bytes = 0
        self.pending = 0
        self.delivered = 0
        self.refused = 0

    def append(self, message: Message) -> bool:
        """Take a message in; False when it would not fit."""
        with self._lock:
            if self.pending and self._pending_bytes + len(message.value) > self._limit_bytes:
                return False
            self.pending += 1
            self._pending_bytes += len(message.value)
            self._queue.append(message)
            self._news.notify()
            return True

    def take(self, stop: threading.Event) -> Message | None:
        """Hand out the next message, waiting for one; None once `stop` is set and `wake` was called."""
        with self._lock:
            while not stop.is_set():
                if self._queue:
                    return self._queue.popleft()
                self._news.wait()
            return None

    def take_all(self) -> list[Message]:
        """Hand out all messages that wait now."""
        with self._lock:
            messages = list(self._queue)
            self._queue.clear()
            return messages

    def wake(self) -> None:
        """Let `take` look at its `stop` again."""
        with self._lock:
            self._news.notify_all()

    def put_back(self, message: Message) -> None:
        """Take a message back that was not sent: it is the next one again."""
        with self._lock:
            self._queue.appendleft(message)
            self._news.notify()

    def acknowledge(self, message: Message) -> None:
        """The broker has it."""
        with self._lock:
            self.delivered += 1
            self._settle(message)

    def refuse(self, message: Message) -> None:
        """The broker will never take it."""
        with self._lock:
            self.refused += 1
            self._settle(message)

    def wait_until_settled(self, timeout_seconds: float | None, patience_seconds: float) -> bool:
        """Wait until nothing is pending; False when the time was over before.

        Args:
            timeout_seconds: None: as long as there is progress.
            patience_seconds: without a timeout, how long nothing may happen before waiting has no sense.
        """
        with self._lock:
            pending = self.pending
            give_up = time.monotonic() + (patience_seconds if timeout_seconds is None else timeout_seconds)
            while self.pending:
                left = give_up - time.monotonic()
                if left > 0:
                    self._settled.wait(left)
                elif timeout_seconds is None and self.pending < pending:
                    pending = self.pending
                    give_up = time.monotonic() + patience_seconds
                else:
                    return False
            return True

    def _settle(self, message: Message) -> None:
        self.pending -= 1
        self._pending_bytes -= len(message.value)
        if not self.pending:
            self._settled.notify_all()
