"""What was asked of a run."""

from uuid import UUID

import pytest
from pydantic import ValidationError

from relineage.facets import Parameter, RelineageStepRunFacet

RUN = "0199a1b2-0000-7000-8000-000000007a1c"


def test_the_run_that_served_the_outputs_is_named_by_its_id():
    step = RelineageStepRunFacet.model_validate({"operation": "train", "servedFrom": RUN})

    assert step.served_from == UUID(RUN)
    assert step.to_wire("urn:x")["servedFrom"] == RUN


def test_a_parameter_is_text_with_its_type_beside_it():
    with pytest.raises(ValidationError, match="value"):
        Parameter.model_validate({"name": "p", "type": "int", "value": 1})
