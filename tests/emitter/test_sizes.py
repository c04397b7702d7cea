"""How long a digest should take: checked against what it takes, and corrected by that."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from relineage.emitter.datasets import AUTO_SECONDS, describe
from relineage.emitter.sizes import CORRECTION, Pace, work_to_digest
from relineage.emitter.standard import StandardFacets

ROWS = 80_000
RANDOM = np.random.default_rng(1)


def seconds(data: object) -> float:
    return Pace().seconds(work_to_digest(data))


def numbers(rows: int = ROWS, columns: int = 20) -> pd.DataFrame:
    return pd.DataFrame(RANDOM.normal(size=(rows, columns)), columns=[f"c{i}" for i in range(columns)])


def texts(rows: int = ROWS) -> list[str]:
    return [f"text number {i}" for i in range(rows)]


def parquet(folder: Path) -> Path:
    numbers().to_parquet(folder / "n.parquet")
    return folder / "n.parquet"


def repetitive_parquet(folder: Path) -> Path:
    """Some kilobytes that hold 100 million bytes."""
    pq.write_table(pa.table({f"c{i}": np.zeros(2_500_000) for i in range(5)}), folder / "r.parquet")
    assert (folder / "r.parquet").stat().st_size < 100_000
    return folder / "r.parquet"


def csv(folder: Path) -> Path:
    numbers(15_000).to_csv(folder / "n.csv", index=False)
    return folder / "n.csv"


def file(folder: Path) -> Path:
    (folder / "f").write_bytes(RANDOM.bytes(60 << 20))
    return folder / "f"


def files(folder: Path) -> Path:
    (folder / "d").mkdir()
    for i in range(500):
        (folder / "d" / str(i)).write_bytes(b"x" * 1000)
    return folder / "d"


DATA: dict[str, Any] = {
    "doubles": lambda _: numbers(),
    "floats": lambda _: numbers().astype("float32"),
    "booleans": lambda _: numbers() > 0,
    "integers": lambda _: pd.DataFrame({f"c{i}": RANDOM.integers(0, 2**60, ROWS) for i in range(20)}),
    "Arrow": lambda _: pa.Table.from_pandas(numbers()),
    "polars": lambda _: pl.DataFrame(numbers()),
    "nullable": lambda _: pd.DataFrame({f"c{i}": pd.array(range(ROWS), dtype="Int64") for i in range(10)}),
    "texts": lambda _: pd.DataFrame({"a": texts(), "b": texts()}),
    "objects": lambda _: pd.DataFrame({"a": pd.Series(texts(), dtype=object)}),
    "a list of texts": lambda _: texts(),
    "an array": lambda _: RANDOM.normal(size=10_000_000),
    "a state": lambda _: {f"layer {i}": RANDOM.normal(size=50_000) for i in range(200)},
    "bytes": lambda _: RANDOM.bytes(60 << 20),
    "a text": lambda _: "ab" * (30 << 20),
    "JSON": lambda _: [{"a": i, "b": "x"} for i in range(50_000)],
    "nested JSON": lambda _: {str(i): {str(j): j for j in range(50)} for i in range(3000)},
    "an estimator": lambda _: RandomForestRegressor(20).fit(numbers(2000), RANDOM.normal(size=2000)),
    "Parquet": parquet,
    "repetitive Parquet": repetitive_parquet,
    "CSV": csv,
    "a file": file,
    "a folder": files,
}


@pytest.mark.parametrize("make", DATA.values(), ids=DATA)
def test_no_digest_takes_more_than_the_correction_times_what_was_expected(tmp_path: Path, make: Any):
    """In seconds of the processor, which a busy machine does not stretch; and a tenth for what is there but once."""
    data = make(tmp_path)
    expected = seconds(data)
    assert expected > 0
    how: dict[str, Any] = {
        "mode": "auto",
        "strict": True,
        "standard": StandardFacets("urn:x"),
        "producer": "urn:x",
    }
    describe(data, pace=Pace(), **how)  # imports

    began = time.process_time()
    described = describe(data, pace=Pace(), **how)

    assert described.digest is not None
    assert time.process_time() - began < CORRECTION * expected + 0.1


@pytest.mark.parametrize(
    ("few", "many"),
    [
        pytest.param(numbers(10), numbers(1000), id="rows"),
        pytest.param(numbers(10, 2), numbers(10, 20), id="columns"),
        pytest.param(["a"], ["a"] * 100, id="texts"),
        pytest.param({"a": np.zeros(9)}, {"a": np.zeros(9), "b": np.zeros(9999)}, id="tensors"),
        pytest.param([[1] * 10] * 10, [[1] * 1000] * 1000, id="lists of lists"),
        pytest.param({"a": {"b": [1]}}, {"a": {"b": [1] * 9999}}, id="deep inside"),
        pytest.param(b"a", b"a" * 10_000, id="bytes"),
    ],
)
def test_more_is_expected_to_take_longer(few: object, many: object):
    assert seconds(few) < seconds(many)


@pytest.mark.parametrize("shape", [(1, 1_000_000), (1000, 1000), (1_000_000, 1), (100, 100, 100)])
def test_nested_values_are_counted_about_right_however_they_nest(shape: tuple[int, ...]):
    """Only some of a million are looked at."""
    value: Any = 1.5
    for length in reversed(shape):
        value = [value] * length
    took = []
    for _ in range(5):  # a garbage collection may come in between
        began = time.process_time()
        told = seconds(value)
        took.append(time.process_time() - began)

    assert 0.5 < told / seconds([1.5] * 1_000_000) < 2.5
    assert min(took) < 0.1


def test_what_refers_to_itself_is_estimated_too():
    value: list[Any] = [1]
    value.append(value)

    assert 0 <= seconds(value) < 10


WORK = {"numbers": 1.0, "texts": 1.0}


def test_what_a_digest_took_corrects_what_is_expected_next():
    pace = Pace()
    for _ in range(20):
        pace.took(WORK, 5.0)

    assert pace.seconds(WORK) == pytest.approx(5.0, rel=0.01)
    for _ in range(20):
        pace.took(WORK, 1.0)
    assert pace.seconds(WORK) == pytest.approx(1.0, rel=0.01)


def test_only_the_kinds_of_work_that_were_done_are_corrected():
    pace = Pace()
    for _ in range(20):
        pace.took({"numbers": 1.0, "texts": 0.0}, 3.0)

    assert pace.seconds({"texts": 1.0}) == 1.0
    assert pace.seconds({"numbers": 1.0}) == pytest.approx(3.0, rel=0.01)


def test_one_measurement_counts_half_since_the_machine_may_have_been_busy():
    pace = Pace()
    pace.took({"numbers": 1.0}, 4.0)

    assert pace.seconds({"numbers": 1.0}) == pytest.approx(2.0)


def test_what_is_too_short_to_say_anything_teaches_nothing():
    pace = Pace()
    pace.took({"numbers": 0.001}, 1.0)

    assert pace.seconds(WORK) == 2.0


@given(st.lists(st.tuples(st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e9)), st.floats(0, 1e9))))
def test_no_history_moves_an_estimate_further_than_the_correction(
    history: list[tuple[dict[str, float], float]],
):
    pace = Pace()
    for work, took in history:
        pace.took(work, took)

    for kind in "abc":
        assert 1 / CORRECTION <= pace.seconds({kind: 1.0}) <= CORRECTION


def test_what_was_slow_once_is_tried_again():
    """A machine that swapped for a moment must not end digesting for good."""
    pace, work = Pace(), {"numbers": 1.0}
    pace.took(work, 8.0)
    assert pace.seconds(work) > AUTO_SECONDS
    refusals = 0
    while pace.seconds(work) > AUTO_SECONDS:
        pace.let_go(work)
        refusals += 1
    assert refusals <= 2


@pytest.mark.parametrize("dtype", ["object", "string[pyarrow]", "str"])
def test_long_texts_take_longer(dtype: str):
    long, short = (pd.DataFrame({"a": pd.Series(["x" * size] * 200, dtype=dtype)}) for size in (200_000, 2))
    assert seconds(long) > seconds(short) + 0.03


def test_a_folder_without_end_is_never_waited_for():
    pace = Pace()
    pace.took({"files": float("inf")}, 1.0)

    assert pace.seconds({"files": float("inf")}) > AUTO_SECONDS
    assert pace.seconds({"files": 1.0}) >= 1 / CORRECTION


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()])
def test_texts_in_views_have_a_size_too(kind: pa.DataType) -> None:
    column = pa.array(["a text that is longer than twelve bytes"] * 1000).cast(pa.binary()).cast(kind)
    for data in (column, pa.table({"a": column})):
        assert sum(work_to_digest(data).values()) > 0


def test_an_index_takes_as_long_as_its_shards(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}')
    for name in ("1.safetensors", "2.safetensors", "other.safetensors"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 30)
    shards = sum(seconds(tmp_path / name) for name in ("1.safetensors", "2.safetensors"))
    assert shards < seconds(index) < shards * 1.001
    index.write_text("{}")
    assert seconds(index) < 0.001


def squeezed_and_plain(folder: Path, form: str) -> tuple[Path, Path]:
    """The same zeros, compressed to some kilobytes and as they are."""
    squeezed, plain = folder / f"squeezed{form}", folder / f"plain{form}"
    if form == ".npz":
        np.savez_compressed(squeezed, z=np.zeros(3_000_000))
        np.savez(plain, z=np.zeros(3_000_000))
    else:
        frame = pd.DataFrame({f"c{i}": np.zeros(300_000) for i in range(10)})
        frame.to_feather(squeezed, compression="zstd")
        frame.to_feather(plain, compression="uncompressed")
    assert squeezed.stat().st_size < plain.stat().st_size / 50
    return squeezed, plain


@pytest.mark.parametrize("form", [".npz", ".feather", ".arrow", ".ipc"])
def test_a_small_file_that_holds_much_is_no_quick_one(tmp_path: Path, form: str) -> None:
    squeezed, plain = squeezed_and_plain(tmp_path, form)
    assert seconds(squeezed) > seconds(plain) / 3
    squeezed.write_bytes(b"no such file")
    assert seconds(squeezed) < 0.001


@pytest.mark.parametrize("form", [".csv", ".parquet", ".feather", ".npz", ".npy", ".safetensors.index.json"])
def test_the_name_of_a_format_may_be_in_capitals(tmp_path: Path, form: str) -> None:
    small, capital = tmp_path / f"a{form}", tmp_path / f"A{form.upper()}"
    for path in (small, capital):
        path.write_bytes(b"x" * 100_000)
    assert seconds(capital) == seconds(small)


def test_a_frame_of_numbers_is_estimated_as_its_columns_are():
    frame = pd.DataFrame({
        "a": RANDOM.normal(size=ROWS), "b": np.arange(ROWS, dtype="int8"), "c": pd.array(range(ROWS), dtype="Int64"),
        "d": pd.date_range("2026-01-01", periods=ROWS, freq="s"), "e": np.arange(ROWS) % 2 == 0,
    })  # fmt: skip
    columns = [work_to_digest(frame[name]) for name in frame]
    with_text = work_to_digest(frame.assign(t="x"))

    assert work_to_digest(frame)["numbers"] == pytest.approx(sum(one["numbers"] for one in columns))
    assert with_text["numbers"] == pytest.approx(work_to_digest(frame)["numbers"])
    assert with_text["texts"] + with_text["objects"] > 0
