"""Libraries that are imported while a run is open are seeded from there on."""

import importlib
import importlib.util
import os
import random
import subprocess
import sys
from importlib.machinery import SourceFileLoader

import pytest

from relineage.emitter.seeds import Seeding, entropy_of, libraries, register_generator

LIBRARY = """
import random
shared = random.Random(5)
drawn_at_import = shared.random()
"""


@pytest.fixture
def late(tmp_path, monkeypatch):
    """A library that is registered, and not yet imported."""
    (tmp_path / "late_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(libraries, "_LIBRARIES", dict(libraries._LIBRARIES))
    register_generator(
        "late_library",
        seed=lambda seed: sys.modules["late_library"].shared.seed(seed),
        get_state=lambda: sys.modules["late_library"].shared.getstate(),
        set_state=lambda state: sys.modules["late_library"].shared.setstate(state),
    )
    yield "late_library"
    sys.modules.pop("late_library", None)


def test_it_is_as_if_it_had_been_there_for_every_run_that_is_open(late):
    outer, inner = Seeding(entropy_of(1), os.environ), Seeding(entropy_of(2), os.environ)
    outer.begin()
    inner.begin()
    library = importlib.import_module(late)
    in_inner = library.shared.random()
    inner.end()
    in_outer = library.shared.random()
    outer.end()
    after = library.shared.random()

    for seed, value in ((1, in_outer), (2, in_inner)):
        seeding = Seeding(entropy_of(seed), os.environ)
        seeding.begin()
        assert library.shared.random() == value
        seeding.end()
    fresh = random.Random(5)
    fresh.random()
    assert after == fresh.random()
    assert [one.library for one in inner.record().libraries] == ["random", "numpy", "late_library"]
    assert outer.record().uncovered == inner.record().uncovered == ()


def test_the_module_has_its_own_loader_and_nothing_is_left_of_ours(late):
    finders = list(sys.meta_path)
    seeding = Seeding(entropy_of(1), os.environ)
    seeding.begin()
    library = importlib.import_module(late)
    again = importlib.reload(library)
    seeding.end()

    assert again is library
    assert type(library.__loader__) is type(library.__spec__.loader) is SourceFileLoader
    assert sys.meta_path == finders


def test_what_cannot_be_imported_fails_as_without_us(late):
    seeding = Seeding(entropy_of(1), os.environ)
    seeding.begin()
    with pytest.raises(ModuleNotFoundError, match="No module named 'torch_is_not_here'"):
        importlib.import_module("torch_is_not_here")
    if importlib.util.find_spec("torch") is None:
        with pytest.raises(ModuleNotFoundError, match="No module named 'torch'"):
            importlib.import_module("torch")
    seeding.end()

    assert seeding.record().uncovered == ()


def test_a_library_that_fails_while_it_is_imported_fails_as_without_us(tmp_path, late):
    (tmp_path / "late_library.py").write_text("raise RuntimeError('no licence')")
    importlib.invalidate_caches()
    seeding = Seeding(entropy_of(1), os.environ)
    seeding.begin()
    with pytest.raises(RuntimeError, match="no licence"):
        importlib.import_module(late)
    seeding.end()

    assert late not in sys.modules
    assert seeding.record().uncovered == ()


def test_a_generator_without_a_seed_is_seen_in_a_library_that_came_late():
    program = """
import os
from relineage.emitter.seeds import Seeding, entropy_of
seeding = Seeding(entropy_of(1), os.environ)
seeding.begin()
import polars
polars.Series([1, 2]).shuffle()
seeding.end()
print(*seeding.record().uncovered)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "polars sample or shuffle without a seed (__main__:7)"


@pytest.mark.parametrize(
    ("made", "told"),
    [("default_rng()", "a numpy generator without a seed (__main__:6)"), ("RandomState(7)", "")],
)
def test_numpys_generators_are_seen_where_nobody_has_asked_for_them_before_the_run(made: str, told: str):
    program = f"""
import os, numpy
from relineage.emitter.seeds import Seeding, entropy_of
seeding = Seeding(entropy_of(1), os.environ)
seeding.begin()
numpy.random.{made}.normal()
seeding.end()
print(*seeding.record().uncovered)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == told
