"""Which functions are looked at while a run is open: `os.urandom` and what is built on it, generators made without
a seed, worker processes.

Decides to wrap what lies lowest, so that whoever imported a function by name before the run is seen too: `secrets`
and `random.SystemRandom` draw through one name in `random`, every generator of numpy without a seed through one
in `numpy.random.bit_generator`. What C code asks of the system by itself is not seen; docs/seeds.md lists it.
"""

import functools
import os
import random
import sys
import threading
import uuid
import weakref
from collections.abc import Callable
from typing import Any

from . import observing
from .observing import UNSEEN, Seen, Witness, draw, lacks_first, note, replace, tell, witnesses

_MOST_PENDING = 64

# Generators that were made without a seed and may yet get one: Python's, and the twisters behind numpy's old kind.
_UNSEEDED: "weakref.WeakKeyDictionary[random.Random, Seen]" = weakref.WeakKeyDictionary()
_PENDING: list[tuple[Any, Seen]] = []
# Worker processes, with the runs that know of them.
_STARTED: "weakref.WeakKeyDictionary[Any, weakref.WeakSet[Witness]]" = weakref.WeakKeyDictionary()
WORKERS = UNSEEN + "what worker processes draw (multiprocessing)"


def begin(witness: Witness) -> None:
    """Tell this run, too, from now on."""
    with observing.LOCK:
        if not observing.OPEN and not observing.replace_again():
            for wrap in _WRAPS.values():
                wrap()
        observing.OPEN.append(witness)


def end(witness: Witness) -> None:
    """Tell it no more; the last one takes the wrappers along."""
    with observing.LOCK:
        _judge(len(_PENDING))
        if witness in observing.OPEN:
            observing.OPEN.remove(witness)
        if not observing.OPEN:
            observing.put_all_back()
            _UNSEEDED.clear()


def arrived(module: str) -> None:
    """A library has been imported: look at it, too."""
    with observing.LOCK:
        if observing.OPEN and module in _WRAPS:
            _WRAPS[module]()


def _system() -> None:
    system = (sys.modules[name] for name in ("posix", "nt") if name in sys.modules)
    owners = (os, *system)
    for name in ("urandom", "getrandom"):
        note(owners, name, "os.urandom", ("uuid.",), own_code_only=True)


def _uuid() -> None:
    for name in ("_generate_time_safe", "_UuidCreate"):
        note((uuid,), name, "uuid.uuid1", ("uuid.",), own_code_only=True)


def _random() -> None:
    note((random,), "_urandom", "random.SystemRandom", ("random.", "secrets."))
    note((random,), "seed", "random.seed without a seed", ("random.",), lacks_first)
    seed, setstate = _seeding_and_setting(random.Random.seed, random.Random.setstate)
    replace(random.Random, "seed", seed)
    replace(random.Random, "setstate", setstate)


@functools.cache
def _seeding_and_setting(
    seed: Callable[..., None], setstate: Callable[..., None]
) -> tuple[Callable[..., None], Callable[..., None]]:
    @functools.wraps(seed)
    def seeding(self: random.Random, *args: Any, **kwargs: Any) -> None:
        if observing.OPEN:
            _settled(self)
            if lacks_first(args, kwargs):
                seen = draw("random.Random without a seed", sys._getframe(1), ("random.",))
                if seen is not None:
                    tell(seen)
                    _UNSEEDED[self] = seen
        seed(self, *args, **kwargs)

    @functools.wraps(setstate)
    def setting(self: random.Random, state: Any) -> None:
        if observing.OPEN:
            _settled(self)
        setstate(self, state)

    return seeding, setting


def _settled(generator: random.Random) -> None:
    """It gets a seed or a state, so what it was made with does not matter: a copy begins like that."""
    seen = _UNSEEDED.pop(generator, None) if _UNSEEDED else None
    if seen is not None:
        tell(seen, -1)


def _numpy() -> None:
    bits_module: Any = sys.modules.get("numpy.random.bit_generator")
    legacy: Any = sys.modules.get("numpy.random.mtrand")
    if hasattr(bits_module, "randbits") and hasattr(legacy, "_MT19937"):
        randbits, twister = _bits_and_twister(bits_module.randbits, legacy._MT19937)
        replace(bits_module, "randbits", randbits)
        replace(legacy, "_MT19937", twister)


