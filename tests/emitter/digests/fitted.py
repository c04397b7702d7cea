"""Fits one estimator of each kind and prints the digests; test_estimators.py runs it in new interpreters."""

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC

from relineage.emitter.digests.estimators import estimator_digest

X, y = make_classification(200, 6, random_state=0)
FRAME = pd.DataFrame(
    {"colour": ["red", "green", "blue", "red"] * 50, "size": np.abs(X[:, 0]), "rest": X[:, 1]}
)

SEEDED: dict[str, Callable[[int], Any]] = {
    "forest": lambda seed: RandomForestClassifier(5, random_state=seed).fit(X, y),
    "histogram boosting": lambda seed: HistGradientBoostingClassifier(
        max_iter=5, max_features=0.5, random_state=seed
    ).fit(X, y),
    "boosting": lambda seed: GradientBoostingClassifier(n_estimators=5, subsample=0.5, random_state=seed).fit(
        X, y
    ),
    "perceptron": lambda seed: MLPClassifier((8,), max_iter=20, random_state=seed).fit(X, y),
    "k-means": lambda seed: KMeans(3, n_init=1, init="random", random_state=seed).fit(X),
}
PLAIN: dict[str, Callable[[], Any]] = {
    "linear": lambda: LinearRegression().fit(X, y),
    "logistic": lambda: LogisticRegression().fit(X, y),
    "pipeline": lambda: Pipeline([("scale", StandardScaler()), ("svc", SVC())]).fit(X, y),
    "columns": lambda: ColumnTransformer(
        [("words", OneHotEncoder(), ["colour"]), ("log", FunctionTransformer(np.log1p), ["size"])],
        remainder="passthrough",
    ).fit(FRAME),
    "neighbours": lambda: KNeighborsClassifier(algorithm="kd_tree").fit(X, y),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(X, y),
    "stack": lambda: StackingClassifier([("a", LogisticRegression()), ("b", SVC())], cv=3).fit(X, y),
    "text": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
        ["a red fox", "the green frog", "a blue fox", "that frog"], [0, 1, 0, 1]
    ),
    "splines": lambda: SplineTransformer().fit(X),
    "isotonic": lambda: IsotonicRegression().fit(X[:, 0], y),
}


def digests() -> dict[str, dict[str, str]]:
    """By what was fitted (the seeded ones with two seeds): the digests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few iterations do not converge, and need not
        return {
            "seed 0": {name: estimator_digest(fit(0)).digest for name, fit in SEEDED.items()},
            "seed 1": {name: estimator_digest(fit(1)).digest for name, fit in SEEDED.items()},
            "plain": {name: estimator_digest(fit()).digest for name, fit in PLAIN.items()},
        }


if __name__ == "__main__":
    print(json.dumps(digests()))
