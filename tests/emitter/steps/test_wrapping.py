"""What becomes of functions of each kind: they stay what they were, and each call is recorded."""

import asyncio
import functools
import inspect
import pickle
import pydoc
import subprocess
import sys
import textwrap
import threading

import pytest
from emitted import events_in
from step_events import parameters, roles, step_of

from relineage.emitter import current_run

KINDS = """
    @lineage.step
    def plain(x: int, /, *, scale: float = 2.0) -> float:
        '''Scale it.'''
        return x * scale

    @lineage.step()
    async def later(x: int) -> int:
        '''Wait.'''
        await asyncio.sleep(0)
        return x + 1

    @lineage.step
    def count(to: int) -> typing.Iterator[int]:
        '''Count.'''
        yield from range(to)

    @lineage.step
    async def count_later(to: int) -> typing.AsyncIterator[int]:
        '''Count.'''
        for number in range(to):
            await asyncio.sleep(0)
            yield number

    class Trainer:
        def __init__(self, rate): self.rate = rate
        @lineage.step
        def fit(self, x): return x * self.rate
        @classmethod
        @lineage.step
        def make(cls, rate): return cls(rate).rate
        @lineage.step
        @classmethod
        def made(cls, rate): return cls(rate).rate
        @staticmethod
        @lineage.step
        def check(x): return x > 0
        @lineage.step
        @staticmethod
        def checked(x): return x > 0
"""


@pytest.mark.parametrize("name", ["plain", "later", "count", "count_later"])
def test_a_step_has_the_name_signature_types_and_help_of_its_function(project, name):
    step = getattr(project.module(KINDS), name)
    function = step.__wrapped__

    assert step is not function
    assert inspect.signature(step) == inspect.signature(function)
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(step, attribute) == getattr(function, attribute)
    assert pydoc.render_doc(step) == pydoc.render_doc(function)
    for is_kind in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert is_kind(step) == is_kind(function)


def test_a_coroutine_function_is_a_run_from_its_first_line_to_its_last(project):
    steps = project.module(KINDS)

    async def together():
        async with asyncio.timeout(60):
            with steps.lineage.run("outer", seed=1):
                return await asyncio.gather(steps.later(1), steps.later(2))

    assert asyncio.run(together()) == [2, 3]
    outer = project.end("outer")["run"]["runId"]
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in project.ends("later")} == {outer}
    assert sorted(parameters(event)["x"][1] for event in project.ends("later")) == ["1", "2"]


def test_a_coroutine_that_is_cancelled_aborts_its_run(project):
    steps = project.module("""
        @lineage.step
        async def forever(): await asyncio.sleep(60)
    """)

    async def cancelled():
        task = asyncio.create_task(steps.forever())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert project.end()["eventType"] == "ABORT"


def test_methods_are_jobs_by_their_class_and_know_their_objects_attributes(project):
    steps = project.module(KINDS)
    assert steps.Trainer(3).fit(2) == 6
    assert steps.Trainer(4).fit(2) == 8

    one, two = project.ends("Trainer.fit")
    assert parameters(one) == {"self.rate": ("int", "3"), "x": ("int", "2")}
    assert step_of(one)["callable"] == f"{steps.__name__}:Trainer.fit"
    assert step_of(one)["task"] != step_of(two)["task"]


@pytest.mark.parametrize("name", ["make", "made"])
def test_class_methods_are_steps(project, name):
    steps = project.module(KINDS)
    assert getattr(steps.Trainer, name)(3) == 3
    assert getattr(steps.Trainer(1), name)(rate=4) == 4

    first, _ = project.ends(f"Trainer.{name}")
    assert parameters(first) == {"cls": ("str", f"{steps.__name__}:Trainer"), "rate": ("int", "3")}