@functools.cache
def _bits_and_twister(randbits: Callable[[int], int], twister: type) -> tuple[Callable[[int], int], type]:
    what, source = "a numpy generator without a seed", ("numpy.random.mtrand.", "numpy.random.bit_generator.")
    making = threading.local()

    # RandomState(7) makes a twister without a seed first and seeds it then: whether it was given one shows later.
    class Making(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            making.now = True
            try:
                made = twister(*args, **kwargs)
            finally:
                making.now = False
            if observing.OPEN and not args and not kwargs:
                seen = draw(what, sys._getframe(1), source)
                if seen is not None:
                    _PENDING.append((made, seen))
                    if len(_PENDING) > _MOST_PENDING:
                        _judge(_MOST_PENDING // 2)
            return made

        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, twister)

    class Twister(metaclass=Making):
        __doc__ = twister.__doc__

    @functools.wraps(randbits)
    def noting(k: int) -> int:
        if observing.OPEN and not getattr(making, "now", False):
            seen = draw(what, sys._getframe(1), source)
            if seen is not None:
                tell(seen)
        return randbits(k)

    return noting, Twister


def _judge(most: int) -> None:
    """Tell of the oldest twisters, unless they got a seed: then numpy has forgotten the one they began with."""
    with observing.LOCK:
        for _ in range(min(most, len(_PENDING))):
            made, seen = _PENDING.pop(0)
            if made.seed_seq is not None:
                tell(seen)


def _torch() -> None:
    torch: Any = sys.modules.get("torch")
    source = ("torch.random.", "torch.cuda.random.", "torch.xpu.random.", "torch.mps.")
    for name in ("random", "cuda", "xpu", "mps"):
        module = getattr(torch, name, None)
        owners = (torch if name == "random" else module, getattr(module, "random", module))
        for function in ("seed", "seed_all"):
            if hasattr(module, function) and owners[0] is not None:
                note(owners if name != "random" else (torch, module), function, "torch.seed", source)


def _tensorflow() -> None:
    tensorflow: Any = sys.modules.get("tensorflow")
    generator = getattr(getattr(tensorflow, "random", None), "Generator", None)
    name = "from_non_deterministic_state"
    method = vars(generator).get(name) if generator is not None else None
    if not isinstance(method, classmethod):
        return
    original = method.__func__

    @functools.wraps(original)
    def noting(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if observing.OPEN:
            what = "tensorflow.random.Generator without a seed"
            seen = draw(what, sys._getframe(1), ("tensorflow.", "keras."))
            if seen is not None:
                tell(seen)
        return original(cls, *args, **kwargs)

    replace(generator, name, classmethod(noting))


def _polars() -> None:
    polars: Any = sys.modules.get("polars")
    what = "polars sample or shuffle without a seed"
    for owner in (getattr(polars, name, None) for name in ("DataFrame", "Series", "Expr")):
        for name, unseeded in (("sample", _lacks_keyword), ("shuffle", _lacks_argument)):
            if owner is not None and name in vars(owner):
                note((owner,), name, what, ("polars.",), unseeded)


def _lacks_keyword(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return kwargs.get("seed") is None


def _lacks_argument(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return lacks_first(args[1:], kwargs)  # a method


def _processes() -> None:
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        replace(process.BaseProcess, "start", _starting(process.BaseProcess.start))


@functools.cache
def _starting(start: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(start)
    def starting(self: Any) -> None:
        if observing.OPEN and sys._getframe(1).f_globals.get("__name__") != "multiprocessing.managers":
            there = witnesses()
            tell((there, WORKERS))
            _STARTED[self] = weakref.WeakSet(there)
        start(self)

    return starting


def _pool(module: str, name: str, method: str, workers: str) -> None:
    """Pools that are older than the run; processes that are younger have been told when they started."""
    owner = getattr(sys.modules.get(module), name, None)
    if owner is not None and method in vars(owner):
        replace(owner, method, _submitting(vars(owner)[method], workers))


@functools.cache
def _submitting(submit: Callable[..., Any], workers: str) -> Callable[..., Any]:
    @functools.wraps(submit)
    def submitting(self: Any, *args: Any, **kwargs: Any) -> Any:
        if observing.OPEN:
            pool = getattr(self, workers, None) or ()
            there = witnesses()
            for process in list(pool.values() if isinstance(pool, dict) else pool):
                if hasattr(process, "sentinel"):  # else a thread that passes for one
                    known = _STARTED.setdefault(process, weakref.WeakSet())
                    tell(([one for one in there if one not in known], WORKERS))
                    known.update(there)
        return submit(self, *args, **kwargs)

    return submitting


# By the library that has to be there; one that the job imports later is looked at from then on.
_WRAPS: dict[str, Callable[[], None]] = {
    "os": _system,
    "uuid": _uuid,
    "random": _random,
    "numpy": _numpy,
    "torch": _torch,
    "tensorflow": _tensorflow,
    "polars": _polars,
    "multiprocessing.process": _processes,
    **{
        module: functools.partial(_pool, module, name, method, workers)
        for module, name, method, workers in (
            ("multiprocessing.pool", "Pool", "_check_running", "_pool"),
            ("concurrent.futures.process", "ProcessPoolExecutor", "submit", "_processes"),
            ("joblib.externals.loky.process_executor", "ProcessPoolExecutor", "submit", "_processes"),
        )
    },
}
WATCHED = tuple(_WRAPS)
