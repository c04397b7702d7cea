"""States of torch are kept as safetensors files, which torch reads."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.store import open_store


def tied() -> torch.nn.Module:
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
    model[1].weight = model[0].weight
    return model


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: torch.nn.BatchNorm1d(4), id="a module with integers"),
        pytest.param(tied, id="tied weights"),
        pytest.param(lambda: tied().state_dict(), id="a state dict"),
        pytest.param(lambda: {"h": torch.ones(3, 5, dtype=torch.bfloat16).t()}, id="bfloat16, transposed"),
        pytest.param(lambda: {"e": torch.arange(9.0).to(torch.float8_e4m3fn)}, id="fp8"),
        pytest.param(lambda: torch.nn.Parameter(torch.arange(6.0)), id="a tensor"),
        pytest.param(lambda: {"scalar": torch.tensor(7), "none": torch.empty(0, 3)}, id="odd shapes"),
    ],
)
def test_what_torch_holds_is_kept_under_its_digest_and_loads_again(tmp_path: Path, make):
    data = make()
    store = open_store(tmp_path / "store", tmp_path)
    store.put(content_of(data), data)

    (found,) = store.scan()
    assert found.digest == content_of(data).digests[0]
    store.fetch(found.digest, tmp_path / "m.safetensors")
    state = data.state_dict() if isinstance(data, torch.nn.Module) else data
    state = {"": state} if isinstance(state, torch.Tensor) else state
    loaded = load_file(tmp_path / "m.safetensors")
    assert loaded.keys() == state.keys()
    for name, tensor in state.items():
        assert loaded[name].dtype == tensor.dtype
        torch.testing.assert_close(loaded[name].double(), tensor.detach().double(), rtol=0, atol=0)


def test_weights_that_change_after_the_digest_are_not_kept(tmp_path: Path):
    model = tied()
    content = content_of(model)
    with torch.no_grad():
        model[0].bias.add_(1)
    store = open_store(tmp_path / "store", tmp_path)

    with pytest.raises(Refused, match="changed meanwhile"):
        store.put(content, model)
    assert list(store.scan()) == []


def test_complex_numbers_of_twice_the_width_have_no_form(tmp_path: Path):
    data = {"c": torch.ones(2, dtype=torch.complex128)}

    with pytest.raises(Refused):
        open_store(tmp_path / "store", tmp_path).put(content_of(data), data)
