"""The figures that a run measured."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from relineage.facets import Metric, RelineageMetricsRunFacet


@pytest.mark.parametrize(
    ("value", "on_the_wire"),
    [
        (0.1, 0.1),
        (3, 3),
        (math.nan, "NaN"),
        (np.float32("-inf"), "-Infinity"),
        (np.int64(2**62), "4611686018427387904"),
    ],
)
def test_a_metric_keeps_its_value_whatever_it_is(value: Any, on_the_wire: Any):
    facet = RelineageMetricsRunFacet(metrics=(Metric(name="loss", value=value, step=np.int32(2)),))

    assert facet.to_wire("urn:x")["metrics"] == [{"name": "loss", "value": on_the_wire, "step": 2}]


def test_a_figure_of_the_whole_run_has_no_step():
    facet = RelineageMetricsRunFacet(metrics=(Metric(name="accuracy", value=1.0),))

    assert facet.to_wire("urn:x")["metrics"] == [{"name": "accuracy", "value": 1.0}]


@pytest.mark.parametrize("value", ["high", None, True, [1.0]])
def test_what_is_no_number_is_no_metric(value: Any):
    with pytest.raises(ValidationError, match="value"):
        Metric(name="loss", value=value)
