"""What one call of a step records: the run, its inputs and outputs, its seed."""

import pytest
from step_events import content, parameters, roles, step_of

from relineage.emitter import RelineageWarning


@pytest.mark.parametrize("handed", [True, False], ids=["handed over", "not handed over"])
def test_a_thread_is_within_the_run_whose_context_it_is_handed(project, handed):
    steps = project.module(
        """
    import contextvars
    from concurrent.futures import ThreadPoolExecutor

    @lineage.step
    def fold(seed): return np.random.default_rng(seed).normal(size=9)

    def validate(handed):
        with lineage.run("validate", seed=1) as run, ThreadPoolExecutor(1) as pool:
            within = contextvars.copy_context().run if handed else lambda function, *arguments: function(*arguments)
            return pool.submit(within, fold, run.seed("fold 0")).result()
    """
    )
    one, again = steps.validate(handed), steps.validate(handed)

    assert one.tolist() == again.tolist()
    first, second = project.ends("fold")
    assert ("parent" in first["run"]["facets"]) == handed
    entropies = [event["run"]["facets"]["relineage_seeds"]["entropy"] for event in (first, second)]
    assert (entropies[0] == entropies[1]) == handed


def test_a_call_is_a_run_with_its_data_as_inputs_and_the_rest_as_parameters(project):
    steps = project.module("""
        @lineage.step
        def scale(frame, factor: float = 2.0, *, labels=("a", "b")):
            return frame * factor
    """)
    frame = steps.pd.DataFrame({"a": steps.np.arange(20.0)})
    result = steps.scale(frame, labels=["c"])

    assert result.equals(frame * 2.0)
    event = project.end()
    assert event["job"] == event["job"] | {"namespace": "n", "name": "scale"}
    assert roles(event) == {"frame": "scale/frame"}
    assert roles(event, "outputs") == {"output": "scale/output"}
    assert parameters(event) == {"factor": ("float", "2.0"), "labels": ("list", "['c']")}
    step = step_of(event)
    assert step["callable"] == f"{steps.__name__}:scale"
    assert step["code"].startswith("b3-code1:")
    assert step["task"].startswith("b3-task1:")
    assert step["outcome"].startswith("b3-outcome1:")
    assert step["operation"] == "scale"


def test_what_the_digest_of_the_code_leaves_out_is_told(project):
    steps = project.module("""
        import threading
        BUSY, SEEN = threading.Event(), []

        @lineage.step
        def count(number: int):
            SEEN.append(number)
            return number + BUSY.is_set()

        @lineage.step
        def alone(number: int):
            return number
    """)
    steps.count(1)
    told = step_of(project.end())
    assert told["code"].startswith("b3-code1:")
    assert sorted(told["codeNotCovered"]) == [
        f"{steps.__name__}.BUSY: a threading.Event",
        f"{steps.__name__}.SEEN: count changes it",
    ]
    steps.alone(1)
    assert "codeNotCovered" not in step_of(project.end("alone"))


def test_a_step_says_its_job_operation_names_and_modality(project):
    steps = project.module("""
        @lineage.step(job="embed texts", operation="embed", names={"output": "vectors/train", "texts": "raw"},
                      inputs=["texts"], modality="embedding")
        def embed(texts):
            return np.ones((len(texts), 3)) * len(texts)
    """)
    steps.embed(["a", "b"])

    event = project.end()
    assert event["job"]["name"] == "embed texts"
    assert step_of(event)["operation"] == "embed"
    assert roles(event) == {"texts": "raw"}
    assert roles(event, "outputs") == {"output": "vectors/train"}
    assert content(event, "output")["modality"] == "embedding"
    assert content(event, "texts", "inputs")["modality"] == "text"


def test_each_output_has_its_own_modality_where_the_step_says_so(project):
    steps = project.module("""
        @lineage.step(modality={"image": "image"})
        def look():
            return {"image": np.ones((4, 4)), "table": pd.DataFrame({"a": np.arange(9.0)})}
    """)
    steps.look()

    event = project.end()
    assert content(event, "image")["modality"] == "image"
    assert content(event, "table")["modality"] == "tabular"


