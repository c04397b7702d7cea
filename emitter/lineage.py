"""`Lineage`: the face of the emitter. It makes runs, knows the settings, and hands events to the transport.

    lineage = Lineage(namespace="fraud")
    with lineage.run("train", seed=42, params={"lr": 0.1}) as run:
        train = run.input(train_df, name="features/train", role="train")
        model = fit(train)
        run.output(model, name="models/fraud", role="weights")
        run.metric("auc", 0.93)

Decides what one `Lineage` owns: settings, the transport, the store, what was seen of the program, and the runs that are
open. What a run says is decided in `run.py`, how it ends with the interpreter in `open_runs.py`.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .datasets import Told
from .guard import Guard
from .home import existing_home, find_home
from .open_runs import OpenRuns
from .replaying import current_plan
from .run import DigestMode, Run
from .sending import EventTransport, Sender
from .settings import Settings, from_environment
from .sizes import Pace
from .standard import StandardFacets

if TYPE_CHECKING:
    from .digests import Content
    from .steps.calls import Cache
    from .store import Store
    from .surroundings import Lookout, Surroundings

CLOSE_SECONDS = 5.0
F = TypeVar("F", bound=Callable[..., Any])


class Lineage:
    """Where runs come from. One a program is usual; several may live side by side.

    Without configuration, events go to `.relineage/events/*.ndjson`, in the folder `.relineage` that is found
    upwards from the working directory. `openlineage.yml`, `OPENLINEAGE_…` and `RELINEAGE_KAFKA=host:port`
    name another transport.

    Nothing that goes wrong in here raises into the job, except for arguments and settings that cannot be
    used; it is logged once (logger `relineage`) and counted in `errors`.

    Args:
        namespace: Of jobs and datasets. Default: `RELINEAGE_NAMESPACE`, `OPENLINEAGE_NAMESPACE`, else
        `default`.
        transport: An object with `emit(event)`. One of openlineage-python gets its event objects, any other
            the event as a dict. Default: what the configuration says.
        strict: Raise what goes wrong.
        digest: `auto`: content is digested if that should take under two seconds, else referred to; `full`:
            always; `none`: never. Each call may say otherwise.
        store: Keep what is digested, once, in the content-addressed store: `.relineage/store`, or the folder
        or URL that `RELINEAGE_STORE` names. Each call may say otherwise. A store at a URL is waited for.
        snapshot: Keep the code as it is when the first run begins: as a commit of its own in its repository,
        else in the store. Default: `RELINEAGE_SNAPSHOT` (`on`, `off`), else it is kept.
        environ: Environment variables; default: the process's.

    Raises:
        SettingsError: A setting cannot be used.
    """

    def __init__(
        self,
        namespace: str | None = None,
        *,
        transport: EventTransport | None = None,
        strict: bool = False,
        digest: DigestMode = "auto",
        store: bool = False,
        snapshot: bool | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Read the settings; nothing is opened before the first event."""
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self._folder = Path.cwd()  # a job may change it later, and its events stay together
        self.settings: Settings = from_environment(
            self.environ,
            self._folder,
            namespace=namespace,
            digest=digest,
            strict=strict,
            store=store,
            snapshot=snapshot,
        )
        self._plan = current_plan()
        if self._plan is not None:  # a replay tells nobody but who asked for it
            self.settings = replace(
                self.settings, transport=None, store_location=None, disabled=False, snapshot=False
            )
            transport = None
        self.guard = Guard(strict=strict)
        self.pace = Pace()
        self.told = Told()
        self._transport = transport
        self._sender = Sender(self.settings, transport, self.home)
        self.open_runs = OpenRuns(self._close_transport)

    @property
    def namespace(self) -> str:
        """Of jobs and datasets."""
        return self.settings.namespace

    @property
    def errors(self) -> int:
        """How many times something went wrong in here that the job was spared."""
        return self.guard.errors

    def run(
        self,
        job: str,
        *,
        seed: int | None = None,
        params: object = None,
        operation: str | None = None,
        deterministic: bool = False,
    ) -> Run:
        """A run for a `with` block, which begins and ends it.

        Args:
            job: The job's name.
            seed: Any integer ≥ 0: the generators of Python, numpy, torch and TensorFlow are seeded from it for
                the time of the run, and the states found before come back after it. Without one, an inner
                run derives it from the run around it; any other draws 128 bits from the operating system and
                records them.
            params: The parameters that make a difference: a mapping, a dataclass, or an `argparse.Namespace`.
            operation: What is done, where the job's name does not say it; part of the task's identity.
            deterministic: Have torch and TensorFlow use only algorithms that give the same bits each time, for
                the time of the run; they raise where they have none.

        Raises:
            TypeError, ValueError: `seed` is no integer ≥ 0, or `job` is no text.
        """
        return self._make(job, seed, params, operation, deterministic)

    def start(
        self,
        job: str,
        *,
        seed: int | None = None,
        params: object = None,
        operation: str | None = None,
        deterministic: bool = False,
    ) -> Run:
        """A run that has begun, for notebooks and scripts; end it with `run.end()` or `run.fail()`.

        One that is still open when the interpreter ends is aborted, or fails if an uncaught exception ended
        it. Arguments as for `run`.
        """
        run = self._make(job, seed, params, operation, deterministic)
        run.begin()
        return run

    @overload
    def step(self, function: F, /) -> F: ...

    @overload
    def step(
        self,
        function: None = None,
        /,
        *,
        job: str | None = None,
        operation: str | None = None,
        seed: int | None = None,
        deterministic: bool = False,
        cache: "Cache" = False,
        inputs: Iterable[str] = (),
        params: Iterable[str] = (),
        outputs: Iterable[str] = (),
        names: Mapping[str, str] | None = None,
        modality: str | Mapping[str, str] | None = None,
    ) -> Callable[[F], F]: ...

    def step(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        job: str | None = None,
        operation: str | None = None,
        seed: int | None = None,
        deterministic: bool = False,
        cache: "Cache" = False,
        inputs: Iterable[str] = (),
        params: Iterable[str] = (),
        outputs: Iterable[str] = (),
        names: Mapping[str, str] | None = None,
        modality: str | Mapping[str, str] | None = None,
    ) -> Any:
        """Make each call of a function a run: `@lineage.step`, or `@lineage.step(seed=7)`.

        Arguments that are data (frames, arrays, models, paths, long texts) become inputs with their parameter's name
        as role, all others typed parameters; what is returned becomes outputs. Functions, methods, coroutines and
        generators. docs/steps.md says which argument is what.

        Args:
            function: The function, where nothing else is said.
            job: The job's name. Default: the function's, of a method with its class: `Trainer.fit`.
            operation: What is done, where the job's name does not say it; part of the task's identity.
            seed: Any integer ≥ 0. The n-th call in a process is seeded by (seed, job, n): calls differ, and repeat in
                the next process. Without one, a call derives its seed from the run around it, if there is one.
            deterministic: As for `run`, for the time of each call.
            cache: Hand out what an earlier call with the same recipe has returned, if it is kept. `"dirty"`: also if
                the work tree has changes that are not committed.
            inputs: Names of parameters that are data whatever they hold.
            params: Names of parameters that are none whatever they hold.
            outputs: Names of parameters with paths to which the function writes.
            names: Role → name of the dataset. Default: `<job>/<role>`, or what the object is called already.
            modality: What the outputs depict, such as `image`, `audio`, `text` or `embedding`; of all, or by role.

        Raises:
            TypeError, ValueError: An argument cannot be used.
        """
        from .steps import step

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            return step(
                self, function, job=job, operation=operation, seed=seed, deterministic=deterministic, cache=cache,
                inputs=inputs, params=params, outputs=outputs, names=names, modality=modality,
            )  # fmt: skip

        return decorate if function is None else decorate(function)

    def close(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Abort the runs that are open and close the transport; a later run opens it again.

        Returns:
            Whether the transport says that every event was delivered.
        """
        self.open_runs.abort("lineage was closed while the run was open")
        return self._close_transport(timeout_seconds)

    def _close_transport(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        delivered = False
        with self.guard.protecting("closing the transport"):
            delivered = self._sender.close(timeout_seconds)
        return delivered

    def send(self, event: Mapping[str, Any]) -> None:
        """Hand an event to the transport."""
        self._sender.send(event)
        self.open_runs.end_at_exit()

    def objects(self) -> Path:
        """The folder for what did not fit into a facet: `.relineage/objects`."""
        return self.home() / "objects"

    def keep(self, content: "Content", data: object) -> str | None:
        """Put what was digested into the store; its URL, or null where that failed.

        Raises:
            Refused: It has no form there, or has changed meanwhile.
        """
        from .digests import Refused

        refusal = None
        with self.guard.protecting("storing data"):
            try:
                return self.contents().put(content, data)
            except Refused as refused:  # said at the caller's line, as of digests
                refusal = refused
        if refusal is not None:
            raise refusal
        return None

    def keep_if_possible(self, content: "Content", data: object) -> str | None:
        """The same for a replay, whose author never asked for it: what has no form there is not kept."""
        from .digests import Refused

        try:
            return self.keep(content, data)
        except Refused:
            return None

    def surroundings(self, caller: Path | None) -> "Surroundings":
        """What is captured without asking; `caller` is the file that opened the run."""
        return self._lookout.at(caller)

    @property
    def producer(self) -> str:
        """URI of this package and version, as every event and facet names it."""
        return f"urn:relineage:emitter:{self._version}"

    @cached_property
    def standard(self) -> StandardFacets:
        """The standard facets in our name."""
        return StandardFacets(self.producer)

    @cached_property
    def _version(self) -> str:
        from importlib.metadata import version

        return version("relineage")

    @cached_property
    def _store(self) -> "Store":
        from .store import open_store

        return open_store(self.settings.store_location or self.home() / "store", self._folder)

    @cached_property
    def _lookout(self) -> "Lookout":
        from .surroundings import Lookout

        return Lookout(self.environ, self.settings, self._version, self._folder, self.contents)

    def existing_home(self) -> Path | None:
        """The `.relineage` of this project, if it has one."""
        return existing_home(self._folder) if self._plan is None else self._plan.home

    def home(self) -> Path:
        """The `.relineage` of this project, made if there is none."""
        return find_home(self._folder) if self._plan is None else self._plan.home

    def contents(self) -> "Store":
        """The store of contents."""
        return self._store

    def __reduce__(self) -> tuple[Any, ...]:
        """Functions that hold one go to worker processes: there it is one of the same settings, one a process."""
        environ = None if self.environ is os.environ else tuple(sorted(self.environ.items()))
        chosen = self.settings
        said = (
            chosen.namespace,
            chosen.strict,
            chosen.digest,
            chosen.store,
            chosen.snapshot,
            environ,
            str(self._folder),
        )
        return (_same_again, (self._transport, said))

    def _make(
        self, job: str, seed: int | None, params: object, operation: str | None, deterministic: bool
    ) -> Run:
        if not isinstance(job, str) or not job:
            raise TypeError(f"a job's name must be a text with at least one character, not {job!r}")
        from .capture.code import caller_file

        caller = caller_file(sys._getframe())
        return Run(
            self,
            job,
            operation=operation,
            seed=seed,
            params=params,
            caller=caller,
            deterministic=deterministic,
        )


def _same_again(transport: EventTransport | None, said: tuple[Any, ...]) -> Lineage:
    return _one_a_process(said) if transport is None else _made(transport, said)


@lru_cache(maxsize=64)
def _one_a_process(said: tuple[Any, ...]) -> Lineage:
    return _made(None, said)


def _made(transport: EventTransport | None, said: tuple[Any, ...]) -> Lineage:
    namespace, strict, digest, store, snapshot, environ, folder = said
    made = Lineage(
        namespace,
        transport=transport,
        strict=strict,
        digest=digest,
        store=store,
        snapshot=snapshot,
        environ=None if environ is None else dict(environ),
    )
    made._folder = Path(folder)
    return made
