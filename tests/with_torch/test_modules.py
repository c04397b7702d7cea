"""torch's modules: the roots of their state, and an architecture that does not depend on values."""

import json
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from relineage.emitter.digests import Refused, content_of

ROOT = Path(__file__).resolve().parents[2]
GOLDEN: dict[str, str] = json.loads((ROOT / "tests/emitter/digests/golden_models.json").read_text())[
    "modules"
]


class Block(nn.Module):
    """Of everything something: settings of all kinds, buffers that are saved and not, a tensor that is tied."""

    def __init__(self, width: int = 8, **settings: object) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, width)
        self.norm = nn.BatchNorm1d(width)
        self.mix = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.25))
        self.head = nn.Linear(width, 11, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("mask", torch.ones(width, dtype=torch.bool))
        self.register_buffer("positions", torch.arange(width), persistent=False)
        self.register_parameter("absent", None)
        self.activation = torch.nn.functional.relu
        self.kind = torch.bfloat16
        self.settings = {"heads": [2, 4], "scale": 0.5, "name": "ż", "causal": None, **settings}


def architecture(module: nn.Module) -> str:
    model = content_of(module).model
    assert model is not None
    assert model.architecture is not None
    return model.architecture


def test_a_model_has_the_same_roots_in_every_carrier(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        OrderedDict(
            layer=nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
            norm=nn.BatchNorm1d(16),
            head=nn.Linear(16, 3).to(torch.bfloat16),
        )
    )
    state = model.state_dict()
    expected = content_of(model)
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    shards = tmp_path / "shards"
    shards.mkdir()
    places = {}
    for i in range(3):
        part = {name: tensor for j, (name, tensor) in enumerate(state.items()) if j % 3 == i}
        places |= dict.fromkeys(part, f"model-{i}.safetensors")
        safetensors.torch.save_file(part, shards / f"model-{i}.safetensors", metadata={"format": "pt"})
    (shards / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    torch.save(state, tmp_path / "model.pt")
    carriers = [
        state,
        dict(state),
        torch.load(tmp_path / "model.pt", weights_only=True, mmap=True),
        tmp_path / "model.safetensors",
        shards,
        shards / "model.safetensors.index.json",
        safetensors.torch.load_file(tmp_path / "model.safetensors"),
    ]
    for carrier in carriers:
        found = content_of(carrier)
        assert found.digests[:2] == expected.digests
        assert found.model is not None
        assert expected.model is not None
        assert found.model.tensor_digests == expected.model.tensor_digests
    narrow = {name: tensor for name, tensor in state.items() if tensor.dtype != torch.bfloat16}
    np.savez(tmp_path / "model.npz", **{name: tensor.numpy() for name, tensor in narrow.items()})
    assert content_of(tmp_path / "model.npz").digests[:2] == content_of(narrow).digests


def test_tied_weights_that_a_file_stores_once_have_the_same_weights_and_other_tensors(tmp_path: Path) -> None:
    model = Block()
    safetensors.torch.save_model(model, str(tmp_path / "model.safetensors"))
    stored, whole = content_of(tmp_path / "model.safetensors"), content_of(model)
    assert stored.digests[1] == whole.digests[1]
    assert stored.digests[0] != whole.digests[0]
    assert stored.model is not None
    assert whole.model is not None
    assert stored.model.parameters == whole.model.parameters
    assert whole.model.framework == "torch"
    assert (whole.kind, whole.modality) == ("tensors", "model")


def test_the_architecture_does_not_depend_on_values_mode_gradients_or_training() -> None:
    model = Block()
    before, weights = architecture(model), content_of(model).digests
    assert architecture(Block()) == before
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.mix(model.norm(model.embedding(torch.arange(5)))).sum().backward()
    optimiser.step()
    assert content_of(model).digests != weights
    assert architecture(model) == before
    model.eval()
    model.requires_grad_(False)
    model.register_forward_hook(lambda *_: None)
    assert architecture(model) == before


def test_everything_that_makes_another_model_makes_another_architecture() -> None:
    changed = {"as it is": Block()}
    changed["width"] = Block(9)
    changed["a setting deep inside"] = Block(heads=[2, 5])
    changed["a float for an integer"] = Block(heads=[2, 4.0])
    changed["a setting more"] = Block(more=True)
    for name, change in {
        "the rate of a dropout": lambda m: setattr(m.mix[2], "p", 0.5),
        "the epsilon of a norm": lambda m: setattr(m.norm, "eps", 1e-6),
        "an activation that is a module": lambda m: m.mix.__setitem__(1, nn.ReLU()),
        "an activation that is a function": lambda m: setattr(m, "activation", torch.nn.functional.gelu),
        "a dtype among the settings": lambda m: setattr(m, "kind", torch.float16),
        "the order of modules": lambda m: setattr(m, "mix", nn.Sequential(m.mix[0], m.mix[2], m.mix[1])),
        "a bias": lambda m: m.mix[0].register_parameter("bias", None),
        "the dtype of a parameter": lambda m: m.mix.to(torch.float64),
        "the name of a module": lambda m: m.add_module("tail", m._modules.pop("head")),
        "a tie": lambda m: setattr(m.head, "weight", nn.Parameter(m.head.weight.detach().clone())),
        "a buffer": lambda m: m.register_buffer("more", torch.ones(1), persistent=False),
    }.items():
        changed[name] = Block()
        change(changed[name])
    found = {name: architecture(model) for name, model in changed.items()}
    assert len(set(found.values())) == len(found)


def modules() -> dict[str, nn.Module]:
    linear = nn.Linear(3, 2)
    return {
        "Identity()": nn.Identity(),
        "Linear(3, 2)": linear,
        "Conv2d(3, 4, (3, 5), padding='same', bias=False)": nn.Conv2d(
            3, 4, (3, 5), padding="same", bias=False
        ),
        "Sequential(BatchNorm1d(4), Dropout(0.25))": nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.25)),
        "Sequential(linear, linear), one and the same": nn.Sequential(linear, linear),
        "ModuleDict with a None": nn.ModuleDict({"a": nn.ReLU(), "b": None}),  # type: ignore[dict-item]
    }


