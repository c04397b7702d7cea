"""The digest of a callable's code: what changes it, what does not, and what it does not see."""

import ast
import asyncio
import contextlib
import functools
import gc
import importlib
import itertools
import linecache
import math
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.capture.code import Code
from relineage.emitter.capture.reached import callable_code

_numbers = itertools.count()


@contextlib.contextmanager
def imported(folder: Path, files: Mapping[str, str], name: str = "job") -> Iterator[Any]:
    """A module of a program that lies in a folder of its own, loaded as in a fresh process."""
    place = folder / f"program{next(_numbers)}"
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(dedent(text))
    before = set(sys.modules)
    sys.path.insert(0, str(place))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(place))
        for loaded in set(sys.modules) - before:
            if str(place) in str(getattr(sys.modules[loaded], "__file__", "")) or loaded == name:
                del sys.modules[loaded]


def code_of(folder: Path, files: Mapping[str, str], what: str = "f") -> Code:
    with imported(folder, files) as module:
        return callable_code(functools.reduce(getattr, what.split("."), module))


def digest_of(folder: Path, files: Mapping[str, str], what: str = "f") -> str:
    code = code_of(folder, files, what)
    assert code.missing is None
    assert code.digest is not None
    assert code.digest.startswith("b3-code1:")
    return code.digest


PROGRAM = {
    "job.py": """
        import math
        import numpy as np
        from helpers import clean
        import package.deep as deep
        RATE = 0.1
        OTHER = 5
        TABLE = {"a": 1}
        def unrelated():
            return 1
        def f(x, share=0.5):
            return [clean(x) * RATE, deep.scale(x), np.mean(x), TABLE["a"]]
        """,
    "helpers.py": """
        from more import tidy
        def clean(x):
            return tidy(x)
        def another(x):
            return x
        """,
    "more.py": "LIMIT = 3\ndef tidy(x):\n    return x + LIMIT\n",
    "package/__init__.py": "",
    "package/deep.py": "from . import other\ndef scale(x):\n    return other.twice(x)\ndef spare(): ...\n",
    "package/other.py": "def twice(x):\n    return 2 * x\ndef thrice(x):\n    return 3 * x\n",
}

PROGRAM = {path: dedent(text) for path, text in PROGRAM.items()}


def edited(path: str, before: str, after: str) -> dict[str, str]:
    assert before in PROGRAM[path]
    return {**PROGRAM, path: PROGRAM[path].replace(before, after)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(edited("job.py", "np.mean", "np.median"), id="its own text"),
        pytest.param(edited("job.py", "share=0.5", "share=0.6"), id="a default"),
        pytest.param(edited("job.py", "RATE = 0.1", "RATE = 0.2"), id="a global number"),
        pytest.param(edited("job.py", "RATE = 0.1", "RATE = '0.1'"), id="the type of a global"),
        pytest.param(edited("job.py", '{"a": 1}', '{"a": 2}'), id="a global table"),
        pytest.param(edited("helpers.py", "return tidy(x)", "return tidy(x) + 1"), id="an imported function"),
        pytest.param(edited("more.py", "x + LIMIT", "x - LIMIT"), id="a function two modules away"),
        pytest.param(edited("more.py", "LIMIT = 3", "LIMIT = 4"), id="a number two modules away"),
        pytest.param(
            edited("package/deep.py", "other.twice(x)", "other.thrice(x)"), id="a submodule's function"
        ),
        pytest.param(edited("package/other.py", "2 * x", "4 * x"), id="what a submodule reaches relatively"),
    ],
)
def test_what_is_reached_changes_the_digest(tmp_path: Path, change: Mapping[str, str]) -> None:
    assert digest_of(tmp_path, change) != digest_of(tmp_path, PROGRAM)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="another folder"),
        pytest.param(
            edited("job.py", "def unrelated():", "# more\n\n\n\ndef unrelated():"), id="lines before it"
        ),
        pytest.param(edited("job.py", "return 1", "return 2"), id="an unrelated function"),
        pytest.param(edited("job.py", "OTHER = 5", "OTHER = 6"), id="an unrelated number"),
        pytest.param(edited("helpers.py", "return x\n", "return -x\n"), id="a helper's neighbour"),
        pytest.param(
            edited("package/deep.py", "def spare(): ...", "def spare(): pass"), id="a submodule's neighbour"
        ),
        pytest.param(edited("package/other.py", "3 * x", "5 * x"), id="a neighbour two modules away"),
        pytest.param(
            edited("package/__init__.py", "", "VERSION = 2\n"), id="a package that is only passed through"
        ),
        pytest.param(edited("more.py", "x + LIMIT\n", "x + LIMIT\n# the end\n"), id="a comment after it"),
    ],
)
def test_what_is_not_reached_does_not(tmp_path: Path, change: Mapping[str, str]) -> None:
    assert digest_of(tmp_path, {**PROGRAM, **change}) == digest_of(tmp_path, PROGRAM)


