"""What digests of torch's models got wrong elsewhere, each with the number it is known by (numpy's part is in
tests/emitter/digests/test_defects_models.py)."""

import threading
import time

import numpy as np
import psutil
import pytest
import torch

from relineage.emitter.digests import Refused, content_of


def test_h9_two_models_with_the_same_bytes_one_after_another_differ() -> None:
    pairs = [
        ({"w": torch.zeros(2, 3)}, {"w": torch.zeros(3, 2)}),
        ({"w": torch.zeros(4)}, {"w": torch.zeros(2, dtype=torch.float64)}),
        ({"w": torch.tensor([1.5])}, {"w": torch.tensor([1.5]).view(torch.int32)}),
        ({"a": torch.zeros(2)}, {"a": torch.zeros(1), "b": torch.zeros(1)}),
    ]
    for left, right in pairs:
        assert content_of(left).digests[0] != content_of(right).digests[0]


def test_h10_extra_state_is_json_or_a_tensor_or_refused() -> None:
    weight = {"w": torch.ones(20)}
    plain = content_of({**weight, "norm._extra_state": {"scale": 2.0, "steps": [1, 2]}})
    assert (
        plain.digests == content_of({**weight, "norm._extra_state": {"steps": [1, 2], "scale": 2.0}}).digests
    )
    assert plain.digests[1] == content_of(weight).digests[1]
    others = [{**weight}, {**weight, "norm._extra_state": None}, {**weight, "_extra_state": {"scale": 2.0}}]
    assert len({plain.digests[0], *(content_of(other).digests[0] for other in others)}) == 4
    assert content_of({**weight, "_extra_state": torch.ones(2)}).digests[1] != content_of(weight).digests[1]
    with pytest.raises(Refused, match=r"state 'norm\._extra_state': builtins\.object has no digest"):
        content_of({**weight, "norm._extra_state": object()})


def test_h11_bfloat16_gradients_and_kept_variables_have_digests() -> None:
    layer = torch.nn.Linear(4, 3, dtype=torch.bfloat16)
    assert content_of(layer.state_dict(keep_vars=True)).digests == content_of(layer.state_dict()).digests
    assert content_of(layer).digests == content_of(layer.state_dict()).digests
    with pytest.raises(TypeError):
        layer.weight.detach().cpu().numpy()


def test_h12_tied_weights_are_told_and_counted_once() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(10, 4)
            self.inner = torch.nn.Linear(4, 4, bias=False)
            self.head = torch.nn.Linear(4, 10, bias=False)
            self.head.weight = self.embedding.weight

    model = Tied()
    for carrier in (model, model.state_dict(), {name: t.numpy() for name, t in model.state_dict().items()}):
        found = content_of(carrier).model
        assert found is not None
        assert found.aliases == (("embedding.weight", "head.weight"),)
        assert found.parameters == sum(p.numel() for p in model.parameters())
    parts = content_of({"whole": model.embedding.weight, "part": model.embedding.weight[:5]}).model
    assert parts is not None
    assert parts.aliases == ()


class Peak(threading.Thread):
    """The most memory that this process had while a block ran, over what it had before, in bytes."""

    def __enter__(self) -> "Peak":
        self.process, self.going, self.most = psutil.Process(), True, 0
        self.before = self.process.memory_info().rss
        self.start()
        return self

    def run(self) -> None:
        while self.going:
            self.most = max(self.most, self.process.memory_info().rss - self.before)
            time.sleep(0.001)

    def __exit__(self, *_: object) -> None:
        self.going = False
        self.join()


MIB = 1 << 20


def test_h13_the_model_is_never_copied_as_a_whole() -> None:
    layers = {f"layer.{i}": torch.full((32, MIB), float(i), dtype=torch.bfloat16) for i in range(8)}
    content_of({"warm": torch.ones(3)})
    with Peak() as peak:
        content_of(layers)
    assert peak.most < 32 * MIB, "512 MiB hashed where they lie"
    turned = {name: tensor.T for name, tensor in layers.items()}
    with Peak() as peak:
        content_of(turned)
    assert peak.most < 64 * MIB, "of what has to be copied, 32 MiB at a time"


def test_h13_a_tensor_that_is_larger_than_its_memory_is_digested_in_parts() -> None:
    number = torch.ones(1).expand(100, 1_000_000)
    with Peak() as peak:
        found = content_of({"x": number})
    assert peak.most < 64 * MIB
    assert found.digests == content_of({"x": np.ones((100, 1_000_000), "f4")}).digests
