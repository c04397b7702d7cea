"""Events into local files: one line each, what a `Lineage` without any setting does.

Decides names and durability of the files. Where the folder lies is `relineage.emitter.home`'s, the bytes are
the encoder's, and reading is the consumer's.

Each process appends to a file of its own, one `write` an event, so no two processes ever share a line;
threads take turns, and a forked child opens its own file. An event is with the operating system when `emit`
returns: `kill -9` loses nothing. The disk is asked to have it (`fdatasync`) at terminal events, at most once
a second, and at `close()`: a power cut may take what came after that.

This is a transport by its methods, not by its base class: deriving from openlineage-python's would import
its client (0.24 s of CPU), which a job that writes files does not need.
`OpenLineageClient(transport=FileTransport(folder))` works.
"""

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ..home import make_folder
from . import message
from .forks import call_in_children
from .losses import Losses

if TYPE_CHECKING:
    from .message import AnyEvent

SYNC_PERIOD_SECONDS = 1.0


class FileTransport:
    """Append events to `<folder>/<UTC time>-<process id>-<random>.ndjson`.

    Args:
        folder: made at the first event, with a `.gitignore` of its own.
        strict: raise what goes wrong. By default an event that cannot be written is counted in `lost` and
            logged (logger `relineage`, once a minute), and the job goes on.
    """

    kind = "relineage-files"

    def __init__(self, folder: Path, *, strict: bool = False) -> None:
        """Prepare; nothing is made before the first event."""
        self.folder = folder
        self.strict = strict
        self.path: Path | None = None
        self._descriptor: int | None = None
        self._next_sync = -float("inf")
        self._losses = Losses("could not be written")
        self._lock = threading.Lock()
        call_in_children(self._after_fork)

    @property
    def lost(self) -> int:
        """How many events could not be written."""
        return self._losses.count

    def emit(self, event: "AnyEvent") -> None:
        """Append one event.

        Raises:
            OSError: only if `strict`: the file could not be written.
            TypeError: only if `strict`: the encoder refuses the event.
        """
        try:
            document, line = message.serialise(event)
            with self._lock:
                self._append(line + b"\n")
                if document.get("eventType") in message.TERMINAL and time.monotonic() > self._next_sync:
                    self._sync()
        except Exception as reason:
            self._losses.add(reason)
            if self.strict:
                raise

    def wait_for_completion(self, timeout: float = -1) -> bool:
        """Tell whether every event was written; there is nothing to wait for."""
        return self.lost == 0

    def close(self, timeout: float = -1) -> bool:
        """Bring the events to the disk and close the file; tell whether every event was written.

        A later `emit` opens a new file. `timeout` is there for the interface's sake: a local disk is not
        waited for.
        """
        with self._lock:
            if self._descriptor is not None:
                try:
                    self._sync()
                except OSError as reason:
                    self._losses.add(reason)
                finally:
                    os.close(self._descriptor)
                    self._descriptor = None
        self._losses.tell_rest()
        return self.lost == 0

    def _append(self, line: bytes) -> None:
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None
        written = os.write(self._descriptor, line)
        while written < len(line):  # rare: the disk is nearly full, or the write was interrupted
            try:
                written += os.write(self._descriptor, line[written:])
            except OSError:
                # Take the half line away, else the next event would be glued to it. Nobody else writes this
                # file.
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise

    def _open(self) -> None:
        make_folder(self.folder)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-{uuid4().hex[:8]}.ndjson"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self.path = self.folder / name
        self._descriptor = os.open(self.path, flags, 0o666)

    def _sync(self) -> None:
        assert self._descriptor is not None
        getattr(os, "fdatasync", os.fsync)(self._descriptor)  # macOS has only the second
        self._next_sync = time.monotonic() + SYNC_PERIOD_SECONDS

    def _after_fork(self) -> None:
        # The lock may be held by a thread that the child does not have; file and losses are the parent's.
        self._lock = threading.Lock()
        self._losses = Losses("could not be written")
        inherited, self._descriptor, self.path = self._descriptor, None, None
        if inherited is not None:
            os.close(inherited)
