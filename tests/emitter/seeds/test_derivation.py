"""Seeds derived from one entropy: numpy's own, as docs/seeds.md writes them down, the same in every process."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.seeds import Entropy, child_entropy, derivation, entropy_of
from relineage.emitter.seeds.derivation import (
    generator_seed,
    library_seeds,
    library_words,
    number,
    other_seed,
    process_entropy,
    worker_entropy,
    workers_entropy,
)

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "seeds.md").read_text("utf-8")

# Of the reference implementation in C++ (M. E. O'Neill, seed_seq_fe128), as numpy's own tests quote it
# (numpy/random/tests/test_seed_sequence.py).
PUBLISHED = [
    ([3735928559, 195939070, 229505742, 305419896], [3914649087, 576849849, 3593928901, 2229911004]),
    ([3668361503, 4165561550, 1661411377, 3634257570], [2240804226, 3691353228, 1365957195, 2654016646]),
    ([164546577, 4166754639, 1765190214, 1303880213], [3562296087, 3191708229, 1147942216, 3726991905]),
    ([446610472, 3941463886, 522937693, 1882353782], [1403443605, 3591372999, 1291086759, 441919183]),
    ([1864922766, 1719732118, 3882010307, 1776744564], [1086200464, 2191331643, 560336446, 3658716651]),
    ([42], [3444837047, 2669555309, 2046530742, 3581440988]),
]


def seed_sequence(entropy: int, key: tuple[int, ...]) -> int:
    """`SeedSequence(entropy, spawn_key=key)` once more, from its description alone: 128 bits of it."""
    mask = 0xFFFF_FFFF

    def words_of(value: int) -> list[int]:
        words = [value & mask]
        while value := value >> 32:
            words.append(value & mask)
        return words

    words = words_of(entropy)
    if key:
        words += [0] * (4 - len(words))
        words += [word for one in key for word in words_of(one)]
    constant = 0x43B0D7E5

    def hashed(value: int) -> int:
        nonlocal constant
        value ^= constant
        constant = constant * 0x931E8875 & mask
        value = value * constant & mask
        return value ^ value >> 16

    def mixed(left: int, right: int) -> int:
        value = (left * 0xCA01F9DD - right * 0x4973F715) & mask
        return value ^ value >> 16

    pool = [hashed(words[i] if i < len(words) else 0) for i in range(4)]
    for source in range(4):
        for target in range(4):
            if source != target:
                pool[target] = mixed(pool[target], hashed(pool[source]))
    for word in words[4:]:
        for target in range(4):
            pool[target] = mixed(pool[target], hashed(word))
    constant, found = 0x8B51F9DD, []
    for word in pool:
        value = word ^ constant
        constant = constant * 0x58F38DED & mask
        value = value * constant & mask
        found.append(value ^ value >> 16)
    return number(found)


def utf8(name: str) -> tuple[int, ...]:
    return tuple(name.encode())


# By the table's words: ours, and the key it says.
CASES: dict[str, tuple[Callable[[int], int], tuple[tuple[int, ...], ...]]] = {
    **{
        name: (lambda entropy, name=name: number(library_words(entropy, name)), (utf8(name),))  # type: ignore[misc]
        for name in ("random", "numpy", "torch", "tensorflow", "mylib.sampler")
    },
    "inner run 0 of augment": (lambda e: inner(e, "augment", 0), ((*b"run", 0, *utf8("augment")),)),
    "inner run 1 of augment": (lambda e: inner(e, "augment", 1), ((*b"run", 1, *utf8("augment")),)),
    "inner run 0 of naïve 東京": (lambda e: inner(e, "naïve 東京", 0), ((*b"run", 0, *utf8("naïve 東京")),)),
    "generator 0 of the empty name": (lambda e: generator_seed(e, "", 0), ((*b"generator", 0),)),
    "generator 1 of flip": (lambda e: generator_seed(e, "flip", 1), ((*b"generator", 1, *utf8("flip")),)),
    "seed 0 of jax, 128 bits": (lambda e: other_seed(e, "jax", 0, 128), ((*b"seed", 0, *utf8("jax")),)),
    "fork 0": (lambda e: process_entropy(e, (0,)), ((*b"fork", 0),)),
    "fork 2 of fork 0": (lambda e: process_entropy(e, (0, 2)), ((*b"fork", 0), (*b"fork", 2))),
    "workers 1 of loader": (
        lambda e: workers_entropy(e, "loader", 1),
        ((*b"workers", 1, *utf8("loader")),),
    ),
    "worker 3, whose torch seed is 7437261083274291": (
        lambda e: worker_entropy(e, 3, 7437261083274291),
        ((*b"worker", 3, 7437261083274291 % 2**32, 7437261083274291 >> 32),),
    ),
}


def inner(entropy: int, name: str, ordinal: int) -> int:
    return child_entropy(Entropy(value=entropy, given=True), name, ordinal).value


def golden() -> dict[str, list[int]]:
    [table] = re.findall(r"<!-- golden values.*?-->(.*?)<!-- end", PAGE, re.DOTALL)
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    return {row[0].replace("`", ""): [int(cell.strip("` ")) for cell in row[1:]] for row in rows}


@pytest.mark.parametrize(("entropy", "words"), PUBLISHED)
def test_the_sequence_gives_the_words_that_were_published(entropy: list[int], words: list[int]) -> None:
    assert np.random.SeedSequence(number(entropy)).generate_state(4).tolist() == words
    assert seed_sequence(number(entropy), ()) == number(words)


@pytest.mark.parametrize("case", CASES)
def test_every_value_of_the_page_is_what_is_derived_and_follows_from_the_page(case: str) -> None:
    derive, keys = CASES[case]
    for entropy, value in zip((0x2A, 0x8B1A9953C4611296A827ABF8C47804D7), golden()[case], strict=True):
        by_hand = entropy
        for key in keys:
            by_hand = seed_sequence(by_hand, key)
        assert derive(entropy) == value == by_hand


def test_the_page_has_no_other_values() -> None:
    assert list(golden()) == list(CASES)


@given(st.integers(0, 2**200), st.text(max_size=20), st.integers(0, 2**40))
def test_an_implementation_from_the_description_alone_derives_the_same(
    entropy: int, name: str, ordinal: int
) -> None:
    encoded = tuple(name.encode("utf-8", "surrogatepass"))

    assert inner(entropy, name, ordinal) == seed_sequence(entropy, (*b"run", ordinal, *encoded))
    assert number(library_words(entropy, name)) == seed_sequence(entropy, encoded)


@given(st.integers(0, 2**128), st.text(max_size=8), st.integers(1, 128))
def test_a_seed_of_few_bits_is_the_end_of_one_of_many(entropy: int, name: str, bits: int) -> None:
    assert other_seed(entropy, name, 0, bits) == other_seed(entropy, name, 0, 128) % 2**bits


def test_derived_seeds_are_the_same_in_100_processes_whose_hashes_are_salted() -> None:
    """`hash((seed, name))` is salted anew in each; SeedSequence is not."""
    # The module alone, which needs numpy only: the emitter around it would double what a hundred processes take.
    program = (
        f"import runpy; derived = runpy.run_path({derivation.__file__!r}); "
        "entropy = derived['entropy_of'](42); "
        "print(derived['library_seeds'](42), derived['child_entropy'](entropy, 'é', 1).value, hash('é'))"
    )

    def derived(_: int) -> list[str]:
        environ = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"}
        ran = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
        )
        return ran.stdout.rsplit(" ", 1)

    with ThreadPoolExecutor(4) as pool:
        seeds, hashes = zip(*pool.map(derived, range(100)), strict=True)

    assert set(seeds) == {f"{library_seeds(42)} {child_entropy(entropy_of(42), 'é', 1).value}"}
    assert len(set(hashes)) == 100
