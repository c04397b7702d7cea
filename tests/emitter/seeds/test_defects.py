"""What seeding got wrong elsewhere, each with the number it is known by: S1 to S13 of the sketch in
tests/sketch_seeds.py. (torch's part is in tests/with_torch/test_seeds.py.)"""

import functools
import math
import os
import random
import subprocess
import sys
import threading
from contextvars import copy_context
from pathlib import Path

import numpy as np
import pytest
from emitted import events_in
from sketch_seeds import ReproducibleTransform, SeedState, augment_images

from relineage.consumer.ask import Ask
from relineage.consumer.consume import take_in
from relineage.consumer.store import Store
from relineage.emitter import Lineage
from relineage.emitter.digests import content_of
from relineage.emitter.seeds import Seeding, entropy_of
from relineage.emitter.seeds.derivation import library_seeds

TESTS = Path(__file__).resolve().parents[2]


@pytest.fixture
def lineage(folder):
    return Lineage(namespace="n", strict=True)


def facets(event):
    return event["run"]["facets"]


def seeds_of(folder):
    return facets(events_in(folder)[-1])["relineage_seeds"]


def images(seed=0):
    return np.random.default_rng(seed).random((10, 64, 64, 3))


def augment(pictures, flip_prob=0.5):
    """The example as it was meant: flips and turns, from the generators that the run has seeded."""
    augmented = pictures.copy()
    for i in range(len(augmented)):
        if np.random.random() < flip_prob:
            augmented[i] = np.fliplr(augmented[i])
        angle = np.random.uniform(-15, 15)
        augmented[i] = turned(augmented[i], math.radians(angle))
    return augmented


def turned(picture, angle):
    """Nearest neighbours; what comes from outside is black."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width] - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    from_y = np.rint(math.cos(angle) * y - math.sin(angle) * x + (height - 1) / 2).astype(int)
    from_x = np.rint(math.sin(angle) * y + math.cos(angle) * x + (width - 1) / 2).astype(int)
    inside = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
    result = np.zeros_like(picture)
    result[inside] = picture[from_y[inside], from_x[inside]]
    return result


def epochs(lineage, seed, number=3):
    """A training's batches: the outer run has the seed, and each epoch augments the same pictures anew."""
    batches = []
    with lineage.run("train", seed=seed):
        for _ in range(number):
            with lineage.run("augment", params={"flip_prob": 0.5}) as run:
                pictures = run.input(images(), name="images", role="images")
                batches.append(run.output(augment(pictures), name="batches"))
    return [content_of(batch).digests[0] for batch in batches]


def in_processes(program, salts=("1", "2", "3")):
    return {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(TESTS)},
            capture_output=True, text=True, check=True,
        ).stdout
        for salt in salts
    }  # fmt: skip


def test_s1_a_derived_seed_is_the_same_in_every_process():
    """The other 100 processes are in test_derivation.py."""
    sketch = "from sketch_seeds import SeedState; print(SeedState.from_master_seed(42).numpy_seed)"
    ours = "from relineage.emitter.seeds.derivation import library_seeds; print(library_seeds(42))"

    assert len(in_processes(sketch)) == 3
    assert in_processes(ours) == {f"{library_seeds(42)}\n"}


def test_s2_every_generator_that_was_seeded_is_restored():
    """What holds for each library is asked of each in turn; torch in tests/with_torch."""
    from relineage.emitter.seeds.libraries import is_there, libraries

    def states():
        return {
            name: library.plain(state)
            for _, library in libraries()
            if is_there(library.module)
            for name, state in library.take().items()
        }

    before = states()
    one = Seeding(entropy_of(42), os.environ)
    one.begin()
    within = states()
    one.end()

    assert {"random", "numpy"} <= set(before)
    assert states() == before
    assert all(within[name] != before[name] for name in ("random", "numpy"))


def test_s3_each_call_draws_something_else_and_each_replay_the_same(lineage, folder):
    sketch = ReproducibleTransform(augment_images, seed=42)
    assert np.array_equal(sketch(images()), sketch(images()))  # its second epoch is its first

    first, again, other = epochs(lineage, 42), epochs(lineage, 42), epochs(lineage, 43)
    assert len(set(first)) == 3
    assert again == first
    assert set(other).isdisjoint(first)


def test_s3_an_epoch_repeats_in_another_process_too(lineage, folder, tmp_path):
    program = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r}); sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "from test_defects import epochs; from relineage.emitter import Lineage;"
        "print(epochs(Lineage(namespace='n'), 42))"
    )

    assert in_processes(program, ("1", "2")) == {f"{epochs(lineage, 42)}\n"}


