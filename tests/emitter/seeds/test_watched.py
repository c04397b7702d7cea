"""What no seed fixes is seen when the job draws it, and only then."""

import copy
import dataclasses
import inspect
import os
import pickle
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from os import urandom as taken_before
from uuid import uuid4

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.random import default_rng
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from relineage.emitter import Lineage
from relineage.emitter.seeds import Seeding, entropy_of

NUMPY = "a numpy generator without a seed"
PYTHON = "random.Random without a seed"
SYSTEM = "random.SystemRandom"
POLARS = "polars sample or shuffle without a seed"
FRAME = pd.DataFrame({"a": range(10)})
SEEDED = random.Random(1)


@dataclasses.dataclass
class Row:
    key: object = dataclasses.field(default_factory=uuid4)


class OwnRandom(random.Random):
    pass


def uncovered(draw: Callable[[], object]) -> tuple[str, ...]:
    seeding = Seeding(entropy_of(42), os.environ)
    seeding.begin()
    try:
        draw()
    finally:
        seeding.end()
    return seeding.record().uncovered


def in_a_thread(draw: Callable[[], object]) -> None:
    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()


DRAWS: dict[str, tuple[Callable[[], object], str]] = {
    "os.urandom": (lambda: os.urandom(8), "os.urandom"),
    "uuid4": (lambda: uuid.uuid4(), "uuid.uuid4"),
    "uuid4, imported by name before": (lambda: uuid4(), "uuid.uuid4"),
    "uuid1": (lambda: uuid.uuid1(), "uuid.uuid1"),
    "uuid4 as the default of a field": (lambda: Row(), "uuid.uuid4"),
    "secrets.token_hex": (lambda: secrets.token_hex(8), "secrets.token_hex"),
    "secrets.randbelow": (lambda: secrets.randbelow(8), "secrets.randbelow"),
    "secrets.choice, a method": (lambda: secrets.choice([1, 2]), SYSTEM),
    "SystemRandom": (lambda: random.SystemRandom().shuffle([1, 2, 3]), SYSTEM),
    "Random()": (lambda: random.Random(), PYTHON),
    "Random(None)": (lambda: random.Random(None), PYTHON),
    "a class of one's own": (lambda: OwnRandom(), PYTHON),
    "random.seed()": (lambda: random.seed(), "random.seed without a seed"),
    "default_rng()": (lambda: default_rng(), NUMPY),
    "default_rng(None)": (lambda: np.random.default_rng(None), NUMPY),
    "Generator(PCG64())": (lambda: np.random.Generator(np.random.PCG64()), NUMPY),
    "SeedSequence()": (lambda: np.random.SeedSequence(), NUMPY),
    "RandomState()": (lambda: np.random.RandomState(), NUMPY),
    "numpy.random.seed()": (lambda: np.random.seed(), NUMPY),
    "pandas' sample with such a generator": (lambda: FRAME.sample(2, random_state=default_rng()), NUMPY),
    "polars' sample": (lambda: pl.DataFrame({"a": [1, 2]}).sample(1), POLARS),
    "polars' shuffle": (lambda: pl.Series([1, 2]).shuffle(), POLARS),
    "polars' shuffle in an expression": (lambda: pl.select(pl.lit(1).shuffle()), POLARS),
    "in a thread": (lambda: in_a_thread(lambda: default_rng()), NUMPY),
    "in a pool": (lambda: list(ThreadPoolExecutor(1).map(lambda n: os.urandom(n), [3])), "os.urandom"),
}


@pytest.mark.parametrize("case", DRAWS)
def test_a_draw_is_told_with_its_place(case: str) -> None:
    draw, what = DRAWS[case]

    [text] = uncovered(draw)

    assert text.startswith(f"{what} ("), text
    assert "test_watched:" in text


NO_DRAWS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "Python's and numpy's functions": lambda: (random.random(), np.random.random(), random.seed(3), np.random.seed(3)),
    "generators with a seed": lambda: (random.Random(1), default_rng(1), np.random.RandomState(1), OwnRandom(1)),
    "a generator with a seed of several words": lambda: (np.random.RandomState([1, 2]), np.random.PCG64([1, 2])),
    "a twister that is seeded then": lambda: np.random.RandomState().seed(3),
    "a Random that is seeded then": lambda: random.Random().seed(3),
    "spawning": lambda: default_rng(1).spawn(2),
    "copies": lambda: (copy.deepcopy(default_rng(1)), copy.copy(SEEDED), copy.deepcopy(np.random.RandomState(1))),
    "pickles": lambda: pickle.loads(pickle.dumps((default_rng(1), SEEDED, np.random.RandomState(1)))),
    "scikit-learn without a random_state": lambda: RandomForestClassifier(3).fit(*make_classification(20)),
    "scikit-learn with one": lambda: check_random_state(3),
    "splitting": lambda: train_test_split(FRAME),
    "pandas' sample": lambda: FRAME.sample(2),
    "polars with a seed": lambda: (pl.DataFrame({"a": [1, 2]}).sample(1, seed=1), pl.Series([1, 2]).shuffle(1)),
    "files with made-up names": lambda: tempfile.TemporaryDirectory().cleanup(),
    "a library's keys": lambda: joblib.hash(FRAME),
    "another program": lambda: subprocess.run([sys.executable, "-c", "import os; os.urandom(3)"], check=True),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_DRAWS)
def test_what_the_seed_fixes_and_what_others_need_for_names_is_not_told(case: str) -> None:
    assert uncovered(NO_DRAWS[case]) == ()


