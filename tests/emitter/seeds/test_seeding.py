"""Seeds: the same in every process, 128 bits wide, and gone from the caller's generators afterwards."""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from array import array
from contextvars import copy_context

import numpy as np
import pytest
from blake3 import blake3

from relineage.emitter import Lineage, RelineageWarning
from relineage.emitter.seeds import Seeding, child_entropy, entropy_of, libraries, register_generator
from relineage.emitter.seeds import seeding as module
from relineage.emitter.seeds.derivation import generator_seed, library_seeds, other_seed
from relineage.emitter.seeds.numerical import NumpyLegacy


def seeding(seed=None):
    return Seeding(entropy_of(seed), os.environ)


def drawn():
    return random.random(), float(np.random.random())


def test_what_a_run_draws_repeats_with_its_seed_and_differs_with_another():
    outcomes = []
    for seed in (42, 42, 43):
        one = seeding(seed)
        one.begin()
        outcomes.append(drawn())
        one.end()

    assert outcomes[0] == outcomes[1]
    assert outcomes[0] != outcomes[2]


def test_seeds_near_each_other_share_no_derived_seed():
    """32-bit seeds from one hash meet at 77,000 runs; these have 128 bits."""
    seeds = {library_seeds(seed)[0] for seed in range(2000)}

    assert len(seeds) == 2000
    assert max(seeds).bit_length() > 120


def test_the_callers_generators_are_as_they_were():
    random.seed(1)
    np.random.seed(1)
    without = drawn()
    random.seed(1)
    np.random.seed(1)

    one = seeding(42)
    one.begin()
    drawn()
    one.end()

    assert drawn() == without


def test_an_inner_run_does_not_move_the_outer_runs_generators():
    outer = seeding(42)
    outer.begin()
    without = drawn()
    outer.end()
    outer = seeding(42)
    outer.begin()
    inner = seeding(7)
    inner.begin()
    drawn()
    inner.end()
    with_inner = drawn()
    outer.end()

    assert with_inner == without


def test_seedings_that_end_in_another_order_still_give_the_callers_state_back():
    random.seed(1)
    before = random.getstate()

    one, other = seeding(1), seeding(2)
    one.begin()
    other.begin()
    one.end()
    other.end()

    assert random.getstate() == before
    assert any("overlapped" in text for text in other.record().uncovered)


def test_no_two_calls_of_an_unseeded_run_draw_the_same():
    entropies = {entropy_of(None).value for _ in range(50)}

    assert len(entropies) == 50
    assert not entropy_of(None).given


@pytest.mark.parametrize("ordinal", [0, 1])
def test_an_inner_run_without_a_seed_repeats_with_the_outer_ones(ordinal):
    outer = entropy_of(42)
    inner = child_entropy(outer, "augment", ordinal)

    assert inner == child_entropy(entropy_of(42), "augment", ordinal)
    assert inner.value != child_entropy(outer, "augment", ordinal + 1).value
    assert inner.value != child_entropy(outer, "augmented", ordinal).value
    assert inner.given
    assert not child_entropy(entropy_of(None), "augment", ordinal).given


@pytest.mark.parametrize("seed", [0, 42, 2**32, 2**200, np.int64(5)])
def test_a_seed_may_be_any_integer_from_zero_on(seed):
    one = seeding(seed)
    one.begin()
    one.end()

    assert one.record().entropy == f"{int(seed):x}"


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (1.5, TypeError), ("42", TypeError), (True, TypeError)]
)
def test_a_seed_that_is_none_is_refused(seed, error):
    with pytest.raises(error, match="seed must be an integer ≥ 0"):
        entropy_of(seed)


def test_the_states_tell_which_generator_was_used():
    one = seeding(42)
    one.begin()
    random.random()
    one.end()

    states = {seed.library: (seed.state_before, seed.state_after) for seed in one.record().libraries}
    assert states["random"][0] != states["random"][1]
    assert states["numpy"][0] == states["numpy"][1]


def test_a_library_that_cannot_be_put_back_is_left_alone_and_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", object())
    [text] = seeding(42).record().uncovered

    assert text.startswith("not observed: cupy")


