"""Calls that are answered from earlier ones, and calls that must not be."""

import json
import subprocess
import sys

import pytest
from cli_projects import process_environment
from step_events import content, roles, step_of

TEXT = """
    @lineage.step(cache=True)
    def clean(frame, low: float = 0.0):
        note("clean")
        return frame[frame.a > low], {"kept": 1, "a": [0.5]}

    @lineage.step(cache=True)
    def augment(array, scale: float = 1.0):
        note("augment")
        return array + np.random.normal(scale=scale, size=array.shape)

    FRAME = pd.DataFrame({"a": np.arange(20.0), "t": ["x", None] * 10})
    ARRAY = np.arange(20.0)
"""


def cache_of(event):
    return step_of(event)["cache"]


def test_the_same_recipe_is_answered_by_the_stored_output_and_the_event_says_whose_it_is(project):
    steps = project.module(TEXT)
    first, told = steps.clean(steps.FRAME)
    second, again = steps.clean(steps.FRAME.copy())

    assert project.ran == ["clean"]
    assert second is not first
    steps.pd.testing.assert_frame_equal(second, first)
    assert list(again) == list(told) == ["kept", "a"]
    computed, served = project.ends()
    assert cache_of(computed) == "computed: nothing is kept for this recipe; kept"
    assert cache_of(served) == "served"
    assert "servedFrom" not in step_of(computed)
    assert step_of(served)["servedFrom"] == computed["run"]["runId"]
    for key in ("task", "recipe", "outcome"):
        assert step_of(served)[key] == step_of(computed)[key]
    assert roles(served, "outputs") == roles(computed, "outputs")
    for role in ("output[0]", "output[1]"):
        assert content(served, role) == content(computed, role)
    assert [one["facets"] for one in served["outputs"]] == [one["facets"] for one in computed["outputs"]]


def test_what_is_handed_out_is_known_by_its_name_to_the_next_step(project):
    text = (
        TEXT
        + """
    @lineage.step
    def learn(frame): return 1
    """
    )
    project.module(text).clean(project.module(text).FRAME)
    steps = project.module(text)
    frame, _ = steps.clean(steps.FRAME)
    steps.learn(frame)

    assert project.ran == []
    assert roles(project.end("learn")) == {"frame": "clean/output[0]"}


@pytest.mark.parametrize(
    "call",
    [
        "clean(FRAME, 3.0)",
        "clean(FRAME, low=0)",
        "clean(FRAME + FRAME.assign(t=''))",
        "clean(FRAME.rename(columns={'t': 'u'}))",
    ],
)
def test_another_parameter_or_input_is_computed(project, call):
    steps = project.module(TEXT)
    steps.clean(steps.FRAME)
    eval(call, vars(steps))

    assert project.ran == ["clean", "clean"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FRAME", "FRAME[['t', 'a']]"),
        ("FRAME", "FRAME.astype({'t': pd.CategoricalDtype(['x', 'y'])})"),
        ("FRAME.astype({'t': pd.CategoricalDtype(['x', 'y'])})", "FRAME.astype({'t': 'category'})"),
        ("FRAME", "FRAME.astype({'t': 'object'})"),
        ("FRAME.reset_index()", "FRAME.set_index(FRAME.index.rename('index'))"),
        ("FRAME", "pl.from_pandas(FRAME)"),
        ("pd.DataFrame({'a': [(1, 2)]})", "pd.DataFrame({'a': [[1, 2]]})"),
        ("ARRAY.reshape(4, 5)", "np.asfortranarray(ARRAY.reshape(4, 5))"),
        ("ARRAY", "ARRAY.astype('>f8')"),
        ("ARRAY", "np.frombuffer(ARRAY.tobytes())"),
        ("ARRAY.reshape(4, 5)[:, :3]", "np.repeat(ARRAY.reshape(4, 5)[:, :3], 2, axis=1)[:, ::2]"),
        ("(FRAME, 1)", "[FRAME, 1]"),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
        ("file('may.csv')", "file('june.csv')"),
        ("noon('Europe/Paris')", "noon('Europe/Berlin')"),
        ("('a', 'b')", "urllib.parse.DefragResult('a', 'b')"),
        ("Holder(FRAME).told", "Holder(FRAME[['t', 'a']]).told"),
    ],
)
def test_what_a_function_can_tell_and_no_digest_does_is_computed(project, one, other):
    """It was: columns in another order were given what had come of the first order."""
    steps = project.module(
        TEXT
        + """
    import datetime, urllib.parse, zoneinfo
    import polars as pl

    def file(name):
        path = Path(".relineage", name)  # which git ignores
        path.write_text("a,b\\n1,2\\n")
        return path

    def noon(zone): return datetime.datetime(2026, 1, 1, 12, tzinfo=zoneinfo.ZoneInfo(zone))

    @lineage.step(cache=True)
    def told(data):
        types = getattr(data, "dtypes", getattr(data, "dtype", None))
        return f"{type(data)} {data!r} {types} {getattr(data, 'flags', None)}"

    class Holder:
        def __init__(self, data): self.data = data
        @lineage.step(cache=True)
        def told(self): return str(list(self.data.columns))
    """
    )

    def call(text):
        given = eval(text, vars(steps))
        return given() if text.endswith(".told") else steps.told(given)

    call(one)
    second = call(other)
    assert call(other) == second
    computed, unlike, served = project.ends()
    task = step_of(computed)["task"]
    assert [step_of(event)["task"] for event in (unlike, served)] == [task, task]
    assert "what is kept for this recipe had arguments of other types, order or layout: " in cache_of(unlike)
    assert cache_of(served) == "served"


