"""Digests of tables, files and models, ours beside the others', each with what it sees; statistics of columns.

The others are the real libraries (`pip install relineage[bench]`); one that is not installed is left out and named.
Each line digests the same data in this process: the best of several times, CPU of all threads, and by how
much the process's memory grew beyond what it held before. Files lie in the page cache, unless memory is short.
"""

import gc
import hashlib
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import blake3
import joblib
import numpy as np
import pandas as pd
import pyarrow as pa

from relineage.emitter.digests import content_of
from relineage.emitter.digests.tables import table_digest, to_arrow
from relineage.emitter.statistics import feature_statistics

TITLE = "the same data by each way: time, CPU, memory, and whether it sees what it should"
COLUMNS = ("wall", "CPU", "GB/s", "memory", "right?")
NEEDS_KAFKA = False
ROWS, COLUMNS_OF_DOUBLES, CHANGED_ROW = 1_000_000, 20, 500_000
FILES, FILE_BYTES, LARGE_FILE_BYTES, STATE_BYTES = 1000, 200_000, 2_000_000_000, 500_000_000
SMALLER = 20  # with --small
PIECE_BYTES = 1 << 20

Row = tuple[str, ...]
Digest = Callable[[Any], object]
Checks = Mapping[str, Callable[[Digest], bool]]


@dataclass
class Measured:
    """Seconds, CPU seconds, and by how many bytes memory grew at most."""

    wall: float
    cpu: float
    memory: int | None


def measured(work: Callable[[], object]) -> Measured:
    """The best of at least three times, of fewer where they are long, of twenty where they are short."""
    gc.collect()
    before = grown()
    best = Measured(float("inf"), float("inf"), None)
    memory = None
    began = time.perf_counter()
    for turn in range(20):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        best = Measured(min(best.wall, wall), min(best.cpu, cpu), None)
        if turn == 0:
            peak = grown(again=False)
            memory = None if before is None or peak is None else max(0, peak - before)
        if time.perf_counter() - began > (1 if turn >= 2 else 5):
            break
    return Measured(best.wall, best.cpu, memory)


def grown(*, again: bool = True) -> int | None:
    """The greatest memory the process has had since it was last asked; None where the system does not tell."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not status.exists() or not clear.exists():
        return None
    if again:
        clear.write_text("5")  # the peak is what it holds now
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def rows(size: int, tools: Mapping[str, Digest], data: Any, checks: Checks) -> Iterator[Row]:
    """A row for each tool; `size` is in bytes."""
    for name, digest in tools.items():
        found = measured(lambda digest=digest: digest(data))
        yield (name, *figures(found, size), "; ".join(verdicts(digest, checks)) or "–")


def figures(found: Measured, size: int) -> tuple[str, str, str, str]:
    """As they are shown."""
    memory = "" if found.memory is None else f"+ {found.memory / 1e6:,.0f} MB"
    return f"{found.wall:.3f} s", f"{found.cpu:.3f} s", f"{size / found.wall / 1e9:.2f}", memory


def verdicts(digest: Digest, checks: Checks) -> Iterator[str]:
    """What was found out, not what is said of it."""
    for what, holds in checks.items():
        try:
            yield f"{what}: {'yes' if holds(digest) else '**no**'}"
        except (TypeError, ValueError, AttributeError) as error:
            yield f"{what}: refused ({type(error).__name__})"


# --- what is measured -------------------------------------------------------------------------------------


def ours(data: Any) -> str:
    """All our digests of it."""
    return " ".join(content_of(data).digests)


def sha256(data: bytes) -> str:
    """Of bytes."""
    return hashlib.sha256(data).hexdigest()


def pickled(data: Any) -> str:
    """The usual way: pickle + sha256."""
    return sha256(pickle.dumps(data, protocol=pickle.HIGHEST_PROTOCOL))


def hashed_by_pandas(frame: pd.DataFrame) -> str:
    """The usual better way; pandas hashes each row to 64 bits."""
    return sha256(pd.util.hash_pandas_object(frame).to_numpy().tobytes())


def blake3_of_columns(frame: pd.DataFrame, threads: int) -> str:
    """As fast as it gets: the bytes of the columns, one after another, and nothing else."""
    state = blake3.blake3(max_threads=threads)
    for name in frame.columns:
        state.update(frame[name].to_numpy(copy=False).view(np.uint8))
    return state.hexdigest()


def blake3_of_arrays(arrays: Mapping[str, np.ndarray], threads: int) -> str:
    """The bytes of the arrays."""
    state = blake3.blake3(max_threads=threads)
    for array in arrays.values():
        state.update(array.reshape(-1).view(np.uint8))
    return state.hexdigest()


def blake3_of_file(path: Path, threads: int) -> str:
    """Mapped into memory, by BLAKE3's own function."""
    state = blake3.blake3(max_threads=threads)
    state.update_mmap(path)
    return state.hexdigest()


