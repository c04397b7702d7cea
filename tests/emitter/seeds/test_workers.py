"""Worker processes: each from a seed of its own, which repeats. (torch's loaders are in
tests/with_torch/test_seeds.py.)"""

import multiprocessing
import multiprocessing.pool
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

import joblib
import numpy as np
import pytest
from emitted import events_in

from relineage.emitter import Lineage
from relineage.emitter.seeds import Entropy, SeedWorker, child_entropy, entropy_of, processes
from relineage.emitter.seeds.derivation import library_seeds, library_words, worker_entropy, workers_entropy

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def lineage(tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    return Lineage()


@pytest.fixture
def nothing_forked(monkeypatch):
    """As in a process that has forked nothing yet."""
    return lambda: monkeypatch.setattr(processes, "FORKS", processes.Forks())


def put_draw(queue, seed_worker):
    if seed_worker is not None:
        seed_worker()
    queue.put((random.random(), float(np.random.random())))


def drawn(context, seed_worker, processes=3):
    """What each worker draws first, in the order in which they were started."""
    values = []
    for _ in range(processes):
        queue = context.SimpleQueue()
        process = context.Process(target=put_draw, args=(queue, seed_worker))
        process.start()
        values.append(queue.get())
        process.join()
    return values


def test_forked_workers_outside_of_runs_draw_the_same_from_numpy_and_anything_from_python():
    """Which is what has to be made up for."""
    np.random.random()  # a numpy that is imported in the workers only starts from the system in each
    values = drawn(multiprocessing.get_context("fork"), None)

    assert len({numpy for _, numpy in values}) == 1
    assert len({python for python, _ in values}) == 3


def test_forked_workers_of_a_run_are_told_apart_and_repeat(lineage, nothing_forked):
    def once():
        nothing_forked()
        with lineage.run("job", seed=42):
            return drawn(multiprocessing.get_context("fork"), None)

    values = once()

    assert once() == values
    assert len({value for pair in values for value in pair}) == 6


def test_a_fork_while_a_thread_draws_waits_for_nothing(lineage):
    """numpy's lock is then held in the child by nobody."""
    with lineage.run("job", seed=42), np.random.mtrand.get_bit_generator().lock:
        child = os.fork()
        if child == 0:
            os._exit(0)
        deadline = time.monotonic() + 20
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                pytest.fail("the child waits for numpy's lock")
            time.sleep(0.01)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_differ_from_each_other(lineage, method):
    context = multiprocessing.get_context(method)
    with lineage.run("job", seed=42) as run:
        values = drawn(context, run.seed_workers())
        others = drawn(context, run.seed_workers())

    assert len({*values, *others}) == 6
    with lineage.run("job", seed=42) as run:
        assert drawn(context, run.seed_workers()) == values


def test_a_worker_draws_what_its_number_says():
    before = random.getstate(), np.random.get_state(legacy=False)
    try:
        pickle.loads(pickle.dumps(SeedWorker(entropy=Entropy(value=42, given=True))))(3)
        values = random.random(), np.random.random()
        python, words = library_seeds(worker_entropy(42, 3, 0))
        assert values == (random.Random(python).random(), np.random.RandomState(words).random())
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def number_and_draw(_):
    return multiprocessing.current_process()._identity[-1], random.random()


def test_the_workers_of_a_pool_are_numbered_as_they_are_started(lineage):
    with (
        lineage.run("job", seed=42) as run,
        multiprocessing.get_context("fork").Pool(2, run.seed_workers()) as pool,
    ):
        by_worker: dict[int, list[float]] = {}
        for worker, value in pool.map(number_and_draw, range(20), chunksize=1):
            by_worker.setdefault(worker, []).append(value)
        numbers = sorted(process._identity[-1] for process in pool._pool)

    for worker, values in by_worker.items():
        entropy = workers_entropy(42, "", 0)
        python, _ = library_seeds(worker_entropy(entropy, numbers.index(worker), 0))
        generator = random.Random(python)
        assert sorted(values) == sorted(generator.random() for _ in values)


def of_forks(lineage, draw, forks=3):
    """What `draw` gives in each fork, and then in the parent."""
    with lineage.run("job", seed=42) as run:
        values = []
        for _ in range(forks):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.write(writing, repr(draw(lineage, run)).encode())
                os._exit(0)
            os.waitpid(child, 0)
            values.append(os.read(reading, 1000).decode())
            os.close(reading)
            os.close(writing)
        values.append(repr(draw(lineage, run)))
    return values


def own_generator(lineage, run):
    return run.generator("x").random()


def own_seed(lineage, run):
    return run.seed("x")


def inner_run(lineage, run):
    with lineage.run("inner"):
        return random.random()


@pytest.mark.parametrize("draw", [own_generator, own_seed, inner_run])
def test_what_a_forked_process_takes_from_the_run_is_its_own_and_repeats(lineage, draw, nothing_forked):
    values = []
    for _ in range(2):
        nothing_forked()
        values.append(of_forks(lineage, draw))

    assert len(set(values[0])) == 4
    assert values[0] == values[1]


FAMILY = """
import multiprocessing, os, sys
import numpy as np
from relineage.emitter import Lineage

@Lineage(namespace="n").step(seed=7)
def draw():
    return float(np.random.normal())

def tell(who):
    print(who, draw(), draw(), flush=True)

def in_fork(told):
    child = os.fork()
    if child == 0:
        told()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

def in_worker(told, method="fork"):
    worker = multiprocessing.get_context(method).Process(target=told)
    worker.start()
    worker.join()
    assert worker.exitcode == 0

def first_worker():
    tell("worker 1")
    in_fork(lambda: tell("worker 1 fork 0"))
    in_worker(lambda: tell("worker 1 worker 1"))

def first_fork():
    tell("fork 0")
    in_fork(lambda: tell("fork 0 fork 0"))
    in_worker(lambda: tell("fork 0 worker 1"))

def spawned():
    tell("worker 3")
    in_fork(lambda: tell("worker 3 fork 0"))

if __name__ == "__main__":
    in_fork(first_fork)
    in_fork(lambda: tell("fork 1"))
    in_worker(first_worker)
    in_worker(lambda: tell("worker 2"))
    in_worker(spawned, "spawn")
    tell("first")
"""


def test_calls_of_a_step_with_a_seed_are_told_apart_in_every_kind_of_process_and_repeat(tmp_path):
    (tmp_path / ".relineage").mkdir()
    (tmp_path / "family.py").write_text(FAMILY)

    def once():
        command = [sys.executable, "family.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        lines = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
        return {who: draws for who, *draws in lines}

    drawn = once()

    assert len(drawn) == 11
    assert len({draw for draws in drawn.values() for draw in draws}) == 22
    assert once() == drawn
    # As docs/seeds.md says it.
    jobs = {who: "draw" + re.sub(r"^| (?=fork|worker)", " in ", who) for who in drawn} | {"first": "draw"}
    for who, draws in drawn.items():
        for ordinal, draw in enumerate(draws):
            child = child_entropy(entropy_of(7), jobs[who], ordinal)
            ours = np.random.RandomState(library_words(child.value, "numpy"))
            assert ours.normal() == float(draw)


POOL = """
import multiprocessing, sys
import numpy as np
from relineage.emitter import Lineage

lineage = Lineage(namespace="n", environ={})

@lineage.step
def draw(_):
    if sys.argv[2:]:
        np.random.default_rng()
    return np.random.normal()

if __name__ == "__main__":
    with lineage.run("job", seed=42) as run:
        with multiprocessing.get_context(sys.argv[1]).Pool(1, run.seed_workers()) as pool:
            print(*pool.map(draw, range(3), chunksize=1))
"""


def of_pool(folder, *arguments):
    """What the steps in a pool of one worker drew, and job → what their runs say is not covered."""
    (folder / ".relineage").mkdir(parents=True)
    (folder / "pool.py").write_text(POOL)
    command = [sys.executable, "pool.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    ends = [event for event in events_in(folder) if event["eventType"] == "COMPLETE"]
    assert len(ends) == 4
    uncovered = {
        event["job"]["name"]: event["run"]["facets"]["relineage_seeds"]["uncovered"] for event in ends
    }
    return [float(word) for word in done.stdout.split()], uncovered


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_steps_in_a_seeded_worker_repeat_and_their_seeds_are_complete(tmp_path, method):
    drawn, uncovered = of_pool(tmp_path / "one", method)

    assert len(set(drawn)) == 3
    assert uncovered == {"draw": [], "job": []}
    ends = [event for event in events_in(tmp_path / "one") if event["eventType"] == "COMPLETE"]
    seeds = [(event["job"]["name"], event["run"]["facets"]["relineage_seeds"]) for event in ends]
    assert {(job, one.get("derivedFrom")) for job, one in seeds} == {("draw", "2a"), ("job", None)}
    assert of_pool(tmp_path / "two", method) == (drawn, uncovered)
    if method == "spawn":  # a forked one goes on in the run, and derives its seeds from that
        worker = Entropy(value=worker_entropy(workers_entropy(42, "", 0), 0, 0), given=True)
        for ordinal, value in enumerate(drawn):
            words = library_words(child_entropy(worker, "draw", ordinal).value, "numpy")
            assert np.random.RandomState(words).normal() == value


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_a_step_in_a_worker_draws_besides_its_seed_is_told_to_the_run_that_started_it(tmp_path, method):
    _, uncovered = of_pool(tmp_path / "one", method, "besides")

    [text], [told] = uncovered["draw"], uncovered["job"]
    assert text.startswith("a numpy generator without a seed (pool.py:")
    assert told == f"{text}, in a worker process"


def fold(seed):
    return float(np.random.default_rng(seed).random())


def test_tasks_that_are_handed_their_seeds_do_not_depend_on_the_worker(lineage):
    def folds(processes):
        with lineage.run("job", seed=42) as run, multiprocessing.get_context("spawn").Pool(processes) as pool:
            return pool.map(fold, [run.seed(f"fold {number}") for number in range(4)], chunksize=1)

    assert folds(1) == folds(2)


def draw_from_the_system(_):
    np.random.default_rng()
    return os.getpid()


def uncovered(run):
    return run._chance.record().uncovered


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_are_seeded_tell_what_they_draw_besides(lineage, method):
    context = multiprocessing.get_context(method)
    with lineage.run("quiet", seed=42) as quiet:
        # Not one pool of two workers: one of them may get no task, and is ended before it has begun.
        for _ in range(2):
            with context.Pool(1, quiet.seed_workers()) as pool:
                pool.map(fold, range(4), chunksize=1)
    with lineage.run("drawing", seed=42) as drawing, context.Pool(1, drawing.seed_workers()) as pool:
        pool.map(draw_from_the_system, range(3), chunksize=1)

    assert uncovered(quiet) == ()
    [text] = uncovered(drawing)
    assert text.startswith("a numpy generator without a seed (")
    assert text.endswith("), in a worker process")


def test_workers_of_which_some_are_not_seeded_are_not_known(lineage):
    context = multiprocessing.get_context("fork")
    with lineage.run("job", seed=42) as run:
        drawn(context, run.seed_workers(), processes=1)
        drawn(context, None, processes=1)

    assert uncovered(run) == ("not observed: what worker processes draw (multiprocessing)",)


@pytest.mark.parametrize("kind", ["multiprocessing", "concurrent.futures", "joblib"])
def test_workers_that_are_older_than_the_run_are_not_known(lineage, kind):
    if kind == "multiprocessing":
        pool = multiprocessing.get_context("fork").Pool(1)
        work, end = (lambda: pool.map(fold, [1])), pool.terminate
    elif kind == "concurrent.futures":
        executor = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
        work, end = (lambda: list(executor.map(fold, [1]))), executor.shutdown
    else:
        work, end = (
            (lambda: joblib.Parallel(n_jobs=2)(joblib.delayed(fold)(n) for n in range(2))),
            lambda: None,
        )
    try:
        work()
        with lineage.run("job", seed=42) as run:
            work()
            work()
        with lineage.run("other", seed=42) as other:
            pass
    finally:
        end()

    assert uncovered(run) == ("not observed: what worker processes draw (multiprocessing)",)
    assert uncovered(other) == ()


def test_a_pool_of_threads_is_observed_like_any_thread(lineage):
    with multiprocessing.pool.ThreadPool(1) as pool, lineage.run("job", seed=42) as run:
        pool.map(fold, [1])

    assert uncovered(run) == ()


def test_nothing_is_left_of_what_workers_told(lineage, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with lineage.run("job", seed=42) as run:
        drawn(multiprocessing.get_context("fork"), run.seed_workers(), processes=1)
        assert len(list((tmp_path / "temporary").iterdir())) == 1

    assert list((tmp_path / "temporary").iterdir()) == []
