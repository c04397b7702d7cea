"""What worker processes have drawn, told to the run that started them.

Decides that a worker that was seeded looks at itself as the run does, and appends what it sees to a file in a folder
of the run's: the run reads the folder as it ends. A worker that wrote nothing there was not seeded, and what it drew
is not known.
"""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from . import watched
from .observing import HERE, Witness

_HELLO = "seeded"
_MOST_SOURCES = 20


class Reporter:
    """The witness in a worker process, which has no run of its own.

    Args:
        folder: Where it tells.
    """

    def __init__(self, folder: str) -> None:
        """Say that this worker is seeded, and look from now on until the process ends."""
        self.outer: Witness | None = HERE.get()  # in a forked worker the run that goes on here
        self._file = Path(folder) / str(os.getpid())
        self._seen: set[str] = set()
        self._tell(_HELLO)
        HERE.set(self)
        watched.begin(self)

    def saw(self, text: str, *, times: int = 1) -> None:
        """Tell what was not told yet; that a generator got a seed after all comes too late."""
        if times > 0 and text not in self._seen and len(self._seen) < _MOST_SOURCES:
            self._seen.add(text)
            self._tell(text)

    def _tell(self, text: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(text.replace("\n", " ") + "\n")


def new_folder() -> str:
    """A folder for reports, on this machine."""
    return tempfile.mkdtemp(prefix="relineage-workers-")


def read(folder: str) -> tuple[int, list[str]]:
    """How many workers were seeded, and what they drew that no seed fixes. The folder is gone then."""
    seen: Counter[str] = Counter()
    workers = 0
    for file in sorted(Path(folder).iterdir()):
        lines = file.read_text("utf-8", "replace").splitlines()
        workers += _HELLO in lines
        seen.update(set(lines) - {_HELLO})
    shutil.rmtree(folder, ignore_errors=True)
    return workers, sorted(seen)
