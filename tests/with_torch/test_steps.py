"""Steps of tensors and modules: what is data, and what comes back from the cache."""

import numpy as np
import pytest
import torch
from emitted import events_in
from step_events import content, roles, step_of

from relineage.emitter import Lineage
from relineage.emitter.parameters import parameters_of
from relineage.emitter.steps.arguments import is_data
from relineage.emitter.steps.forms import Formless, form_of
from relineage.emitter.values import canonical, text, type_name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends(folder):
    return [event for event in events_in(folder) if event["eventType"] == "COMPLETE"]


@pytest.mark.parametrize(
    "value", [torch.ones(3), torch.nn.Linear(2, 3), {"w": torch.ones(3)}, torch.nn.Parameter(torch.ones(2))]
)
def test_tensors_modules_and_states_are_data(value):
    assert is_data(value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int8, torch.bool])
def test_a_tensor_comes_back_from_the_cache_as_it_was(folder, dtype):
    lineage = Lineage(namespace="n")

    @lineage.step(cache="dirty")
    def make(size: int):
        return torch.arange(size).reshape(2, -1).to(dtype), {
            "w": torch.ones(size).to(dtype),
            "b": torch.zeros(1),
        }

    one, state = make(8)
    two, again = make(8)

    assert step_of(ends(folder)[1])["cache"] == "served"
    assert two is not one
    assert (two.dtype, two.shape) == (one.dtype, one.shape)
    assert torch.equal(two, one)
    assert list(again) == list(state)
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_a_step_of_a_module_reads_its_weights(folder):
    lineage = Lineage(namespace="n")

    @lineage.step(seed=3)
    def dropped(model, batch):
        return torch.nn.functional.dropout(model(batch), 0.5)

    torch.manual_seed(1)
    model = torch.nn.Linear(4, 4)
    batch = torch.ones(2, 4)
    state = torch.get_rng_state()
    results = [dropped(model, batch) for _ in range(3)]

    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(results[0], results[1])
    for event in ends(folder):
        assert list(roles(event)) == ["model", "batch"]
        assert content(event, "model", "inputs")["modality"] == "model"


@pytest.mark.parametrize(
    "value",
    [
        torch.nn.Linear(2, 3),
        torch.ones(3, requires_grad=True),
        torch.ones(3, 4).T,
        torch.nn.Linear(2, 3).state_dict(),
    ],
)
def test_what_would_not_come_back_as_it_was_is_refused(value):
    with pytest.raises(Formless, match="cannot be made again"):
        form_of(value, "output")


def test_arrays_and_tensors_in_one_state_keep_their_kinds(folder):
    lineage = Lineage(namespace="n")

    @lineage.step(cache="dirty")
    def make():
        return {"array": np.arange(9.0), "tensor": torch.arange(9.0)}

    make()
    again = make()
    assert step_of(ends(folder)[1])["cache"] == "served"
    assert type(again["array"]) is np.ndarray
    assert type(again["tensor"]) is torch.Tensor


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (torch.float32, "torch.dtype", "torch.float32"),
        (torch.bfloat16, "torch.dtype", "torch.bfloat16"),
        (torch.device("cpu"), "torch.device", "cpu"),
        (torch.device("cuda", 1), "torch.device", "cuda:1"),
    ],
)
def test_types_and_devices_are_parameters_with_a_form(value, kind, shown):
    assert (type_name(value), text(value)) == (kind, shown)
    assert canonical(value) != canonical(shown)


def test_the_forms_of_types_and_devices_differ():
    values = [
        torch.float32,
        torch.float64,
        torch.device("cpu"),
        torch.device("cuda", 0),
        torch.device("cuda", 1),
    ]
    assert len({canonical(value) for value in values}) == len(values)


def test_a_generator_counts_by_its_state_and_is_not_moved():
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    one, same, other = (parameters_of({"it": generator}) for generator in generators)
    first = torch.rand(1, generator=generators[0])

    assert one == same != other
    assert one.shown[0].type == "torch.Generator"
    assert parameters_of({"it": generators[0]}) != one
    assert first == torch.rand(1, generator=torch.Generator().manual_seed(1))
