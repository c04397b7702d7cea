"""What is said of data of each kind, and what is said where nothing can be."""

import base64
import datetime
import json
import logging
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
import pytest
from emitted import events_in
from sklearn.linear_model import LinearRegression

from relineage.emitter import Lineage, RelineageWarning
from relineage.emitter.digests import Refused, content_of
from relineage.emitter.sizes import Pace, work_to_digest


def seconds_to_digest(data):
    return Pace().seconds(work_to_digest(data))


@pytest.fixture
def output(folder):
    """Record one output and return it as the last event has it."""

    def record(data, *, strict=False, mode="auto", **arguments):
        lineage = Lineage(namespace="n", strict=strict, digest=mode)
        with lineage.run("job") as run:
            assert run.output(data, **arguments) is data
        assert lineage.errors == 0
        return events_in(folder)[-1]["outputs"][0]

    return record


def content(entry):
    return entry["facets"]["relineage_content"]


def test_a_lazy_frame_is_recorded_without_a_question_to_it(output, recwarn):
    """Polars warns that its schema may be expensive to get, and raises here, where the file is not there."""
    entry = output(pl.scan_csv("gone.csv"), name="x")

    assert content(entry)["absent"].startswith("value: polars.lazyframe.frame.LazyFrame has no digest")
    assert [warning.category for warning in recwarn] == [RelineageWarning]


def test_a_table_has_its_columns_its_figures_and_its_digest(output):
    table = pa.table({"x": [1.5, None, math.nan, 4.5] * 10, "label": ["a", "b", "b", None] * 10})
    entry = output(table, name="t")

    assert content(entry)["digests"] == list(content_of(table).digests)
    assert entry["facets"]["version"]["datasetVersion"] == content(entry)["digests"][0]
    fields = entry["facets"]["schema"]["fields"]
    assert [(one["name"], one["type"]) for one in fields] == [("x", "float64"), ("label", "utf8")]
    assert [one["ordinal_position"] for one in fields] == [1, 2]
    metrics = entry["facets"]["dataQualityMetrics"]
    assert metrics["rowCount"] == 40
    assert metrics["columnMetrics"] == {
        "x": {"nullCount": 10, "count": 30, "distinctCount": 2, "min": 1.5, "max": 4.5},
        "label": {"nullCount": 10, "count": 30, "distinctCount": 2},
    }
    (x, label) = entry["facets"]["relineage_featureStats"]["features"]
    assert (x["nans"], x["mean"], label["distinct"]) == (10, 3.0, 2)
    assert x["histogram"]["counts"] == [10, 0, 10]
    assert x["histogram"]["edges"] == [1.5, 1.5 + 2**-13, 4.5, 4.5 + 2**-11]
    assert label["top"] == [{"value": "b", "count": 20}, {"value": "a", "count": 10}]
    assert entry["facets"]["datasetType"]["datasetType"] == "TABLE"
    assert entry["outputFacets"]["outputStatistics"]["rowCount"] == 40
    assert content(entry)["distinctive"] is True


def test_the_standard_metrics_have_numbers_only_and_ours_have_every_end(output):
    days = [datetime.date(2024, 1, day) for day in range(1, 21)]
    prices = [Decimal(cents) / 100 for cents in range(100, 120)]
    entry = output(pa.table({"day": days, "price": prices}), name="t")

    metrics = entry["facets"]["dataQualityMetrics"]["columnMetrics"]
    assert metrics["price"] == {"nullCount": 0, "count": 20, "distinctCount": 20, "min": 1.0, "max": 1.19}
    assert metrics["day"] == {"nullCount": 0, "count": 20, "distinctCount": 20}
    (day, price) = entry["facets"]["relineage_featureStats"]["features"]
    assert (day["min"], day["max"]) == ("2024-01-01", "2024-01-20")
    assert (price["min"], price["max"]) == ("1.00", "1.19")