def test_a_slice_from_the_cache_lies_in_memory_as_it_was(project):
    """It was: without gaps, and its sum another one in the last bits."""
    steps = project.module("""
        @lineage.step(cache=True)
        def some(): return np.sin(np.arange(35_000.0)).reshape(50, 700)[:, 1:600]
    """)
    first, second = steps.some(), steps.some()

    assert cache_of(project.ends()[1]) == "served"
    assert first.strides == second.strides == (5600, 8)
    assert first.sum().hex() == second.sum().hex() != second.copy().sum().hex()


def test_another_code_is_computed(project):
    steps = project.module(TEXT)
    steps.clean(steps.FRAME)
    changed = project.module(TEXT.replace("frame.a > low", "frame.a >= low"))
    changed.clean(changed.FRAME)

    assert project.ran == ["clean"]
    assert cache_of(project.ends()[1]) == "computed: nothing is kept for this recipe; kept"


CLASSES = """
    import dataclasses

    class Model:
        rate = 2
        def __init__(self, k): self.k = k
        @lineage.step(cache=True)
        def fit(self, x): return self.scaled(x) * self.rate
        def scaled(self, x): return x + self.k

    class Other(Model):
        def scaled(self, x): return x - self.k

    @dataclasses.dataclass
    class Plan:
        k: int
        def of(self, x): return x * self.k

    @lineage.step(cache=True)
    def planned(x, plan): return plan.of(x)

    X = np.arange(3)
"""


@pytest.mark.parametrize(
    ("call", "old", "new"),
    [
        ("Model(1).fit(X)", "x + self.k", "x + 2 * self.k"),
        ("Model(1).fit(X)", "rate = 2", "rate = 30"),
        ("Other(1).fit(X)", "x - self.k", "x - 2 * self.k"),
        ("planned(X, Plan(2))", "x * self.k", "2 * x * self.k"),
    ],
    ids=["another method", "attribute of the class", "method of a subclass", "method of an argument"],
)
def test_another_code_of_the_classes_of_its_arguments_is_computed(project, call, old, new):
    """It was: a step that is a method was answered with what its helpers had made before they were changed."""

    steps = project.module(CLASSES)
    first = [eval(call, vars(steps)).tolist() for _ in range(2)]
    assert first[0] == first[1]
    assert cache_of(project.ends()[1]) == "served"
    changed = project.module(CLASSES.replace(old, new))
    assert eval(call, vars(changed)).tolist() != first[0]


def test_an_argument_that_cannot_be_looked_at_breaks_no_call(project):
    """A proxy whose object is not there yet, such as one of a web request, raises at whatever is asked of it."""
    steps = project.module(
        TEXT
        + """
    class Proxy:
        def __getattribute__(self, name): raise RuntimeError("there is no request")

    @lineage.step(cache=True)
    def ignoring(proxy): return 3
    """
    )

    assert steps.ignoring(steps.Proxy()) == 3


def test_a_value_of_a_class_that_is_set_counts(project):
    steps = project.module(CLASSES)
    steps.Model(1).fit(steps.X)
    steps.Model.rate = 5

    assert steps.Model(1).fit(steps.X).tolist() == [5, 10, 15]


