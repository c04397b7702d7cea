"""torch's tensors and state dicts have the digests of the same bits in numpy and in safetensors files."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.torch
import torch

from relineage.emitter.digests import Refused, content_of

DTYPES = [
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "bfloat16",
    "float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
    "float8_e5m2fnuz", "float8_e8m0fnu",
]  # fmt: skip
NOT_IN_SAFETENSORS = {"complex128"}


def bits_of(name: str) -> torch.Tensor:
    """Every byte occurs, so that NaN with payloads, infinities, subnormals and both zeros are there."""
    every = torch.arange(256, dtype=torch.uint8)
    if name == "bool":
        return (every % 3 == 0).reshape(2, -1)
    return every.view(getattr(torch, name)).reshape(2, -1)


@pytest.mark.parametrize("name", DTYPES)
def test_the_bits_of_every_type_are_those_of_numpy_and_of_the_file(name: str, tmp_path: Path) -> None:
    tensor = bits_of(name)
    found = content_of({"x": tensor})
    assert found.model is not None
    assert [(one.dtype, one.shape) for one in found.model.tensor_digests] == [(name, tuple(tensor.shape))]
    kind = np.dtype(getattr(ml_dtypes, name, name))
    array = tensor.view(torch.uint8).numpy().view(kind)
    assert content_of({"x": array}).digests == found.digests
    turned = tensor.view(torch.uint8).T.contiguous() if tensor.element_size() == 1 else tensor.T.contiguous()
    assert content_of({"x": turned.view(tensor.dtype).T}).digests == found.digests
    assert content_of({"x": np.asfortranarray(array)}).digests == found.digests
    if name not in NOT_IN_SAFETENSORS:
        safetensors.torch.save_file({"x": tensor}, tmp_path / "x.safetensors", metadata={"format": "pt"})
        assert content_of(tmp_path / "x.safetensors").digests[:2] == found.digests


def digests(tensor: object) -> tuple[str, ...]:
    return content_of({"x": tensor}).digests


def test_memory_layout_and_gradients_do_not_show() -> None:
    grid = torch.randn(4, 6, 3)
    strided = torch.empty(8, 12, 3)
    strided[::2, ::2] = grid
    twins = [
        grid,
        grid.clone().requires_grad_(),
        torch.nn.Parameter(grid),
        grid.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        strided[::2, ::2],
        torch.cat([torch.zeros(1, 6, 3), grid])[1:],
        (grid.clone().requires_grad_() * 1.0),
    ]
    assert len({digests(twin) for twin in twins}) == 1
    image = torch.randn(2, 3, 4, 5)
    assert digests(image) == digests(image.to(memory_format=torch.channels_last))
    row = torch.randn(1, 5)
    assert digests(row.expand(3, 5)) == digests(row.repeat(3, 1))


def test_one_tensor_is_one_array() -> None:
    tensor = torch.randn(3, 4)
    assert content_of(tensor).digests == content_of(tensor.numpy()).digests
    assert content_of(tensor).rows == 3
    number, nothing = torch.tensor(2.5), torch.zeros(0, 3)
    assert content_of(number).digests == content_of(np.array(2.5, "f4")).digests
    assert content_of(nothing).digests == content_of(np.zeros((0, 3), "f4")).digests


def test_a_view_that_is_only_marked_as_conjugated_or_negated_has_the_bits_it_stands_for() -> None:
    numbers = torch.randn(5, dtype=torch.complex64)
    conjugated = numbers.conj()
    assert conjugated.is_conj()
    assert digests(conjugated) == digests(torch.complex(numbers.real, -numbers.imag))
    negated = conjugated.imag
    assert negated.is_neg()
    assert digests(negated) == digests(-numbers.imag)
    state = {"a": numbers, "b": conjugated}
    model = content_of(state).model
    assert model is not None
    assert model.aliases == ()


class Own(torch.Tensor):
    pass


def fake() -> torch.Tensor:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        return torch.zeros(3)


def packed(name: str) -> torch.Tensor:
    return torch.zeros(4, dtype=torch.uint8).view(getattr(torch, name))


REFUSED: dict[str, tuple[Any, str]] = {
    "sparse": (lambda: torch.eye(3).to_sparse(), r"of layout torch.sparse_coo; digest to_dense\(\)"),
    "sparse rows": (lambda: torch.eye(3).to_sparse_csr(), "of layout torch.sparse_csr"),
    "mkldnn": (lambda: torch.ones(3).to_mkldnn(), "of layout torch._mkldnn"),
    "meta": (lambda: torch.empty(3, device="meta"), "on the device meta, without values"),
    "nested": (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "nested"),
    "jagged": (
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
        "NestedTensor, a tensor of another kind",
    ),
    "subclass": (lambda: torch.ones(3).as_subclass(Own), "Own, a tensor of another kind"),
    "fake": (fake, "FakeTensor, a tensor of another kind"),
    "without a shape": (torch.nn.parameter.UninitializedParameter, "a tensor of another kind"),
    "complex32": (lambda: torch.ones(3, dtype=torch.complex32), "of dtype torch.complex32"),
    "four bits, packed": (lambda: packed("float4_e2m1fn_x2"), "of dtype torch.float4_e2m1fn_x2"),
    "bits": (lambda: packed("bits8"), "of dtype torch.bits8"),
    "a list": (lambda: [1], "a builtins.list is no plain array"),
    "a checkpoint": (lambda: {"w": torch.ones(2)}, "digest the state dict of the model alone"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch calls most of these experimental
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_bits_of_its_own_is_refused_with_what_to_do(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(Refused, match=message) as refused:
        content_of({"plain": torch.ones(2), "w": make()})
    assert refused.value.where == "tensor 'w'"


@pytest.mark.filterwarnings(
    "ignore:.*quantiz:UserWarning", "ignore:.*quantiz:DeprecationWarning", "ignore::FutureWarning"
)
def test_a_quantised_tensor_is_refused() -> None:
    tensor = torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8)
    with pytest.raises(Refused, match=r"tensor 'w': quantised; digest int_repr\(\)"):
        content_of({"w": tensor})


def test_a_distributed_tensor_is_refused() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import distribute_tensor
    from torch.testing._internal.distributed.fake_pg import FakeStore

    torch.distributed.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        tensor = distribute_tensor(torch.ones(4, 4), init_device_mesh("cpu", (2,)))
        with pytest.raises(Refused, match=r"DTensor, a tensor of another kind; .* full_tensor\(\)"):
            content_of({"w": tensor})
    finally:
        torch.distributed.destroy_process_group()


def test_a_tensor_inside_a_transformation_is_refused() -> None:
    refused = []

    def step(x: torch.Tensor) -> torch.Tensor:
        with pytest.raises(Refused, match="its bits cannot be read") as caught:
            content_of(x)
        refused.append(caught)
        return x.sum()

    torch.func.grad(step)(torch.zeros(3))
    torch.vmap(step)(torch.zeros(3, 2))
    assert len(refused) == 2


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[2:], lambda x: x.T])
def test_a_tensor_whose_memory_was_freed_is_refused(view: Any) -> None:
    whole = torch.arange(64.0).reshape(8, 8)
    tensor = view(whole)
    whole.untyped_storage().resize_(0)
    with pytest.raises(Refused, match="memory has been freed"):
        content_of({"x": tensor})


def test_a_tensor_that_repeats_its_memory_or_has_no_elements_is_not_taken_for_freed() -> None:
    assert content_of(torch.tensor([1.0]).expand(64)).digests == content_of(torch.ones(64)).digests
    assert content_of(torch.empty(0, 3)).digests == content_of(np.empty((0, 3), np.float32)).digests


def test_a_tensor_can_grow_after_it_was_digested() -> None:
    tensor = torch.ones(4)
    digests = content_of(tensor).digests
    tensor.resize_(1000).fill_(1.0)
    assert content_of(tensor[:4]).digests == digests
