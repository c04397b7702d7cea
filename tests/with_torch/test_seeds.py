"""torch's chance in a run: every device seeded and put back, its workers and switches (S2, S5, S6, S8 of the sketch
in tests/sketch_seeds.py)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from emitted import events_in
from sketch_seeds import ReproducibleTransform, SeedState
from torch.utils.data import DataLoader, Dataset

from relineage.emitter import Lineage
from relineage.emitter.digests import content_of
from relineage.emitter.seeds import Seeding, entropy_of
from relineage.emitter.seeds.derivation import library_words, number

DEVICES = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]


@pytest.fixture
def lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lineage:
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    return Lineage(namespace="n", strict=True)


@pytest.fixture(autouse=True)
def settings_as_they_were() -> Iterator[None]:
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False


def begun(seed: int, **settings: Any) -> Seeding:
    seeding = Seeding(entropy_of(seed), os.environ, **settings)
    seeding.begin()
    return seeding


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_is_seeded_and_put_back(device: str) -> None:
    torch.manual_seed(7)
    torch.rand(3, device=device)
    expected = torch.rand(3, device=device)
    torch.manual_seed(7)
    torch.rand(3, device=device)

    drawn = []
    for _ in range(2):
        seeding = begun(42)
        drawn.append(torch.rand(3, device=device))
        torch.randn(5, device=device)
        seeding.end()
        assert seeding.record().uncovered == ()

    assert torch.equal(*drawn)
    assert torch.equal(torch.rand(3, device=device), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_the_seed_is_that_of_torchs_own_function(device: str) -> None:
    seeding = begun(42)
    drawn = torch.rand(3, device=device)
    seeding.end()
    recorded = {one.library: int(one.seed) for one in seeding.record().libraries}
    seed = number(library_words(42, "torch")) % 2**64
    torch.manual_seed(seed)

    assert torch.equal(torch.rand(3, device=device), drawn)
    assert recorded["torch" if device == "cpu" else f"torch.{device}"] == seed
    assert "torch.manual_seed(seed % 2**64)" in seeding.record().derivation


def test_s2_torch_comes_back_after_an_exception_too(lineage: Lineage) -> None:
    def failing() -> None:
        torch.rand(1)
        raise ValueError("mine")

    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="mine"):
        ReproducibleTransform(failing, seed=1)()
    assert not torch.equal(torch.get_rng_state(), before)  # it leaks

    def job() -> None:
        with lineage.run("train", seed=1):
            failing()

    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="mine"):
        job()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_states_tell_whether_torch_was_used() -> None:
    seeding = begun(42)
    torch.rand(1)
    seeding.end()
    other = begun(42)
    other.end()

    used, unused = (
        next(library for library in one.record().libraries if library.library == "torch")
        for one in (seeding, other)
    )
    assert used.state_before == unused.state_before == unused.state_after != used.state_after


def test_a_device_that_the_job_has_not_started_is_not_started_and_what_waits_for_it_comes_back() -> None:
    program = """
import os, torch
from relineage.emitter.seeds import Seeding, entropy_of
torch.manual_seed(7)
torch.cuda.manual_seed(8)
waiting = dict(vars(torch.cuda._lazy_seed_tracker))
seeding = Seeding(entropy_of(42), os.environ)
seeding.begin()
within = dict(vars(torch.cuda._lazy_seed_tracker))
seeding.end()
print(torch.cuda.is_initialized(), within != waiting, vars(torch.cuda._lazy_seed_tracker) == waiting)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["False", "True", "True"]


def test_torch_that_is_imported_in_a_run_is_seeded() -> None:
    program = """
import os, sys
from relineage.emitter.seeds import Seeding, entropy_of
def drawn():
    seeding = Seeding(entropy_of(42), os.environ)
    seeding.begin()
    import torch
    values = torch.rand(2).tolist()
    seeding.end()
    return values, seeding.record()
late, record = drawn()
state = sys.modules["torch"].get_rng_state()
again, _ = drawn()
print(late == again, bool((sys.modules["torch"].get_rng_state() == state).all()), record.uncovered)
print([one.library for one in record.libraries], "torch.are_deterministic_algorithms_enabled" in record.switches)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines() == ["True True ()", "['random', 'numpy', 'torch'] True"]


def test_s5_the_switches_are_told() -> None:
    torch.backends.cudnn.benchmark = True
    seeding = begun(1)
    torch.use_deterministic_algorithms(True)  # by the job, within the run
    seeding.end()

    assert (
        seeding.record().switches.items()
        >= {
            "torch.are_deterministic_algorithms_enabled": "True",
            "torch.backends.cudnn.benchmark": "True",
            "torch.backends.cudnn.deterministic": "False",
            "torch.backends.cudnn.allow_tf32": "True",
            "torch.backends.cuda.matmul.allow_tf32": "False",
            "torch.get_num_threads": str(torch.get_num_threads()),
        }.items()
    )


def switches() -> list[Any]:
    return [
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32, os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    ]  # fmt: skip


def test_s5_a_deterministic_run_sets_the_switches_and_puts_them_back(
    lineage: Lineage, tmp_path: Path
) -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = True
    before = switches()

    def job() -> None:
        with lineage.run("train", seed=1, deterministic=True):
            assert switches() == [True, False, True, False, False, False, ":4096:8"]
            with lineage.run("inner", deterministic=True):
                pass
            assert torch.are_deterministic_algorithms_enabled()
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        job()

    assert switches() == before
    said = events_in(tmp_path)[-1]["run"]["facets"]["relineage_seeds"]["switches"]
    assert said["torch.are_deterministic_algorithms_enabled"] == "True"
    assert said["torch.backends.cudnn.allow_tf32"] == "False"
    late = " (set after CUDA had started: too late for what cuBLAS holds already)"
    assert said["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8" + (late if torch.cuda.is_initialized() else "")


def test_an_operation_without_a_deterministic_algorithm_raises_in_a_deterministic_run(
    lineage: Lineage,
) -> None:
    values, index = torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 2, 2, dtype=torch.int64)
    torch.nn.functional.max_unpool2d(values[..., :2, :2], index, 2)

    def job() -> None:
        with lineage.run("train", deterministic=True):
            torch.nn.functional.max_unpool2d(values[..., :2, :2], index, 2)

    with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
        job()


def test_the_newer_way_to_switch_tf32_off_is_understood() -> None:
    program = """