def test_nothing_of_a_column_that_is_named_like_a_secret_leaves_but_counts(output, folder):
    secrets = {
        "password": [918273] * 20 + [645342] * 20,
        "api_token": ["hunter2"] * 40,
        "client_secret": [Decimal("7753.19")] * 40,
        "private_key": [datetime.date(1987, 6, 5)] * 40,
        "passwords": [4821.5] * 39 + [math.nan],
    }
    entry = output(pa.table(secrets | {"salary": [1000] * 40}), name="t")

    *hidden, salary = entry["facets"]["relineage_featureStats"]["features"]
    assert [one["distinct"] for one in hidden] == [2, 1, 1, 1, 1]
    counts = {"name", "type", "rows", "nulls", "nans", "infinities", "distinct"}
    assert [(set(one), one["top"]) for one in hidden] == [(counts | {"top"}, [])] * len(secrets)
    assert (salary["max"], salary["top"]) == (1000, [{"value": 1000, "count": 40}])
    metrics = entry["facets"]["dataQualityMetrics"]["columnMetrics"]
    assert metrics["password"] == {"nullCount": 0, "count": 40, "distinctCount": 2}
    left = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert b"api_token" in left
    # Long enough to stand in no id and digest by chance.
    for told in (b"918273", b"645342", b"hunter2", b"7753.19", b"1987-06", b"4821.5"):
        assert told not in left


BAD_UTF8 = pa.Array.from_buffers(
    pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], np.int32).tobytes()), pa.py_buffer(b"\xff\xfe")]
)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array([Decimal("1.5")], pa.decimal32(5, 1)), id="decimal32"),
        pytest.param(pa.array([Decimal("1.5")], pa.decimal64(12, 1)), id="decimal64"),
        pytest.param(pa.array([1], pa.date64()), id="not midnight"),
        pytest.param(BAD_UTF8, id="not UTF-8"),
        pytest.param(pa.array([2**63 - 1], pa.timestamp("us")), id="out of range"),
    ],
)
def test_what_can_be_digested_has_its_digest_and_its_statistics(output, values, caplog):
    table = pa.table({"ok": [1], "c": values})
    entry = output(table, name="t")

    assert content(entry)["digests"] == list(content_of(table).digests)
    assert [one["distinct"] for one in entry["facets"]["relineage_featureStats"]["features"]] == [1, 1]
    assert not caplog.records


def test_an_error_in_the_statistics_of_a_column_costs_its_figures_only(folder, monkeypatch, caplog):
    def no_kernel(column):
        raise pa.ArrowNotImplementedError(f"no kernel for {column.type}")

    monkeypatch.setattr(pyarrow.compute, "min_max", no_kernel)
    table = pa.table({"day": [datetime.date(2024, 1, 1), None], "x": [1.5, 2.5]})
    lineage = Lineage(namespace="n", store=True)
    with lineage.run("job") as run:
        run.output(table, name="t")

    facets = events_in(folder)[-1]["outputs"][0]["facets"]
    assert facets["relineage_content"]["digests"] == list(content_of(table).digests)
    assert facets["relineage_content"]["stored"]
    assert [one["name"] for one in facets["schema"]["fields"]] == ["day", "x"]
    day, x = facets["relineage_featureStats"]["features"]
    assert (day["rows"], day["nulls"], "distinct" in day) == (2, 1, False)
    assert (x["min"], x["max"], x["distinct"]) == (1.5, 2.5, 2)
    assert facets["dataQualityMetrics"]["columnMetrics"]["day"] == {"nullCount": 1, "count": 1}
    assert [one.message for one in caplog.records] == ["no statistics of column 'day', only rows and nulls"]
    assert lineage.errors == 0


@pytest.mark.parametrize("columns", [42, 128, 130, 256])
def test_all_columns_of_a_wide_table_are_in_the_facet(output, columns):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            f"feature_number_{i}": generator.normal(size=5000) * 1e-7 * 10.0 ** generator.integers(-9, 3)
            for i in range(columns)
        }
    )
    entry = output(frame, name="wide", mode="full")

    facet = entry["facets"]["relineage_featureStats"]
    assert len(json.dumps(facet, separators=(",", ":"))) <= 63 * 1024
    assert [one["name"] for one in facet["features"]] == list(frame.columns)
    assert ["histogram" in one for one in facet["features"]] == [columns <= 130] * columns


def test_a_frame_and_the_same_arrow_table_are_one_content(output):
    frame = pd.DataFrame({"a": np.arange(20), "b": ["x", "y"] * 10})
    table = pa.table({"b": ["x", "y"] * 10, "a": list(range(20))})

    assert content(output(frame))["digests"] == content(output(table))["digests"]


def test_an_estimator_is_a_model(output):
    model = LinearRegression().fit(np.arange(20.0).reshape(-1, 2), np.arange(10.0))
    entry = output(model, name="m")

    assert entry["facets"]["datasetType"]["datasetType"] == "MODEL"
    assert entry["facets"]["version"]["datasetVersion"].startswith("b3-estimator1:")
    assert entry["facets"]["relineage_model"]["framework"].startswith("scikit-learn")


