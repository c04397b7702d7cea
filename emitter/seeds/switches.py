"""Switches that decide whether the same seed gives the same bits: read for the record, and set where a run asks
for it.

Decides which switches are told, and what `deterministic=True` means: torch's deterministic algorithms and cuDNN's,
no trial runs of cuDNN, no TF32, a workspace for cuBLAS, TensorFlow's deterministic operations. They belong to the
process: the first run that asks sets them and the last one puts back what was there. What has to be set before a
process or a device starts cannot be made up for, and the record says so.
"""

import operator
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..capture.environment import SWITCHES, variables_set

# By library; what a version lacks, or refuses to tell, is left out.
_READ = {
    "torch": (
        "are_deterministic_algorithms_enabled", "is_deterministic_algorithms_warn_only_enabled",
        "backends.cudnn.deterministic", "backends.cudnn.benchmark", "backends.cudnn.allow_tf32",
        "backends.cuda.matmul.allow_tf32", "backends.cuda.matmul.fp32_precision", "get_float32_matmul_precision",
        "get_num_threads", "get_num_interop_threads",
    ),
    "jax": ("config.jax_enable_x64", "config.jax_default_prng_impl", "config.jax_threefry_partitionable"),
}  # fmt: skip
_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_CUBLAS_VALUE = ":4096:8"


def read(environ: Mapping[str, str]) -> dict[str, str]:
    """The switches as they are now.

    Args:
        environ: Environment variables.
    """
    found = variables_set(environ, SWITCHES)
    if sys.flags.hash_randomization:
        found.setdefault("PYTHONHASHSEED", "random")  # the order of sets of texts
    if hasattr(os, "sched_getaffinity"):
        found["processors"] = str(
            len(os.sched_getaffinity(0))
        )  # what thread counts follow without a variable
    for library, paths in _READ.items():
        module = sys.modules.get(library)
        for path in paths if module is not None else ():
            value = _value(module, path)
            if value is not None:
                found[f"{library}.{path}"] = str(value)
    enabled = _value(sys.modules.get("tensorflow.python.framework.config"), "is_op_determinism_enabled")
    if enabled is not None:
        found["tensorflow.is_op_determinism_enabled"] = str(enabled)
    if (late := _LATE.get(_CUBLAS)) is not None and _CUBLAS in os.environ:
        found[_CUBLAS] = f"{os.environ[_CUBLAS]} ({late})"
    elif _HOLDERS and _CUBLAS in os.environ:
        found[_CUBLAS] = os.environ[_CUBLAS]
    return found


def make_deterministic(holder: object) -> None:
    """Set every switch that can be set, until this holder and all others have let go."""
    with _LOCK:
        _HOLDERS.append(holder)
        if len(_HOLDERS) == 1 and _CUBLAS not in os.environ:
            os.environ[_CUBLAS] = _CUBLAS_VALUE
            _UNDO.append(lambda: os.environ.pop(_CUBLAS, None))
            if _value(sys.modules.get("torch"), "cuda.is_initialized"):
                _LATE[_CUBLAS] = "set after CUDA had started: too late for what cuBLAS holds already"
        for library, switch_on in _SWITCH_ON.items():
            arrived(library, switch_on)


def arrived(library: str, switch_on: "Callable[[Any], None] | None" = None) -> None:
    """Set the switches of a library that is there; once, as long as somebody holds them."""
    with _LOCK:
        switch_on = switch_on or _SWITCH_ON.get(library)
        module = sys.modules.get(library)
        if _HOLDERS and switch_on is not None and module is not None and library not in _SET:
            _SET.add(library)
            switch_on(module)


def let_go(holder: object) -> None:
    """Put everything back, if nobody else holds it; again: nothing happens."""
    with _LOCK:
        if not any(one is holder for one in _HOLDERS):
            return
        _HOLDERS[:] = [one for one in _HOLDERS if one is not holder]
        if not _HOLDERS:
            _LATE.clear()
            _SET.clear()
            errors = []
            while _UNDO:
                try:
                    _UNDO.pop()()
                except Exception as error:  # one that cannot be put back must not keep the others
                    errors.append(error)
            if errors:
                raise errors[0]


def _torch(torch: Any) -> None:
    enabled, only_warn = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True)
    _UNDO.append(lambda: torch.use_deterministic_algorithms(enabled, warn_only=only_warn))
    _set(torch.backends.cudnn, "deterministic", True)
    _set(torch.backends.cudnn, "benchmark", False)
    for part, newer in ((torch.backends.cudnn, "conv"), (torch.backends.cuda.matmul, None)):
        try:
            part.allow_tf32  # noqa: B018  # raises where the job has used the newer way to say it
        except RuntimeError:
            _set(getattr(part, newer) if newer else part, "fp32_precision", "ieee")
        else:
            _set(part, "allow_tf32", False)


def _tensorflow(tensorflow: Any) -> None:
    config = sys.modules["tensorflow.python.framework.config"]
    if not config.is_op_determinism_enabled():
        config.enable_op_determinism()
        _UNDO.append(config.disable_op_determinism)


def _set(owner: Any, name: str, value: object) -> None:
    before = getattr(owner, name)
    if before != value:
        setattr(owner, name, value)
        _UNDO.append(lambda: setattr(owner, name, before))


def _value(module: Any, path: str) -> Any:
    if module is None:
        return None
    try:
        found = operator.attrgetter(path)(module)
        return found() if callable(found) else found
    except Exception:  # another version, or one that does not like to be asked
        return None


_SWITCH_ON: dict[str, Callable[[Any], None]] = {"torch": _torch, "tensorflow": _tensorflow}

# The switches are the process's own, so which runs hold them is the process's too.
_LOCK = threading.RLock()
_HOLDERS: list[object] = []
_SET: set[str] = set()
_UNDO: list[Callable[[], object]] = []
_LATE: dict[str, str] = {}


def after_fork() -> None:
    """In a forked child: another thread of the parent may have held the lock."""
    global _LOCK
    _LOCK = threading.RLock()