def test_a_run_tells_the_seed_that_its_own_was_derived_from(lineage, folder):
    @lineage.step(seed=7)
    def draw():
        return np.random.random(3)

    with lineage.run("outer", seed=42), lineage.run("part"):
        draw()
        with lineage.run("inner"):
            pass
        with lineage.run("again", seed=43), lineage.run("innermost"):
            pass

    ends = [event for event in events_in(folder) if event["eventType"] == "COMPLETE"]
    told = {event["job"]["name"]: facets(event)["relineage_seeds"].get("derivedFrom") for event in ends}
    assert told == {
        "outer": None, "part": "2a", "draw": "7", "inner": "2a", "again": None, "innermost": "2b"
    }  # fmt: skip


def test_s4_what_the_seed_does_not_fix_is_covered_or_named(lineage, folder):
    state = SeedState.from_master_seed(42)
    values = set()
    for _ in range(2):
        state.apply()
        values.add((np.random.default_rng().random(), os.urandom(4)))
    assert len(values) == 2  # and nothing says so

    with lineage.run("train", seed=42):
        np.random.default_rng()
        os.urandom(4)
    assert [text.rpartition(" (")[0] for text in seeds_of(folder)["uncovered"]] == [
        "a numpy generator without a seed", "os.urandom",
    ]  # fmt: skip
    assert "PYTHONHASHSEED" in seeds_of(folder)["switches"]


def test_s4_generators_of_ones_own_and_seeds_for_anything_else_follow_from_the_runs(lineage, folder):
    def draw(seed):
        with lineage.run("train", seed=seed) as run:
            return (
                run.generator("flip").random(),
                run.generator("flip").random(),
                run.seed("jax"),
                run.seed("jax"),
            )

    assert draw(42) == draw(42)
    assert len({*draw(42), *draw(43)}) == 8
    assert seeds_of(folder)["uncovered"] == []


def test_s4_a_run_with_a_seed_and_nothing_else_is_complete(lineage, folder):
    def check(seed, draw):
        with lineage.run("train", seed=seed) as run:
            draw()
        with Store.open() as store:
            take_in(store, [folder / ".relineage" / "events"])
            checks = Ask(store.connection).reproducibility(run.id)
        return next((one.status, one.reason) for one in checks if one.check_name == "seeds_complete")

    assert check(42, np.random.random) == ("passed", "seed was given")
    assert check(None, random.random) == ("passed", "seed was drawn and recorded")
    status, reason = check(42, np.random.default_rng)
    assert status == "failed"
    assert reason.startswith("not covered: a numpy generator without a seed (")


