"""Chance, fixed for the time of a run: the generators of the process seeded, watched, and given back.

Decides when generators are seeded (as a run begins; those of a library that is imported meanwhile as soon as it
is), that a run neither inherits nor leaves behind a state, and what is said about it. How seeds are derived is
decided in `derivation.py`, which libraries are covered in `libraries.py`, what else is looked at in `watched.py`.

The generators belong to the process: two runs that are open at the same time in two threads share them. The facet
then says so; `own.py` gives what is the run's own.
"""

import logging
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import observing, processes, reports, switches, watched
from .arriving import Arrivals
from .derivation import DERIVATION, OF_INNER_RUN, library_words
from .libraries import Library, is_there, libraries
from .observing import HERE, UNSEEN, Witness
from .own import Own
from .watched import WORKERS
from .workers import SeedWorker

log = logging.getLogger("relineage")

_OVERLAPPED = "runs overlapped in this process and shared its generators"
_NOT_WATCHED = ("cupy", "mxnet", "paddle")  # have generators that can be seeded and not be put back
_MOST_SOURCES = 20


@dataclass(frozen=True, kw_only=True)
class LibrarySeed:
    """One generator: its seed as a decimal text, and digests of its state when the run began and ended."""

    library: str
    seed: str
    state_before: str | None
    state_after: str | None


@dataclass(frozen=True, kw_only=True)
class SeedRecord:
    """What is said about chance in one run."""

    entropy: str
    given: bool
    derived_from: str | None
    derivation: str
    libraries: tuple[LibrarySeed, ...]
    switches: Mapping[str, str]
    uncovered: tuple[str, ...]


@dataclass(kw_only=True)
class _Held:
    """A library in one run: what was there before, and what came of it."""

    library: Library
    callers: dict[str, Any]
    seeds: dict[str, int]
    began: dict[str, bytes]
    before: dict[str, str]
    after: dict[str, str] = field(default_factory=dict)

    def ended(self, states: Mapping[str, Any]) -> None:
        """Note the states at the end; what nothing was drawn from is not digested again."""
        plain = _plain(self.library, states)
        self.after = self.before if plain == self.began else _digests(plain)