@pytest.mark.parametrize("name", ["check", "checked"])
def test_static_methods_are_steps(project, name):
    steps = project.module(KINDS)
    assert getattr(steps.Trainer, name)(3) is True
    assert getattr(steps.Trainer(1), name)(x=-3) is False

    assert [parameters(event) for event in project.ends(f"Trainer.{name}")] == [
        {"x": ("int", "3")}, {"x": ("int", "-3")},
    ]  # fmt: skip


def test_a_partial_function_has_the_name_of_the_function(project):
    steps = project.module("def scale(x, by, add=0): return x * by + add")
    partial = functools.partial(functools.partial(steps.scale, by=2), add=1)

    assert steps.lineage.step(partial)(steps.np.arange(3.0)).tolist() == [1.0, 3.0, 5.0]
    assert project.end()["job"]["name"] == "scale"


def test_partial_functions_objects_and_functions_in_c_are_steps(project):
    steps = project.module("""
        class Adder:
            def __call__(self, x, y=1): return x + y
    """)
    lineage = steps.lineage
    assert lineage.step(functools.partial(int, base=2), job="binary")("101") == 5
    assert lineage.step(steps.Adder())(1) == 2
    assert lineage.step(max)(3, 1) == 3

    assert parameters(project.end("max")) == {"args[0]": ("int", "3"), "args[1]": ("int", "1")}
    assert parameters(project.end("Adder")) == {"x": ("int", "1"), "y": ("int", "1")}
    assert len(project.ends("binary")) == 1


def test_a_recursive_step_nests(project):
    steps = project.module("""
        @lineage.step
        def factorial(n: int) -> int: return 1 if n == 0 else n * factorial(n - 1)
    """)
    assert steps.factorial(3) == 6

    runs = {event["run"]["runId"]: event["run"]["facets"].get("parent") for event in project.ends()}
    assert len(runs) == 4
    assert sum(parent is None for parent in runs.values()) == 1


# Generators.


def test_a_generators_run_is_open_from_its_first_item_to_its_last(project):
    steps = project.module(KINDS)
    numbers = steps.count(3)
    assert project.ends() == []
    assert next(numbers) == 0
    assert current_run() is None
    assert list(numbers) == [1, 2]

    assert project.end()["eventType"] == "COMPLETE"
    assert list(roles(project.end(), "outputs")) == ["output[0]", "output[1]", "output[2]"]


def test_an_asynchronous_generator_is_recorded_the_same(project):
    steps = project.module(KINDS)

    async def all_of():
        return [number async for number in steps.count_later(3)]

    assert asyncio.run(all_of()) == [0, 1, 2]
    assert list(roles(project.end(), "outputs")) == ["output[0]", "output[1]", "output[2]"]


def test_whoever_iterates_has_his_own_generators_and_run_in_between(project):
    steps = project.module("""
        @lineage.step(seed=5)
        def draws(count):
            for _ in range(count):
                yield float(np.random.normal()), current_run().job
    """)
    alone = [number for number, _ in steps.draws(4)]
    normal, seed = steps.np.random.normal, steps.np.random.seed
    seed(3)
    expected = [float(normal()) for _ in range(4)]
    seed(3)
    project_runs, drawn, mine = [], [], []
    from relineage.emitter import process

    process._CALLS.clear()
    with steps.lineage.run("outer", seed=1) as outer:
        seed(3)
        for number, job in steps.draws(4):
            assert current_run() is outer
            project_runs.append(job)
            drawn.append(number)
            mine.append(float(normal()))

    assert drawn == alone
    assert mine == expected
    assert project_runs == ["draws"] * 4


def test_a_generator_can_be_iterated_within_another_run(project):
    steps = project.module(KINDS)
    numbers = steps.count(3)
    next(numbers)
    with steps.lineage.run("later") as later:
        next(numbers)
        assert current_run() is later
        steps.plain(1)
    list(numbers)

    assert "parent" not in project.end("count")["run"]["facets"]
    parent = project.end("plain")["run"]["facets"]["parent"]["run"]["runId"]
    assert parent == project.end("later")["run"]["runId"]