def test_a_state_of_tensors_is_a_model_with_both_roots(output):
    entry = output({"layer.weight": np.arange(20.0), "layer.bias": np.arange(4.0)}, name="m")

    assert entry["facets"]["datasetType"]["datasetType"] == "MODEL"
    assert [one.partition(":")[0] for one in content(entry)["digests"]] == ["b3-tensors1", "b3-weights1"]
    assert [one["name"] for one in entry["facets"]["relineage_model"]["tensorDigests"]] == [
        "layer.bias",
        "layer.weight",
    ]


@pytest.mark.parametrize(
    ("data", "kind", "modality"),
    [
        pytest.param([f"document {i}" for i in range(20)], "table", "text", id="list of texts"),
        pytest.param("a text of some length, " * 10, "text", "text", id="text"),
        pytest.param(bytes(range(200)), "bytes", None, id="bytes"),
        pytest.param({"threshold": 0.5}, "json", None, id="JSON"),
        pytest.param(np.arange(50.0), "tensors", "tensor", id="array"),
    ],
)
def test_each_kind_of_value_has_a_digest(output, data, kind, modality):
    entry = output(data, name="x")

    assert (content(entry)["kind"], content(entry).get("modality")) == (kind, modality)
    assert content(entry)["digests"] == list(content_of(data).digests)


def test_a_file_has_the_digest_of_its_bytes_and_of_the_table_within(output, folder):
    table = pa.table({"x": list(range(50))})
    pyarrow.parquet.write_table(table, folder / "t.parquet")
    entry = output(folder / "t.parquet")

    assert entry["facets"]["version"]["datasetVersion"] == content_of(table).digests[0]
    assert any(one.startswith("b3-bytes1:") for one in content(entry)["digests"])
    assert entry["facets"]["datasetType"]["datasetType"] == "FILE"
    assert [one["name"] for one in entry["facets"]["schema"]["fields"]] == ["x"]


def test_a_folder_has_one_digest(output, folder):
    (folder / "images" / "a").mkdir(parents=True)
    (folder / "images" / "a" / "1.png").write_bytes(b"x" * 100)
    entry = output(folder / "images")

    assert entry["facets"]["version"]["datasetVersion"].startswith("b3-folder1:")
    assert entry["facets"]["datasetType"] == entry["facets"]["datasetType"] | {"subType": "FOLDER"}


REFUSED = [
    pytest.param(object(), id="an object"),
    pytest.param(pd.DataFrame({1: [1]}), id="labels that are no text"),
    pytest.param(pd.DataFrame({"x": [1, "a"]}), id="a column of mixed values"),
    pytest.param(np.array([object()]), id="an array of objects"),
    pytest.param({"x": math.nan}, id="JSON with NaN"),
]


@pytest.mark.parametrize("data", REFUSED)
def test_what_is_refused_is_a_warning_at_the_callers_line_and_a_reason(output, data):
    with pytest.warns(RelineageWarning, match="no digest of") as told:
        entry = output(data, name="x")

    assert told[0].filename == __file__
    assert content(entry)["digests"] == []
    with pytest.raises(Refused) as reason:
        content_of(data)
    assert content(entry)["absent"] == str(reason.value)
    assert "version" not in entry["facets"]


@pytest.mark.parametrize("data", REFUSED)
def test_what_is_refused_raises_only_if_strict(output, data):
    with pytest.raises(Refused):
        output(data, strict=True)