@dataclass(eq=False)
class Seeding(Own):
    """The seeding of one run: set on `begin`, the caller's states back on `end`.

    Args:
        entropy: What the seeds are derived from.
        environ: Where the switches are read.
        deterministic: Set the switches, too.
    """

    environ: Mapping[str, str]
    deterministic: bool = False
    outer: Witness | None = None
    _held: dict[str, _Held] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _more: int = 0
    _switches: dict[str, str] | None = None
    _overlapped: bool = False
    _reports: str | None = None
    _paused: dict[str, dict[str, Any]] | None = None

    def begin(self) -> None:
        """Keep the caller's states, seed every generator, and look at what else is drawn."""
        # Before the lock, since the first time it takes a tenth of a second, and before it is looked at: numpy brings
        # its generators only when somebody asks for them.
        import numpy.random  # noqa: F401

        with _LOCK:
            self.forks = processes.FORKS.path
            self._step_forward()
            try:
                for name, library in libraries():
                    if is_there(library.module):
                        self._take_over(name, library)
            except BaseException:  # an interrupt
                self.end()
                raise

    def end(self) -> None:
        """Note the states and give the caller's back; again: nothing happens."""
        with _LOCK:
            if self._paused is not None:  # its generators are put back already
                for name, states in self._paused.items():
                    self._held[name].ended(states)
                self._paused = None
                self._read_reports()
            if self not in _OPEN:
                return
            position = next(index for index, other in enumerate(_OPEN) if other is self)
            for name, held in self._held.items():
                with suppress_and_note(self._failed, name):
                    held.ended(held.library.take())
            above = _OPEN[position + 1] if position + 1 < len(_OPEN) else None
            self._step_back()
            self._read_reports()
            if above is not None:
                # A run that began after this one is still open (another thread, or ends out of order): what is to
                # come back is what was before both.
                above._overlapped = self._overlapped = True
            for name, held in self._held.items():
                if above is not None and name in above._held:
                    above._held[name].callers = held.callers
                else:
                    with suppress_and_note(self._failed, name):
                        held.library.put_back(held.callers)

    def pause(self) -> None:
        """Give the caller's generators back for a while, as when a generator function yields."""
        with _LOCK:
            if not _OPEN or _OPEN[-1] is not self:
                return  # another run has begun since: they overlap, and `end` says so
            self._paused = {}
            for name, held in self._held.items():
                with suppress_and_note(self._failed, name):
                    self._paused[name] = held.library.take()
                    held.library.put_back(held.callers)
            self._step_back()

    def resume(self) -> None:
        """Go on where `pause` left off; the caller's generators are kept as they are now."""
        with _LOCK:
            if self._paused is None:
                return
            paused, self._paused = self._paused, None
            self._step_forward()
            for name, library in libraries():
                if name in paused:
                    with suppress_and_note(self._failed, name):
                        self._held[name].callers = library.take()
                        library.put_back(paused[name])
                elif is_there(library.module) and name not in self._held:
                    self._take_over(name, library)

    def _step_forward(self) -> None:
        """From now on the generators of the process are this run's."""
        self.outer = HERE.get()
        while self.outer is not None and self.outer not in observing.OPEN:
            self.outer = self.outer.outer  # ended in another order than begun
        around = self._around()
        for other in _OPEN:
            if other not in around:
                other._overlapped = self._overlapped = True
        _OPEN.append(self)
        HERE.set(self)
        watched.begin(self)
        _watch_imports()
        if self.deterministic:
            with suppress_and_note(self._failed, "switches"):
                switches.make_deterministic(self)

    def _step_back(self) -> None:
        """They are no longer."""
        self._switches = switches.read(self.environ)
        watched.end(self)
        _OPEN[:] = [other for other in _OPEN if other is not self]
        if HERE.get() is self:
            HERE.set(self.outer)
        _watch_imports()
        if self.deterministic:
            with suppress_and_note(self._failed, "switches"):
                switches.let_go(self)

    def _read_reports(self) -> None:
        if self._reports is not None:
            folder, self._reports = self._reports, None
            with suppress_and_note(self._failed, "reports of workers"):
                workers, texts = reports.read(folder)
                for text in texts:
                    self.saw(f"{text}, in a worker process")
                if workers:
                    self.saw(WORKERS, times=-workers)

    def saw(self, text: str, *, times: int = 1) -> None:
        """Something was drawn that the seeds do not fix; a negative number takes it back."""
        if text not in self._seen and len(self._seen) >= _MOST_SOURCES:
            self._more += times
        else:
            self._seen[text] = self._seen.get(text, 0) + times

    def workers(self, name: str) -> SeedWorker:
        """What seeds the worker processes of this run: the next group of that name."""
        entropy = self.entropy_of_workers(name)
        with _LOCK:
            if self._reports is None and self in _OPEN:
                self._reports = reports.new_folder()
        return SeedWorker.of_the_next(self.entropy.derive(entropy), self._reports)

    def record(self, variables: Mapping[str, str] | None = None) -> SeedRecord:
        """What there is to say now; the states at the end once it has ended.

        Args:
            variables: Environment variables that were looked up just now, the switches' among them.
        """
        seeds = [
            LibrarySeed(
                library=name,
                seed=str(held.seeds.get(name, next(iter(held.seeds.values())))),
                state_before=held.before.get(name),
                state_after=held.after.get(name),
            )
            for held in self._held.values()
            for name in dict.fromkeys((*held.seeds, *held.after))
        ]
        seeds += [
            LibrarySeed(library=name, seed=str(seed), state_before=None, state_after=None)
            for name, seed in list(self.handed_out.items())[:_MOST_SOURCES]
        ]
        rules = [held.library.rule for held in self._held.values() if held.library.rule]
        derivation = "; ".join((DERIVATION, *rules)) + (
            OF_INNER_RUN if self.entropy.source is not None else ""
        )
        return SeedRecord(
            entropy=f"{self.entropy.value:x}",
            given=self.entropy.given,
            derived_from=None if self.entropy.source is None else f"{self.entropy.source:x}",
            derivation=derivation,
            libraries=tuple(seeds),
            switches=switches.read(self.environ if variables is None else variables)
            if self._switches is None
            else self._switches,
            uncovered=tuple(self._uncovered()),
        )

    def after_fork(self) -> None:
        """In a forked child: other numbers than in the parent and in its other children, and the same ones when
        the run is repeated. Python has seeded `random` anew, from the system, and numpy's is a copy.

        Nothing that another thread of the parent may hold is waited for: it would be for ever.
        """
        entropy = self.here().value
        for held in self._held.values():
            if held.library.may_be_seeded_after_fork():
                held.library.seed(lambda name: library_words(entropy, name))

    def arrived(self, name: str, library: Library) -> None:
        """A library has been imported while the run was open: from here on it is as if it had been there."""
        if name not in self._held:
            self._take_over(name, library)

    def _take_over(self, name: str, library: Library) -> None:
        with suppress_and_note(self._failed, name):
            callers = library.take()
            try:
                seeds = library.seed(self._words)
                began = _plain(library, library.take())
                before = _digests(began)
            except Exception:
                library.put_back(callers)
                raise
            self._held[name] = _Held(
                library=library, callers=callers, seeds=seeds, began=began, before=before
            )

    def _words(self, library: str) -> list[int]:
        return library_words(self.entropy.value, library)

    def _around(self) -> list[Witness]:
        found: list[Witness] = []
        outer = self.outer
        while outer is not None:
            found.append(outer)
            outer = outer.outer
        return found

    def _uncovered(self) -> list[str]:
        found = [f"{name} (could not be set or put back: {reason})" for name, reason in self._failed.items()]
        if self._overlapped:
            found.append(_OVERLAPPED)
        found += sorted(text for text, times in self._seen.items() if times > 0)
        if self._more > 0:
            found.append(f"and {self._more} draws at other places")
        for name in _NOT_WATCHED:
            if name in sys.modules and all(library.module != name for _, library in libraries()):
                found.append(f"{UNSEEN}{name}'s generators (imported; run.seed() gives a seed for them)")
        return found