def test_a_seeded_run_leaves_nothing_uncovered():
    one = seeding(42)
    one.begin()
    drawn()
    one.end()

    assert one.record().uncovered == ()


def test_runs_in_two_threads_at_the_same_time_say_that_they_share_the_generators():
    one, other, alone = seeding(1), seeding(2), seeding(3)
    one.begin()
    thread = threading.Thread(target=lambda: (other.begin(), other.end()))
    thread.start()
    thread.join()
    one.end()
    alone.begin()
    alone.end()

    assert ["overlapped" in str(run.record().uncovered) for run in (one, other, alone)] == [True, True, False]


def test_an_inner_run_in_a_thread_of_the_outer_one_is_no_overlap():
    outer, inner = seeding(1), seeding(2)
    outer.begin()
    context = copy_context()
    thread = threading.Thread(target=lambda: context.run(lambda: (inner.begin(), inner.end())))
    thread.start()
    thread.join()
    outer.end()

    assert outer.record().uncovered == inner.record().uncovered == ()


def test_two_tasks_with_runs_at_the_same_time_are_told_apart():
    async def task(run, turn, other_turn):
        run.begin()
        turn.set()
        await other_turn.wait()
        values = run.generator("x").random()
        run.end()
        return values

    async def both():
        first, second = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(task(one, first, second), task(other, second, first))

    before = random.getstate()
    one, other = seeding(1), seeding(2)
    values = asyncio.run(both())

    assert random.getstate() == before
    assert values == [run.generator("x").random() for run in (seeding(1), seeding(2))]
    assert all("overlapped" in str(run.record().uncovered) for run in (one, other))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_everything_is_as_it_was(error, tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    random.seed(1)
    np.random.seed(1)
    np.random.standard_normal()  # leaves a second one pending
    np.random.standard_normal(3)
    before = random.getstate(), str(np.random.get_state(legacy=False))

    def job():
        with Lineage().run("job", seed=3):
            drawn()
            np.random.standard_normal()
            raise error

    with pytest.raises(error):
        job()

    assert (random.getstate(), str(np.random.get_state(legacy=False))) == before


def test_the_runs_own_generators_repeat_and_differ_from_each_other():
    def values(seed):
        one = seeding(seed)
        return [one.generator(name).integers(2**60) for name in ("flip", "flip", "", "turn")]

    assert values(42) == values(42)
    assert len({*values(42), *values(43)}) == 8


def test_the_runs_own_generators_are_recorded_with_their_seeds():
    one = seeding(42)
    one.begin()
    one.generator("flip")
    one.generator("flip")
    one.seed("jax", 32)
    one.end()
    recorded = {library.library: library.seed for library in one.record().libraries}

    assert recorded["generator:flip"] == str(generator_seed(42, "flip", 0))
    assert recorded["seed:jax"] == str(other_seed(42, "jax", 0, 32))
    assert list(recorded) == ["random", "numpy", "generator:flip", "seed:jax"]


def test_a_library_that_fails_is_named_and_the_others_are_seeded(caplog, monkeypatch):
    monkeypatch.setattr(module, "_TOLD", set())

    def fail(_):
        raise RuntimeError("no device")

    register_generator("random.broken", seed=fail, get_state=lambda: 7, set_state=lambda state: None)
    try:
        one = seeding(42)
        one.begin()
        one.end()
    finally:
        del libraries._LIBRARIES["random.broken"]

    assert one.record().uncovered == (
        "random.broken (could not be set or put back: RuntimeError: no device)",
    )
    assert [library.library for library in one.record().libraries] == ["random", "numpy"]
    assert "no device" in caplog.text


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.Philox, np.random.SFC64, np.random.MT19937])
def test_any_bit_generator_behind_numpys_functions_is_seeded_and_comes_back(kind):
    before = np.random.mtrand.get_bit_generator()
    try:
        mine = kind(1)
        np.random.mtrand.set_bit_generator(mine)
        np.random.standard_normal()
        state = str(np.random.get_state(legacy=False))
        values = []
        for _ in range(2):
            one = seeding(42)
            one.begin()
            values.append((np.random.random(), np.random.standard_normal()))
            one.end()
            assert one.record().uncovered == ()
            assert np.random.mtrand.get_bit_generator() is mine
            assert str(np.random.get_state(legacy=False)) == state
    finally:
        np.random.mtrand.set_bit_generator(before)

    assert values[0] == values[1]