def test_a_file_of_which_only_the_bytes_have_a_digest_is_a_warning(output, folder):
    path = folder / "map.parquet"
    pa.parquet.write_table(pa.table({"m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32()))}), path)
    with pytest.warns(
        RelineageWarning, match=r"map\.parquet: no digest of the content: column 'm': type map"
    ):
        found = content(output(path))
    assert [digest.partition(":")[0] for digest in found["digests"]] == ["b3-bytes1"]


def test_a_path_that_is_not_there_is_a_warning(output, folder):
    with pytest.warns(RelineageWarning, match="does not exist"):
        entry = output(folder / "missing.csv")

    assert "does not exist" in content(entry)["absent"]


def test_a_large_file_is_referred_to_and_one_line_says_how_to_digest_it(output, folder, caplog):
    file = folder / "big.bin"
    with file.open("wb") as sparse:
        sparse.truncate(20 << 30)
    with caplog.at_level(logging.WARNING, logger="relineage"):
        entry = output(file)

    (record,) = [one for one in caplog.records if "not digested" in one.message]
    assert 'digest="full" does it' in record.message
    assert content(entry)["digests"] == []
    assert 'digest="full"' in content(entry)["absent"]
    assert f"stat: {20 << 30} bytes, modified " in content(entry)["absent"]
    assert entry["facets"]["version"]["datasetVersion"].startswith(f"stat:{20 << 30}-")
    assert entry["outputFacets"]["outputStatistics"]["size"] == 20 << 30


def test_a_large_frame_is_referred_to_by_its_outline(output, caplog):
    class Huge(pd.DataFrame):
        def __len__(self):
            return 10**11

    frame = Huge({"a": [1, 2], "b": ["x", "y"]})
    assert seconds_to_digest(frame) > 2
    with caplog.at_level(logging.WARNING, logger="relineage"):
        entry = output(frame, name="x")

    assert [one["name"] for one in entry["facets"]["schema"]["fields"]] == ["a", "b"]
    assert "version" not in entry["facets"]


@pytest.mark.parametrize("per_call", [True, False])
def test_digest_none_says_only_what_is_cheap(output, per_call):
    frame = pd.DataFrame({"a": [1, 2, 3]})
    entry = output(frame, name="x", digest="none") if per_call else output(frame, name="x", mode="none")

    assert content(entry)["absent"] == 'not asked for (digest="none")'
    assert [one["name"] for one in entry["facets"]["schema"]["fields"]] == ["a"]
    assert content(entry)["rows"] == 3


def test_a_text_that_names_a_file_is_taken_as_a_text_with_a_hint(output, folder):
    (folder / "train.csv").write_text("a\n1\n")
    with pytest.warns(RelineageWarning, match=r"pathlib\.Path"):
        entry = output("train.csv")
    with pytest.warns(RelineageWarning, match="name=") as told:
        output("https://u:hunter2@host/data.csv")

    assert content(entry)["kind"] == "text"
    assert "hunter2" not in str(told[0].message)


@pytest.mark.parametrize("rows", [65_535, 65_536, 140_000])
def test_leaves_are_told_from_the_first_whole_one_on(output, rows):
    frame = pd.DataFrame({"a": np.arange(rows), "b": np.arange(rows) / 3})
    columns = content(output(frame, name="x", digest="full"))["columns"]

    if rows < 65_536:
        assert not any("leaves" in one for one in columns)
    else:
        leaves = [one.leaves for one in content_of(frame).columns]
        assert [base64.b64decode(one["leaves"]) for one in columns] == leaves
        assert len(leaves[0]) == -(-rows // 65_536) * 32


def test_a_wide_table_is_cut_in_the_event_and_whole_in_an_object(output, folder):
    frame = pd.DataFrame(
        np.zeros((3, 1500)) + np.arange(3)[:, None], columns=[f"column {i}" for i in range(1500)]
    )
    entry = output(frame, name="wide")

    for facet in entry["facets"].values():
        assert len(json.dumps(facet, separators=(",", ":"))) <= 64 * 1024
    details = content(entry)["details"]
    kept = json.loads((folder / ".relineage" / "objects" / f"{details}.json").read_text())
    assert len(kept["relineage_featureStats"]["features"]) == 1500
    assert len(kept["dataQualityMetrics"]["columnMetrics"]) == 1500
    assert [one["digest"] for one in kept["relineage_content"]["columns"]] == [
        one.digest for one in content_of(frame).columns
    ]
    assert content(entry)["digests"] == list(content_of(frame).digests)
    assert content(entry)["rows"] == 3


def test_very_many_datasets_still_fit_into_one_message(folder):
    lineage = Lineage(namespace="n")
    frame = pd.DataFrame(np.arange(400.0).reshape(2, 200), columns=[f"column {i}" for i in range(200)])
    with lineage.run("job") as run:
        for i in range(20):
            run.input(frame + i, name=f"part/{i}")

    event = events_in(folder)[-1]
    assert len(json.dumps(event, separators=(",", ":"))) < 1_000_000
    assert len(event["inputs"]) == 20
    for entry in event["inputs"]:
        details = content(entry)["details"]
        kept = json.loads((folder / ".relineage" / "objects" / f"{details}.json").read_text())
        assert len(kept["relineage_featureStats"]["features"]) == 200


def test_the_digest_is_of_the_moment_of_the_call(output, folder):
    """Changing a frame after it was recorded changes nothing that was said of it."""
    frame = pd.DataFrame({"a": np.arange(20.0)})
    before = content_of(frame).digests[0]
    lineage = Lineage(namespace="n")
    with lineage.run("job") as run:
        run.output(frame, name="x")
        frame.loc[0, "a"] = 99.0

    assert events_in(folder)[-1]["outputs"][0]["facets"]["version"]["datasetVersion"] == before
    assert content_of(frame).digests[0] != before


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame(
            {"a": np.arange(10), "b": ["x"] * 10, "c": [None] * 10, "d": pd.Categorical(["u"] * 10)}
        ),
        pd.Series([1, 2]),
        pa.table({"a": [1], "b": ["x"], "c": [[1, 2]]}),
        np.zeros(3),
        ["a", None],
        [],
        "text",
        b"bytes",
        {"w": np.zeros(3), "n": {"m": [np.zeros(2)]}},
        LinearRegression(),
        None,
        object(),
    ],
    ids=lambda data: type(data).__name__,
)
def test_small_data_is_always_estimated_as_quick(data):
    assert 0 <= seconds_to_digest(data) < 0.01


def test_the_estimate_grows_with_the_data(folder):
    small, large = np.zeros(1000), np.zeros(50_000)
    (folder / "files").mkdir()
    for i in range(3):
        (folder / "files" / str(i)).write_bytes(b"x" * 1000)

    assert seconds_to_digest({"a": small}) < seconds_to_digest({"a": small, "b": large})
    assert seconds_to_digest(pd.DataFrame({"a": small})) < seconds_to_digest(pd.DataFrame({"a": large}))
    assert seconds_to_digest(folder / "files" / "0") < seconds_to_digest(folder / "files")


def test_the_digest_of_rows_is_made_on_request_only(output, folder):
    table = pa.table({"x": range(1000)})
    pyarrow.parquet.write_table(table, folder / "t.parquet")
    assert digest_labels(output(table, name="t")) == ["b3-table1"]
    full = output(table, name="t", mode="full")
    assert content(full)["digests"] == list(content_of(table, rows=True).digests)
    assert digest_labels(output(folder / "t.parquet", mode="full")) == ["b3-table1", "b3-rows1", "b3-bytes1"]
    assert full["facets"]["version"]["datasetVersion"].startswith("b3-table1:")


def digest_labels(entry):
    return [one.partition(":")[0] for one in content(entry)["digests"]]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_path_that_no_file_can_have_is_a_warning(output, folder, name):
    with pytest.warns(RelineageWarning, match="cannot be read"):
        entry = output(folder / name, name="strange")

    assert "cannot be read" in content(entry)["absent"]


def test_a_table_that_is_described_again_has_the_same_figures_without_another_look(folder, monkeypatch):
    looks = []
    from relineage.emitter import statistics

    look = statistics.feature_statistics
    monkeypatch.setattr(statistics, "feature_statistics", lambda table: looks.append(1) or look(table))
    frame = pd.DataFrame({"a": np.arange(20.0), "b": list("xy") * 10})
    lineage = Lineage(namespace="n")
    for data in (frame, frame.copy(), pa.Table.from_pandas(frame), frame[["b", "a"]], frame * 2):
        with lineage.run("job") as run:
            run.input(data, name="t")

    inputs = [event["inputs"][0]["facets"] for event in events_in(folder) if event["inputs"]]
    assert len(looks) == 3
    assert inputs[0] == inputs[1]
    for key in ("schema", "dataQualityMetrics", "relineage_featureStats"):
        assert inputs[2][key] == inputs[0][key]
        assert inputs[4][key] != inputs[0][key] or key == "schema"
    assert [one["name"] for one in inputs[3]["schema"]["fields"]] == ["b", "a"]


def test_a_frame_has_its_figures_although_a_file_of_the_same_table_was_described_before(folder):
    frame = pd.DataFrame({"a": np.arange(20.0)})
    frame.to_parquet(folder / "t.parquet")
    with Lineage(namespace="n").run("load") as run:
        run.output(pd.read_parquet(run.input(folder / "t.parquet")), name="t")

    end = events_in(folder)[-1]
    assert end["inputs"][0]["facets"]["version"] == end["outputs"][0]["facets"]["version"]
    assert end["outputs"][0]["facets"]["relineage_featureStats"]["features"][0]["max"] == 19.0