def test_code_of_an_argument_s_class_that_cannot_be_told_is_said(project):
    steps = project.module(CLASSES.replace("k: int", "k: int\n        seen = pd.DataFrame({'a': [1]})"))
    steps.planned(steps.X, steps.Plan(2))

    assert cache_of(project.end("planned")).startswith(
        "computed and not kept: the digest of its code leaves out Plan.seen: "
    )


def test_chance_with_a_seed_repeats_from_the_cache_and_each_call_is_another_recipe(project):
    def epochs(seed):
        steps = project.module(TEXT)
        with steps.lineage.run("training", seed=seed):
            return [steps.augment(steps.ARRAY).tolist() for _ in range(3)], len(project.ran)

    first, ran = epochs(7)
    assert ran == 3
    assert epochs(7) == (first, 0)
    assert epochs(8)[1] == 3


def test_chance_without_a_seed_is_neither_kept_nor_handed_out(project):
    steps = project.module(TEXT)
    one, two = steps.augment(steps.ARRAY), steps.augment(steps.ARRAY)

    assert not steps.np.array_equal(one, two)
    assert [cache_of(event) for event in project.ends()] == [
        "computed: nothing is kept for this recipe; not kept: chance was used and no seed was given"
    ] * 2
    with steps.lineage.run("drawn"):
        steps.augment(steps.ARRAY)
        steps.augment(steps.ARRAY)
    assert len(project.ran) == 4


def test_what_used_no_chance_is_found_whatever_the_seed(project):
    for seed in (None, 7, 8, None):
        steps = project.module(TEXT)
        with steps.lineage.run("training", seed=seed):
            steps.clean(steps.FRAME)
            steps.clean(steps.FRAME)
        assert project.ran == (["clean"] if seed is None and len(project.ends("clean")) == 2 else [])


def test_chance_of_a_run_inside_counts_too(project):
    text = (
        TEXT
        + """
    @lineage.step(cache=True)
    def outer(array): return augment(array) * 2
    """
    )
    steps = project.module(text)
    assert steps.outer(steps.ARRAY).tolist() != steps.outer(steps.ARRAY).tolist()
    assert "chance was used and no seed was given" in cache_of(project.ends("outer")[0])
    results = []
    for _ in range(2):
        steps = project.module(text)
        with steps.lineage.run("training", seed=7):
            results.append(steps.outer(steps.ARRAY).tolist())
    assert results[0] == results[1]
    assert project.ran == []


def test_chance_that_no_seed_decides_is_not_kept(project, monkeypatch):
    steps = project.module(
        TEXT
        + """
    @lineage.step(cache=True, seed=1)
    def odd(): return 1.0
    """
    )
    monkeypatch.setattr(
        "relineage.emitter.chance.Chance.used", lambda run: {"seeded", "numpy.random.default_rng()"}
    )
    steps.odd()

    assert cache_of(project.end()).endswith(
        "not kept: chance was used that no seed decides: numpy.random.default_rng()"
    )


def test_dirty_code_is_neither_kept_nor_handed_out_unless_asked(project):
    steps = project.module(TEXT)
    steps.clean(steps.FRAME)
    (project.folder / "notes.txt").write_text("untracked")
    dirty = project.module(TEXT, commit=False)
    dirty.clean(dirty.FRAME)
    assert project.ran == ["clean"]
    assert cache_of(project.ends()[1]) == (
        'computed and not kept: the code is dirty: commit it, or say cache="dirty"'
    )
    asked = project.module(TEXT.replace("cache=True", 'cache="dirty"'), commit=False)
    asked.clean(asked.FRAME)
    asked.clean(asked.FRAME)
    assert len(project.ran) <= 1