def test_steps_are_linked_by_the_objects_that_they_hand_on(project):
    steps = project.module("""
        @lineage.step
        def load(): return pd.DataFrame({"a": np.arange(20.0)})
        @lineage.step
        def split(frame): return frame[:15], frame[15:]
        @lineage.step
        def train(train, test): return {"w": train.to_numpy().ravel()}
    """)
    steps.train(*steps.split(steps.load()))

    assert roles(project.end("split")) == {"frame": "load/output"}
    assert roles(project.end("train")) == {"train": "split/output[0]", "test": "split/output[1]"}


def test_a_step_called_within_a_step_is_an_inner_run(project):
    steps = project.module("""
        @lineage.step
        def inner(x: int): return x + 1
        @lineage.step
        def outer(x: int): return inner(x) + inner(x)
    """)
    assert steps.outer(1) == 4

    outer = project.end("outer")["run"]["runId"]
    for event in project.ends("inner"):
        assert event["run"]["facets"]["parent"]["run"]["runId"] == outer


def test_each_call_within_a_run_has_a_seed_of_its_own_which_repeats_with_the_runs(project):
    steps = project.module("""
        @lineage.step
        def draw(): return float(np.random.normal())
    """)

    def epochs(seed):
        with steps.lineage.run("training", seed=seed):
            return [steps.draw() for _ in range(5)]

    first = epochs(7)
    assert len(set(first)) == 5
    assert epochs(7) == first
    assert set(epochs(8)).isdisjoint(first)


def test_the_calls_of_a_step_with_a_seed_differ_and_repeat_in_the_next_process(project, monkeypatch):
    text = """
        @lineage.step(seed=7)
        def draw(): return float(np.random.normal())
        @lineage.step(seed=7, job="other")
        def other(): return float(np.random.normal())
    """
    monkeypatch.setattr("relineage.emitter.process._CALLS", {})  # as a fresh process has it
    steps = project.module(text)
    drawn = [steps.draw() for _ in range(4)]
    with steps.lineage.run("outer", seed=1):
        drawn.append(steps.draw())
    assert len({*drawn, steps.other()}) == 6
    monkeypatch.setattr("relineage.emitter.process._CALLS", {})
    again = project.module(text)

    assert [again.draw() for _ in range(5)] == drawn
    for event in project.ends("draw"):
        assert event["run"]["facets"]["relineage_seeds"]["given"] is True
    assert len({step_of(event)["recipe"] for event in project.ends("draw")}) == 5
    assert len({step_of(event)["task"] for event in project.ends("draw")}) == 1


def test_the_callers_generators_are_as_they_were(project):
    steps = project.module("""
        @lineage.step(seed=7)
        def draw(): return float(np.random.normal())
        @lineage.step(seed=7)
        def fail(): np.random.normal(); raise OSError
    """)
    steps.np.random.seed(3)
    expected = [float(steps.np.random.normal()) for _ in range(3)]
    steps.np.random.seed(3)
    drawn = []
    for _ in range(3):
        steps.draw()
        with pytest.raises(OSError):
            steps.fail()
        drawn.append(float(steps.np.random.normal()))

    assert drawn == expected


def test_an_exception_fails_the_run_and_goes_on(project):
    steps = project.module("""
        @lineage.step
        def divide(x): return 1 / x
    """)
    with pytest.raises(ZeroDivisionError):
        steps.divide(0)

    event = project.end()
    assert event["eventType"] == "FAIL"
    assert event["run"]["facets"]["errorMessage"]["message"] == "ZeroDivisionError: division by zero"
    assert parameters(event) == {"x": ("int", "0")}


