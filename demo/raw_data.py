"""The raw data: scikit-learn's breast cancer records as a CSV file, with the flaws that raw data have."""

from pathlib import Path

import pandas as pd

CHANGED_COLUMN = "worst area"
CHANGED_ROW = 100


def raw_records() -> pd.DataFrame:
    """569 tumours with 30 measurements each; some cells are empty and some rows stand twice."""
    from sklearn.datasets import load_breast_cancer  # seconds to import, and the demo may refuse to begin

    frame: pd.DataFrame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "benign"})
    frame.loc[frame.index % 50 == 7, "mean texture"] = None
    return pd.concat([frame, frame.iloc[::100]], ignore_index=True)


def write_raw(file: Path, *, change_one_cell: bool) -> None:
    """Write the CSV file; the changed cell has lost its decimal point."""
    frame = raw_records()
    if change_one_cell:
        column = frame[CHANGED_COLUMN]
        frame[CHANGED_COLUMN] = column.where(column.index != CHANGED_ROW, column * 10)
    frame.to_csv(file, index=False)