@pytest.mark.parametrize("name", modules())
def test_a_golden_architecture_stays(name: str) -> None:
    """For as long as torch gives its modules these attributes: a setting that it adds is another architecture."""
    assert architecture(modules()[name]) == GOLDEN[name]


def test_every_golden_architecture_is_checked() -> None:
    assert GOLDEN.keys() == modules().keys()


def test_the_page_says_what_the_code_does() -> None:
    """The smallest module with everything, by hand, from docs/digests.md; shares no code with the digest."""
    from blake3 import blake3

    def n(value: int) -> bytes:
        return value.to_bytes(8, "little")

    def f(data: bytes) -> bytes:
        return n(len(data)) + data

    def every(*parts: bytes) -> bytes:
        return n(len(parts)) + b"".join(map(f, parts))

    def h(purpose: str, data: bytes) -> bytes:
        return blake3(data, derive_key_context=f"relineage {purpose}").digest()

    linear = h(
        "b3-module1 module",
        f(b"torch.nn.modules.linear.Linear")
        + every(f(b"in_features") + b"i" + f(b"3"), f(b"out_features") + b"i" + f(b"2"))
        + every(
            f(b"bias") + f(b"float32") + n(1) + n(2),
            f(b"weight") + f(b"float32") + n(2) + n(2) + n(3),
        )
        + every(),
    )
    sequential = h(
        "b3-module1 module",
        f(b"torch.nn.modules.container.Sequential")
        + every()
        + every()
        + every(f(b"0") + linear, f(b"1") + linear),
    )
    ties = every(every(b"0.bias", b"1.bias"), every(b"0.weight", b"1.weight"))
    expected = h("b3-module1 architecture", sequential + ties)
    assert (
        architecture(modules()["Sequential(linear, linear), one and the same"])
        == f"b3-architecture1:{expected.hex()}"
    )


def test_a_module_in_many_places_is_one() -> None:
    deep: nn.Module = nn.Linear(2, 2)
    for _ in range(8):
        deep = nn.Sequential(deep, deep)
    found = content_of(deep).model
    assert found is not None
    assert found.parameters == 6
    assert [len(group) for group in found.aliases] == [256, 256]


def test_a_module_that_contains_itself_is_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model.add_module("self", model)
    with pytest.raises(Refused, match=r"Sequential\.self: a module that contains itself"):
        content_of(model)


def test_a_lazy_module_is_refused_until_it_was_called() -> None:
    model = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(Refused, match=r"Sequential\.0\.(weight|bias): a tensor without a shape yet; call"):
        content_of(model)
    model(torch.ones(1, 2))
    assert content_of(model).distinctive is False
    assert architecture(model) == architecture(nn.Sequential(nn.Linear(2, 3)))


def test_a_module_without_tensors_is_an_empty_state() -> None:
    assert content_of(nn.ReLU()).digests == content_of(nn.Tanh()).digests
    assert architecture(nn.ReLU()) != architecture(nn.Tanh())
    assert not content_of(nn.ReLU()).distinctive


def test_extra_state_of_a_module_is_in_its_tensors() -> None:
    class Scaled(nn.Linear):
        scale = 1.0

        def get_extra_state(self) -> dict[str, float]:
            return {"scale": self.scale}

        def set_extra_state(self, state: dict[str, float]) -> None:
            self.scale = state["scale"]

    torch.manual_seed(0)
    model = nn.Sequential(Scaled(4, 4))
    before = content_of(model).digests
    model.load_state_dict({**model.state_dict(), "0._extra_state": {"scale": 2.0}})
    after = content_of(model).digests
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_the_same_model_has_the_same_digests_in_another_process() -> None:
    script = (
        "import torch; from relineage.emitter.digests import content_of; torch.manual_seed(7)\n"
        "m = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(8, 2, 16), 2, enable_nested_tensor=False)\n"
        "c = content_of(m); print(*c.digests, c.model.architecture)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
            check=True,
            capture_output=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    assert len(printed) == 1
    assert len(printed.pop().split()) == 3


def test_nobody_imports_torch_for_the_user() -> None:
    script = (
        "import sys; import numpy as np; from pathlib import Path; from relineage.emitter.digests import content_of\n"
        "content_of({'a': np.ones(3)}); content_of({'a': 1}); content_of(Path(sys.argv[1]))\n"
        "sys.exit('torch' in sys.modules or 'safetensors' in sys.modules)"
    )
    path = Path(__file__).with_name("empty.safetensors")
    path.write_bytes((8).to_bytes(8, "little") + b"{}      ")
    try:
        subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    finally:
        path.unlink()


def test_a_setting_of_more_digits_than_python_writes_is_refused() -> None:
    module = nn.Linear(1, 1)
    module.limit = 10**5000
    with pytest.raises(Refused, match="too many digits"):
        content_of(module)