@pytest.mark.parametrize("kind", ["two", "Pair().two", "list(many(1))", "asyncio.run(later(1))"])
def test_arguments_that_do_not_fit_are_the_functions_own_error_and_the_run_fails(project, kind):
    steps = project.module("""
        @lineage.step
        def two(a, b): return a

        class Pair:
            @lineage.step
            def two(self, a, b): return a

        @lineage.step
        def many(a, b): yield a

        @lineage.step
        async def later(a, b): return a
    """)
    with pytest.raises(TypeError, match=r"\w+\(\) missing 1 required positional argument: 'b'"):
        eval(kind if kind.endswith(")") else f"{kind}(1)", vars(steps))

    [event] = project.ends()
    assert event["eventType"] == "FAIL"
    assert "missing 1 required positional argument: 'b'" in event["run"]["facets"]["errorMessage"]["message"]


def test_a_deterministic_step_sets_the_switches_for_the_time_of_a_call(project, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    steps = project.module("""
        import os
        def workspace(): return os.environ.get("CUBLAS_WORKSPACE_CONFIG", "none")

        @lineage.step(deterministic=True)
        def train(fails=False):
            note(workspace())
            return 1 / (not fails)

        @lineage.step(deterministic=True)
        def batches():
            for _ in range(2):
                note(workspace())
                yield workspace()

        @lineage.step
        def other():
            note(workspace())
    """)
    steps.train()
    assert (
        project.end()["run"]["facets"]["relineage_seeds"]["switches"]["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    )
    assert steps.workspace() == "none"
    with pytest.raises(ZeroDivisionError):
        steps.train(fails=True)
    assert steps.workspace() == "none"
    for _ in steps.batches():
        assert steps.workspace() == "none"  # whoever iterates has his own
    steps.other()

    assert project.ran == [":4096:8"] * 4 + ["none"]
    assert steps.workspace() == "none"


def test_an_argument_without_a_form_keeps_the_task_from_being_told(project):
    steps = project.module("""
        @lineage.step
        def ask(client, question): return len(question)
    """)
    assert steps.ask(object(), "what") == 4

    step = step_of(project.end())
    assert "task" not in step
    assert step["missing"].startswith("parameter 'client': a builtins.object has no defined form")


def test_two_functions_of_other_code_are_other_tasks(project):
    steps = project.module("""
        @lineage.step(job="f", operation="f")
        def one(x): return x + 1
        @lineage.step(job="f", operation="f")
        def two(x): return x + 2
    """)
    steps.one(1), steps.two(1), steps.one(1)

    tasks = [step_of(event)["task"] for event in project.ends()]
    assert tasks[0] == tasks[2] != tasks[1]


def test_swapped_arguments_are_another_task(project):
    steps = project.module("""
        @lineage.step
        def train(train, test): return 1
    """)
    one, two = steps.np.arange(20.0), steps.np.arange(30.0)
    steps.train(one, two), steps.train(two, one)

    assert len({step_of(event)["task"] for event in project.ends()}) == 2


def test_a_file_that_a_function_writes_is_an_output_and_its_place_no_part_of_the_task(project):
    steps = project.module("""
        @lineage.step(outputs="file")
        def save(frame, file): frame.to_csv(file, index=False)
    """)
    frame = steps.pd.DataFrame({"a": steps.np.arange(20.0)})
    for name in ("one.csv", "two.csv", "one.csv"):
        steps.save(frame, project.folder / name)

    events = project.ends()
    assert [roles(event, "outputs") for event in events] == [
        {"file": f"{project.folder}/{name}"} for name in ("one.csv", "two.csv", "one.csv")
    ]
    assert [roles(event) for event in events] == [{"frame": "save/frame"}] * 3
    assert len({step_of(event)["task"] for event in events}) == 1
    assert len({step_of(event)["outcome"] for event in events}) == 1


def test_a_text_that_is_said_to_be_written_is_a_path_or_a_url(project):
    steps = project.module("""
        @lineage.step(outputs=["file"])
        def save(file): return None if "://" in file else Path(file).write_text("hello" * 30) and None
    """)
    steps.save("out.txt"), steps.save("s3://bucket/key")

    file, url = (event["outputs"][0] for event in project.ends())
    assert (file["namespace"], file["name"]) == ("file", f"{project.folder}/out.txt")
    assert (url["namespace"], url["name"]) == ("s3://bucket", "key")


def test_what_a_function_records_itself_is_recorded_once(project):
    steps = project.module("""
        @lineage.step
        def make():
            current_run().metric("auc", 0.5)
            return current_run().output(np.arange(20.0), name="own", role="output")
    """)
    steps.make()

    event = project.end()
    assert roles(event, "outputs") == {"output": "own"}
    assert event["run"]["facets"]["relineage_metrics"]["metrics"] == [{"name": "auc", "value": 0.5}]


def test_a_function_that_ends_its_run_itself_is_left_alone(project):
    steps = project.module("""
        @lineage.step(cache=True)
        def stop():
            current_run().end()
            return np.arange(20.0)
    """)
    assert len(steps.stop()) == 20
    assert project.end()["outputs"] == []


def test_a_secret_argument_is_named_and_not_shown(project):
    steps = project.module("""
        @lineage.step
        def fetch(url, api_key): return len(url)
    """)
    steps.fetch("https://example.com", "hunter2-abcdef")

    assert parameters(project.end())["api_key"] == ("str", "[redacted]")
    written = b"".join(file.read_bytes() for file in project.folder.rglob("*.ndjson"))
    assert b"hunter2" not in written


def test_switched_off_a_step_is_a_function(project, monkeypatch):
    steps = project.module("""
        off = Lineage(environ={"OPENLINEAGE_DISABLED": "true"})
        @off.step(cache="dirty", seed=1)
        def draw(frame): return frame + np.random.normal()
        @off.step
        def many():
            yield from range(20)
    """)
    one = steps.draw(steps.np.arange(20.0))
    assert not steps.np.array_equal(one, steps.draw(steps.np.arange(20.0)))
    assert list(steps.many()) == list(range(20))
    assert project.ends() == []


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ("inputs=['nothing']", TypeError, "the function has no parameter 'nothing'; it has: a, b"),
        (
            "inputs=['a'], params=['a']",
            TypeError,
            "the parameter 'a' can be one of inputs, params and outputs",
        ),
        ("cache='always'", ValueError, 'can be False, True or "dirty"'),
        ("seed=-1", ValueError, "seed must be an integer"),
        ("seed='x'", TypeError, "seed must be an integer"),
    ],
)
def test_what_a_step_cannot_be_is_said_when_it_is_defined(project, said, error, text):
    with pytest.raises(error, match=text):
        project.module(f"""
            @lineage.step({said})
            def f(a, b): pass
        """)


def test_what_is_no_function_is_no_step(project):
    steps = project.module("")
    with pytest.raises(TypeError, match="a step is made of a function, not of a str"):
        steps.lineage.step("augment")


def test_a_path_that_is_not_there_is_said(project):
    steps = project.module("""
        @lineage.step
        def read(file): return 1
    """)
    with pytest.warns(RelineageWarning, match="does not exist"):
        steps.read(project.folder / "nothing.csv")


def test_a_run_whose_steps_have_seeds_of_their_own_has_drawn_nothing_for_them(project):
    steps = project.module("""
        @lineage.step(seed=7)
        def own(): return np.random.random()

        @lineage.step
        def derived(): return np.random.random()
    """)
    with steps.lineage.run("outer", seed=1):
        steps.own()
        steps.derived()

    told = [one["library"] for one in project.end("outer")["run"]["facets"]["relineage_seeds"]["libraries"]]
    assert told == ["random", "numpy", "run:derived"]


def test_a_run_that_is_handed_over_or_kept_is_no_parameter(project):
    steps = project.module(
        """
    class Trainer:
        def __init__(self, rate, run): self.rate, self.run = rate, run
        @lineage.step
        def fit(self, array):
            self.run.metric("loss", 0.5)
            return array * self.rate

    @lineage.step
    def score(array, run=None, home=None): return array.sum()
    """
    )
    with steps.lineage.run("train", seed=1) as run:
        made = steps.Trainer(2.0, run).fit(steps.np.arange(20.0))
        steps.score(made, run=run, home=steps.lineage)

    for job, given in (("Trainer.fit", {"self.rate": ("float", "2.0")}), ("score", {})):
        [event] = project.ends(job)
        assert parameters(event) == given
        assert "missing" not in step_of(event)
