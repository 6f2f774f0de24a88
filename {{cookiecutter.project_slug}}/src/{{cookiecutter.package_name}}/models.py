"""The models that compete, how their settings are searched, and what they say of a biopsy."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

Name = Literal["logistic", "forest"]


class Tuned(NamedTuple):
    """The result of a search.

    Attributes:
        model: fitted on all rows with the best setting.
        setting: that setting in words, such as `C = 0.1`.
        trials: one row per fold and setting, with columns `setting`, `fold` (from 1), `roc_auc`.
    """

    model: Pipeline
    setting: str
    trials: pd.DataFrame


def untrained(name: Name, seed: int) -> tuple[Pipeline, str, list[float]]:
    """Return a model, the name of the one setting worth searching and the values to try.

    `logistic` is a regression on standardised measurements; a small `C` is a strong L2 penalty.
    `forest` has 100 trees (L. Breiman, "Random forests", Machine Learning 45 (2001), pages 5-32);
    large leaves make it smoother.

    Raises:
        ValueError: if the name is neither.
    """
    if name == "logistic":
        regression = LogisticRegression(max_iter=1000)
        steps = [("scale", StandardScaler()), ("model", regression)]
        return Pipeline(steps), "C", [0.01, 0.1, 1.0, 10.0]
    if name == "forest":
        forest = RandomForestClassifier(n_estimators=100, random_state=seed, n_jobs=1)
        return Pipeline([("model", forest)]), "min_samples_leaf", [1, 3, 9]
    raise ValueError(f"no model is called {name!r}; there are 'logistic' and 'forest'")


def tune(name: Name, biopsies: pd.DataFrame, folds: int, seed: int) -> Tuned:
    """Search a model's setting by stratified cross-validation and fit the best one on all rows.

    The best setting has the highest mean area under the ROC curve, which judges the order of the
    scores and leaves the threshold for later.

    Args:
        name: which model.
        biopsies: measurements and `malignant`, one row per biopsy.
        folds: number of parts that take turns as the part to predict, at least 2.
        seed: of the folds and of the forest's trees.

    Raises:
        ValueError: if no model has that name or there are more folds than biopsies of a diagnosis.
    """
    model, parameter, values = untrained(name, seed)
    malignant = biopsies["malignant"]
    # scikit-learn only warns when some folds would lack a diagnosis, and scores them as nan.
    if folds > malignant.value_counts().min():
        raise ValueError(f"{folds} folds need at least {folds} biopsies of each diagnosis")
    search = GridSearchCV(
        model,
        {f"model__{parameter}": values},
        scoring="roc_auc",
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
        n_jobs=1,
    )
    search.fit(biopsies.drop(columns="malignant"), malignant)
    trials = [
        {"setting": f"{parameter} = {value:g}", "fold": fold + 1, "roc_auc": scores[candidate]}
        for fold in range(folds)
        for scores in [search.cv_results_[f"split{fold}_test_score"]]
        for candidate, value in enumerate(values)
    ]
    best = f"{parameter} = {values[search.best_index_]:g}"
    return Tuned(search.best_estimator_, best, pd.DataFrame(trials))


def score(model: Pipeline, biopsies: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return for each biopsy the probability, from 0 to 1, that the model gives to malignant.

    Args:
        model: a fitted model.
        biopsies: the measurements it was trained on; other columns are ignored.

    Raises:
        KeyError: if a measurement is missing.
    """
    known = biopsies[list(model.feature_names_in_)]
    return np.asarray(model.predict_proba(known)[:, 1], dtype=np.float64)