def test_without_a_recipe_nothing_is_kept(project):
    steps = project.module("""
        @lineage.step(cache=True)
        def ask(client): return 1
    """)
    steps.ask(object()), steps.ask(object())

    assert cache_of(project.ends()[0]).startswith(
        "computed and not kept: it has no recipe: parameter 'client'"
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("frame['b'] = 1; return 1", "the function changed its input frame"),
        ("columns.append('z'); return 1", "the function changed the parameter columns"),
        (
            "current_run().input(np.arange(20.0), role='more'); return 1",
            "the function read what is no argument: more",
        ),
        (
            "current_run().output(np.arange(20.0), role='more'); return 1",
            "the function recorded outputs besides what it returned",
        ),
        ("return object()", "a builtins.object cannot be made again from the store"),
        ("return Fitted(weights=frame)", "a types.SimpleNamespace cannot be made again from the store"),
        ("return (1, {1: frame})", "a builtins.dict cannot be made again from the store"),
        (
            "split = Split(frame); split.seen = 20; return split",
            "a Split cannot be made again: its attribute 'seen' is no field",
        ),
        (
            "return LinearRegression()",
            "a sklearn.linear_model._base.LinearRegression cannot be made again from the store",
        ),
        (
            "return frame.assign(o=pd.Series([None, np.nan] * 10, dtype='object'))",
            "it could not be made again from the store: it comes back in another form",
        ),
    ],
)
def test_what_is_not_kept_and_why(project, body, reason):
    steps = project.module(f"""
        from sklearn.linear_model import LinearRegression
        from dataclasses import dataclass
        from types import SimpleNamespace as Fitted
        @dataclass
        class Split: train: pd.DataFrame
        @lineage.step(cache=True)
        def job(frame, columns):
            note(1)
            {body}
    """)

    def call():
        frame = steps.pd.DataFrame({"a": steps.np.arange(20.0)})
        with pytest.warns() if "object()" in body else pytest.MonkeyPatch.context():
            steps.job(frame, ["a"])

    call(), call()
    assert project.ran == ["1", "1"]
    for event in project.ends():
        assert f"; not kept: {reason}" in cache_of(event)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@lineage.step(cache=True)\n        def job(): yield 1", None),
        (
            "@lineage.step(cache=True, outputs='file')\n        def job(file='f.txt'): Path(file).touch()",
            "computed and not kept: it writes files itself",
        ),
    ],
)
def test_generators_and_functions_that_write_files_are_never_answered(project, text, reason):
    steps = project.module(f"\n        {text}\n")
    result = steps.job()
    assert result is None or list(result) == [1]

    if reason is None:
        assert cache_of(project.end()) == "computed and not kept: it yields its results one by one"
    else:
        assert cache_of(project.end()) == reason


@pytest.mark.parametrize(
    ("text", "call", "reason"),
    [
        ("def job(x, token): note(1); return token", "('{}')", "the parameter 'token' holds a secret"),
        ("def job(x, to): note(1); return str(to)", "({{'password': '{}'}})", "the parameter 'to' holds a secret"),
        ("def job(x, url): note(1); return len(url)", "('http://u:{}@h/')", "the parameter 'url' holds a secret"),
        ("F = pd.DataFrame({'a': [1]})\ndef job(x, n): note(1); return F.a[0]", "(0)", ".F: a pandas.DataFrame"),
        ("N = [0]\ndef job(x, n): note(1); N[0] += 1; return N[0]", "(0)", ".N: job changes it"),
        ("G = np.random.default_rng(3)\ndef job(x, n): note(1); return G.random()", "(0)", "Generator"),
        ("PASSWORD = 'a'\ndef job(x, n): note(1); return PASSWORD", "(0)", ".PASSWORD: a secret, which is never hash"),
    ],
    ids=["secret", "secret within", "secret in a url", "global frame", "counter", "global generator", "global secret"],
)  # fmt: skip
def test_what_the_recipe_does_not_have_keeps_a_call_from_being_answered(project, text, call, reason):
    """It was: a second call with another password was given what the first had returned."""
    steps = project.module(text.replace("def job", "@lineage.step(cache=True)\ndef job"))
    for secret in ("aaaa", "bbbbbb"):
        steps.job(steps.np.arange(20.0), eval(call.format(secret)))

    assert project.ran == ["1", "1"]
    for event in project.ends():
        assert cache_of(event).startswith("computed and not kept: ")
        assert reason in cache_of(event)


def test_a_failed_call_is_not_kept(project):
    steps = project.module("""
        @lineage.step(cache=True)
        def job(x):
            note(x)
            return 1 / x
    """)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            steps.job(0)

    assert project.ran == ["0", "0"]
    assert not (project.folder / ".relineage" / "cache-steps").exists()


def test_metrics_are_told_again(project):
    steps = project.module("""
        @lineage.step(cache=True)
        def evaluate(x):
            note(x)
            current_run().metric("auc", 0.5, 3)
            current_run().metric("loss", float("nan"))
            return x
    """)
    steps.evaluate(1), steps.evaluate(1)

    assert project.ran == ["1"]
    one, two = (event["run"]["facets"]["relineage_metrics"]["metrics"] for event in project.ends())
    assert one == two == [{"name": "auc", "value": 0.5, "step": 3}, {"name": "loss", "value": "NaN"}]


