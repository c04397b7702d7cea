import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.estimators import estimator_digest

X = np.random.default_rng(0).random((40, 3))
Y = (X[:, 0] > 0.5).astype(int)


def test_the_same_fit_has_the_same_digest_in_another_process_and_another_seed_another_one() -> None:
    script = Path(__file__).with_name("fitted.py")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script)],
            # One thread: k-means adds up its inertia thread by thread, so two threads give other last bits.
            env=os.environ | {"PYTHONHASHSEED": number, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
        )
        for number in ("1", "2")
    ]
    first, again = (json.loads(process.communicate()[0]) for process in processes)
    assert first == again
    every = [digest for group in first.values() for digest in group.values()]
    assert len(set(every)) == len(every) == 20


def digest(estimator: Any) -> str:
    return estimator_digest(estimator).digest


def test_parameters_and_fitted_values_both_count() -> None:
    base = LogisticRegression().fit(X, Y)
    assert digest(base) == digest(LogisticRegression().fit(X, Y))
    assert digest(base) != digest(LogisticRegression(C=2.0).fit(X, Y))
    assert digest(base) != digest(LogisticRegression().fit(X + 0.1, Y))
    assert digest(base) != digest(LogisticRegression())
    base.coef_[0, 0] = np.nextafter(base.coef_[0, 0], 9)
    assert digest(base) != digest(LogisticRegression().fit(X, Y))


def test_the_architecture_is_the_same_before_and_after_the_fit() -> None:
    model = Pipeline(
        [("scale", StandardScaler()), ("tree", DecisionTreeClassifier(max_depth=2, random_state=0))]
    )
    before = estimator_digest(model)
    model.fit(X, Y)
    after = estimator_digest(model)
    assert before.model.architecture == after.model.architecture
    assert before.digest != after.digest
    assert model.set_params(tree__max_depth=3) is model
    assert estimator_digest(model).model.architecture != after.model.architecture


def test_times_threads_and_queries_do_not_show() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(X, Y)
    before = digest(search)
    search.refit_time_ += 1
    search.cv_results_["mean_fit_time"] += 1
    assert digest(search) == before
    search.cv_results_["mean_test_score"][0] += 1
    assert digest(search) != before
    boosting = HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(X, Y)
    before = digest(boosting)
    boosting._bin_mapper.n_threads += 1
    assert digest(boosting) == before
    neighbours = KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)
    before = digest(neighbours)
    neighbours.predict(X)
    assert digest(neighbours) == before


def test_a_fitted_model_tells_its_framework_and_parameters() -> None:
    import sklearn

    wide = np.hstack([X, X**2])
    found = content_of(LinearRegression().fit(wide, X @ [1.0, 2.0, 3.0]))
    assert found.kind == "estimator"
    assert found.modality == "model"
    assert found.distinctive
    assert found.model is not None
    assert found.model.framework == f"scikit-learn {sklearn.__version__}"
    # six coefficients and the intercept, and what the solver keeps: six singular values
    assert found.model.parameters == 13
    assert not content_of(LinearRegression()).distinctive


class Holder(BaseEstimator):
    def __init__(self, part: object = None) -> None:
        self.part = part


class Stranger:
    pass


class Twice:
    def __call__(self, values: Any) -> Any:
        return values * 2

    def method(self, values: Any) -> Any:
        return values * 2


def cyclic() -> Holder:
    holder = Holder()
    holder.part = [holder]
    return holder


