"""An array that is taken out of a state is what the run made that returned the state, as long as it is what it was."""

import gc
from datetime import UTC, datetime

import numpy as np
import pytest
from emitted import events_in
from step_events import roles, step_of

from relineage.emitter import Lineage
from relineage.emitter.digests import content_of
from relineage.emitter.members import Members, Returned
from relineage.emitter.naming import DatasetName
from relineage.emitter.settings import RunReference


@pytest.fixture
def lineage(folder):
    return Lineage(namespace="n")


@pytest.fixture
def split(lineage):
    @lineage.step
    def split(rows: int = 40):
        return {"train": np.arange(float(rows)), "test": np.arange(rows / 2)}

    return split


@pytest.fixture
def fit(lineage):
    @lineage.step
    def fit(train):
        return float(train.sum())

    return fit


def of_type(folder, *types):
    return [event for event in events_in(folder) if event["eventType"] in types]


def ends(folder, job):
    return [event for event in of_type(folder, "COMPLETE", "FAIL") if event["job"]["name"] == job]


def read(folder, job="fit"):
    """What the runs of a job have read: name and version."""
    return [
        (one["name"], one["facets"]["version"]["datasetVersion"])
        for event in ends(folder, job)
        for one in event["inputs"]
    ]


def told(folder):
    """What runs have told afterwards: job, name and version of each."""
    return [
        (event["job"]["name"], one["name"], one["facets"]["version"]["datasetVersion"])
        for event in of_type(folder, "OTHER")
        for one in event["outputs"]
    ]


def test_an_array_that_is_taken_out_of_a_state_is_an_output_of_the_run_that_made_the_state(
    folder, split, fit
):
    parts = split()
    fit(parts["train"])

    digest = content_of(parts["train"]).version
    [made] = ends(folder, "split")
    [event] = of_type(folder, "OTHER")
    [output] = event["outputs"]
    assert read(folder) == [("split/output.train", digest)]
    assert told(folder) == [("split", "split/output.train", digest)]
    assert event["run"] == {"runId": made["run"]["runId"], "facets": {}}  # of these the latest would count
    assert event["inputs"] == []
    io = output["outputFacets"]["relineage_io"]
    assert (io["role"], io["partOf"], io["origin"]) == ("output.train", "output", "declared")
    assert io["instant"] == made["outputs"][0]["outputFacets"]["relineage_io"]["instant"]
    assert digest in output["facets"]["relineage_content"]["digests"]


def test_it_is_told_once_however_often_it_is_used_and_each_other_one_by_itself(folder, split, fit):
    parts = split()
    for _ in range(3):
        fit(parts["train"])
    fit(parts["test"])

    assert [name for _, name, _ in told(folder)] == ["split/output.train", "split/output.test"]
    assert [name for name, _ in read(folder)] == ["split/output.train"] * 3 + ["split/output.test"]


def test_neither_what_made_a_state_nor_what_uses_a_part_of_it_has_other_digests_for_it(folder, split, fit):
    fit(split()["train"])
    split()
    fit(np.arange(40.0))

    for job in ("split", "fit"):
        used, unused = (step_of(event) for event in ends(folder, job))
        assert {key: used.get(key) for key in ("task", "recipe", "outcome")} == {
            key: unused.get(key) for key in ("task", "recipe", "outcome")
        }
        assert used["task"]


def changed(parts, fit):
    parts["train"][3] = -1.0
    fit(parts["train"])


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(changed, id="changed in place"),
        pytest.param(lambda parts, fit: fit(parts["train"].copy()), id="a copy"),
        pytest.param(lambda parts, fit: fit(parts["train"][:]), id="a new view"),
        pytest.param(lambda parts, fit: fit(parts["train"].reshape(4, 10)), id="another shape"),
        pytest.param(lambda parts, fit: fit(np.arange(40.0)), id="an equal array"),
    ],
)
def test_other_data_is_not_taken_for_a_part_of_the_state(folder, split, fit, use):
    use(split(), fit)

    assert told(folder) == []
    assert [name for name, _ in read(folder)] == ["fit/train"]


