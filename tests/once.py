"""What is dear to make and only looked at is made once in a session, however many worker processes it has."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name`, new and given to `make` by the first worker that asks; the others wait for it.

    One that could not be made is made again by the next that asks, so that each test says why.
    """
    base = factory.getbasetemp()
    if base.name.startswith("popen-"):  # a worker's of pytest-xdist: the session's is above
        base = base.parent
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = base / f"{name}.made"
        if not made.exists():
            folder = factory.mktemp(name)
            make(folder)
            made.write_text(str(folder))
    return Path(made.read_text())
