"""One run, from its START to its end: what it read, wrote and measured, and when that is told.

Decides the states of a run, the instants of reads and writes, the names of what has none, and when an event
goes out: START, RUNNING with news at most once a second (no timer: the next call looks at the clock), and one
of COMPLETE, FAIL and ABORT, which says everything again. How data is described, where events go and what they
look like is decided in `datasets.py`, `sending.py` and `events.py`.
"""

import os
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from .chance import Chance
from .clock import new_run_id
from .cost import Meter
from .datasets import Description, describe, undigested, with_modality
from .endings import ending_of, message_of
from .entries import Declaration, Made, make_entries
from .errors import RunStateError
from .events import TERMINAL, Call, Entry, RunFacts, document, told_afterwards
from .guard import Stopwatch, warn
from .limits import keep
from .members import Returned
from .naming import DatasetName
from .ours import Measured
from .parameters import Parameters, parameters_of
from .process import CLOCK, CURRENT, KNOWN, MEMBERS
from .replaying import current_plan
from .seeds import Entropy, SeedWorker, entropy_of
from .settings import RunReference
from .values import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy

    from .lineage import Lineage
    from .surroundings import Surroundings

Data = TypeVar("Data")
DigestMode = Literal["auto", "full", "none"]
RUNNING_SECONDS = 1.0