def test_views_are_parts_of_a_state_like_any_arrays(folder, lineage, fit):
    @lineage.step
    def split(rows: int):
        rows = np.arange(float(rows))
        return {"train": rows[:30], "test": rows[30:], "backwards": rows[::-1]}

    parts = split(40)
    for part in parts.values():
        fit(part)

    names = [f"split/output.{key}" for key in parts]
    assert [name for name, _ in read(folder)] == [name for _, name, _ in told(folder)] == names


def test_whoever_hands_on_an_array_in_a_state_of_his_own_has_not_made_it(folder, lineage, split, fit):
    @lineage.step
    def pack(parts):
        return {"a": parts["train"], "b": parts["test"] + 1}

    packed = pack(split())
    fit(packed["a"])
    fit(packed["b"])

    assert [name for _, name, _ in told(folder)] == ["split/output.train", "pack/output.b"]


def test_whoever_changes_an_array_has_made_what_it_is_then(folder, lineage, split, fit):
    @lineage.step
    def scale(parts):
        parts["train"] /= 2
        return parts

    parts = scale(split())
    fit(parts["train"])
    fit(parts["test"])

    assert [name for _, name, _ in told(folder)] == ["scale/output.train", "split/output.test"]


def test_an_array_that_a_run_returned_by_itself_is_that_runs_also_out_of_a_state(folder, lineage, fit):
    @lineage.step
    def make(size: int):
        return np.arange(float(size))

    @lineage.step
    def pack(array):
        return {"array": array}

    fit(pack(make(40))["array"])

    assert told(folder) == []
    assert [name for name, _ in read(folder)] == ["make/output"]


def test_what_an_inner_run_has_only_read_before_it_was_returned_is_a_part_of_the_state(folder, lineage, fit):
    @lineage.step
    def split(rows: int):
        parts = {"train": np.arange(float(rows))}
        fit(parts["train"])
        return parts

    fit(split(40)["train"])

    assert [name for name, _ in read(folder)] == ["fit/train", "split/output.train"]
    assert [name for _, name, _ in told(folder)] == ["split/output.train"]


def test_a_name_that_is_given_holds_and_the_maker_tells_the_part_all_the_same(folder, lineage, split):
    parts = split()
    with lineage.run("train") as run:
        run.input(parts["train"], name="features/train")

    [(name, version)] = read(folder, "train")
    assert name == "features/train"
    assert told(folder) == [("split", "split/output.train", version)]  # of the same content: rule R6


def test_an_outer_run_that_hands_on_a_part_has_it_from_the_step_that_made_it(folder, lineage, split):
    with lineage.run("pipeline") as run:
        run.output(split()["train"], name="features/train")

    [event] = ends(folder, "pipeline")
    [source], [output] = event["inputs"], event["outputs"]
    [(_, name, version)] = told(folder)
    assert (source["name"], source["facets"]["version"]["datasetVersion"]) == (name, version)
    assert source["inputFacets"]["relineage_io"]["origin"] == "forwarded"
    assert output["name"] == "features/train"


def test_a_step_that_returns_a_part_of_what_it_was_given_has_written_it_by_its_own_name(
    folder, lineage, split, fit
):
    @lineage.step
    def pick(parts):
        return parts["train"]

    fit(pick(split()))

    assert told(folder) == []
    assert [name for name, _ in read(folder)] == ["pick/output"]


def test_arrays_of_a_long_list_are_called_by_their_places(folder, lineage, fit):
    @lineage.step
    def many(count: int):
        return [np.arange(10.0) + place for place in range(count)]

    fit(many(40)[7])

    assert [name for _, name, _ in told(folder)] == ["many/output.7"]