# One program in two versions, and what is asked for: each shape of code in which a change must be seen.
_DISPATCHED = (
    "from functools import singledispatch\n@singledispatch\ndef f(x): return 1\n"
    "@f.register\ndef _(x: int): return {}\n"
)
_CONFIGURED = (
    "from dataclasses import dataclass\n@dataclass\nclass C:\n    rate: float\n"
    "CONFIG = C({})\ndef f(): return CONFIG.rate\n"
)
_WRAPS = """import functools
def d(f):
    @functools.wraps(f)
    def w(*a): return f(*a)
    return w
"""
_NAMED = (
    "from typing import NamedTuple\nclass P(NamedTuple):\n    a: int\n    {}: int = 0\n"
    "    def norm(self): return self.a\ndef f(): return P(1)\n"
)
SHAPES = {
    "a field of a named tuple": (_NAMED.format("b"), _NAMED.format("c"), "f"),
    "a method of a named tuple": (_NAMED.format("b"), _NAMED.format("b").replace("self.a", "-self.a"), "f"),
    "a field of a namedtuple": (
        "from collections import namedtuple\nP = namedtuple('P', 'a b')\ndef f(): return P(1, 2)\n",
        "from collections import namedtuple\nP = namedtuple('P', 'a c')\ndef f(): return P(1, 2)\n",
        "f",
    ),
    "a lambda": ("f = lambda x: x + 1\n", "f = lambda x: x + 2\n", "f"),
    "one of two lambdas in a line": (
        "g, f = (lambda: 1), (lambda: 2)\n",
        "g, f = (lambda: 1), (lambda: 3)\n",
        "f",
    ),
    "a nested function": (
        "def f(x):\n    def g(y):\n        return h(y)\n    return g(x)\ndef h(y): return 1\n",
        "def f(x):\n    def g(y):\n        return h(y)\n    return g(x)\ndef h(y): return 2\n",
        "f",
    ),
    "a comprehension": (
        "def f(x):\n    return [h(y) for y in x]\ndef h(y): return 1\n",
        "def f(x):\n    return [h(y) for y in x]\ndef h(y): return 2\n",
        "f",
    ),
    "a closure's number": (
        "def make(n):\n    def g(x): return x + n\n    return g\nf = make(1)\n",
        "def make(n):\n    def g(x): return x + n\n    return g\nf = make(2)\n",
        "f",
    ),
    "a closure's function": (
        "def h(): return 1\ndef make(n):\n    def g(x): return n()\n    return g\nf = make(h)\n",
        "def h(): return 2\ndef make(n):\n    def g(x): return n()\n    return g\nf = make(h)\n",
        "f",
    ),
    "a generator": (
        "def f():\n    yield h()\ndef h(): return 1\n",
        "def f():\n    yield h()\ndef h(): return 2\n",
        "f",
    ),
    "a coroutine": (
        "async def f():\n    return h()\ndef h(): return 1\n",
        "async def f():\n    return h()\ndef h(): return 2\n",
        "f",
    ),
    "a method": ("class A:\n    def f(self): return 1\n", "class A:\n    def f(self): return 2\n", "A.f"),
    "a method that a method calls": (
        "class A:\n    def f(self): return self.g()\n    def g(self): return 1\n",
        "class A:\n    def f(self): return self.g()\n    def g(self): return 2\n",
        "A.f",
    ),
    "a method that a decorated method calls": (
        _WRAPS + "class A:\n    @staticmethod\n    @d\n    def f(): return 1\n    def g(self): return 1\n",
        _WRAPS + "class A:\n    @staticmethod\n    @d\n    def f(): return 1\n    def g(self): return 2\n",
        "A.f.__wrapped__",
    ),
    "a bound method's object": (
        "class A:\n    def __init__(self, n): self.n = n\n    def f(self): return self.n\na = A(1)\n",
        "class A:\n    def __init__(self, n): self.n = n\n    def f(self): return self.n\na = A(2)\n",
        "a.f",
    ),
    "an inherited method": (
        "class B:\n    def g(self): return 1\nclass A(B):\n    def f(self): return self.g()\n",
        "class B:\n    def g(self): return 2\nclass A(B):\n    def f(self): return self.g()\n",
        "A.f",
    ),
    "what a method reaches": (
        "def h(): return 1\nclass A:\n    def f(self): return h()\n",
        "def h(): return 2\nclass A:\n    def f(self): return h()\n",
        "A",
    ),
    "a class method": (
        "class A:\n    @classmethod\n    def f(cls): return 1\n",
        "class A:\n    @classmethod\n    def f(cls): return 2\n",
        "A.f",
    ),
    "a static method": (
        "class A:\n    @staticmethod\n    def f(): return 1\n",
        "class A:\n    @staticmethod\n    def f(): return 2\n",
        "A.f",
    ),
    "a property": (
        "def h(): return 1\nclass A:\n    @property\n    def p(self): return h()\ndef f(): return A().p\n",
        "def h(): return 2\nclass A:\n    @property\n    def p(self): return h()\ndef f(): return A().p\n",
        "f",
    ),
    "a callable object": (
        "class A:\n    def __init__(self, n): self.n = n\n    def __call__(self): return self.n\nf = A(1)\n",
        "class A:\n    def __init__(self, n): self.n = n\n    def __call__(self): return self.n\nf = A(2)\n",
        "f",
    ),
    "a partial function's argument": (
        "from functools import partial\ndef g(x, y): return x\nf = partial(g, 1, y=2)\n",
        "from functools import partial\ndef g(x, y): return x\nf = partial(g, 1, y=3)\n",
        "f",
    ),
    "a partial function's function": (
        "from functools import partial\ndef g(x): return x\nf = partial(g, 1)\n",
        "from functools import partial\ndef g(x): return -x\nf = partial(g, 1)\n",
        "f",
    ),
    "a cached function": (
        "from functools import cache\n@cache\ndef f(): return 1\n",
        "from functools import cache\n@cache\ndef f(): return 2\n",
        "f",
    ),
    "what a context manager holds": (
        "from contextlib import contextmanager\n@contextmanager\ndef g():\n    yield 1\ndef f():\n    with g(): pass\n",
        "from contextlib import contextmanager\n@contextmanager\ndef g():\n    yield 2\ndef f():\n    with g(): pass\n",
        "f",
    ),
    "a decorator of one's own": (
        "def deco(g):\n    def w(): return g() + 1\n    return w\n@deco\ndef f(): return 1\n",
        "def deco(g):\n    def w(): return g() + 2\n    return w\n@deco\ndef f(): return 1\n",
        "f",
    ),
    "what a decorator of one's own wraps": (
        "def deco(g):\n    def w(): return g() + 1\n    return w\n@deco\ndef f(): return 1\n",
        "def deco(g):\n    def w(): return g() + 1\n    return w\n@deco\ndef f(): return 2\n",
        "f",
    ),
    "a decorator's argument": (
        "from functools import lru_cache\n@lru_cache(maxsize=1)\ndef f(): return 1\n",
        "from functools import lru_cache\n@lru_cache(maxsize=2)\ndef f(): return 1\n",
        "f",
    ),
    "one of several implementations": (
        _DISPATCHED.format(2),
        _DISPATCHED.format(3),
        "f",
    ),
    "a list of functions": (
        "def a(): return 1\ndef b(): return 2\nSTEPS = [a, b]\ndef f(): return [s() for s in STEPS]\n",
        "def a(): return 1\ndef b(): return 2\nSTEPS = [b, a]\ndef f(): return [s() for s in STEPS]\n",
        "f",
    ),
    "a table of functions": (
        "def a(): return 1\nSTEPS = {'a': a}\ndef f(k): return STEPS[k]()\n",
        "def a(): return 2\nSTEPS = {'a': a}\ndef f(k): return STEPS[k]()\n",
        "f",
    ),
    "a function as default": (
        "def a(): return 1\ndef f(g=a): return g()\n",
        "def a(): return 2\ndef f(g=a): return g()\n",
        "f",
    ),
    "a keyword's default": ("N = 1\ndef f(*, n=N): return n\n", "N = 2\ndef f(*, n=N): return n\n", "f"),
    "an attribute of a function": (
        "def f(): return f.rate\nf.rate = 1\n",
        "def f(): return f.rate\nf.rate = 2\n",
        "f",
    ),
    "a configuration object": (
        _CONFIGURED.format(0.1),
        _CONFIGURED.format(0.2),
        "f",
    ),
    "a class attribute that was set": (
        "class A:\n    rate = 1\nA.rate = 2\ndef f(): return A.rate\n",
        "class A:\n    rate = 1\nA.rate = 3\ndef f(): return A.rate\n",
        "f",
    ),
    "a member of an enumeration": (
        "from enum import Enum\nclass E(Enum):\n    A = 1\nKIND = E.A\ndef f(): return KIND\n",
        "from enum import Enum\nclass E(Enum):\n    A = 2\nKIND = E.A\ndef f(): return KIND\n",
        "f",
    ),
    "a pattern": (
        "import re\nWORD = re.compile('a')\ndef f(x): return WORD.match(x)\n",
        "import re\nWORD = re.compile('b')\ndef f(x): return WORD.match(x)\n",
        "f",
    ),
    "a small array": (
        "import numpy as np\nW = np.array([1.0, 2.0])\ndef f(x): return W @ x\n",
        "import numpy as np\nW = np.array([1.0, 3.0])\ndef f(x): return W @ x\n",
        "f",
    ),
    "two functions that call each other": (
        "def f(n): return n and g(n - 1)\ndef g(n): return n and f(n - 1)\n",
        "def f(n): return n and g(n - 1)\ndef g(n): return n and f(n - 2)\n",
        "f",
    ),
    "a patched method": (
        "def g(self): return 1\nclass A:\n    def m(self): return 0\nA.m = g\ndef f(): return A().m()\n",
        "def g(self): return 2\nclass A:\n    def m(self): return 0\nA.m = g\ndef f(): return A().m()\n",
        "f",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_change_is_seen_in(tmp_path: Path, shape: str) -> None:
    before, after, what = SHAPES[shape]
    one = code_of(tmp_path, {"job.py": before}, what)

    assert one.missing is None
    assert one.not_covered == ()
    assert one.digest == digest_of(tmp_path, {"job.py": before}, what)
    assert one.digest != digest_of(tmp_path, {"job.py": after}, what)


@pytest.mark.parametrize(
    "use",
    ["import helpers\ndef f(): return g(helpers)", "def f():\n    import helpers\n    return helpers.a()"],
)
def test_a_module_that_is_used_as_a_whole_counts_with_all_that_it_imports(tmp_path: Path, use: str) -> None:
    files = {
        "job.py": f"{use}\ndef g(m): return m.a()\n",
        "helpers.py": "import more\ndef a(): return 1\n",
        "more.py": "N = 1\n",
    }

    before = digest_of(tmp_path, files)
    assert digest_of(tmp_path, {**files, "more.py": "N = 2\n"}) != before
    assert digest_of(tmp_path, {**files, "helpers.py": "import more\ndef a(): return 2\n"}) != before


def test_what_is_imported_within_a_function_counts_the_same_before_and_after(tmp_path: Path) -> None:
    files = {
        "job.py": "def f():\n    from helpers import a\n    return a()\n",
        "helpers.py": "def a(): return 1\n",
    }
    with imported(tmp_path, files) as job:
        before = callable_code(job.f)
        assert "helpers" not in sys.modules
        assert job.f() == 1
        assert "helpers" in sys.modules
        assert callable_code(job.f).digest == before.digest


def test_the_digest_is_the_same_in_every_process(tmp_path: Path) -> None:
    for path, text in PROGRAM.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(dedent(text))
    program = (
        "import job\nfrom relineage.emitter.capture.reached import callable_code as c\nprint(c(job.f).digest)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("0", "1", "77")
    }  # fmt: skip

    assert printed == {digest_of(tmp_path, PROGRAM)}


@pytest.mark.parametrize(
    ("source", "gap"),
    [
        ("import threading\nL = threading.Event()\ndef f(): return L\n", "job.L: a threading.Event"),
        ("N = 0\ndef f():\n    global N\n    N += 1\n", "job.N: f changes it"),
        ("SEEN = {}\ndef f(x):\n    SEEN[x] = 1\n    return len(SEEN)\n", "job.SEEN: f changes it"),
        ("LOG = []\ndef f(x):\n    LOG.append(x)\n", "job.LOG: f changes it"),
        ("import numpy as np\nW = np.zeros(100_000)\ndef f(): return W.sum()\n", "job.W: a numpy.ndarray"),
        ("class A:\n    __slots__ = ('n',)\na = A()\ndef f(): return a\n", "the state of a A"),
    ],
)
def test_what_is_not_covered_is_listed(tmp_path: Path, source: str, gap: str) -> None:
    code = code_of(tmp_path, {"job.py": source})

    assert code.digest is not None
    assert code.not_covered == (gap,)


def test_that_a_secret_is_not_hashed_is_listed(tmp_path: Path) -> None:
    source = "API_KEY = 'a' * 3\nHOST = 'h'\nX = {'password': 'p'}\ndef f(): return API_KEY, HOST, X\n"

    assert code_of(tmp_path, {"job.py": source}).not_covered == (
        "job.API_KEY: a secret, which is never hashed",
        "job.X: a secret, which is never hashed",
    )


def test_a_long_list_of_what_is_not_covered_ends_with_how_many_there_are(tmp_path: Path) -> None:
    names = [f"L{number:02}" for number in range(50)]
    events = "".join(f"{name} = threading.Event()\n" for name in names)
    source = f"import threading\n{events}def f(): return {', '.join(names)}\n"
    told = code_of(tmp_path, {"job.py": source}).not_covered

    assert (len(told), told[-1]) == (41, "10 more")


def test_a_counter_does_not_change_the_code_that_counts(tmp_path: Path) -> None:
    with imported(tmp_path, {"job.py": "N = 0\ndef f():\n    global N\n    N += 1\n"}) as job:
        before = callable_code(job.f).digest
        job.f()
        assert callable_code(job.f).digest == before


@pytest.mark.parametrize(
    "text",
    [
        "API_PASSWORD = '{}'\ndef f(): return API_PASSWORD\n",
        "def make(password):\n    def f(): return password\n    return f\nf = make('{}')\n",
        "from functools import partial\ndef g(password): return password\nf = partial(g, password='{}')\n",
        "import os\nX = {{'password': '{}', 'f': max}}\ndef f(): return X\n",
        "class A:\n    def __init__(self, x): self.password = x\n    def __call__(self): ...\nf = A('{}'.strip())\n",
    ],
)
def test_a_secret_is_not_hashed(tmp_path: Path, text: str) -> None:
    """A digest over a short password can be guessed back; where the source has it, it is no secret."""
    text = text.replace("'{}'", "__import__('os').environ['RELINEAGE_TEST_SECRET']")

    def digest(secret: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RELINEAGE_TEST_SECRET", secret)
            return digest_of(tmp_path, {"job.py": text.format()})

    assert digest("a") == digest("b")


def test_the_lineage_that_code_uses_is_no_part_of_it(tmp_path: Path) -> None:
    source = "from relineage.emitter import Lineage\nL = Lineage(environ={})\ndef f():\n    with L.run('a'): pass\n"

    assert code_of(tmp_path, {"job.py": source}).not_covered == ()


@pytest.mark.parametrize("function", [len, math.sin, np.mean, np.add, functools.reduce, dict, str.upper])
def test_what_is_installed_counts_by_its_name(function: Callable[..., Any]) -> None:
    code = callable_code(function)

    assert (code.missing, code.not_covered) == (None, ())
    assert code.digest != callable_code(print).digest


def test_a_function_without_a_text_has_no_digest_and_says_why() -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(): return 1\ng = lambda: f()", space)
    code = callable_code(space["f"])

    assert code.digest is None
    assert code.missing == "there is no text of <string>: it was typed in, or made by a program"
    helper = space["f"]
    assert callable_code(lambda: helper()).missing == code.missing


def test_remembering_the_code_does_not_keep_its_data(tmp_path: Path) -> None:
    source = """
        import numpy as np
        class Trainer:
            def __init__(self): self.data = np.zeros(1_000_000)
            def fit(self): return self.data.sum()
        def make():
            data = np.zeros(1_000_000)
            def f(): return data.sum()
            return f
        """
    with imported(tmp_path, {"job.py": source}) as job:
        trainer, function = job.Trainer(), job.make()
        held = [weakref.ref(trainer), weakref.ref(function)]
        assert callable_code(trainer.fit).not_covered == ("Trainer.data: a numpy.ndarray",)
        assert callable_code(trainer.fit) is callable_code(trainer.fit)
        assert callable_code(function).not_covered == ("make.<locals>.f (closure).data: a numpy.ndarray",)
        assert callable_code(function) is callable_code(function)
        del trainer, function
        gc.collect()
        assert [one() for one in held] == [None, None]


def test_a_function_whose_file_has_changed_has_no_digest_and_says_why(tmp_path: Path) -> None:
    with imported(tmp_path, {"job.py": "def f():\n    return 1\n"}) as job:
        Path(job.__file__).write_text("def f():\n    return 2\n")
        code = callable_code(job.f)

    assert code.digest is None
    assert code.missing == f"{job.__file__} has changed since f was loaded"


def test_a_helper_that_is_replaced_between_two_calls_is_seen(tmp_path: Path) -> None:
    with imported(tmp_path, PROGRAM) as job:
        before = callable_code(job.f)
        assert callable_code(job.f) is before  # as remembered

        helpers, more = sys.modules["helpers"], sys.modules["more"]
        helpers.tidy, original = (lambda x: x), helpers.tidy
        assert callable_code(job.f).digest not in (None, before.digest)
        helpers.tidy = original
        assert callable_code(job.f).digest == before.digest
        more.LIMIT = 9
        assert callable_code(job.f).digest != before.digest
        more.LIMIT = 3
        job.TABLE["a"] = 7
        assert callable_code(job.f).digest != before.digest


@pytest.mark.parametrize(
    "shape", ["a closure's number", "a configuration object", "a class attribute that was set"]
)
def test_a_value_that_changes_between_two_calls_is_seen(tmp_path: Path, shape: str) -> None:
    source, _, what = SHAPES[shape]
    with imported(tmp_path, {"job.py": source}) as job:
        function = getattr(job, what)
        before = callable_code(function)
        if shape == "a closure's number":
            function.__closure__[0].cell_contents = 5
        elif shape == "a configuration object":
            job.CONFIG.rate = 5
        else:
            job.A.rate = 5
        assert callable_code(function).digest not in (None, before.digest)


def test_a_cell_of_a_notebook_may_await_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def executed(text: str) -> Code:
        name = f"/tmp/ipykernel_1/{next(_numbers)}.py"  # of no file, as IPython names its cells
        monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(True), name))
        code = compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names: dict[str, Any] = {"__name__": "__main__", "asyncio": asyncio}
        asyncio.run(eval(code, names))
        return callable_code(names["double"])

    cell = "async def double(x): return x * {}\nmade = await double(2)\n"

    assert executed(cell.format(2)).missing is None
    assert (
        executed(cell.format(2)).digest == executed(cell.format(2)).digest != executed(cell.format(3)).digest
    )


def test_asking_again_takes_less_than_a_millisecond(tmp_path: Path) -> None:
    with imported(tmp_path, PROGRAM) as job:
        callable_code(job.f)
        taken = []
        for _ in range(200):
            began = time.thread_time()
            callable_code(job.f)
            taken.append(time.thread_time() - began)

    assert sorted(taken)[100] < 0.001


NAMES = ("a", "b", "c", "d", "e")


@settings(max_examples=60, deadline=None)
@given(
    calls=st.fixed_dictionaries({name: st.sets(st.sampled_from(NAMES), max_size=3) for name in NAMES}),
    changed=st.sampled_from(NAMES),
)
def test_a_function_changes_the_digest_exactly_if_it_is_reached(
    tmp_path_factory: pytest.TempPathFactory, calls: dict[str, set[str]], changed: str
) -> None:
    def program(constants: Mapping[str, int]) -> dict[str, str]:
        return {
            "job.py": "".join(
                f"def {name}():\n    return [{constants[name]}, {', '.join(sorted(calls[name]))}]\n"
                for name in NAMES
            )
        }

    reached, before = {"a"}, set()
    while reached != before:
        before = set(reached)
        reached |= {called for name in before for called in calls[name]}
    folder = tmp_path_factory.mktemp("graph")
    ones = dict.fromkeys(NAMES, 1)
    same = digest_of(folder, program(ones), "a") == digest_of(folder, program({**ones, changed: 2}), "a")

    assert same == (changed not in reached)