import os, torch
from relineage.emitter.seeds import Seeding, entropy_of
torch.backends.cuda.matmul.fp32_precision = "tf32"
torch.backends.cudnn.conv.fp32_precision = "tf32"
seeding = Seeding(entropy_of(42), os.environ, deterministic=True)
seeding.begin()
print(torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision)
seeding.end()
print(torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision)
print(seeding.record().uncovered)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    within, after, uncovered = ran.stdout.splitlines()
    assert "tf32" not in within
    assert (after, uncovered) == ("tf32 tf32", "()")


def test_a_new_seed_from_the_system_is_seen() -> None:
    seeding = begun(1)
    torch.seed()
    torch.Generator().manual_seed(3)
    torch.rand(1, generator=torch.Generator())  # begins from a constant
    seeding.end()

    [text] = seeding.record().uncovered
    assert text.startswith("torch.seed (")


class Noise(Dataset[tuple[float, float, float]]):
    """Each item is what the three generators of a worker draw."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[float, float, float]:
        import random

        return random.random(), float(np.random.random()), float(torch.rand(1))


def loaded(
    lineage: Lineage, *, seed: int = 42, method: str = "fork", initialised: bool = True
) -> list[list[float]]:
    """What two epochs of a loader with two workers yield, by epoch."""
    with lineage.run("train", seed=seed) as run:
        loader = DataLoader(
            Noise(),
            batch_size=2,
            num_workers=2,
            multiprocessing_context=method,
            worker_init_fn=run.seed_workers() if initialised else None,
        )
        epochs = [[float(value) for batch in loader for part in batch for value in part] for _ in range(2)]
    assert bool(run._chance.record().uncovered) is not initialised  # else nobody knows what the workers drew
    return epochs


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_s6_workers_and_epochs_differ_and_repeat(lineage: Lineage) -> None:
    epochs = loaded(lineage)
    values = [value for epoch in epochs for value in epoch]

    assert len(set(values)) == len(values) == 2 * 8 * 3
    assert loaded(lineage) == epochs
    assert loaded(lineage, seed=43) != epochs
    assert loaded(lineage, initialised=False) != epochs


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_s6_workers_that_are_not_forked_draw_the_same_as_forked_ones(lineage: Lineage) -> None:
    assert loaded(lineage, method="spawn") == loaded(lineage)


def test_s8_a_seed_that_is_none_is_drawn_and_torch_is_touched_only_if_it_is_there(lineage: Lineage) -> None:
    with pytest.raises(TypeError):
        SeedState(1, 1, None, None, 1).apply()

    with lineage.run("train"):
        torch.rand(1)


def test_a_training_repeats_bit_by_bit_with_its_seed(lineage: Lineage) -> None:
    def train(seed: int) -> str:
        with lineage.run("train", seed=seed, deterministic=True) as run:
            model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 1))
            optimizer = torch.optim.Adam(model.parameters())
            x = torch.randn(64, 8)
            for batch in DataLoader(x, batch_size=16, shuffle=True):
                optimizer.zero_grad()
                (model(batch) - batch.sum(1, keepdim=True)).square().mean().backward()
                optimizer.step()
            run.output(model, name="model")
        return content_of(model).digests[0]

    torch.manual_seed(0)
    first = train(42)
    torch.manual_seed(1)
    assert train(42) == first != train(43)


FIRST_OPTIMIZER = """
import os, torch
from relineage.emitter.seeds import Seeding, entropy_of
seeding = Seeding(entropy_of(42), os.environ)
seeding.begin()
torch.optim.SGD(torch.nn.Linear(2, 1).parameters(), lr=0.1)
seeding.end()
print(seeding.record().uncovered)
"""


def test_what_torch_imports_for_its_first_optimizer_is_no_chance_that_no_seed_covers(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_OPTIMIZER], cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert done.stdout == "()\n"