class Run:
    """A run: made by `Lineage.run` or `Lineage.start`, never by hand.

    As a context manager it completes when the block ends, fails when an exception leaves it (which goes on),
    and is aborted by an interrupt. Safe to use from several threads.

    Attributes:
        id: The run's UUIDv7, from the operating system's randomness.
        namespace: Of its job.
        job: Its job's name.
    """

    def __init__(
        self,
        lineage: "Lineage",
        job: str,
        *,
        operation: str | None,
        seed: int | Entropy | None,
        params: object,
        caller: Path | None,
        deterministic: bool = False,
        call: Call | None = None,
    ) -> None:
        """Prepare; nothing is sent and nothing is seeded before it begins."""
        self.id = new_run_id()
        self.namespace = lineage.settings.namespace
        self.job = job
        self._lineage = lineage
        self._operation = operation or job
        given = seed if isinstance(seed, Entropy) or seed is None else entropy_of(seed)
        self._chance = Chance(given, lineage.environ, deterministic=deterministic)
        self._call = call
        self._parameters = Parameters()
        self._gaps = ["the parameters could not be read"]  # what keeps the task from being told
        with lineage.guard.protecting("reading params"):
            self._parameters = parameters_of(params)
            self._gaps = []
        self._state: Literal["new", "open", "ended"] = "new"
        self._outer: Run | None = None
        self._entries: dict[tuple[Any, ...], Entry] = {}
        self._metrics: list[Measured] = []
        self._caller = caller
        self._surroundings: Surroundings | None = None
        self._sent_at = 0.0
        self._sent_entries = 0
        self._process = self._lock_process = os.getpid()
        self._stopwatch = Stopwatch()
        self._meter: Meter | None = None
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        """Job, id and state, for people."""
        return f"<Run {self.namespace}/{self.job} {self.id} ({self._state})>"

    @property
    def overhead_seconds(self) -> float:
        """Seconds of the caller's time that lineage has taken in this run so far."""
        return self._stopwatch.seconds

    def __enter__(self) -> Self:
        """Begin the run."""
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run as the block ended; an exception goes on."""
        if self._state == "ended":  # by run.end() or run.fail() within the block
            return
        if error is None:
            self.end()
        else:
            # The block's own exception is what the job has to see, whatever happens to ours.
            self._end(*ending_of(error), error=error, strict=False)

    def begin(self) -> None:
        """Seed the generators and send START. `Lineage.start` and `with` do this."""
        if self._state != "new":
            self._misused(f"run {self.job!r} has begun already: make another one with lineage.run()")
            return
        self._state = "open"
        self._meter = Meter()
        self._outer = current_run()
        CURRENT.set(self)
        self._lineage.open_runs.add(self)
        try:
            with self._stopwatch.running():
                with self._lineage.guard.protecting("seeding"):
                    outer = self._outer._chance if self._outer is not None else None
                    self._chance.begin(self.namespace, self.job, outer)
                with self._lineage.guard.protecting("looking at code and environment"):
                    if not self._lineage.settings.disabled:
                        self._surroundings = self._lineage.surroundings(self._caller)
                with self._lineage.guard.protecting("sending START"):
                    self._send("START")
        except BaseException as error:  # strict, or an interrupt: there will be no __exit__
            self._end(*ending_of(error), error=error, strict=False)
            raise

    def input(
        self,
        data: Data = None,  # type: ignore[assignment]
        *,
        name: str | None = None,
        version: str | int | None = None,
        role: str = "input",
        digest: DigestMode | None = None,
        store: bool | None = None,
        modality: str | None = None,
    ) -> Data:
        """Record that the run reads something, and return it.

        Args:
            data: A pandas or polars frame, an Arrow table, a numpy array or a dict of them, a list of texts,
                a fitted estimator, bytes, plain JSON values, or a `pathlib.Path` to a file or folder. A `str`
                is a text, not a path. Without data, `name` stands for something that is read elsewhere.
            name: The dataset; a URL such as `s3://bucket/key` is split as OpenLineage's naming rules say.
                Default: the name under which a run of this process returned the object; a path's own; else
                `<job>/<role>`.
            version: The dataset's version, such as a table's snapshot id. Default: the strongest digest.
            role: The part it plays, such as `train` or `test`.
            digest: `auto`, `full` or `none` for this call; default: the `Lineage`'s.
            store: Keep it in the store, under its digest, which is then made however long it takes; default:
                the `Lineage`'s, and within the time that `digest` allows.
            modality: What it depicts, such as `image`, `audio`, `text` or `embedding`. Default: what its type tells.

        Returns:
            `data`, the very object.

        Raises:
            Refused: Only if strict: the data has no defined digest.
        """
        self._declare("input", data, name, version, role, digest, store, modality)
        return data

    def output(
        self,
        data: Data = None,  # type: ignore[assignment]
        *,
        name: str | None = None,
        version: str | int | None = None,
        role: str = "output",
        digest: DigestMode | None = None,
        store: bool | None = None,
        modality: str | None = None,
    ) -> Data:
        """Record that the run has made something, as it is now, and return it. Arguments as for `input`."""
        self._declare("output", data, name, version, role, digest, store, modality)
        return data

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record one measured figure; NaN and infinities are values too.

        Args:
            name: Such as `auc`.
            value: A number; a numpy scalar will do.
            step: The training step or epoch it belongs to; none for a figure of the whole run.
        """
        with self._stopwatch.running(), self._lineage.guard.protecting("recording a metric"):
            if self._usable("metric"):
                with self._lock:
                    self._metrics.append((str(name), number(value), None if step is None else int(step)))
                    self._tell()

    def generator(self, name: str = "") -> "numpy.random.Generator":
        """A numpy generator of the run's own, which repeats with its seed; asked again, the next one.

        Unlike numpy's own functions it is shared with no other thread, task or run.

        Args:
            name: What it is for. Generators of one name are told apart by their order, so threads that ask for
                some at the same time need names.
        """
        self._usable("generator")
        return self._chance.own().generator(str(name))

    def seed(self, name: str = "", *, bits: int = 32) -> int:
        """A seed for anything else, which repeats with the run's; asked again, the next one.

            key = jax.random.key(run.seed("jax"))

        Args:
            name: What it is for, as for `generator`.
            bits: It is below `2**bits`; 1 to 128.
        """
        if not 1 <= bits <= 128:
            raise ValueError(f"run.seed({name!r}): bits must be from 1 to 128, not {bits}")
        self._usable("seed")
        return self._chance.own().seed(str(name), bits)

    def seed_workers(self, name: str = "") -> SeedWorker:
        """What seeds worker processes, each differently and all as the run's seed says; it may be pickled.

            DataLoader(dataset, num_workers=4, worker_init_fn=run.seed_workers())
            multiprocessing.Pool(4, initializer=run.seed_workers())

        Args:
            name: What they are for, as for `generator`.
        """
        self._usable("seed_workers")
        return self._chance.own().workers(str(name))

    def end(self) -> None:
        """Complete the run. The end of a `with` block does this."""
        self._end("COMPLETE", None)

    def fail(self, error: BaseException | str | None = None) -> None:
        """End the run as failed.

        Args:
            error: What happened; default: the exception that is being handled.
        """
        caught = sys.exc_info()[1] if error is None else error
        if isinstance(caught, BaseException):
            self._end("FAIL", message_of(caught), error=caught)
        else:
            self._end("FAIL", caught or "failed")

    def abort(self, reason: str = "aborted") -> None:
        """End the run as aborted: stopped from outside, neither completed nor failed."""
        self._end("ABORT", reason)

    def _declare(
        self,
        direction: Literal["input", "output"],
        data: object,
        name: str | DatasetName | None,
        version: str | int | None,
        role: str,
        mode: DigestMode | None,
        store: bool | None,
        modality: str | None = None,
        *,
        known: Description | None = None,  # what is said of it already, so that nobody looks at the data
        tell: bool = True,  # false where the run ends at once
    ) -> None:
        lineage = self._lineage
        with self._stopwatch.running(), lineage.guard.protecting(f"recording an {direction}"):
            if not self._usable(direction):
                return
            said = Declaration(
                direction=direction,
                data=data,
                name=name if isinstance(name, DatasetName) else str(name) if name else None,
                version=None if version is None else str(version),
                role=str(role),
                instant=CLOCK.now(),
                namespace=self.namespace,
                job=self.job,
                run_id=self.id,
                outer_runs=self._outer_ids(),
            )
            if data is None and not name:
                self._misused(f"run.{direction}() got neither data nor a name: nothing is recorded")
                return
            if lineage.settings.disabled:
                return
            # Until it is recorded, the task must not be told: it would be another one's.
            gap = f"the {direction} with role {said.role!r} could not be recorded"
            with self._lock:
                self._gaps.append(gap)
            description = known or self._described(data, mode or lineage.settings.digest, store, direction)
            if modality is not None:
                description = with_modality(description, modality)
            made = make_entries(
                said, description, KNOWN, MEMBERS, lineage.standard, lineage.producer, self._keep
            )
            with self._lock:
                self._gaps.remove(gap)
                for entry in made.entries:
                    self._entries.setdefault(entry.key, entry)  # said again: the first instant holds
                # What is stored and named by no event is tidied away after a day; the run may take longer.
                if tell:
                    self._tell(at_once=description.facets["relineage_content"].get("stored") is not None)
            self._members(said, description, made)
            if description.warning is not None:
                warn(description.warning)

    def _members(self, said: Declaration, description: Description, made: Made) -> None:
        """Remember the arrays of a state that is returned; have the run that returned one tell of it that is used."""
        lineage = self._lineage
        if made.part is not None:
            returned, output = made.part
            with lineage.guard.protecting("telling what a run has returned within a state"):
                returned.send(told_afterwards(returned.run, output, CLOCK.now(), lineage.producer))
        if said.direction == "output" and description.members and isinstance(said.data, dict):
            with lineage.guard.protecting("remembering the arrays of a state"):
                MEMBERS.remember(
                    said.data,
                    description.members,
                    Returned(
                        name=made.entries[-1].name,
                        role=said.role,
                        instant=made.instant,
                        run=self._reference(),
                        outer_runs=said.outer_runs,
                        send=lineage.send,
                    ),
                )

    def _described(self, data: object, mode: str, store: bool | None, direction: str) -> Description:
        lineage = self._lineage
        keep = lineage.keep if store or (store is None and lineage.settings.store) else None
        if replayed := direction == "output" and current_plan() is not None:
            keep = lineage.keep_if_possible  # what comes out is compared, however long that takes
        with lineage.guard.protecting("describing data"):
            return describe(
                data,
                mode=mode,
                strict=lineage.guard.strict,
                standard=lineage.standard,
                producer=lineage.producer,
                pace=lineage.pace,
                hurry=not store and not replayed,  # what is to be kept is digested, whatever its size
                keep=keep,
                home=lineage.existing_home() if isinstance(data, Path) else None,
                told=lineage.told,
            )
        return undigested("describing it failed; the log says how", lineage.producer)

    def _outer_ids(self) -> frozenset[str]:
        ids = []
        run = self._outer
        while run is not None:
            ids.append(run.id)
            run = run._outer
        return frozenset(ids)

    def _usable(self, what: str) -> bool:
        if os.getpid() != self._lock_process:
            self._lock, self._lock_process = threading.RLock(), os.getpid()  # the parent's may be held
        if self._state == "open":
            return True
        when = "has not begun: use `with lineage.run(…) as run:` or lineage.start()"
        if self._state == "ended":
            when = "has ended: nothing is recorded after that"
        self._misused(f"run.{what}(): run {self.job!r} {when}")
        return False

    def _misused(self, text: str) -> None:
        if self._lineage.guard.strict:
            raise RunStateError(text)
        warn(text)

    def _tell(self, *, at_once: bool = False) -> None:
        """Send RUNNING if the last event is a second old; a forked child always, since it sends no end."""
        late = time.monotonic() - self._sent_at >= RUNNING_SECONDS
        if at_once or late or os.getpid() != self._process:
            self._send("RUNNING")

    def _end(
        self,
        event_type: str,
        message: str | None,
        *,
        error: BaseException | None = None,
        strict: bool | None = None,
    ) -> None:
        if os.getpid() != self._process:
            return  # a fork of the job: the run is its parent's to end
        with self._lock:
            if self._state != "open":
                when = "has ended already" if self._state == "ended" else "has not begun"
                self._misused(f"run {self.job!r} {when}: nothing is sent")
                return
            self._state = "ended"
        try:
            with self._stopwatch.running():
                with self._lineage.guard.protecting("restoring generators", strict=strict):
                    self._chance.settle()
                with self._lineage.guard.protecting(f"sending {event_type}", strict=strict):
                    self._send(event_type, message, error)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._chance.end()
        self._lineage.open_runs.remove(self)
        if CURRENT.get() is self:
            CURRENT.set(self._outer)

    def _send(self, event_type: str, message: str | None = None, error: BaseException | None = None) -> None:
        lineage = self._lineage
        if lineage.settings.disabled:
            return
        with self._lock:
            just_seen = self._surroundings if event_type == "START" else None
            entries = tuple(self._entries.values())
            # All of them each second would be terabytes of a run that reads files for hours.
            news = entries[self._sent_entries :] if event_type == "RUNNING" else entries
            facts = RunFacts(
                event_type=event_type,
                event_time=CLOCK.now(),
                run=self._reference(),
                parent=self._parent(),
                root=self._root(),
                operation=self._operation,
                parameters=self._parameters,
                seeds=self._chance.record(just_seen.variables if just_seen is not None else None),
                given_seed=self._chance.given,
                metrics=self._metrics,
                surroundings=self._surroundings,
                entries=news,
                gaps=tuple(self._gaps),
                cost=self._meter.read(self.overhead_seconds)
                if self._meter and event_type in TERMINAL
                else None,
                message=message,
                error=error,
                call=self._call,
            )
            self._sent_at = time.monotonic()
            lineage.send(document(facts, lineage.standard, lineage.producer, self._keep, lineage.guard))
            self._sent_entries = len(entries)

    def _keep(self, value: "Mapping[str, Any]") -> str:
        return keep(value, self._lineage.objects, self._lineage.guard)

    def _reference(self) -> RunReference:
        return RunReference(namespace=self.namespace, name=self.job, run_id=self.id)

    def _parent(self) -> RunReference | None:
        return self._outer._reference() if self._outer is not None else self._lineage.settings.parent

    def _root(self) -> RunReference | None:
        if self._outer is None:
            return self._lineage.settings.root
        return self._outer._root() or self._outer._reference()


def current_run() -> Run | None:
    """The innermost run that is open in this thread or task."""
    run = CURRENT.get()
    while run is not None and run._state != "open":  # ended in another order than begun
        run = run._outer
    return run
