"""What facets say of a content, as far as its digests bind it."""

import json

import numpy as np
import pandas as pd

from relineage.consumer.replay.contents import content_said
from relineage.emitter.digests import content_of
from relineage.emitter.ours import content_facet, model_facet

ROWS = 150_000
FRAME = pd.DataFrame({"a": np.arange(ROWS), "b": np.arange(ROWS) / 7, "t": "x"})


def test_what_facets_say_is_believed_only_as_far_as_a_digest_covers_it() -> None:
    content = content_of(FRAME)
    facet = json.loads(json.dumps(content_facet(content, None, None, "urn:x")))
    assert content_said(facet, {}).columns == content.columns
    facet["columns"][1]["leaves"] = facet["columns"][0]["leaves"]
    said = content_said(facet, {}).columns
    assert [bool(one.leaves) for one in said] == [True, False, True]
    for spoilt in (
        {**facet, "columns": facet["columns"][:2]},
        {**facet, "columns": [*facet["columns"], 5, {"name": 1}, {"name": "x", "type": "y", "digest": "z"}]},
        {**facet, "rows": 7},
        {**facet, "rows": "many"},
        {**facet, "digests": None, "columns": {"a": 1}},
    ):
        assert content_said(spoilt, {}).columns == ()
    state = content_of({"w": np.ones(3), "b": np.zeros(2)})
    told, model = (
        content_facet(state, None, None, "urn:x"),
        json.loads(json.dumps(model_facet(state, "urn:x"))),
    )
    found = content_said(json.loads(json.dumps(told)), model).model
    assert found is not None
    assert found.tensor_digests == state.model.tensor_digests
    assert (
        content_said(json.loads(json.dumps(told)), {"tensorDigests": model["tensorDigests"][:1]}).model
        is None
    )