def of_files(digest: Callable[[Path], object]) -> Digest:
    """The same for a folder: each file with its name, in the order of their names."""

    def all_of(path: Path) -> object:
        if path.is_dir():
            return [(one.name, digest(one)) for one in sorted(path.iterdir())]
        return digest(path)

    return all_of


def only_read(path: Path) -> None:
    """What it costs to read the file and do nothing."""
    buffer = memoryview(bytearray(PIECE_BYTES))
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def installed(name: str) -> bool:
    """Whether a library of the extra `bench` is there."""
    return find_spec(name) is not None


def table_tools() -> dict[str, Digest]:
    """For frames."""
    tools: dict[str, Digest] = {
        "**relineage**": ours,
        "pickle + sha256": pickled,
        "hash_pandas_object + sha256": hashed_by_pandas,
        "joblib.hash": joblib.hash,
    }
    if installed("mlflow"):
        from mlflow.data.digest_utils import compute_pandas_digest

        tools["MLflow's dataset digest"] = compute_pandas_digest
    return tools


def statistics_tools(table: pa.Table) -> dict[str, Digest]:
    """All that `relineage_featureStats` says of each column, beside the usual eight figures."""
    return {
        "**relineage**": lambda _: feature_statistics(table),
        "DataFrame.describe()": lambda frame: frame.describe(),
    }


def file_tools(cores: int) -> dict[str, Digest]:
    """For files and folders."""
    tools: dict[str, Digest] = {"**relineage**": ours}
    if installed("dvc_data"):
        from dvc_data.hashfile.hash import file_md5

        tools["DVC's file_md5"] = of_files(lambda path: file_md5(str(path)))
    if installed("model_signing"):
        from model_signing import hashing

        def manifest(path: Path) -> list[tuple[str, str]]:
            config = hashing.Config()
            found = config.hash(path) if path.is_dir() else config.hash(path.parent, files_to_hash=[path])
            return sorted((one.identifier, one.digest.digest_hex) for one in found.resource_descriptors())

        tools["model_signing, its manifest (sha256)"] = manifest
    tools["BLAKE3 of the mapped file, one thread"] = of_files(lambda path: blake3_of_file(path, 1))
    tools[f"BLAKE3 of the mapped file, {cores} threads"] = of_files(lambda path: blake3_of_file(path, cores))
    return tools


# --- the data, and what should be seen in it ------------------------------------------------------------------


def frame_of(count: int) -> pd.DataFrame:
    """`count` rows of 20 columns of doubles."""
    values = np.random.default_rng(7).normal(size=(COLUMNS_OF_DOUBLES, count))
    return pd.DataFrame({f"x{number:02}": column for number, column in enumerate(values)}, copy=False)


def with_text(frame: pd.DataFrame) -> pd.DataFrame:
    """And a column of text."""
    return frame.assign(customer=[f"customer {number * 7919 % 50_000}" for number in range(len(frame))])


def table_checks(frame: pd.DataFrame) -> Checks:
    """What each way is asked, with copies of the same frame."""
    row = len(frame) // 2

    def changed() -> pd.DataFrame:
        other = frame.copy()
        other.iloc[row, 3] += 1e-9
        return other

    def rebuilt() -> pd.DataFrame:
        """Equal, with columns that were added one by one."""
        other = pd.DataFrame({"x00": frame["x00"].to_numpy().copy()})
        for name in frame.columns[1:]:
            other[name] = frame[name].array.copy()
        other.attrs["source"] = "elsewhere"
        assert other.equals(frame)
        return other

    def number(value: float | None) -> pd.DataFrame:
        values = pa.array([1.0, value], pa.float64(), from_pandas=False)
        return pd.DataFrame({"x": pd.Series(values, dtype=pd.ArrowDtype(pa.float64()))})

    head = frame.iloc[:1000]
    return {
        f"sees row {row:,} change": lambda digest: digest(changed()) != digest(frame),
        "equal frames, one digest": lambda digest: digest(rebuilt()) == digest(frame),
        "sees the index": lambda digest: digest(head.set_axis(range(1, 1001))) != digest(head),
        "sees a column renamed": lambda digest: digest(head.rename(columns={"x01": "y"})) != digest(head),
        "null is not NaN": lambda digest: digest(number(None)) != digest(number(float("nan"))),
    }