def test_s5_the_switches_are_recorded_and_set_on_request(lineage, folder, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with lineage.run("train", seed=42, deterministic=True):
        pass

    assert (
        seeds_of(folder)["switches"].items()
        >= {
            "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "random"),
            "OMP_NUM_THREADS": "3",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        }.items()
    )
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_s6_workers_do_not_repeat_each_other(lineage):
    """Of multiprocessing in test_workers.py, of torch in tests/with_torch."""
    with lineage.run("train", seed=42) as run:
        seed_worker = run.seed_workers()
    values = []
    before = random.getstate()
    for worker in (0, 1, 0):
        seed_worker(worker)
        values.append(random.random())
    random.setstate(before)

    assert values[0] == values[2] != values[1]


def test_s7_seeds_have_128_bits():
    assert max(SeedState.from_master_seed(seed).python_seed for seed in range(200)).bit_length() <= 32
    among = 77_163  # runs of which two share a 32-bit seed with a probability of one half

    assert 1 - math.exp(-(among**2) / 2**33) == pytest.approx(0.5, abs=1e-4)
    assert among**2 / 2**129 < 1e-28
    seeds = {library_seeds(seed)[0] for seed in range(2000)}
    assert len(seeds) == 2000
    assert max(seeds).bit_length() > 120


def test_s8_a_library_is_neither_imported_nor_touched_unless_the_job_has():
    program = (
        "import os, sys; from relineage.emitter.seeds import Seeding, entropy_of;"
        "s = Seeding(entropy_of(None), os.environ); s.begin(); s.end();"
        "print(*(name for name in ('torch', 'tensorflow', 'jax', 'pandas', 'polars') if name in sys.modules))"
    )

    assert in_processes(program, ("0",)) == {"\n"}


def test_s9_runs_in_threads_have_generators_of_their_own_and_say_what_they_share(lineage, folder):
    def draw(seed, meet, values):
        with lineage.run("train", seed=seed) as run:
            own = run.generator("x")
            meet.wait()
            values[seed] = [own.random() for _ in range(1000)]
            meet.wait()

    values: dict[int, list[float]] = {}
    meet = threading.Barrier(2)
    threads = [
        threading.Thread(target=copy_context().run, args=(draw, seed, meet, values)) for seed in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for seed in (1, 2):
        with lineage.run("train", seed=seed) as run:
            assert [run.generator("x").random(), values[seed][0]][0] == values[seed][0]
    ended = [
        facets(event)["relineage_seeds"] for event in events_in(folder) if event["eventType"] == "COMPLETE"
    ]
    overlapped = ["runs overlapped in this process and shared its generators"]
    assert [one["uncovered"] for one in ended] == [overlapped, overlapped, [], []]


def test_s10_what_is_recorded_is_measured_and_callables_of_any_kind_will_do(lineage, folder):
    sketch = ReproducibleTransform(functools.partial(augment_images, flip_prob=0.1), seed=1)
    with pytest.raises(AttributeError, match="__name__"):
        sketch.get_lineage_metadata()
    drawing = ReproducibleTransform(lambda: np.random.default_rng().random(), seed=1)
    assert drawing() != drawing()
    assert drawing.get_lineage_metadata()["reproducibility_level"] == "exact"

    with lineage.run("train", seed=1, params={"augment": 0.1}) as run:
        run.output(functools.partial(augment, flip_prob=0.1)(run.input(images(), name="i")), name="o")
    said = facets(events_in(folder)[-1])
    assert said["relineage_seeds"]["uncovered"] == []
    assert [one["library"] for one in said["relineage_seeds"]["libraries"]] == ["random", "numpy"]
    assert said["relineage_step"]["outcome"].startswith("b3-outcome1:")
    assert said["relineage_environment"]["packages"]["numpy"] == np.__version__


def test_s11_two_results_are_the_same_bit_by_bit_or_they_are_not():
    left, right = np.array([1.0, np.nan]), np.array([1.0 + 1e-9, np.nan])
    assert np.allclose(left, right, equal_nan=True)
    assert not np.allclose(left, left)  # the sketch's own check denies that a result is itself

    assert content_of(left).digests[0] == content_of(left.copy()).digests[0]
    assert content_of(left).digests[0] != content_of(right).digests[0]


def test_s11_the_angle_is_used(lineage):
    pictures = images()
    flips = {content_of(picture).digests[0] for one in pictures for picture in (one, np.fliplr(one))}
    with lineage.run("augment", seed=42):
        ours = augment(pictures)
    sketched = ReproducibleTransform(augment_images, seed=42)(pictures)

    assert all(content_of(picture).digests[0] in flips for picture in sketched)
    assert not any(content_of(picture).digests[0] in flips for picture in ours)


def test_s12_a_run_without_a_seed_can_be_repeated_from_its_record(lineage, folder):
    with lineage.run("train"):
        drawn = random.random(), np.random.random(), np.random.standard_normal(3).tolist()
    said = seeds_of(folder)

    assert said["given"] is False
    assert all(one["stateBefore"] != one["stateAfter"] for one in said["libraries"])
    with lineage.run("train", seed=int(said["entropy"], 16)):
        assert (random.random(), np.random.random(), np.random.standard_normal(3).tolist()) == drawn
    again = seeds_of(folder)
    assert again["libraries"] == said["libraries"]


def test_s12_any_bit_generator_is_restored():
    twister = np.random.mtrand.get_bit_generator()
    np.random.mtrand.set_bit_generator(np.random.PCG64(1))
    try:
        expected = np.random.random()
        np.random.mtrand.set_bit_generator(np.random.PCG64(1))
        sketch = ReproducibleTransform(np.random.random, seed=1)
        with pytest.warns(RuntimeWarning, match="can only be used with the MT19937"):
            sketch()
        assert "state" not in sketch.get_lineage_metadata()  # nor is any recorded
        np.random.mtrand.set_bit_generator(np.random.PCG64(1))
        one = Seeding(entropy_of(42), os.environ)
        one.begin()
        np.random.random()
        one.end()
        assert np.random.random() == expected
    finally:
        np.random.mtrand.set_bit_generator(twister)


def test_s13_run_ids_are_the_systems_whatever_the_job_seeds(lineage, folder):
    names, ids = set(), set()
    for _ in range(3):
        random.seed(0)
        np.random.seed(0)
        names.add(random.randrange(2**32))  # as others name their runs
        with lineage.run("train", seed=0) as run:
            ids.add(run.id[-17:])  # without the instant, in which they differ anyway

    assert len(names) == 1
    assert len(ids) == 3
