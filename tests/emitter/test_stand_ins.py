"""What has a name or a state counts by it among parameters: functions, classes, generators."""

import copy
import functools
import math
import random

import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error

from relineage.emitter.parameters import holds_secret, parameters_of


def double(value, by=2):
    return value * by


class Loader:
    @classmethod
    def of(cls, name):
        return cls()


class Folds(Loader):
    pass


class Config:
    def __init__(self, rate, inner=None):
        self.rate, self.inner, self.layers = rate, inner, [1, 2]


class Slots:
    __slots__ = ("rate",)

    def __init__(self, rate):
        self.rate = rate


class Chance(random.Random):
    pass


class Texts(list):
    pass


class Sparing(Config):
    def __getstate__(self):
        return {}


def circle():
    config = Config(1)
    config.inner = config
    return config


def drawn(generator, times=1):
    for _ in range(times):
        generator.random()
    return generator


def shown(value):
    [one] = parameters_of({"it": value}).shown
    return f"{one.type}: {one.text}"


DIFFERENT = [
    Ridge, Lasso, int, Loader, mean_absolute_error, mean_squared_error, double, len, math.sqrt, np.sqrt, np.sum,
    Loader.of, Folds.of, functools.partial(double, by=2), functools.partial(double, by=3), functools.partial(double, 2),
    np.random.default_rng(1), np.random.default_rng(2), drawn(np.random.default_rng(1)), np.random.PCG64(1),
    np.random.Generator(np.random.Philox(1)), np.random.RandomState(1), np.random.RandomState(2),
    drawn(np.random.RandomState(1)), random.Random(1), random.Random(2), drawn(random.Random(1)),
    np.random.SeedSequence(1), np.random.SeedSequence(2), [double], [len], {"loss": double}, {"loss": len},
    f"{__name__}:double", Config(1), Config(1.0), Config(2), Config(1, Config(1)), Config(1, Config(2)),
    Config(1, double), Config(1, len), Config(np.arange(3)), Config(np.arange(4)), Slots(1), Slots(2),
    Loader(), Folds(),
]  # fmt: skip


def test_what_differs_has_another_form_and_is_shown_as_something_else():
    forms = [parameters_of({"it": value}).forms["it"] for value in DIFFERENT]

    assert len(set(forms)) == len(DIFFERENT)
    assert len({shown(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert shown(Config(1, Slots(2))) == (
        f"{__name__}.Config: {{'rate': 1, 'inner': {{'rate': 2}}, 'layers': [1, 2]}}"
    )
    assert shown(Ridge) == "class: sklearn.linear_model._ridge:Ridge"
    assert shown(double) == f"function: {__name__}:double"
    assert shown(np.random.default_rng(1)).startswith("numpy.random.Generator: PCG64 in state ")


# By number: the texts of some hold addresses, and each process must name the tests alike.
@pytest.mark.parametrize("place", [n for n, one in enumerate(DIFFERENT) if not isinstance(one, str)])
def test_what_is_the_same_has_the_same_form_and_holds_no_secret(place):
    value = DIFFERENT[place]
    other = Loader.of if value == Loader.of else copy.deepcopy(value)

    assert parameters_of({"it": other}) == parameters_of({"it": value})
    assert not holds_secret("it", value)


def test_of_an_objects_secrets_nothing_is_told():
    class Login:
        def __init__(self, password):
            self.password = password

    one, other = (parameters_of({"login": Login(password)}) for password in ("a", "b"))

    assert one == other
    assert "[redacted]" in one.shown[0].text
    assert holds_secret("login", Login("a"))


def test_a_generator_is_not_moved():
    generators = [np.random.default_rng(1), np.random.RandomState(1), random.Random(1)]
    for generator in generators:
        shown(generator)

    assert [one.random() for one in generators] == [
        np.random.default_rng(1).random(), np.random.RandomState(1).random(), random.Random(1).random()
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda x: x, id="lambda"),
        pytest.param(functools.lru_cache(double), id="another object of that name"),
        pytest.param(Loader().of.__func__, id="function behind a class method"),
        pytest.param([].append, id="method of an object"),
        pytest.param(random.SystemRandom(), id="generator without a state"),
        pytest.param(object(), id="object of another's class"),
        pytest.param(Chance(1), id="object that holds more than attributes"),
        pytest.param(Sparing(1), id="object that says itself what it is"),
        pytest.param(Config(object()), id="object that holds another's"),
        pytest.param(Config(list(range(2000))), id="object that holds much"),
        pytest.param(circle(), id="object that holds itself"),
        pytest.param(functools.partial(lambda x: x, 1), id="partial of a lambda"),
    ],
)
def test_what_no_name_finds_again_has_no_form(value):
    assert parameters_of({"it": value}).formless
