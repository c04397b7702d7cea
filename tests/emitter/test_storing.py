"""Runs keep what they read and make, if told to, and the event says where."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from emitted import events_in
from sklearn.linear_model import LinearRegression

from relineage.emitter import Lineage, RelineageWarning
from relineage.emitter.digests import Refused, content_of
from relineage.emitter.store import open_store

FRAME = pd.DataFrame({"a": np.arange(20.0)})


def objects(folder):
    return list(open_store(folder / ".relineage" / "store", folder).scan())


def contents(folder, direction="outputs"):
    return [entry["facets"]["relineage_content"] for entry in events_in(folder)[-1][direction]]


def test_without_being_told_a_run_keeps_nothing(folder):
    with Lineage().run("job") as run:
        run.output(FRAME, name="x")

    assert objects(folder) == []
    assert "stored" not in contents(folder)[0]
    assert not (folder / ".relineage" / "store").exists()


def test_an_output_is_kept_and_the_event_says_where(folder):
    with Lineage().run("job") as run:
        assert run.output(FRAME, name="x", store=True) is FRAME
        run.output(FRAME + 1, name="y")

    (found,) = objects(folder)
    x, y = contents(folder)
    assert found.digest == x["digests"][0]
    assert x["stored"] == (folder / ".relineage" / "store" / found.name).as_uri()
    assert "stored" not in y


def test_what_is_kept_is_told_at_once(folder):
    """Who tidies the store must know of it, however long the run goes on."""
    with Lineage().run("job") as run:
        run.input(FRAME, name="x", store=True)
        assert [event["eventType"] for event in events_in(folder)] == ["START", "RUNNING"]
        assert contents(folder, "inputs")[0]["stored"].startswith("file:")


def test_a_lineage_that_stores_keeps_inputs_and_outputs_once_and_a_call_can_say_otherwise(folder):
    (folder / "raw.csv").write_text("a,b\n1,2\n")
    lineage = Lineage(store=True)
    with lineage.run("one") as run:
        run.input(folder / "raw.csv")
        run.output(FRAME, name="x")
        run.output(b"secret", name="z", store=False)
    with lineage.run("two") as run:
        run.input(FRAME, name="x")

    assert sorted(one.kind for one in objects(folder)) == ["bytes", "table"]
    assert all("stored" in one for one in contents(folder, "inputs"))


@pytest.mark.parametrize(
    "location", ["kept/here", "{folder}/absolute", "file://{folder}/url", "memory://runs/store"]
)
def test_a_variable_names_the_store(folder, location):
    location = location.format(folder=folder)
    lineage = Lineage(environ={"RELINEAGE_STORE": location})
    with lineage.run("job") as run:
        run.output(FRAME, name="x", store=True)

    (found,) = open_store(location, folder).scan()
    assert contents(folder)[0]["stored"].endswith(found.name)


def test_what_is_asked_to_be_kept_is_digested_however_long_it_takes(folder, caplog):
    lineage = Lineage()
    for _ in range(30):  # of a machine that is slow beyond measure
        lineage.pace.took({"numbers": 1.0}, 1000.0)
    frame = pd.DataFrame(np.ones((200_000, 100)))
    frame.columns = frame.columns.map(str)
    with lineage.run("job") as run:
        run.output(frame, name="auto")
        run.output(frame, name="kept", store=True)

    auto, kept = contents(folder)
    assert auto["digests"] == []
    assert "it would take" in auto["absent"]
    assert kept["digests"] == list(content_of(frame).digests)
    assert [one.digest for one in objects(folder)] == kept["digests"]


def test_a_lineage_that_stores_still_keeps_to_the_time_and_says_so(folder, caplog):
    with (folder / "big.bin").open("wb") as sparse:
        sparse.truncate(20 << 30)
    with caplog.at_level(logging.WARNING, logger="relineage"), Lineage(store=True).run("job") as run:
        run.input(folder / "big.bin")

    assert "not digested and not stored" in caplog.text
    assert objects(folder) == []


def test_what_has_no_form_is_a_warning_and_recorded_all_the_same(folder):
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    with (
        pytest.warns(RelineageWarning, match="this LinearRegression is not stored: .* no form") as told,
        Lineage().run("job") as run,
    ):
        run.output(model, name="m", store=True)

    assert told[0].filename == __file__
    (said,) = contents(folder)
    assert said["digests"] == list(content_of(model).digests)
    assert "stored" not in said
    with pytest.raises(Refused), Lineage(strict=True).run("job") as run:
        run.output(model, name="m", store=True)


def test_store_without_a_digest_is_a_warning(folder):
    with pytest.warns(RelineageWarning, match='not stored: digest="none"'), Lineage().run("job") as run:
        run.output(FRAME, name="x", store=True, digest="none")

    assert objects(folder) == []


@pytest.mark.parametrize("location", ["{folder}/file", "nosuchscheme://bucket"])
def test_a_store_that_cannot_be_written_does_not_hurt_the_job(folder, caplog, location):
    (folder / "file").write_text("no folder")
    lineage = Lineage(environ={"RELINEAGE_STORE": location.format(folder=folder)})
    with caplog.at_level(logging.ERROR, logger="relineage"), lineage.run("job") as run:
        assert run.output(FRAME, name="x", store=True) is FRAME

    assert lineage.errors == 1
    assert "storing data failed" in caplog.text
    (said,) = contents(folder)
    assert said["digests"] == list(content_of(FRAME).digests)
    assert "stored" not in said


def test_a_frame_that_another_thread_changes_meanwhile_is_not_stored_under_what_it_was(folder, monkeypatch):
    """The change comes right after the digest was made, where no copy would help."""
    frame = pd.DataFrame({"a": np.arange(20.0)})
    lineage = Lineage()
    keep = lineage.keep

    def changed_first(content, data):
        frame.loc[0, "a"] = 99.0
        return keep(content, data)

    monkeypatch.setattr(lineage, "keep", changed_first)
    with pytest.warns(RelineageWarning, match="changed meanwhile"), lineage.run("job") as run:
        run.output(frame, name="x", store=True)

    assert objects(folder) == []
    assert "stored" not in contents(folder)[0]


def test_passwords_in_the_stores_url_are_not_told(folder):
    lineage = Lineage(environ={"RELINEAGE_STORE": "memory://user:hunter2@bucket/told"})
    with lineage.run("job") as run:
        run.output(b"abc", name="x", store=True)

    assert "stored" in contents(folder)[0]
    assert "hunter2" not in "".join(path.read_text() for path in Path(".relineage/events").iterdir())
