"""Seeds: the same in every process, 128 bits wide, and gone from the caller's generators afterwards."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from relineage.emitter.seeds import Seeding, child_entropy, entropy_of
from relineage.emitter.seeds.derivation import library_seeds


def seeding(seed=None):
    return Seeding(entropy_of(seed), os.environ)


def drawn():
    return random.random(), float(np.random.random())


def test_derived_seeds_are_the_same_in_every_process():
    """`hash((seed, name))` is salted anew in each; SeedSequence is not."""
    program = (
        "from relineage.emitter.seeds.derivation import *; "
        "print(library_seeds(42), child_entropy(entropy_of(42), 'é', 1))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONUTF8": "1"},
            capture_output=True, text=True, check=True,
        ).stdout
        for salt in ("random", "0", "4711")
    }  # fmt: skip

    assert len(printed) == 1
    assert printed.pop().startswith(f"({library_seeds(42)[0]}, ")


def test_the_derivation_is_numpys_own_and_can_be_done_by_hand():
    python, words = library_seeds(42)

    assert words == np.random.SeedSequence(42, spawn_key=tuple(b"numpy")).generate_state(4).tolist()
    by_hand = np.random.SeedSequence(42, spawn_key=tuple(b"random")).generate_state(4).tolist()
    assert python == sum(word << 32 * i for i, word in enumerate(by_hand))


def test_numpys_seed_sequence_gives_its_published_words():
    assert np.random.SeedSequence(42).generate_state(4).tolist() == [
        3444837047, 2669555309, 2046530742, 3581440988,
    ]  # fmt: skip


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


def test_what_is_not_covered_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", object())
    uncovered = seeding(42).record().uncovered

    assert any(text.startswith("not observed: ") and "default_rng" in text for text in uncovered)
    assert any(text.startswith("cupy") for text in uncovered)


def test_another_bit_generator_behind_numpys_functions_is_left_alone_and_named():
    before = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(1))
        one = seeding(42)
        one.begin()
        one.end()
    finally:
        np.random.set_bit_generator(before)

    assert [seed.library for seed in one.record().libraries] == ["random"]
    assert any("bit generator" in text for text in one.record().uncovered)