# What lies in the store is not believed.


def objects(project):
    return sorted((project.folder / ".relineage" / "store" / "objects").rglob("*"))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("lose", "is not in the store"),
        ("damage", "is not what"),
        ("forge", "is not what"),
        ("entry", "its entry is damaged"),
    ],
)
def test_what_is_lost_damaged_or_forged_is_computed_again_and_kept_anew(project, harm, reason):
    steps = project.module(TEXT)
    expected = steps.clean(steps.FRAME)
    other = steps.clean(steps.FRAME, 5.0)
    tables = [file for file in objects(project) if file.suffix == ".parquet"]
    assert len(tables) == 2
    if harm == "entry":
        for file in (project.folder / ".relineage" / "cache-steps").glob("*.json"):
            file.write_bytes(file.read_bytes()[:-20])
    data = [file.read_bytes() for file in tables]
    for file, swapped in zip(tables, reversed(data), strict=True):
        if harm in ("lose", "damage", "forge"):
            file.unlink()
        if harm == "damage":
            file.write_bytes(b"PAR1")
        if harm == "forge":
            file.write_bytes(swapped)
    for call, before in (
        (lambda: steps.clean(steps.FRAME), expected),
        (lambda: steps.clean(steps.FRAME, 5.0), other),
    ):
        result = call()
        steps.pd.testing.assert_frame_equal(result[0], before[0])

    assert len(project.ran) == 4
    for event in project.ends()[2:]:
        assert "computed: what is kept for this recipe cannot be used: " in cache_of(event)
        assert reason in cache_of(event)


def test_a_path_is_given_back_if_it_is_as_it_was_and_put_back_if_it_has_gone(project):
    steps = project.module("""
        @lineage.step(cache=True)
        def export(text):
            note(1)
            Path("out.txt").write_text(text * 30)
            return Path("out.txt")
    """)
    file = steps.export("hello")
    assert steps.export("hello") == file == steps.Path("out.txt")
    assert len(project.ran) == 1
    file.unlink()
    assert steps.export("hello").read_text() == "hello" * 30
    assert len(project.ran) == 1
    file.write_text("changed")
    steps.export("hello")
    assert len(project.ran) == 2
    assert "out.txt is there and has changed" in cache_of(project.ends()[-1])


def test_the_cache_works_across_processes_and_many_may_use_it_at_once(project):
    (project.folder / "job.py").write_text(
        "import sys, numpy as np\n"
        "from relineage.emitter import Lineage\n"
        "lineage = Lineage(namespace='n')\n"
        "@lineage.step(cache='dirty')\n"
        "def square(array):\n    print('ran'); return array ** 2\n"
        "for number in range(int(sys.argv[1])):\n"
        "    assert square(np.arange(20.0) + number)[3] == (3 + number) ** 2\n"
        "assert lineage.close()\n"
    )

    def start():
        return subprocess.Popen(
            [sys.executable, "job.py", "10"], stdout=subprocess.PIPE, env=process_environment(), text=True
        )

    several = [start() for _ in range(3)]
    assert [one.communicate(timeout=120) and one.returncode for one in several] == [0, 0, 0]
    out, _ = start().communicate(timeout=120)

    assert out == ""
    assert {cache_of(event) for event in project.ends()[-10:]} == {"served"}
    entries = list((project.folder / ".relineage" / "cache-steps").iterdir())
    assert len([file for file in entries if file.suffix == ".json"]) == 10
    assert not [file for file in entries if file.name.startswith(".") and file.name != ".gitignore"]


def test_an_entry_says_in_plain_words_what_it_is_of(project):
    steps = project.module(TEXT)
    steps.clean(steps.FRAME)
    (file,) = (project.folder / ".relineage" / "cache-steps").glob("*.json")
    said = json.loads(file.read_bytes().partition(b"\n")[2])

    assert said["run"] == project.end()["run"]["runId"]
    assert said["recipe"] == step_of(project.end())["recipe"]
    assert [role for role, _ in said["inputs"]] == ["frame"]
    assert said["parameters"] == [["low", "float", "0.0"]]
    assert said["chance"] == []


