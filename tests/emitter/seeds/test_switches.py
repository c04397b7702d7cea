"""Determinism switches: told as they are, set where a run asks for it, and put back. (torch's are in
tests/with_torch/test_seeds.py.)"""

import os
import subprocess
import sys

import pytest

from relineage.emitter import Lineage
from relineage.emitter.seeds import Seeding, entropy_of, switches


def test_variables_that_decide_are_told_and_others_are_not():
    environ = {"OMP_NUM_THREADS": "3", "CUBLAS_WORKSPACE_CONFIG": ":16:8", "HOME": "/root"}
    found = switches.read(environ)

    assert found.items() >= {"OMP_NUM_THREADS": "3", "CUBLAS_WORKSPACE_CONFIG": ":16:8"}.items()
    assert "HOME" not in found
    assert int(found["processors"]) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("salt", "told"), [("random", "random"), ("0", "0"), ("4711", "4711"), (None, "random")]
)
def test_the_salt_of_hashes_is_told(salt, told):
    program = (
        "import os; from relineage.emitter.seeds import switches;"
        "print(switches.read(os.environ)['PYTHONHASHSEED'])"
    )
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    if salt is not None:
        environ["PYTHONHASHSEED"] = salt
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == told


@pytest.fixture
def no_workspace(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)


def told(seeding):
    return seeding.record().switches.get("CUBLAS_WORKSPACE_CONFIG")


def test_a_deterministic_run_sets_the_workspace_and_takes_it_away(no_workspace):
    one = Seeding(entropy_of(1), os.environ, deterministic=True)
    one.begin()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    one.end()

    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    assert told(one) == ":4096:8"


def test_a_workspace_that_the_job_chose_stays(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    one = Seeding(entropy_of(1), os.environ, deterministic=True)
    one.begin()
    one.end()

    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == told(one) == ":16:8"


def test_the_last_of_several_deterministic_runs_puts_the_switches_back(no_workspace):
    one, other = (Seeding(entropy_of(1), os.environ, deterministic=True) for _ in range(2))
    one.begin()
    other.begin()
    one.end()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    other.end()
    other.end()

    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_an_exception_puts_the_switches_back_too(no_workspace, tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)

    def job():
        with Lineage().run("job", deterministic=True):
            assert "CUBLAS_WORKSPACE_CONFIG" in os.environ
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        job()

    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_other_runs_set_nothing(no_workspace):
    one = Seeding(entropy_of(1), os.environ)
    one.begin()
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    one.end()

    assert told(one) is None
