"""Files are loaded as what was digested."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.loading import load

TABLE = pa.table({"n": [1, 2, None], "x": [0.5, None, 1e300], "t": ["a", "", None], "b": [True, False, True]})
STATE = {"w": np.arange(6, dtype="f4").reshape(2, 3), "n": np.array([1, 2])}


def written(folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(TABLE, path)
    elif name.endswith(".feather"):
        pyarrow.feather.write_feather(TABLE, path)
    elif name.endswith(".arrows"):
        with pa.ipc.new_stream(path, TABLE.schema) as stream:
            stream.write_table(TABLE)
    elif name.endswith(".csv"):
        pyarrow.csv.write_csv(TABLE, path)
    elif name.endswith(".npz"):
        np.savez(path, **STATE)
    elif name.endswith(".npy"):
        np.save(path, STATE["w"])
    else:
        path.write_text("text")
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.arrows", "t.csv"])
def test_a_table_comes_back(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    found = load(path, content_of(path))
    assert content_of(found).digests[0] == content_of(path).digests[0]
    assert found.num_rows == 3


def test_arrays_come_back(tmp_path: Path) -> None:
    for name, expected in (("s.npz", STATE), ("w.npy", {"": STATE["w"]})):
        path = written(tmp_path, name)
        found = load(path, content_of(path))
        assert found.keys() == expected.keys()
        for key, array in expected.items():
            assert found[key].dtype == array.dtype
            assert np.array_equal(found[key], array)


def test_safetensors_come_back(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "m.safetensors"
    safetensors.save_file(STATE, path)
    found = load(path, content_of(path))
    assert np.array_equal(found["w"], STATE["w"])
    assert found["w"].shape == (2, 3)


def test_a_file_that_changed_since_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "t.parquet")
    before = content_of(path)
    pq.write_table(TABLE.slice(1), path)
    with pytest.raises(Refused, match="changed since"):
        load(path, before)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "t.txt")
    with pytest.raises(Refused, match="no format"):
        load(path, content_of(path))
