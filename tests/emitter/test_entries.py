"""What inputs and outputs are called, which version they are, and whose they are."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from emitted import events_in

from relineage.emitter import Lineage


@pytest.fixture
def lineage(folder):
    return Lineage(namespace="fraud")


def frame(rows=20):
    return pd.DataFrame({"a": np.arange(rows), "b": np.linspace(0, 1, rows)})


def last(folder, job):
    return [event for event in events_in(folder) if event["job"]["name"] == job][-1]


def named(entry):
    return entry["namespace"], entry["name"]


def version(entry):
    return entry["facets"].get("version", {}).get("datasetVersion")


def io(entry, direction="output"):
    return entry[f"{direction}Facets"]["relineage_io"]


def test_an_unnamed_frame_is_called_after_its_job_and_role(lineage, folder):
    with lineage.run("train") as run:
        run.input(frame(20))
        run.input(frame(30), role="test")
        run.output(frame(40))

    event = last(folder, "train")
    assert [named(one) for one in event["inputs"]] == [("fraud", "train/input"), ("fraud", "train/test")]
    assert [named(one) for one in event["outputs"]] == [("fraud", "train/output")]
    assert [io(one, "input")["role"] for one in event["inputs"]] == ["input", "test"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: frame(), id="pandas"),
        pytest.param(lambda: pa.table({"a": [1.5] * 20 + [2.5]}), id="Arrow"),
        pytest.param(lambda: np.arange(30.0), id="array"),
        pytest.param(lambda: [f"text {i}" for i in range(40)], id="list of texts"),
        pytest.param(lambda: {"w": np.arange(30.0)}, id="dict of arrays"),
        pytest.param(lambda: bytes(range(100)), id="bytes"),
    ],
)
def test_what_one_run_returned_keeps_its_name_and_version_in_the_next(lineage, folder, make):
    with lineage.run("split") as run:
        part = run.output(make(), name="features/part")
    with lineage.run("train") as run:
        run.input(part, role="train")

    written = last(folder, "split")["outputs"][0]
    read = last(folder, "train")["inputs"][0]
    assert named(read) == named(written) == ("fraud", "features/part")
    assert version(read) == version(written)
    assert version(read).startswith("b3-")


def test_the_name_is_kept_across_lineages_of_one_process(lineage, folder):
    with lineage.run("split") as run:
        part = run.output(frame(), name="part")
    with Lineage(namespace="other").run("train") as run:
        run.input(part)

    assert named(last(folder, "train")["inputs"][0]) == ("fraud", "part")


def test_an_equal_frame_of_another_origin_has_a_name_of_its_own(lineage, folder):
    with lineage.run("split") as run:
        run.output(frame(), name="part")
    with lineage.run("train") as run:
        run.input(frame())

    assert named(last(folder, "train")["inputs"][0]) == ("fraud", "train/input")


def test_a_frame_that_was_changed_since_is_a_new_version_of_its_name(lineage, folder):
    """The digest is taken when it is read or written, never kept from before."""
    with lineage.run("split") as run:
        part = run.output(frame(), name="part")
    part.loc[0, "a"] = 99
    with lineage.run("train") as run:
        run.input(part)
        part["c"] = 1.5
        run.output(part)

    written = last(folder, "split")["outputs"][0]
    read, rewritten = last(folder, "train")["inputs"][0], last(folder, "train")["outputs"][0]
    assert named(written) == named(read) == named(rewritten) == ("fraud", "part")
    assert len({version(written), version(read), version(rewritten)}) == 3


def test_a_given_name_wins(lineage, folder):
    with lineage.run("split") as run:
        part = run.output(frame(), name="part")
    with lineage.run("train") as run:
        run.input(part, name="elsewhere")

    assert named(last(folder, "train")["inputs"][0]) == ("fraud", "elsewhere")


def test_a_given_version_is_kept_with_the_object(lineage, folder):
    with lineage.run("split") as run:
        part = run.output(frame(), name="part", version=42)
    with lineage.run("train") as run:
        run.input(part)

    read = last(folder, "train")["inputs"][0]
    assert version(read) == "42"
    assert read["facets"]["relineage_content"]["digests"][0].startswith("b3-table1:")


@pytest.mark.parametrize("changed", [False, True])
def test_a_given_version_is_not_claimed_for_changed_content(lineage, folder, changed):
    with lineage.run("split") as run:
        part = run.output(frame(), name="part", version="v1")
    if changed:
        part.loc[0, "a"] = 99
    with lineage.run("train") as run:
        run.input(part)

    assert (version(last(folder, "train")["inputs"][0]) == "v1") is not changed


def test_undigested_objects_keep_their_given_version(lineage, folder):
    with lineage.run("split") as run:
        part = run.output(frame(), name="part", version="v1", digest="none")
    with lineage.run("train") as run:
        run.input(part, digest="none")

    assert version(last(folder, "train")["inputs"][0]) == "v1"


def test_a_path_is_called_by_its_absolute_path(lineage, folder):
    (folder / "data.csv").write_text("a\n1\n" * 40)
    with lineage.run("load") as run:
        run.input(folder / "data.csv")

    entry = last(folder, "load")["inputs"][0]
    assert named(entry) == ("file", str(folder / "data.csv"))
    assert "symlinks" not in entry["facets"]


def test_a_path_with_a_name_is_known_by_both(lineage, folder):
    file = folder / "data.csv"
    file.write_text("a\n1\n" * 40)
    with lineage.run("load") as run:
        run.input(file, name="raw/orders")

    entry = last(folder, "load")["inputs"][0]
    assert named(entry) == ("fraud", "raw/orders")
    assert entry["facets"]["symlinks"]["identifiers"] == [
        {"namespace": "file", "name": str(file), "type": "LOCATION"}
    ]


def test_a_url_as_a_name_is_split_and_loses_its_credentials(lineage, folder):
    with lineage.run("load") as run:
        run.input(name="postgresql://u:hunter2@db/shop.public.orders", version="7")
        run.output(frame(), name="s3://lake/features/train")

    event = last(folder, "load")
    assert named(event["inputs"][0]) == ("postgres://db:5432", "shop.public.orders")
    assert version(event["inputs"][0]) == "7"
    assert named(event["outputs"][0]) == ("s3://lake", "features/train")


def test_a_name_without_data_is_a_reference_and_the_task_is_unknown(lineage, folder):
    with lineage.run("load") as run:
        run.input(name="s3://lake/t", version="42", role="table")

    event = last(folder, "load")
    assert event["inputs"][0]["facets"]["relineage_content"]["absent"] == "named without data"
    step = event["run"]["facets"]["relineage_step"]
    assert "task" not in step
    assert "input 't' (role 'table') has no digest" in step["missing"]


def test_several_versions_of_one_dataset_stay_apart(lineage, folder):
    with lineage.run("train") as run:
        for epoch in range(3):
            run.output({"w": np.arange(20.0) + epoch}, name="checkpoints", role="weights")

    written = last(folder, "train")["outputs"]
    assert [named(one) for one in written] == [("fraud", "checkpoints")] * 3
    assert len({version(one) for one in written}) == 3


def test_the_same_thing_said_twice_is_one_entry_at_its_first_instant(lineage, folder):
    data = frame()
    with lineage.run("train") as run:
        run.input(data, name="x")
        run.input(data, name="x")
        run.input(data, name="x", role="test")

    read = last(folder, "train")["inputs"]
    assert [io(one, "input")["role"] for one in read] == ["input", "test"]


def test_an_outer_run_that_hands_on_what_its_inner_run_wrote_says_so(lineage, folder):
    with lineage.run("pipeline") as pipeline:
        with lineage.run("load") as load:
            data = load.input(frame(), name="raw")
        with lineage.run("train") as train:
            train.input(data, role="train")
            model = train.output({"w": np.arange(20.0)}, name="models/m")
        pipeline.input(data)
        pipeline.output(model)

    inner_read, inner_write = last(folder, "load")["inputs"][0], last(folder, "train")["outputs"][0]
    outer_read = last(folder, "pipeline")["inputs"][0]
    outer_write = last(folder, "pipeline")["outputs"][0]
    assert io(inner_write)["origin"] == io(inner_read, "input")["origin"] == "declared"
    assert io(outer_write)["origin"] == io(outer_read, "input")["origin"] == "forwarded"
    assert io(outer_write)["instant"] == io(inner_write)["instant"]
    assert io(outer_read, "input")["instant"] == io(inner_read, "input")["instant"]
    assert (named(outer_write), version(outer_write)) == (named(inner_write), version(inner_write))


def test_what_an_inner_run_made_is_read_where_the_outer_one_hands_it_on_under_another_name(lineage, folder):
    keys = []
    for rows in (20, 30):
        with lineage.run("pipeline", seed=1) as pipeline:
            with lineage.run("train") as train:
                model = train.output(np.arange(float(rows)), role="model")
            pipeline.output(model, name="models/m", role="best")
        keys.append(last(folder, "pipeline")["run"]["facets"]["relineage_step"])

    [made], [handed_on] = last(folder, "train")["outputs"], last(folder, "pipeline")["outputs"]
    [read] = last(folder, "pipeline")["inputs"]
    assert handed_on["name"] == "models/m"
    assert (named(read), version(read)) == (named(made), version(made))
    assert (io(read, "input")["role"], io(read, "input")["origin"]) == ("best", "forwarded")
    assert io(read, "input")["instant"] == io(made)["instant"]
    assert keys[0]["task"] == keys[1]["task"]  # it is nothing that was asked for
    assert keys[0]["outcome"] != keys[1]["outcome"]


def test_what_is_handed_on_counts_in_the_outer_runs_task_and_outcome(lineage, folder):
    keys = []
    for rows in (20, 30):
        with lineage.run("pipeline", seed=1) as pipeline:
            with lineage.run("make") as make:
                made = make.output(frame(rows), name="made")
            pipeline.output(made)
        keys.append(last(folder, "pipeline")["run"]["facets"]["relineage_step"])

    assert keys[0]["recipe"] == keys[1]["recipe"]
    assert keys[0]["outcome"] != keys[1]["outcome"]


def test_changed_after_the_inner_run_it_is_the_outer_runs_own_write(lineage, folder):
    with lineage.run("pipeline") as pipeline:
        with lineage.run("make") as make:
            made = make.output(frame(), name="made")
        made.loc[0, "a"] = 99
        pipeline.output(made)

    assert io(last(folder, "pipeline")["outputs"][0])["origin"] == "declared"


def test_a_read_of_what_an_inner_run_wrote_is_a_read_of_ones_own(lineage, folder):
    with lineage.run("pipeline") as pipeline:
        with lineage.run("make") as make:
            made = make.output(frame(), name="made")
        pipeline.input(made)

    assert io(last(folder, "pipeline")["inputs"][0], "input")["origin"] == "declared"


def test_a_run_beside_the_writer_hands_nothing_on(lineage, folder):
    with lineage.run("make") as make:
        made = make.output(frame(), name="made")
    with lineage.run("publish") as publish:
        publish.output(made)

    assert io(last(folder, "publish")["outputs"][0])["origin"] == "declared"


def test_a_file_that_changed_since_has_no_old_version(lineage, folder):
    file = folder / "data.bin"
    file.write_bytes(b"a" * 100)
    with lineage.run("one") as run:
        run.output(file, digest="none")
    file.write_bytes(b"b" * 200)
    with lineage.run("two") as run:
        run.input(file, digest="none")

    written, read = last(folder, "one")["outputs"][0], last(folder, "two")["inputs"][0]
    assert version(written).startswith("stat:100-")
    assert version(read).startswith("stat:200-")
