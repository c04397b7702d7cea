"""`relineage digest --compare`: files, and versions whose data is gone."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from relineage.consumer.cli.comparing import parsed_tolerance
from relineage.emitter import Lineage
from relineage.emitter.digests import content_of
from relineage.emitter.digests.closeness import Tolerance

Run = Callable[..., Any]
ROWS = 150_000


def frame(rows: int = ROWS, **changes: Any) -> pd.DataFrame:
    made = pd.DataFrame({"a": np.arange(rows), "b": np.arange(rows) / 7, "t": "x"})
    for name, (row, value) in changes.items():
        made.loc[row, name] = value
    return made


def record(*versions: object, name: str = "data") -> list[str]:
    """Each version is written by a run of its own; what to call it then."""
    lineage = Lineage(namespace="n", environ={}, digest="full")
    for data in versions:
        with lineage.run("make", seed=1) as run:
            run.output(data, name=name)
    assert lineage.close()
    return [f"{name}@{content_of(data).digests[0]}" for data in versions]


def test_two_recorded_tables_are_compared_without_their_data(folder: Path, relineage: Run) -> None:
    old, new = record(frame(), frame(b=(70_000, -1.0)))
    said = relineage("digest", "--compare", old, new)
    assert said.out.splitlines() == [
        "different: b3-table1",
        "column b: values differ in rows 65536 to 131071",
    ]
    assert said.code == 1
    said = relineage("digest", "--compare", old, old)
    assert (said.code, said.out) == (0, "same: b3-table1\n")


def test_changes_of_the_schema_are_named(folder: Path, relineage: Run) -> None:
    one = frame().assign(at=pd.Timestamp("2024", tz="UTC"))
    two = frame().assign(at=pd.Timestamp("2024", tz="UTC")).astype({"a": "int32"}).rename(columns={"t": "u"})
    two["at"] = two["at"].dt.tz_convert("Europe/Warsaw")
    said = relineage("digest", "--compare", *record(one, two))
    assert said.code == 1
    assert said.out.splitlines() == [
        "different: b3-table1",
        "column a: int64 in A, int32 in B",
        "column u: only in B, utf8",
        'column at: another label of its time zone: timestamp[us,"UTC"] in A, timestamp[us,"Europe/Warsaw"] in B',
        "column t: only in A, utf8",
    ]


def test_appended_rows_are_named_as_far_as_the_leaves_go(folder: Path, relineage: Run) -> None:
    whole, longer, odd = record(frame(131_072), frame(), frame(140_000))
    said = relineage("digest", "--compare", whole, longer)
    assert said.out.splitlines()[1:] == ["rows 131072 to 149999: appended"]
    said = relineage("digest", "--compare", odd, longer)
    assert said.out.splitlines()[1:] == [
        "rows 140000 to 149999: only in B",
        "rows 131072 to 139999: not comparable without the data, since their last leaf grew",
    ]


def test_with_both_files_nothing_is_unsure(folder: Path, relineage: Run) -> None:
    frame(140_000).to_parquet("a.parquet")
    frame().to_csv("b.csv", index=False)
    said = relineage("digest", "--compare", "a.parquet", "b.csv")
    assert said.out.splitlines() == ["different: b3-table1", "rows 140000 to 149999: appended"]
    frame(a=(139_999, 7)).to_parquet("c.parquet")
    said = relineage("digest", "--compare", "a.parquet", "c.parquet")
    assert said.out.splitlines()[1:] == [
        "column a: values differ in rows 131072 to 139999",
        "rows 140000 to 149999: only in B",
    ]


def test_a_file_is_compared_with_a_recorded_version(folder: Path, relineage: Run) -> None:
    (old,) = record(frame())
    frame(a=(0, 9)).to_parquet("now.parquet")
    said = relineage("digest", "--compare", old, "now.parquet", "--format", "json")
    assert said.code == 1
    assert said.json["columns"] == [
        {"name": "a", "what": "values", "a": None, "b": None, "rows": [{"first": 0, "last": 65_535}]}
    ]
    assert (said.json["same"], said.json["rows_a"], said.json["rows_b"]) == (False, ROWS, ROWS)
    frame().to_parquet("same.parquet")
    assert relineage("digest", "--compare", "same.parquet", old).code == 0


def test_leaves_that_did_not_fit_are_taken_from_the_object_beside_the_events(
    folder: Path, relineage: Run
) -> None:
    wide = pd.DataFrame({f"column {i}": np.full(70_000, i) for i in range(300)})
    other = wide.copy()
    other.iloc[66_000, 123] = -1
    old, new = record(wide, other)
    objects = list((folder / ".relineage" / "objects").iterdir())
    assert len(objects) == 2
    expected = "column column 123: values differ in rows 65536 to 69999"
    assert relineage("digest", "--compare", old, new).out.splitlines()[1:] == [expected]
    for file in objects:
        file.write_bytes(file.read_bytes().replace(b"column 1", b"column 2"))  # no longer what its name says
    said = relineage("digest", "--compare", old, new)
    assert said.code == 1
    assert said.out.splitlines()[0] == "different: b3-table1"
    assert "rows" not in said.out
    assert said.err.count("which is not beside this database") == 2


def test_tensors_of_recorded_models_are_named(folder: Path, relineage: Run) -> None:
    one = {"layer.w": np.ones((3, 2)), "layer.b": np.zeros(3), "old": np.ones(1)}
    two = {"layer.w": np.ones((3, 2)) + 1e-9, "layer.b": np.zeros(3, "f4"), "new": np.ones(2)}
    old, new = record(one, two, name="model")
    said = relineage("digest", "--compare", old, new)
    assert said.out.splitlines() == [
        "different: b3-tensors1",
        "tensor layer.b: float64[3] in A, float32[3] in B",
        "tensor layer.w: values differ",
        "tensor new: only in B, float64[2]",
        "tensor old: only in A, float64[1]",
    ]


@pytest.mark.parametrize(
    ("tolerance", "code", "verdict"),
    [("atol=1e-3", 0, "within tolerance"), ("rtol=1e-12,ulps=1", 1, "different"), ("atol=0", 1, "different")],
)
def test_files_are_compared_within_a_tolerance(
    folder: Path, relineage: Run, tolerance: str, code: int, verdict: str
) -> None:
    frame().to_parquet("a.parquet")
    frame(b=(7, 1.0009)).to_parquet("b.parquet")
    said = relineage("digest", "--compare", "a.parquet", "b.parquet", "--tolerance", tolerance)
    assert said.code == code
    assert f"values: {verdict}" in said.out
    assert f"  b: {verdict}: 1 of {ROWS} differ, the first at 7, max ulps" in said.out
    np.savez("a.npz", w=np.ones(3))
    np.savez("b.npz", w=np.array([1.0, 1.0009, 1.0]))
    said = relineage("digest", "--compare", "a.npz", "b.npz", "--tolerance", tolerance, "--format", "json")
    assert (said.code, said.json["verdict"]) == (code, verdict)
    assert said.json["values"][0]["first"] == 1


def sharded(folder: Path, state: dict[str, np.ndarray]) -> None:
    """A checkpoint of one shard a tensor, and its index."""
    folder.mkdir()
    for name, array in state.items():
        save_file({name: array}, folder / f"{name}.safetensors")
    index = {"weight_map": {name: f"{name}.safetensors" for name in state}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_checkpoints_in_shards_are_compared_within_a_tolerance(folder: Path, relineage: Run) -> None:
    state = {"w": np.ones((2, 2)), "b": np.zeros(2, "f4")}
    sharded(Path("a"), state)
    sharded(Path("b"), state | {"w": np.array([[1.0, 1.0], [1.0009, 1.0]])})
    save_file(state, "one.safetensors")
    for a, b in (("a", "b"), ("one.safetensors", "b/model.safetensors.index.json")):
        said = relineage("digest", "--compare", a, b, "--tolerance", "atol=1e-3")
        assert said.code == 0
        assert "  w: within tolerance: 1 of 4 differ, the first at 2, max ulps" in said.out
    said = relineage("digest", "--compare", "a", "one.safetensors", "--tolerance", "atol=1e-3")
    assert (said.code, said.out) == (0, "same: b3-tensors1\n")


def test_versions_that_the_store_has_are_compared_within_a_tolerance(folder: Path, relineage: Run) -> None:
    frame(9).to_csv("a.csv", index=False)
    lineage = Lineage(namespace="n", environ={}, store=True)
    with lineage.run("make", seed=1) as run:
        run.output(frame(9), name="old")
        run.output(frame(9, b=(7, 1.0009)), name="new")
        run.output(Path("a.csv"))
    assert lineage.close()
    path = Path("a.csv").absolute()
    path.unlink()
    said = relineage("digest", "--compare", "old", "new", "--tolerance", "atol=1e-3")
    assert said.code == 0
    assert "  b: within tolerance: 1 of 9 differ, the first at 7, max ulps" in said.out
    said = relineage("digest", "--compare", f"dataset:{path}", "new", "--tolerance", "atol=1e-4")
    assert said.code == 1
    assert "  b: different: 1 of 9 differ, the first at 7, max ulps" in said.out


def test_another_type_or_zone_is_within_no_tolerance(folder: Path, relineage: Run) -> None:
    times = pd.DataFrame({"at": pd.date_range("2024", periods=9, tz="UTC")})
    times.to_parquet("a.parquet")
    times.assign(at=times["at"].dt.tz_convert("Asia/Tokyo")).to_parquet("b.parquet")
    assert relineage("digest", "--compare", "a.parquet", "b.parquet", "--tolerance", "atol=9").code == 1


@pytest.fixture(scope="module")
def several(module_folder: Path) -> Path:
    """A project with two files, a table, a model, a job that wrote two things, and a thing without a digest."""
    with contextlib.chdir(module_folder):
        Path("a.csv").write_text("x\n1\n")
        Path("b.csv").write_text("x\n2\n")
        record(frame(3))
        record({"w": np.ones(3)}, name="model")
        lineage = Lineage(namespace="n", environ={})
        with lineage.run("several", seed=1) as run:
            run.output([1], name="one")
            run.output([2], name="two")
        with lineage.run("none", seed=1) as run:
            run.output(name="bare", version="3")
        assert lineage.close()
    return module_folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.csv"], "takes two"),
        (["a.csv", "b.csv", "a.csv"], "takes two"),
        (["a.csv", "nothing"], "nothing is known as nothing"),
        (["a.csv", "data", "--tolerance", "atol=1"], "a tolerance needs the data of both"),
        (["a.csv", "b.csv", "--tolerance", "1e-6"], "'1e-6' is none"),
        (["a.csv", "b.csv", "--tolerance", "ulps=1.5"], "'ulps=1.5' is none"),
        (["a.csv", "b.csv", "--tolerance", "atol=-1"], "'atol=-1' is none"),
        (["a.csv", "b.csv", "--tolerance", "atol=1,atol=2"], "'atol=2' is none"),
        (["data", "model"], "no digest of the same kind"),
        (["data", "job:n/several"], "holds several contents"),
        (["data", "bare"], "no digest of bare is recorded"),
    ],
)
def test_what_cannot_be_told_is_an_error(
    several: Path, relineage: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(several)
    said = relineage("digest", "--compare", *arguments)
    assert said.code == 2
    assert said.out == ""
    assert message in said.err


def test_a_mistyped_path_where_nothing_is_recorded_is_said_to_be_no_file(
    folder: Path, relineage: Run
) -> None:
    shutil.rmtree(".relineage")
    Path("a.csv").write_text("x\n1\n")
    said = relineage("digest", "--compare", "a.csv", "b.cvs")
    assert said.code == 2
    assert "there is no file b.cvs, and there is no .relineage in" in said.err


def test_options_of_the_comparison_are_refused_without_it(folder: Path, relineage: Run) -> None:
    for option in (["--tolerance", "atol=1"], ["--database", "x"]):
        assert relineage("digest", ".", *option).code == 2


def test_a_tolerance_is_read_part_by_part() -> None:
    assert parsed_tolerance("atol=1e-9, rtol=0.5,ulps=4") == Tolerance(absolute=1e-9, relative=0.5, ulps=4)


def test_digests_of_a_stranger_that_are_no_texts_are_passed_over(
    folder: Path, relineage: Run, tell: Callable[..., Any]
) -> None:
    digest = "b3-table1:" + "cc" * 32
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    for hour, name in enumerate(("one", "two")):
        facets = {"relineage_content": base | {"digests": [{}, digest], "kind": "table"}}
        tell(folder, f"make {name}", hour, outputs=[{"namespace": "n", "name": name, "facets": facets}])
    said = relineage("digest", "--compare", "dataset:n/one", "dataset:n/two")
    assert (said.code, said.out) == (0, "same: b3-table1\n")