def test_a_generator_that_is_left_early_is_aborted(project):
    steps = project.module(KINDS)
    for _ in steps.count(3):
        break

    assert project.end()["eventType"] == "ABORT"
    assert "outcome" not in step_of(project.end())
    assert current_run() is None


def test_what_is_sent_and_thrown_into_a_generator_arrives(project):
    steps = project.module("""
        @lineage.step
        def echo():
            said = None
            while said != "stop":
                try:
                    said = yield said
                except KeyError as error:
                    said = f"caught {error}"
            return "done"
    """)
    generator = steps.echo()
    assert next(generator) is None
    assert generator.send("hello") == "hello"
    assert generator.throw(KeyError("x")) == "caught 'x'"
    with pytest.raises(StopIteration) as stopped:
        generator.send("stop")
    assert stopped.value.value == "done"
    assert list(roles(project.end(), "outputs")) == ["output[1]", "output[2]", "return"]

    failing = steps.echo()
    next(failing)
    with pytest.raises(ValueError, match="out"):
        failing.throw(ValueError("out"))
    assert project.ends()[-1]["eventType"] == "FAIL"


def test_what_is_sent_and_thrown_into_an_asynchronous_generator_arrives(project):
    steps = project.module("""
        @lineage.step
        async def echo():
            said = None
            while True:
                try:
                    said = yield said
                except KeyError as error:
                    said = f"caught {error}"
    """)

    async def talk():
        generator = steps.echo()
        await anext(generator)
        answers = [await generator.asend("hello"), await generator.athrow(KeyError("x"))]
        await generator.aclose()
        return answers

    assert asyncio.run(talk()) == ["hello", "caught 'x'"]
    assert project.end()["eventType"] == "ABORT"


# Threads and processes.


def test_calls_in_threads_are_runs_of_their_own(project):
    steps = project.module(KINDS)
    threads = [threading.Thread(target=steps.plain, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = project.ends()
    assert len({event["run"]["runId"] for event in events}) == 8
    assert sorted(parameters(event)["x"][1] for event in events) == [str(number) for number in range(8)]


def test_a_step_is_pickled_by_its_name_and_a_lineage_by_its_settings(project):
    steps = project.module(KINDS)

    assert pickle.loads(pickle.dumps(steps.plain)) is steps.plain
    assert pickle.loads(pickle.dumps(steps.Trainer(2).fit))(3) == 6
    again = pickle.loads(pickle.dumps(steps.lineage))
    assert again is pickle.loads(pickle.dumps(steps.lineage))
    assert (again.namespace, again.environ) == ("n", {})


WORK = """
    import random, sys
    import numpy as np
    from relineage.emitter import Lineage
    lineage = Lineage(namespace="n")

    @lineage.step(seed=7)
    def draw(number):
        return float(np.random.normal())
"""
POOLS = {
    "spawned": """
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            print(sorted(pool.map(draw, range(6))))
    """,
    "forked": """
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(sorted(pool.map(draw, range(6))))
    """,
    "joblib": """
        import joblib
        print(sorted(joblib.Parallel(2)(joblib.delayed(draw)(number) for number in range(6))))
    """,
}


@pytest.mark.parametrize("pool", POOLS)
def test_steps_run_in_worker_processes_and_no_two_calls_draw_the_same(tmp_path, pool):
    (tmp_path / ".relineage").mkdir()
    main = 'if __name__ == "__main__":\n' + textwrap.indent(textwrap.dedent(POOLS[pool]), "    ")
    (tmp_path / "job.py").write_text(textwrap.dedent(WORK) + main)
    done = subprocess.run(
        [sys.executable, "job.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
    ends = [event for event in events_in(tmp_path) if event["eventType"] == "COMPLETE"]
    assert len(ends) == 6
    assert len(set(eval(done.stdout))) == 6
    assert len({event["run"]["facets"]["relineage_seeds"]["entropy"] for event in ends}) == 6