def write_folder(folder: Path, small: bool) -> tuple[Path, Path]:
    """A folder of many files and one large file."""
    piece = np.random.default_rng(5).bytes(8 * PIECE_BYTES)
    many = folder / "many"
    many.mkdir()
    for number in range(FILES // (SMALLER if small else 1)):
        (many / f"part-{number:04}").write_bytes(number.to_bytes(8, "little") + piece[: FILE_BYTES - 8])
    large = folder / "large" / "file.bin"
    large.parent.mkdir()
    left = LARGE_FILE_BYTES // (SMALLER if small else 1)
    with large.open("wb") as file:
        while left > 0:
            left -= file.write(left.to_bytes(8, "little") + piece[: left - 8] if left > 8 else b"x" * left)
    return many, large


def file_checks(path: Path) -> Checks:
    """What is asked of each way; the files are as they were afterwards."""
    target = path / "part-0001" if path.is_dir() else path

    def changes(digest: Digest) -> bool:
        before = digest(path)
        place = target.stat().st_size // 2
        with target.open("r+b") as file:
            file.seek(place)
            was = file.read(1)
            file.seek(place)
            file.write(bytes([was[0] ^ 1]))
        seen = digest(path) != before
        with target.open("r+b") as file:
            file.seek(place)
            file.write(was)
        return seen and digest(path) == before

    def renames(digest: Digest) -> bool:
        before = digest(path)
        moved = target.rename(target.with_name(target.name + "x"))
        seen = digest(path) != before
        moved.rename(target)
        return seen

    asked = {"sees one bit": changes}
    return asked | {"sees a rename": renames} if path.is_dir() else asked


def state_of(small: bool) -> dict[str, np.ndarray]:
    """Named arrays, as a model's state."""
    shape = (1024, 4096)
    count = STATE_BYTES // (shape[0] * shape[1] * 4) // (SMALLER // 4 if small else 1)
    generator = np.random.default_rng(3)
    return {
        f"layers.{number}.weight": generator.standard_normal(shape, dtype=np.float32)
        for number in range(count)
    }


def state_checks(state: dict[str, np.ndarray]) -> Checks:
    """What each way is asked."""
    last = list(state)[-1]

    def changed() -> dict[str, np.ndarray]:
        weights = state[last].copy()
        weights[7, 7] += 1e-3
        return state | {last: weights}

    turned = {"a": np.arange(6.0).reshape(2, 3)}, {"a": np.arange(6.0).reshape(3, 2)}
    names = {"a": np.zeros(2), "b": np.ones(2)}, {"a": np.ones(2), "b": np.zeros(2)}
    return {
        "sees one value": lambda digest: digest(changed()) != digest(state),
        "whatever the order of filling": lambda digest: (
            digest(dict(reversed(state.items()))) == digest(state)
        ),
        "(2, 3) is not (3, 2)": lambda digest: digest(turned[0]) != digest(turned[1]),
        "sees names exchanged": lambda digest: digest(names[0]) != digest(names[1]),
    }


def measure(kafka: str, *, small: bool = False) -> Iterator[Row]:
    """Tables, statistics, files, a model's state."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in ("mlflow", "dvc_data", "model_signing"):
        if not installed(name):
            yield (f"{name} is not installed (`pip install relineage[bench]`): left out",)

    doubles = frame_of(ROWS // (SMALLER if small else 1))
    size = doubles.size * 8
    yield (f"**{len(doubles):,} × {COLUMNS_OF_DOUBLES} doubles**", "", "", "", f"{size / 1e6:,.0f} MB", "")
    raw: dict[str, Digest] = {
        "**relineage**": ours,
        "**relineage, one thread**": lambda frame: table_digest(frame, threads=1),
        "BLAKE3 of the columns, one thread": lambda frame: blake3_of_columns(frame, 1),
        f"BLAKE3 of the columns, {cores} threads": lambda frame: blake3_of_columns(frame, cores),
    }
    yield from rows(size, raw, doubles, {})

    yield ("**statistics of the same**", "", "", "", "", "")
    yield from rows(size, statistics_tools(to_arrow(doubles)), doubles, {})

    frame = with_text(doubles)
    size += int(frame["customer"].str.len().sum())
    yield ("**the same and a column of text**", "", "", "", f"{size / 1e6:,.0f} MB", "")
    yield from rows(size, table_tools(), frame, table_checks(frame))
    del frame, doubles

    with tempfile.TemporaryDirectory() as folder:
        for path in write_folder(Path(folder), small):
            files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
            size = sum(one.stat().st_size for one in files)
            what = f"**{len(files):,} files**" if path.is_dir() else "**one file**"
            yield (what, "", "", "", f"{size / 1e6:,.0f} MB", "")
            yield from rows(size, file_tools(cores), path, file_checks(path))
            yield from rows(size, {"reading alone": of_files(only_read)}, path, {})

    state = state_of(small)
    size = sum(array.nbytes for array in state.values())
    yield (f"**a state of {len(state)} arrays**", "", "", "", f"{size / 1e6:,.0f} MB", "")
    tools: dict[str, Digest] = {
        "**relineage**": ours,
        "pickle + sha256": pickled,
        "joblib.hash": joblib.hash,
        "BLAKE3 of the arrays, one thread": lambda arrays: blake3_of_arrays(arrays, 1),
        f"BLAKE3 of the arrays, {cores} threads": lambda arrays: blake3_of_arrays(arrays, cores),
    }
    yield from rows(size, tools, state, state_checks(state))