class suppress_and_note:  # noqa: N801  # like contextlib.suppress
    """What goes wrong with one library is noted, and the others go on."""

    def __init__(self, notes: dict[str, str], name: str) -> None:
        self._notes = notes
        self._name = name

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        """Note it."""
        if not isinstance(error, Exception):
            return False
        self._notes[self._name] = f"{type(error).__name__}: {error}"[:200]
        if (self._name, kind) not in _TOLD:
            _TOLD.add((self._name, kind))
            log.warning("lineage: the generators of %s: %s", self._name, self._notes[self._name])
        return True


def _plain(library: Library, states: Mapping[str, Any]) -> dict[str, bytes]:
    """Each generator's state in its plain form, if it has one."""
    plain = {name: library.plain(state) for name, state in states.items()}
    return {name: text for name, text in plain.items() if text is not None}


def _digests(plain: Mapping[str, bytes]) -> dict[str, str]:
    """b3-bytes1 of each generator's state."""
    from blake3 import blake3

    return {name: "b3-bytes1:" + blake3(text).hexdigest() for name, text in plain.items()}


def _arrived(module: str) -> None:
    with _LOCK:
        if not _OPEN:
            return
        watched.arrived(module)
        with suppress(Exception):
            switches.arrived(module)
        for name, library in libraries():
            if library.module == module:
                for seeding in _OPEN:
                    seeding.arrived(name, library)


def _watch_imports() -> None:
    if not _OPEN:
        _ARRIVALS.end()
    elif len(_OPEN) == 1:
        names = {library.module for _, library in libraries()} | set(watched.WATCHED)
        _ARRIVALS.begin([name for name in names if name not in sys.modules])


# The generators are the process's own, so which runs hold them is the process's too.
_LOCK = threading.RLock()
_OPEN: list[Seeding] = []
_ARRIVALS = Arrivals(_arrived)
_TOLD: set[tuple[str, type[BaseException] | None]] = set()  # once is enough for a log


def _after_fork() -> None:
    global _LOCK  # another thread may have held it when the process was forked
    _LOCK = threading.RLock()
    observing.after_fork()
    switches.after_fork()
    if _OPEN:
        with suppress(Exception):  # what is raised here is printed by Python and goes no further
            _OPEN[-1].after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)  # after that of `processes.py`