def test_a_run_with_an_output_that_is_a_state_tells_its_parts_too_also_while_it_is_open(folder, lineage, fit):
    with lineage.run("around") as run:
        parts = run.output({"w": np.arange(20.0)}, name="models/m", role="model")
        fit(parts["w"])

    [event] = of_type(folder, "OTHER")
    assert told(folder)[0][:2] == ("around", "models/m.w")
    assert roles(event, "outputs") == {"model.w": "models/m.w"}
    assert roles(ends(folder, "around")[0], "outputs") == {"model": "models/m"}


def test_a_run_that_reads_what_it_has_returned_itself_has_it_from_nobody(folder, lineage, fit):
    with lineage.run("around") as run:
        parts = run.output({"w": np.arange(22.0)})
        run.input(parts["w"], role="again")
        assert told(folder) == []
        fit(parts["w"])

    assert [name for name, _ in read(folder, "around")] == ["around/again"]
    assert [name for name, _ in read(folder)] == ["around/output.w"]


class Choosy:
    """A transport that takes no event of a type."""

    def __init__(self, refused):
        self.refused = refused
        self.events = []

    def emit(self, event):
        if event["eventType"] == self.refused:
            raise OSError("no")
        self.events.append(event)


def test_what_uses_a_part_is_recorded_though_the_maker_cannot_tell_of_it(folder):
    lineage = Lineage(namespace="n", transport=Choosy("OTHER"))
    with lineage.run("make") as run:
        parts = run.output({"w": np.arange(20.0)})
    with lineage.run("use") as run:
        assert run.input(parts["w"]) is parts["w"]

    end = lineage._transport.events[-1]
    assert (end["eventType"], end["job"]["name"], len(end["inputs"])) == ("COMPLETE", "use", 1)
    assert step_of(end)["task"]
    assert lineage.errors == 1


def test_the_part_is_told_where_the_events_of_its_maker_went(folder):
    ours, theirs = Choosy(None), Choosy(None)
    with Lineage(namespace="a", transport=theirs).run("make") as run:
        parts = run.output({"w": np.arange(21.0)})  # nothing that another test has named
    with Lineage(namespace="b", transport=ours).run("use") as run:
        run.input(parts["w"])

    assert [event["eventType"] for event in theirs.events] == ["START", "COMPLETE", "OTHER"]
    assert [event["eventType"] for event in ours.events] == ["START", "COMPLETE"]
    assert ours.events[-1]["inputs"][0]["namespace"] == "a"


RETURNED = Returned(
    name=DatasetName(namespace="n", name="s"),
    role="output",
    instant=datetime.now(UTC),
    run=RunReference(namespace="n", name="job", run_id="r"),
    outer_runs=frozenset(),
    send=print,
)


def remember(members, state):
    members.remember(state, content_of(state).model.tensor_digests, RETURNED)


def test_the_memory_keeps_no_array_alive_and_forgets_the_dead(monkeypatch):
    monkeypatch.setattr("relineage.emitter.members._SWEPT_AT_LEAST", 100)
    members = Members()
    kept = {"kept": np.arange(9.0)}
    remember(members, kept)
    for place in range(500):
        remember(members, {"a": np.arange(9.0) + place, "b": np.arange(3.0) - place})
    gc.collect()

    assert len(members._known) < 300
    assert members.find(kept["kept"], content_of(kept["kept"]).version).key == "kept"


def test_a_state_that_is_returned_again_and_again_is_remembered_once():
    members = Members()
    state = {"w": np.arange(9.0), "b": np.arange(3.0)}
    for _ in range(500):
        state["w"] += 1
        remember(members, state)

    assert len(members._known) < 60
    assert members.find(state["w"], content_of(state["w"]).version).key == "w"
    assert members.find(state["w"], content_of(np.arange(9.0)).version) is None


def test_an_array_under_two_keys_has_the_lesser():
    members = Members()
    array = np.arange(9.0)
    remember(members, {"b": array, "a": array})

    assert members.find(array, content_of(array).version).key == "a"
