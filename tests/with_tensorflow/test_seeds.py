"""TensorFlow's and JAX's chance in a run."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config

from relineage.emitter.seeds import Seeding, SeedRecord, entropy_of
from relineage.emitter.seeds.derivation import library_words


def within(seed: int, draw: Callable[[], Any], **settings: Any) -> tuple[Any, SeedRecord]:
    seeding = Seeding(entropy_of(seed), os.environ, **settings)
    seeding.begin()
    try:
        drawn = draw()
    finally:
        seeding.end()
    return drawn, seeding.record()


def uniform() -> list[float]:
    return list(tf.random.uniform([3]).numpy().tolist())


@tf.function  # type: ignore[untyped-decorator]
def in_a_graph() -> Any:
    return tf.random.normal([2])


def test_tensorflow_is_seeded_and_put_back() -> None:
    tf.random.set_seed(7)
    uniform()
    expected = uniform()
    tf.random.set_seed(7)
    uniform()
    (first, record), (again, _), (other, _) = (within(seed, uniform) for seed in (42, 42, 43))

    assert first == again != other
    assert uniform() == expected
    assert record.uncovered == ()
    tf.random.set_seed(library_words(42, "tensorflow")[0] % 2**31)
    assert uniform() == first


def test_a_graph_draws_from_the_seed_too() -> None:
    drawn = [within(42, lambda: in_a_graph().numpy().tolist())[0] for _ in range(2)]

    assert drawn[0] == drawn[1]


def test_a_training_repeats_with_its_seed_and_the_switch_is_put_back() -> None:
    def train() -> list[Any]:
        layers = keras.layers
        model = keras.Sequential([layers.Input((4,)), layers.Dense(8), layers.Dropout(0.5), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(np.ones((32, 4)), np.ones(32), epochs=2, verbose=0)
        return [weights.tolist() for weights in model.get_weights()]

    first, record = within(42, train, deterministic=True)

    assert within(42, train, deterministic=True)[0] == first != within(43, train)[0]
    assert record.switches["tensorflow.is_op_determinism_enabled"] == "True"
    assert record.uncovered == ()
    assert not config.is_op_determinism_enabled()


@pytest.mark.parametrize(
    "draw",
    [lambda: tf.random.Generator.from_non_deterministic_state(), lambda: tf.random.get_global_generator()],
)
def test_a_generator_without_a_seed_is_seen(draw: Callable[[], Any]) -> None:
    method = vars(tf.random.Generator)["from_non_deterministic_state"]
    [text] = within(1, draw)[1].uncovered

    assert text.startswith("tensorflow.random.Generator without a seed (")
    assert vars(tf.random.Generator)["from_non_deterministic_state"] is method


def test_tensorflow_that_is_imported_in_a_run_is_seeded() -> None:
    program = """
import os
from relineage.emitter.seeds import Seeding, entropy_of
for _ in range(2):
    seeding = Seeding(entropy_of(42), os.environ)
    seeding.begin()
    import tensorflow
    print(tensorflow.random.uniform([2]).numpy().tolist(), seeding.record().uncovered)
    seeding.end()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    late, again = ran.stdout.splitlines()

    assert late == again
    assert late.endswith("()")


def test_keys_of_jax_come_from_the_run() -> None:
    def keys(seed: int) -> list[Any]:
        seeding = Seeding(entropy_of(seed), os.environ)
        return [jax.random.normal(jax.random.key(seeding.seed("jax", 32)), (2,)).tolist() for _ in range(2)]

    assert keys(42) == keys(42) != keys(43)
    assert keys(42)[0] != keys(42)[1]
    assert within(42, lambda: None)[1].switches["jax.config.jax_enable_x64"] == "False"
