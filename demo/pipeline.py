"""From a CSV file to predictions in seven steps: `python pipeline.py FOLDER --seed 42`.

An ordinary scikit-learn script with lineage in it. Reads FOLDER/raw.csv, writes FOLDER/model.joblib. Frames that a
step returns need no name in the next one, and no library is given a seed: each step's generators are seeded from
the pipeline's.
"""

import argparse
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split

from relineage.emitter import Lineage

LABEL = "benign"
lineage = Lineage(namespace="demo")


def load(raw: Path) -> pd.DataFrame:
    """Raw records as a frame."""
    with lineage.run("load") as run:
        return run.output(pd.read_csv(run.input(raw)), name="patients")


def clean(patients: pd.DataFrame) -> pd.DataFrame:
    """Each patient once, without gaps."""
    with lineage.run("clean") as run:
        whole = run.input(patients).drop_duplicates().dropna()
        return run.output(whole.reset_index(drop=True), name="patients/clean")


def split(patients: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A part to learn from and a part to judge by."""
    with lineage.run("split", params={"test_size": 0.25}) as run:
        train, test = train_test_split(run.input(patients), test_size=0.25)
        return run.output(train, role="train"), run.output(test, role="test")


def augment(train: pd.DataFrame) -> pd.DataFrame:
    """The records, and a noisy copy of each."""
    with lineage.run("augment", params={"noise": 0.1}) as run:
        features = run.input(train).drop(columns=LABEL)
        noise = np.random.normal(scale=0.1 * features.std(), size=features.shape)
        noisy = (features + noise).assign(**{LABEL: train[LABEL]})
        return run.output(pd.concat([train, noisy], ignore_index=True))


def fit(train: pd.DataFrame, file: Path) -> RandomForestClassifier:
    """A forest, also as a file."""
    with lineage.run("train", params={"trees": 25}) as run:
        run.input(train, role="train")
        model = RandomForestClassifier(n_estimators=25).fit(train.drop(columns=LABEL), train[LABEL])
        joblib.dump(model, file)
        run.output(file, role="file")
        return run.output(model, name="models/tumour", role="model")


def evaluate(model: RandomForestClassifier, test: pd.DataFrame) -> None:
    """How good it is on what it has not seen."""
    with lineage.run("evaluate") as run:
        model, test = run.input(model, role="model"), run.input(test, role="test")
        chances = model.predict_proba(test.drop(columns=LABEL))[:, 1]
        accuracy, auc = accuracy_score(test[LABEL], chances > 0.5), roc_auc_score(test[LABEL], chances)
        run.metric("accuracy", accuracy)
        run.metric("auc", auc)
        print(f"accuracy {accuracy:.3f}, auc {auc:.3f}")


def predict(file: Path, patients: pd.DataFrame) -> pd.DataFrame:
    """The chance of each patient, by the model in the file."""
    with lineage.run("predict") as run:
        model = joblib.load(run.input(file, role="model"))
        features = run.input(patients, role="batch").drop(columns=LABEL)
        return run.output(pd.DataFrame({LABEL: model.predict_proba(features)[:, 1]}), name="predictions")


def main() -> None:
    """All seven steps as one pipeline."""
    parser = argparse.ArgumentParser(description="From a CSV file to predictions in seven steps.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    file = arguments.folder / "model.joblib"
    with lineage.run("pipeline", seed=arguments.seed):
        patients = clean(load(arguments.folder / "raw.csv"))
        train, test = split(patients)
        model = fit(augment(train), file)
        evaluate(model, test)
        predict(file, patients)


if __name__ == "__main__":
    main()
