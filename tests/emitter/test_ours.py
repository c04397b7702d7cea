"""Our facets as events have them, put together from what is made once and what is new, are what their types write."""

import random

import numpy as np
import pytest
from emitted import events_in

from relineage.emitter import Lineage
from relineage.facets import ALL


@pytest.fixture
def events(tmp_path, monkeypatch):
    """Of a step that is called three times, one that is answered from the cache, one that fails, and a run."""
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    lineage = Lineage(snapshot=False)

    @lineage.step(seed=7)
    def draw(rate, note="a"):
        return np.arange(100) * rate + random.random()

    @lineage.step(cache="dirty")
    def plain(rate):
        if rate is None:
            raise ValueError("no rate")
        return np.arange(100) * rate

    for rate in (0.5, 0.5, 2):
        draw(rate)
    plain(0.5), plain(0.5)
    with pytest.raises(ValueError, match="no rate"):
        plain(None)
    with lineage.run("train", params={"depth": 3}) as run:
        run.generator("flip")
        run.metric("auc", 0.5)
        np.random.default_rng()
    lineage.close()
    return events_in(tmp_path)


def test_a_facet_is_written_as_its_type_writes_it(events):
    types = {type_.KEY: type_ for type_ in ALL if type_.BASE == "RunFacet"}
    seen = set()
    for event in events:
        for key, facet in event["run"]["facets"].items():
            if key in types:
                fields = {name: value for name, value in facet.items() if not name.startswith("_")}
                written = types[key].model_validate(fields).to_wire(facet["_producer"])
                assert list(written.items()) == list(facet.items())
                seen.add((key, event["eventType"]))

    assert {key for key, _ in seen} == set(types) - {"relineage_replay"}
    assert ("relineage_step", "FAIL") in seen


def test_what_calls_have_in_common_does_not_hide_where_they_differ(events):
    complete = [event["run"]["facets"] for event in events if event["eventType"] == "COMPLETE"]
    steps, seeds = ([one[key] for one in complete] for key in ("relineage_step", "relineage_seeds"))

    assert [one["parameters"][0]["value"] for one in steps] == ["0.5", "0.5", "2", "0.5", "0.5", "3"]
    assert len({one["task"] for one in steps}) == 4
    assert len({one["outcome"] for one in steps[:3]}) == 3
    assert [one.get("servedFrom") is not None for one in steps] == [False] * 4 + [True, False]
    assert len({one["entropy"] for one in seeds}) == 6
    assert [len(one["libraries"]) for one in seeds] == [2] * 5 + [3]
    assert [len(one["uncovered"]) for one in seeds] == [0] * 5 + [1]
