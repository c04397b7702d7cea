"""torch's models in runs: what an event says of them, and that a job does not suffer from them."""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from emitted import events_in
from torch import nn

from relineage.emitter import Lineage, RelineageWarning
from relineage.emitter.digests import content_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recorded(folder: Path, data: Any, **settings: Any) -> dict[str, Any]:
    """The facets of one output, as the last event has them."""
    lineage = Lineage(namespace="n", **settings)
    with lineage.run("job") as run:
        assert run.output(data, name="model") is data
    assert lineage.errors == 0
    output: dict[str, Any] = events_in(folder)[-1]["outputs"][0]["facets"]
    return output


def test_a_module_is_recorded_as_a_model_with_its_ties_and_parts(folder: Path) -> None:
    model = nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 20, bias=False))
    model[1].weight = model[0].weight
    facets = recorded(folder, model)
    found = content_of(model)
    assert found.model is not None
    assert facets["version"]["datasetVersion"] == found.digests[0]
    assert facets["datasetType"]["datasetType"] == "MODEL"
    assert facets["relineage_content"]["digests"] == list(found.digests)
    assert facets["relineage_content"]["distinctive"] is True
    said = facets["relineage_model"]
    assert (said["framework"], said["parameters"]) == ("torch", 160)
    assert said["aliases"] == [["0.weight", "1.weight"]]
    assert (said["tensors"], said["weights"]) == found.digests
    assert said["architecture"] == found.model.architecture
    assert [one["name"] for one in said["tensorDigests"]] == ["0.weight", "1.weight"]


def test_the_file_that_a_module_was_saved_to_shares_its_digests(folder: Path) -> None:
    model = nn.Linear(8, 8)
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "checkpoint").mkdir()
    safetensors.torch.save_file(model.state_dict(), folder / "checkpoint" / "model.safetensors")
    of_model = recorded(folder, model)
    for path in (folder / "model.safetensors", folder / "checkpoint"):
        of_file = recorded(folder, path)
        assert of_file["version"] == of_model["version"]
        assert of_file["datasetType"]["datasetType"] == "MODEL"
        assert of_file["relineage_model"]["tensorDigests"] == of_model["relineage_model"]["tensorDigests"]


def test_a_model_without_a_digest_does_not_stop_the_job(folder: Path) -> None:
    with pytest.warns(RelineageWarning, match="no digest of this Linear: tensor 'bias': on the device meta"):
        facets = recorded(folder, nn.Linear(4, 4, device="meta"))
    assert "on the device meta, without values" in facets["relineage_content"]["absent"]
    assert "relineage_model" not in facets


def test_a_model_that_is_trained_on_is_another_version(folder: Path) -> None:
    model = nn.Linear(8, 8)
    lineage = Lineage(namespace="n")
    with lineage.run("job") as run:
        run.output(model, name="model", role="before")
        with torch.no_grad():
            model.weight += 1
        run.output(model, name="model", role="after")
    outputs = {one["outputFacets"]["relineage_io"]["role"]: one for one in events_in(folder)[-1]["outputs"]}
    before, after = (outputs[role]["facets"]["relineage_model"] for role in ("before", "after"))
    assert before["tensors"] != after["tensors"]
    assert before["architecture"] == after["architecture"]
    assert before["tensorDigests"][0] == after["tensorDigests"][0]