def draw_from_the_bit_generator_alone():
    generator = np.random.mtrand.get_bit_generator()
    state = generator.state
    np.random.standard_normal()  # one more is pending now
    generator.state = state


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize(
    "draw",
    [
        lambda: None,
        np.random.random,
        np.random.standard_normal,
        lambda: np.random.seed(7),
        lambda: np.random.set_state(np.random.RandomState(9).get_state()),
        lambda: np.random.mtrand.set_bit_generator(np.random.MT19937(3)),
        draw_from_the_bit_generator_alone,
    ],
)
def test_numpys_twister_is_given_back_word_by_word_with_its_pending_normal(draw, pending):
    np.random.seed(5)
    np.random.standard_normal(3 if pending else 4)
    before = np.random.get_state(legacy=False)
    assert before["has_gauss"] == pending
    for _ in range(2):
        one = seeding(42)
        one.begin()
        draw()
        one.end()

        assert str(np.random.get_state(legacy=False)) == str(before)
    ours = np.random.RandomState()
    ours.set_state(before)
    assert np.random.standard_normal(3).tolist() == ours.standard_normal(3).tolist()


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize(
    "draw",
    [
        lambda: None,
        random.random,
        lambda: random.gauss(0, 1),
        lambda: random.seed(7),
        lambda: random.setstate(random.Random(9).getstate()),
    ],
)
def test_pythons_twister_is_given_back_word_by_word_with_its_pending_normal(draw, pending):
    random.seed(5)
    for _ in range(3 if pending else 4):
        random.gauss(0, 1)
    before = random.getstate()
    assert (before[2] is not None) == pending
    for _ in range(2):
        one = seeding(42)
        one.begin()
        draw()
        one.end()

        assert random.getstate() == before
    ours = random.Random()
    ours.setstate(before)
    assert [random.gauss(0, 1) for _ in range(3)] == [ours.gauss(0, 1) for _ in range(3)]


def test_what_is_said_of_pythons_state_is_the_same_however_it_was_taken():
    one = seeding(42)
    one.begin()
    version, words, gauss = random.getstate()
    one.end()
    python = one.record().libraries[0]
    state = array("I", words).tobytes() + repr((version, gauss)).encode()

    assert python.state_before == python.state_after == "b3-bytes1:" + blake3(state).hexdigest()


@pytest.mark.parametrize("kind", [random.Random, type("Own", (random.Random,), {})])
def test_another_generator_behind_pythons_functions_is_given_back_as_well(monkeypatch, kind):
    generator = kind(3)
    for name in ("getstate", "setstate", "seed", "random"):
        monkeypatch.setattr(random, name, getattr(generator, name))
    before = generator.getstate()
    one = seeding(42)
    one.begin()
    drawn = random.random()
    one.end()

    assert drawn != kind(3).random()
    assert generator.getstate() == before


def test_what_is_said_of_numpys_state_is_what_numpy_says_of_it():
    one = seeding(42)
    one.begin()
    state = NumpyLegacy().plain((None, np.random.get_state(legacy=False)))
    one.end()
    numpy = one.record().libraries[1]

    assert numpy.state_before == numpy.state_after == "b3-bytes1:" + blake3(state).hexdigest()


@pytest.mark.parametrize("drawn", [3, 4])
def test_the_memory_of_numpys_state_is_what_numpy_says_of_it(drawn):
    np.random.seed(5)
    np.random.standard_normal(drawn)
    numpy = NumpyLegacy()
    said = numpy.take()["numpy"]
    remembered = numpy.take()["numpy"]

    assert isinstance(remembered[1], bytes)
    assert said[1]["has_gauss"] == drawn % 2
    assert numpy.plain(remembered) == numpy.plain(said)


