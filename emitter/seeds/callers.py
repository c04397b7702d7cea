"""Who drew: the job, a library that computes for it, or machinery that needs a file name or a key.

Decides, by the frames of the call, whether a draw from an unseeded source can have reached the job's results. The
job's own code always counts. A library counts if the source is one that computations draw from (a generator of
numbers), and not if it is one of those that only ever need names and keys (the standard library's, those for
networks, processes, notebooks and tests). What lineage itself draws never counts.
"""

import os
from functools import lru_cache
from types import FrameType
from typing import Literal

_STANDARD = (
    os.path.dirname(os.__file__) + os.sep,  # noqa: PTH120
    os.path.realpath(os.path.dirname(os.__file__)) + os.sep,  # noqa: PTH120
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_OURS = "relineage."
_CALLS_THE_JOB = (
    "relineage.emitter.steps.wrapping."  # the one place from which lineage calls the job's functions
)

# Of the standard library: what only hands a call on to somebody else's function, or runs it.
_PASSING = frozenset({
    "dataclasses", "functools", "contextlib", "concurrent", "threading", "asyncio", "runpy", "timeit", "unittest",
})  # fmt: skip
# It draws numbers for those who call it.
_COMPUTING = frozenset({"statistics"})
# Installed packages that draw names, keys and delays, never data.
_MACHINERY = frozenset({
    "IPython", "ipykernel", "ipywidgets", "jupyter_client", "jupyter_core", "nbclient", "nbformat",
    "traitlets", "tornado", "zmq", "_pytest", "pytest", "xdist", "execnet", "hypothesis", "coverage",
    "pluggy", "joblib", "loky", "cloudpickle", "dill", "distributed", "ray", "pyspark", "py4j",
    "dask_jobqueue", "multiprocess", "billiard", "celery", "kafka", "confluent_kafka", "openlineage",
    "requests", "urllib3", "httpx", "httpcore", "h11", "h2", "aiohttp", "websockets", "grpc", "starlette",
    "uvicorn", "boto3", "botocore", "s3fs", "s3transfer", "gcsfs", "adlfs", "fsspec", "google", "azure",
    "msal", "oauthlib", "jwt", "cryptography", "paramiko", "sqlalchemy", "psycopg", "psycopg2", "pymongo",
    "redis", "duckdb", "pyarrow", "mlflow", "wandb", "comet_ml", "neptune", "clearml", "tensorboard",
    "tensorboardX", "aim", "opentelemetry", "sentry_sdk", "prometheus_client", "huggingface_hub", "filelock",
    "fasteners", "tqdm", "rich", "click", "pydantic", "attr", "attrs", "matplotlib", "plotly", "bokeh",
    "altair", "ipympl", "PIL", "torch_xla", "triton", "numba", "llvmlite", "cffi", "setuptools", "pip",
    "pkg_resources",
})  # fmt: skip
# Parts of packages that otherwise compute: what a copy needs before it gets its state, and what starts processes.
_MACHINERY_MODULES = (
    "numpy.random._pickle.", "numpy.testing.", "torch.multiprocessing.", "torch.distributed.", "torch._inductor.",
    "torch._dynamo.", "torch.utils.data._utils.", "torch.utils.tensorboard.", "sklearn.externals.", "pandas.io.",
)  # fmt: skip


def place_of_draw(frame: FrameType | None, source: tuple[str, ...], *, own_code_only: bool) -> str | None:
    """Where the job drew, such as `train.py:31`; null if it was not the job.

    Args:
        frame: Of the call.
        source: Modules that belong to the source itself, each with a dot behind it.
        own_code_only: Do not count libraries: they use this source for names.
    """
    while frame is not None and (module_of(frame) + ".").startswith(source):
        frame = frame.f_back
    library: str | None = None
    while frame is not None:
        kind, module = _kind(frame.f_code.co_filename), module_of(frame)
        if module.startswith(_OURS):
            if not (module + ".").startswith(_CALLS_THE_JOB):
                return None
        elif kind == "own":
            place = f"{_name(module, frame)}:{frame.f_lineno}"
            return f"{place}, through {library}" if library else place
        elif library is None and kind != "frozen":
            top = module.partition(".")[0]
            if kind == "installed" or top not in _PASSING:
                if own_code_only or not _computes(kind, top, module, frame):
                    return None
                library = module
        frame = frame.f_back
    return library or "a thread"


def module_of(frame: FrameType) -> str:
    """Name of the module whose code it runs; empty for code without one."""
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


def _computes(kind: str, top: str, module: str, frame: FrameType) -> bool:
    if kind == "standard":
        return top in _COMPUTING
    if top in _MACHINERY or (module + ".").startswith(_MACHINERY_MODULES):
        return False
    return not _is_being_imported(frame)


def _is_being_imported(frame: FrameType | None) -> bool:
    """Whether the library runs to be imported: its module, the body of a class, or a function that these call.
    A generator that is made there may never be used, which cannot be seen.
    """
    while frame is not None and _kind(frame.f_code.co_filename) != "own":
        if frame.f_code.co_name == "<module>" and module_of(frame) != "__main__":
            return True
        frame = frame.f_back
    return False


@lru_cache(maxsize=4096)
def _kind(file: str) -> Literal["own", "installed", "standard", "frozen"]:
    if file.startswith("<frozen "):
        return "frozen"
    if any(part in file for part in _INSTALLED):
        return "installed"
    return "standard" if file.startswith(_STANDARD) else "own"


def _name(module: str, frame: FrameType) -> str:
    if module in ("__main__", "__mp_main__"):  # the second in a worker process that was not forked
        file = frame.f_code.co_filename
        return module if file.startswith("<") or "ipykernel" in file else file.rpartition(os.sep)[2]
    return module or frame.f_code.co_filename