def test_lineage_itself_and_its_runs_are_not_told(tmp_path, monkeypatch) -> None:
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    lineage = Lineage(store=True)
    with lineage.run("outer", seed=1) as outer:
        outer.input(FRAME, name="a")
        with lineage.run("inner") as inner:
            inner.output(FRAME, name="b")
    lineage.close()

    assert lineage.errors == 0
    record = outer._chance.record()
    assert record is not None
    assert record.uncovered == ()


def test_a_draw_is_the_inner_runs_and_that_of_the_runs_around_it() -> None:
    outer, inner, later = (Seeding(entropy_of(seed), os.environ) for seed in (1, 2, 3))
    outer.begin()
    inner.begin()
    os.urandom(3)
    inner.end()
    later.begin()
    later.end()
    outer.end()

    assert [len(one.record().uncovered) for one in (outer, inner, later)] == [1, 1, 0]


def test_a_draw_is_that_of_the_run_that_is_open_in_its_thread() -> None:
    def run(seeding: Seeding, draw: Callable[[], object], begun: threading.Barrier) -> None:
        seeding.begin()
        begun.wait()
        draw()
        begun.wait()
        seeding.end()

    quiet, drawing = Seeding(entropy_of(1), os.environ), Seeding(entropy_of(2), os.environ)
    begun = threading.Barrier(2)
    threads = [
        threading.Thread(target=copy_context().run, args=(run, seeding, draw, begun))
        for seeding, draw in ((quiet, lambda: None), (drawing, lambda: default_rng()))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not any(text.startswith(NUMPY) for text in quiet.record().uncovered)
    assert any(text.startswith(NUMPY) for text in drawing.record().uncovered)


def test_one_place_is_told_once_and_many_places_are_cut_and_counted() -> None:
    def often() -> None:
        for _ in range(30):
            default_rng()
        for line in range(30):
            code = compile("\n" * line + "__import__('os').urandom(1)", "generated.py", "exec")
            exec(code, {"__name__": "generated"})

    found = uncovered(often)

    assert sum(text.startswith(NUMPY) for text in found) == 1
    assert len(found) == 21
    assert any("11 draws at other places" in text for text in found)


def test_worker_processes_are_not_observed_and_it_is_said() -> None:
    def work() -> None:
        joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(n) for n in range(2))

    assert uncovered(work) == ("not observed: what worker processes draw (multiprocessing)",)


LIBRARY = """
import random
in_module = random.Random()
class Dummy:
    in_class = random.Random()
def made():
    return random.Random()
in_function = made()
"""


def test_a_generator_that_a_library_makes_when_it_is_imported_does_not_count(tmp_path, monkeypatch) -> None:
    """As sympy does, which torch imports when the first optimizer is made."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "drawing_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(folder))

    def load() -> None:
        import drawing_library  # noqa: F401

    assert uncovered(load) == ()
    [told] = uncovered(lambda: sys.modules["drawing_library"].made())
    assert told.startswith(PYTHON)
    assert told.endswith("through drawing_library)")


def test_the_functions_are_as_they_were_afterwards_and_look_the_same_meanwhile() -> None:
    functions: dict[str, Callable[[], object]] = {
        "os.urandom": lambda: os.urandom,
        "Random.seed": lambda: random.Random.__dict__["seed"],
        "Random.setstate": lambda: random.Random.__dict__["setstate"],
        "random.seed": lambda: random.seed,
        "random._urandom": lambda: random._urandom,  # type: ignore[attr-defined]
        "randbits": lambda: np.random.bit_generator.randbits,  # type: ignore[attr-defined]
        "twister": lambda: np.random.mtrand._MT19937,  # type: ignore[attr-defined]
        "sample": lambda: pl.DataFrame.__dict__["sample"],
    }
    before = {name: function() for name, function in functions.items()}
    during: dict[str, object] = {}

    uncovered(lambda: during.update((name, function()) for name, function in functions.items()))

    assert {name: function() for name, function in functions.items()} == before
    assert not any(during[name] is before[name] for name in functions)
    for name in ("os.urandom", "Random.seed", "sample"):
        assert inspect.signature(during[name]) == inspect.signature(before[name])  # type: ignore[arg-type]
        assert during[name].__doc__ == before[name].__doc__


def test_what_is_drawn_is_what_it_was_and_errors_are_the_functions_own() -> None:
    def draw() -> None:
        assert len(os.urandom(8)) == 8
        assert pickle.loads(pickle.dumps(os.urandom)) is os.urandom
        assert isinstance(np.random.RandomState(1), np.random.RandomState)
        assert type(np.random.RandomState(1)._bit_generator) is np.random.MT19937  # type: ignore[attr-defined]
        assert np.random.RandomState(1).randint(1000) == expected
        with pytest.raises(ValueError, match="negative argument"):
            os.urandom(-1)
        with pytest.raises(TypeError):
            random.Random().seed({})  # type: ignore[arg-type]

    expected = np.random.RandomState(1).randint(1000)
    uncovered(draw)


def test_somebody_elses_replacement_stays(monkeypatch) -> None:
    def other(size: int) -> bytes:
        return b"\0" * size

    uncovered(lambda: monkeypatch.setattr(os, "urandom", other))

    assert os.urandom is other


def test_after_the_run_nothing_is_looked_at() -> None:
    seeding = Seeding(entropy_of(42), os.environ)
    seeding.begin()
    held = os.urandom
    seeding.end()
    held(3)

    assert seeding.record().uncovered == ()


def test_a_function_that_was_imported_by_name_from_os_before_the_run_cannot_be_seen() -> None:
    assert uncovered(lambda: taken_before(8)) == ()  # as docs/seeds.md says
