"""torch's tensors, states and modules are compared value by value, like arrays."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.closeness import Tolerance, compare_values
from relineage.emitter.digests.loading import load


def test_modules_that_were_trained_apart_are_told_tensor_by_tensor(tmp_path: Path) -> None:
    torch.manual_seed(1)
    one, other = (torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1)) for _ in range(2))
    other.load_state_dict(one.state_dict())
    assert compare_values(one, other) == ("bitwise", [])
    with torch.no_grad():
        other[0].weight[1, 2] += 1e-4
    verdict, (found,) = compare_values(one, other, Tolerance(absolute=1e-3))
    assert verdict == "within tolerance"
    assert (found.name, found.values, found.differing, found.first) == ("0.weight", 6, 1, 5)
    assert compare_values(one, other.state_dict())[0] == "different"
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file(other.state_dict(), path)
    assert compare_values(load(path, content_of(path)), other) == ("bitwise", [])


@pytest.mark.parametrize(
    "name", ["bfloat16", "float16", "float8_e4m3fn", "float64", "complex64", "bool", "int32"]
)
def test_tensors_of_every_kind_of_type_are_compared(name: str) -> None:
    tensor = torch.arange(6).reshape(2, 3).to(getattr(torch, name))
    other = torch.arange(6, 0, -1).reshape(2, 3).to(getattr(torch, name))
    state, turned = ({"w": one, "none": tensor[:0]} for one in (tensor, tensor.T.contiguous().T))
    assert compare_values(state, turned) == ("bitwise", [])
    assert compare_values(tensor, other)[0] == "different"


def test_half_precision_is_told_in_its_own_ulps() -> None:
    one = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    other = torch.tensor([1.0, 2.0 + 2**-6], dtype=torch.bfloat16)
    verdict, (found,) = compare_values(one, other, Tolerance(ulps=1))
    assert (verdict, found.max_ulps, found.max_absolute) == ("within tolerance", 1, 2**-6)


def test_what_has_no_bits_is_refused_as_for_a_digest() -> None:
    sparse = torch.eye(2).to_sparse()
    with pytest.raises(Refused, match="of layout"):
        compare_values({"w": sparse}, {"w": sparse})
