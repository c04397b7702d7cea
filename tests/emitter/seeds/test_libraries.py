"""Generators of other libraries, which a user registers."""

import os
import random
import sys
from types import ModuleType

import numpy as np
import pytest

from relineage.emitter.seeds import Seeding, entropy_of, libraries, register_generator
from relineage.emitter.seeds.derivation import library_words, number


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(libraries, "_LIBRARIES", dict(libraries._LIBRARIES))


def recorded(seeding):
    return {one.library: one for one in seeding.record().libraries}


def test_a_registered_generator_is_seeded_and_put_back(registry, monkeypatch):
    module = ModuleType("mylib")
    module.shared = random.Random(5)
    monkeypatch.setitem(sys.modules, "mylib", module)
    register_generator(
        "mylib.shared",
        seed=module.shared.seed,
        get_state=module.shared.getstate,
        set_state=module.shared.setstate,
    )
    before = module.shared.getstate()
    values = []
    for _ in range(2):
        seeding = Seeding(entropy_of(42), os.environ)
        seeding.begin()
        values.append(module.shared.random())
        seeding.end()
        assert module.shared.getstate() == before

    seed = number(library_words(42, "mylib.shared")) % 2**32
    assert values == [random.Random(seed).random()] * 2
    said = recorded(seeding)["mylib.shared"]
    assert said.seed == str(seed)
    assert said.state_before != said.state_after
    assert "mylib.shared: seed % 2**32" in seeding.record().derivation
    assert seeding.record().uncovered == ()


def test_a_library_that_is_not_imported_is_not_touched(registry):
    def never(*_):
        raise AssertionError

    register_generator("no_such_library", seed=never, get_state=never, set_state=never)
    seeding = Seeding(entropy_of(42), os.environ)
    seeding.begin()
    seeding.end()

    assert list(recorded(seeding)) == ["random", "numpy"]
    assert seeding.record().uncovered == ()


@pytest.mark.parametrize("state", [b"abc", bytearray(b"abc"), np.frombuffer(b"abc", "u1")])
def test_states_of_bytes_have_their_digest(registry, state):
    register_generator(
        "os.one", seed=lambda seed: None, get_state=lambda: state, set_state=lambda state: None
    )
    seeding = Seeding(entropy_of(42), os.environ)
    seeding.begin()
    seeding.end()

    from blake3 import blake3

    assert recorded(seeding)["os.one"].state_before == "b3-bytes1:" + blake3(b"abc").hexdigest()


def test_a_state_without_a_stable_form_has_no_digest(registry):
    register_generator("os.one", seed=lambda seed: None, get_state=object, set_state=lambda state: None)
    seeding = Seeding(entropy_of(42), os.environ)
    seeding.begin()

    assert recorded(seeding)["os.one"].state_before is None
    seeding.end()


@pytest.mark.parametrize("name", ["random", "numpy", "torch", "tensorflow"])
def test_what_is_covered_already_cannot_be_replaced(registry, name):
    with pytest.raises(ValueError, match="covers this library itself"):
        register_generator(name, seed=print, get_state=print, set_state=print)


@pytest.mark.parametrize("bits", [0, 129])
def test_a_seed_has_from_1_to_128_bits(registry, bits):
    with pytest.raises(ValueError, match="bits must be from 1 to 128"):
        register_generator("mylib", seed=print, get_state=print, set_state=print, bits=bits)