REFUSED = {
    "objects of others": (Holder(Stranger()), r"Holder\.part: .*Stranger has no defined form"),
    "deep in a state": (
        Pipeline([("a", Holder({"k": [Stranger()]}))]),
        r"steps\[0\]\[1\].part\['k'\]\[0\]: ",
    ),
    "lambdas": (FunctionTransformer(lambda values: values), "has no name of its own"),
    "bound methods": (FunctionTransformer(Twice().method), r"FunctionTransformer\.func: builtins.method"),
    "callable objects": (FunctionTransformer(Twice()), "Twice has no defined form"),
    "cycles": (cyclic(), "contains itself"),
    "extended floats": (Holder(np.zeros(2, np.longdouble)), "Holder.part: dtype"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_defined_form_is_refused_with_its_path(name: str) -> None:
    estimator, message = REFUSED[name]
    with pytest.raises(Refused, match=message):
        content_of(estimator)


DISTINCT: list[object] = [
    None,
    True,
    False,
    1,
    1.0,
    0,
    0.0,
    -0.0,
    "1",
    b"1",
    "",
    [],
    (),
    {},
    set(),
    [[]],
    [None],
    [1, 2],
    (1, 2),
    {1: 2},
    {"1": 2},
    {1, 2},
    frozenset({1, 3}),
    np.int64(1),
    np.float32(1),
    np.float64(1),
    np.array(1),
    np.array([1]),
    np.array([[1]]),
    np.array(["1"]),
    np.array(["1"], dtype=object),
    np.array([1], dtype=object),
    np.dtype("i4"),
    np.int32,
    np.log,
    np.exp,
    slice(1),
    slice(None, 1, 2),
    1j,
    float("nan"),
    float("inf"),
    np.random.RandomState(1),
    np.random.RandomState(2),
    np.random.default_rng(1),
    np.ma.masked_array([1, 2], [False, True]),
    np.zeros(1, [("a", "i4"), ("b", "i8")]),
    np.zeros(1, [("b", "i4"), ("a", "i8")]),
    ["a", "bX"],
    ["ab", "X"],
    [["a"], "b"],
    ["a", ["b"]],
]


def test_every_value_has_a_form_of_its_own() -> None:
    digests = [digest(Holder(value)) for value in DISTINCT]
    assert len(set(digests)) == len(DISTINCT)


def test_order_of_filling_padding_and_memory_layout_do_not_show() -> None:
    assert digest(Holder({"a": 1, "b": 2})) == digest(Holder({"b": 2, "a": 1}))
    assert digest(Holder({f"word{i}" for i in range(50)})) == digest(
        Holder({f"word{i}" for i in range(49, -1, -1)})
    )
    padded = np.dtype([("flag", "u1"), ("value", "f8")], align=True)
    clean, dirty = np.zeros(2, padded), np.frombuffer(b"\xff" * 32, padded).copy()
    dirty["flag"], dirty["value"] = 0, 0.0
    assert clean.tobytes() != dirty.tobytes()
    assert digest(Holder(clean)) == digest(Holder(dirty))
    grid = np.arange(6.0).reshape(2, 3)
    assert (
        digest(Holder(grid)) == digest(Holder(np.asfortranarray(grid))) == digest(Holder(grid.astype(">f8")))
    )
    hidden = [np.ma.masked_array([1, other], [False, True]) for other in (2, 3)]
    assert digest(Holder(hidden[0])) == digest(Holder(hidden[1]))


def test_every_part_of_a_spline_counts() -> None:
    from scipy.interpolate import BSpline

    knots, values = np.arange(8.0), np.arange(5.0)
    splines = [
        BSpline(knots, values, 3),
        BSpline(knots + 1, values, 3),
        BSpline(knots, values + 1, 3),
        BSpline(knots, values, 2),
        BSpline(knots, values, 3, extrapolate=False),
        BSpline(knots, values.reshape(1, 5), 3, axis=1),
    ]
    digests = [digest(Holder(spline)) for spline in splines]
    assert len(set(digests)) == len(digests)
    assert digest(Holder(BSpline(knots, values, 3))) == digests[0]


def test_parts_of_an_estimator_and_their_places_count() -> None:
    def fitted(**parts: Any) -> str:
        return digest(Pipeline(list(parts.items())).fit(X, Y))

    scale, tree = StandardScaler, lambda: DecisionTreeClassifier(random_state=0)
    one = fitted(scale=scale(), tree=tree())
    assert one == fitted(scale=scale(), tree=tree())
    others = [
        fitted(scaler=scale(), tree=tree()),
        fitted(scale="passthrough", tree=tree()),
        fitted(scale=scale(with_mean=False), tree=tree()),
        fitted(first=scale(), scale=scale(), tree=tree()),
    ]
    assert len({one, *others}) == 5


def test_a_tree_is_told_by_its_nodes() -> None:
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
    before = digest(tree)
    tree.tree_.threshold[0] = np.nextafter(tree.tree_.threshold[0], 9)
    assert digest(tree) != before


def test_a_word_that_is_named_like_a_clock_is_still_a_word() -> None:
    assert digest(Holder({"refit_time_": 1, "n_threads": 2})) != digest(
        Holder({"refit_time_": 1, "n_threads": 3})
    )


def test_the_generator_of_the_process_is_not_the_estimator_s() -> None:
    from sklearn.utils import check_random_state

    holder = Holder(check_random_state(None))
    before = digest(holder)
    np.random.random(3)
    assert digest(holder) == before
