"""The biopsies: where they come from, what they must look like, how they are divided.

Source: the Wisconsin diagnostic breast cancer data in the copy that comes with scikit-learn.
W. N. Street, W. H. Wolberg and O. L. Mangasarian, "Nuclear feature extraction for breast tumor
diagnosis", IS&T/SPIE vol. 1905 (1993), pages 861-870.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

STATISTICS = ("mean", "error", "worst")

# Lowest and highest believable mean of a property over the nuclei of one biopsy. Wide enough for
# every biopsy of the source, narrow enough to notice a shifted decimal point in most columns.
PLAUSIBLE = {
    "radius": (5.0, 50.0),
    "texture": (5.0, 80.0),
    "perimeter": (30.0, 400.0),
    "area": (100.0, 6000.0),
    "smoothness": (0.02, 0.5),
    "compactness": (0.0, 3.0),
    "concavity": (0.0, 3.0),
    "concave_points": (0.0, 1.0),
    "symmetry": (0.05, 1.0),
    "fractal_dimension": (0.02, 0.5),
}

MEASUREMENTS = [f"{name}_{statistic}" for statistic in STATISTICS for name in PLAUSIBLE]
COLUMNS = ["malignant", *MEASUREMENTS]


class Split(NamedTuple):
    """Three tables with the same columns and no biopsy in common."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def load(max_rows: int | None = None) -> pd.DataFrame:
    """Return the biopsies as scikit-learn gives them: 30 measurements and `target`, 0 = malignant.

    Args:
        max_rows: how many rows to keep, spread evenly over the source, whose first rows are almost
            all malignant; None keeps all.

    Raises:
        ValueError: if `max_rows` is less than 1.
    """
    biopsies = load_breast_cancer(as_frame=True).frame
    if max_rows is None or max_rows >= len(biopsies):
        return biopsies
    if max_rows < 1:
        raise ValueError(f"max_rows must be at least 1, not {max_rows}")
    rows = np.arange(max_rows) * len(biopsies) // max_rows
    return biopsies.iloc[rows].reset_index(drop=True)


def tidy(raw: pd.DataFrame) -> pd.DataFrame:
    """Return a column `malignant` (bool), then the measurements named `<property>_<statistic>`.

    The statistic is `mean`, `error` (standard error) or `worst` (mean of the three largest values).

    Args:
        raw: the biopsies as `load` returns them.

    Raises:
        KeyError: if there is no column `target`.
        ValueError: if a target is neither 0 nor 1.
    """
    target = raw["target"]
    if not target.isin([0, 1]).all():
        raise ValueError("target must be 0 (malignant) or 1 (benign) in every row")
    measurements = raw.drop(columns="target").rename(columns=_tidy_name).astype("float64")
    measurements.insert(0, "malignant", target == 0)
    return measurements


def _tidy_name(name: str) -> str:
    words = name.split()
    return "_".join(sorted(words, key=lambda word: word in STATISTICS))


def check(biopsies: pd.DataFrame) -> None:
    """Stop when a tidy table is not fit for use; the message lists every reason.

    Fit for use means: the columns and types of `COLUMNS`, both diagnoses, no missing value, no
    biopsy twice, every measurement in its plausible range, `worst` never below `mean`.

    Raises:
        ValueError: if the table is not fit for use.
    """
    wanted = dict.fromkeys(COLUMNS, "float64") | {"malignant": "bool"}
    found = {name: str(dtype) for name, dtype in biopsies.dtypes.items()}
    if found != wanted:
        different = sorted({name for name, _ in found.items() ^ wanted.items()})
        raise ValueError(f"columns are missing, unknown or of a wrong type: {', '.join(different)}")

    problems = []
    if incomplete := list(biopsies.columns[biopsies.isna().any()]):
        problems.append(f"missing values in {', '.join(incomplete)}")
    if repeated := int(biopsies.duplicated().sum()):
        problems.append(f"{repeated} rows repeat another row")
    if biopsies["malignant"].nunique() < 2:
        problems.append("only one diagnosis")
    for name, (low, high) in PLAUSIBLE.items():
        mean, error, worst = (biopsies[f"{name}_{statistic}"] for statistic in STATISTICS)
        for column in (mean, worst):
            if ((column < low) | (column > high)).any():
                problems.append(f"{column.name} outside {low} to {high}")
        if (error < 0).any():
            problems.append(f"{error.name} below 0")
        if (worst < mean).any():
            problems.append(f"{worst.name} below {mean.name}")
    if problems:
        raise ValueError("the biopsies are not fit for use: " + "; ".join(problems))


def split(biopsies: pd.DataFrame, validation_share: float, test_share: float, seed: int) -> Split:
    """Divide the biopsies at random, with the same share of malignant ones in each part.

    Args:
        biopsies: a tidy table.
        validation_share: share of all biopsies for choosing model and threshold, 0 to 1.
        test_share: share of all biopsies for the final test, 0 to 1. What is left is for training.
        seed: the same seed gives the same parts.

    Raises:
        ValueError: if a share is not positive or nothing is left for training.
    """
    if not (validation_share > 0 and test_share > 0 and validation_share + test_share < 1):
        raise ValueError(
            f"shares must be positive and leave rows for training, not {validation_share} "
            f"for validation and {test_share} for the test"
        )
    rest, test = train_test_split(
        biopsies, test_size=test_share, stratify=biopsies["malignant"], random_state=seed
    )
    train, validation = train_test_split(
        rest,
        test_size=validation_share / (1 - test_share),
        stratify=rest["malignant"],
        random_state=seed,
    )
    return Split(*(part.sort_index().reset_index(drop=True) for part in (train, validation, test)))


def redundant(measurements: pd.DataFrame, limit: float) -> list[str]:
    """Return the columns whose absolute Pearson correlation with a column kept is above `limit`.

    Columns are judged from left to right, so of two that say the same the left one stays.

    Args:
        measurements: numeric columns only.
        limit: highest correlation that two kept columns may have, 0 to 1.
    """
    correlation = measurements.corr().abs()
    kept: list[str] = []
    dropped: list[str] = []
    for column in measurements.columns:
        repeats = (correlation.loc[column, kept] > limit).any()
        (dropped if repeats else kept).append(column)
    return dropped