def test_a_coroutine_is_answered_too(project):
    steps = project.module("""
        @lineage.step(cache=True)
        async def later(x):
            note(x)
            await asyncio.sleep(0)
            return x + 1
    """)
    assert [steps.asyncio.run(steps.later(1)) for _ in range(2)] == [2, 2]
    assert project.ran == ["1"]


EFFECTS = """
    class Mean:
        def __init__(self): self.total = 0

        @lineage.step(cache=True)
        def add(self, number):
            note("ran")
            self.total += number
            return self.total

        @lineage.step(cache=True)
        def fit(self, array):
            note("ran")
            self.mean_ = array.mean()
            return array - self.mean_

        @classmethod
        @lineage.step(cache=True)
        def know(cls, array):
            note("ran")
            cls.known = len(array)
            return array + 1

    SEEN = []

    @lineage.step(cache=True)
    def remember(array):
        note("ran")
        seen = SEEN
        seen.append(float(array[0]))
        return array + 1

    @lineage.step(cache=True)
    def tidy(frame):
        note("ran")
        frame.insert(0, "b", frame.pop("b"))
        return len(frame)
"""


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("Mean().add(1)", id="attribute that is a number"),
        pytest.param("Mean().fit(np.arange(20.0))", id="attribute that is new"),
        pytest.param("Mean.know(np.arange(20.0))", id="attribute of the class"),
        pytest.param("remember(np.arange(20.0))", id="global"),
        pytest.param("tidy(pd.DataFrame({'a': range(20), 'b': range(20)}))", id="order of columns"),
    ],
)
def test_a_call_that_did_more_than_return_is_made_again(project, call):
    for _ in range(2):  # as in two processes
        steps = project.module(EFFECTS)
        eval(call, vars(steps))

        assert project.ran == ["ran"]
    assert "; not kept: the function changed " in cache_of(project.ends()[-1])


FUNCTIONS = """
    import given_functions

    @lineage.step(cache=True)
    def apply(function, array):
        note("apply")
        return function(array)

    @lineage.step(cache=True)
    def noise(rng, array):
        note("noise")
        return array + rng.normal(size=array.shape)
"""


def test_a_function_that_is_an_argument_is_part_of_the_recipe_with_its_code(project, monkeypatch):
    monkeypatch.syspath_prepend(project.folder)
    monkeypatch.setitem(sys.modules, "given_functions", None)  # so that it is gone afterwards
    for factor in ("2", "30"):
        (project.folder / "given_functions.py").write_text(
            f"def scaled(array):\n    return array * {factor}\n"
        )
        monkeypatch.delitem(sys.modules, "given_functions")
        steps = project.module(FUNCTIONS)
        array = steps.np.arange(20.0)
        for _ in range(2):
            given = [
                steps.apply(function, array) for function in (steps.given_functions.scaled, steps.np.sqrt)
            ]

        assert given[0][1] == float(factor)
        assert given[1][4] == 2.0
        assert project.ran == ["apply"] * (2 if factor == "2" else 1)


def test_an_object_that_is_an_argument_is_part_of_the_recipe_as_far_as_a_function_can_tell(project):
    text = """
    class Config:
        def __init__(self, **told): self.told = told
        def rate(self): return 2

    @lineage.step(cache=True)
    def scale(config, array):
        note("scale")
        return array * config.rate(), list(config.told)
    """

    def called(text):
        steps = project.module(text)
        for told in ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3, "a": 1}):
            for _ in range(2):
                array, names = steps.scale(steps.Config(**told), steps.np.arange(20.0))
            assert names == list(told)
        return array[1]

    assert called(text) == 2
    assert called(text) == 2
    assert len(project.ran) == 3
    assert (
        called(text.replace("return 2", "return 30")) == 30
    )  # of another length, or Python takes the old bytecode
    assert len(project.ran) == 3


def test_a_generator_that_is_an_argument_counts_by_its_state(project):
    steps = project.module(FUNCTIONS.replace("import given_functions", ""))
    rng, array = steps.np.random.default_rng(1), steps.np.arange(20.0)
    one, other = steps.noise(rng, array), steps.noise(rng, array)
    again = steps.noise(steps.np.random.default_rng(1), array)

    assert project.ran == ["noise"] * 3
    assert one.tolist() == again.tolist() != other.tolist()
    first, second, third = (step_of(event)["recipe"] for event in project.ends())
    assert first == third != second
    assert cache_of(project.ends()[0]).endswith("not kept: the function changed the parameter rng")