def test_without_a_way_to_look_at_memory_the_states_are_the_same():
    program = """
import random, sys
if sys.argv[1] == "without": sys.modules["_ctypes"] = None
import numpy as np
from relineage.emitter.seeds import Seeding, entropy_of
random.seed(5), np.random.seed(5), np.random.standard_normal(3), random.gauss(0, 1)
for _ in range(2):
    one = Seeding(entropy_of(42), {})
    one.begin()
    np.random.standard_normal(3), random.random()
    one.end()
    print(one.record())
print(np.random.standard_normal(3), random.gauss(0, 1))
print("ctypes" in sys.modules)
"""

    def printed(how: str) -> str:
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        return subprocess.run(
            [sys.executable, "-c", program, how], env=environ, capture_output=True, text=True, check=True
        ).stdout

    assert printed("with").endswith("\nTrue\n")
    assert printed("without") == printed("with").removesuffix("True\n") + "False\n"


def test_a_bit_generator_that_the_job_puts_in_is_gone_after_the_run():
    before = np.random.mtrand.get_bit_generator()
    state = str(np.random.get_state(legacy=False))
    one = seeding(42)
    one.begin()
    np.random.mtrand.set_bit_generator(np.random.PCG64(1))
    one.end()

    assert np.random.mtrand.get_bit_generator() is before
    assert str(np.random.get_state(legacy=False)) == state


def test_a_paused_run_gives_the_callers_generators_back_and_goes_on_where_it_was():
    whole = seeding(42)
    whole.begin()
    expected = [drawn() for _ in range(3)]
    whole.end()
    random.seed(1)
    np.random.seed(1)
    callers = [drawn() for _ in range(3)]

    random.seed(1)
    np.random.seed(1)
    one, within, outside = seeding(42), [], []
    one.begin()
    for _ in range(3):
        within.append(drawn())
        one.pause()
        outside.append(drawn())
        np.random.default_rng()  # is nobody's
        one.resume()
    one.end()

    assert (within, outside) == (expected, callers)
    assert one.record().uncovered == ()
    assert one.record().libraries == whole.record().libraries


def test_a_run_that_ends_while_it_is_paused_leaves_the_callers_generators_alone():
    one = seeding(42)
    one.begin()
    drawn()
    one.pause()
    random.seed(1)
    before = random.getstate()
    one.end()
    one.resume()

    assert random.getstate() == before
    assert all(library.state_after != library.state_before for library in one.record().libraries)


def test_a_run_is_not_paused_while_one_that_began_later_is_open():
    one, other = seeding(1), seeding(2)
    one.begin()
    other.begin()
    within = random.getstate()
    one.pause()
    assert random.getstate() == within
    one.resume()
    other.end()
    one.end()

    assert one.record().uncovered == ()


def test_seeding_and_observing_a_run_takes_as_long_as_numpy_takes_for_a_few_states():
    """0.3 ms on a machine with nothing else to do, of which numpy's states are half."""

    def seeded():
        one = seeding(42)
        one.begin()
        one.end()
        one.record()

    def taken_and_set():
        np.random.set_state(np.random.get_state(legacy=False))

    def median(what):
        times = []
        for _ in range(100):
            begun = time.thread_time_ns()
            what()
            times.append(time.thread_time_ns() - begun)
        return statistics.median(times)

    seeded()
    assert min(median(seeded) / median(taken_and_set) for _ in range(3)) < 12


def test_a_run_that_has_not_begun_or_has_ended_still_gives_chance_and_says_so(tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    run = Lineage().run("job", seed=42)
    with pytest.warns(RelineageWarning, match="has not begun"):
        assert 0 <= run.generator("x").random() < 1
    with run:
        pass
    with pytest.warns(RelineageWarning, match="has ended"):
        assert run.seed("x") == other_seed(42, "x", 0, 32)


@pytest.mark.parametrize("bits", [0, 129])
def test_a_seed_of_the_runs_own_has_from_1_to_128_bits(bits, tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    with Lineage().run("job", seed=42) as run:
        assert run.seed("x", bits=31) < 2**31
        with pytest.raises(ValueError, match="bits must be from 1 to 128"):
            run.seed("x", bits=bits)
