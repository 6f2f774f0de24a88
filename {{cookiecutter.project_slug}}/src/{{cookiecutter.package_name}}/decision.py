"""What a required recall leads to, on the validation table: what the dashboard shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, get_args

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from nb.pipeline.stages_file import read_stages

from . import evaluation, models

VALIDATION = "data/processed/validation.parquet"
METRICS = "reports/metrics/evaluate.json"
MODELS = {name: f"models/{name}.joblib" for name in get_args(models.Name)}
# What `load` reads.
ARTIFACTS = ("dvc.lock", VALIDATION, METRICS, *MODELS.values())


class Results(NamedTuple):
    """What the pipeline made.

    Attributes:
        validation: the biopsies that model and threshold are chosen on.
        scores: by model, the probability of malignant, one per biopsy of `validation`.
        min_recall: the recall that the last run asked for.
        chosen: the metrics of the last run: its `model`, its `threshold`, and the
            outcome on its `test` table.
    """

    validation: pd.DataFrame
    scores: dict[str, npt.NDArray[np.float64]]
    min_recall: float
    chosen: dict[str, Any]


class Decision(NamedTuple):
    """What a model does at a threshold.

    Attributes:
        threshold: a biopsy is flagged when its score is not below this.
        outcome: the counts and rates of `evaluation.outcome`.
        biopsies: columns `score`, `diagnosis`, `flagged` and `result`, which is `hit`, `missed`,
            `false alarm` or `spared`; the highest score comes first.
    """

    threshold: float
    outcome: dict[str, float]
    biopsies: pd.DataFrame


def load(root: Path) -> Results:
    """Read what the pipeline made and let the models score the validation table.

    Raises:
        FileNotFoundError: if one of `ARTIFACTS` is missing.
        KeyError: if they do not fit together, as when a run is half done.
    """
    validation = pd.read_parquet(root / VALIDATION)
    fitted = {name: joblib.load(root / path) for name, path in MODELS.items()}
    parameters = {stage.name: stage.parameters for stage in read_stages(root)}
    return Results(
        validation,
        {name: models.score(model, validation) for name, model in fitted.items()},
        float(parameters["evaluate"]["min_recall"]),
        json.loads((root / METRICS).read_text(encoding="utf-8")),
    )


def decide(results: Results, model: str, min_recall: float) -> Decision:
    """Find the threshold of a model for a required recall, and what happens at it.

    Args:
        results: what the pipeline made.
        model: which of its models.
        min_recall: lowest share of malignant biopsies to flag, above 0, at most 1.

    Raises:
        ValueError: if `min_recall` is out of range.
    """
    malignant, scores = results.validation["malignant"].to_numpy(), results.scores[model]
    threshold = evaluation.threshold_for(malignant, scores, min_recall)
    flagged = scores >= threshold
    words = np.where(
        malignant,
        np.where(flagged, "hit", "missed"),
        np.where(flagged, "false alarm", "spared"),
    )
    diagnosis = np.where(malignant, "malignant", "benign")
    biopsies = pd.DataFrame(
        {"score": scores, "diagnosis": diagnosis, "flagged": flagged, "result": words}
    )
    return Decision(
        threshold,
        evaluation.outcome(malignant, scores, threshold),
        biopsies.sort_values("score", ascending=False, kind="stable").rename_axis("biopsy"),
    )


def confusion(outcome: dict[str, float]) -> pd.DataFrame:
    """Return the table of diagnoses (rows) by what was done about them (columns), as counts."""
    missed, alarms = int(outcome["missed"]), int(outcome["false_alarms"])
    rows = {
        "malignant": [int(outcome["malignant"]) - missed, missed],
        "benign": [alarms, int(outcome["benign"]) - alarms],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["flagged", "not flagged"])


def curve(results: Results, model: str) -> pd.DataFrame:
    """Return the shares flagged at every threshold from 0 to 1.

    Columns: `threshold`, and the shares of the `malignant` (the recall) and of the `benign`
    biopsies (the false alarm rate) that are flagged there.
    """
    malignant = results.validation["malignant"].to_numpy()
    roc = evaluation.roc(malignant, results.scores[model]).iloc[1:]
    names = {"true_positive_rate": "malignant", "false_positive_rate": "benign"}
    shares = roc.rename(columns=names)
    ends = pd.DataFrame({"threshold": [0.0, 1.0], "malignant": [1.0, 0.0], "benign": [1.0, 0.0]})
    steps = pd.concat([ends, shares[list(ends)]])
    return steps.sort_values(["threshold", "malignant"], ascending=[True, False])


def choices(results: Results) -> list[float]:
    """Return the recalls worth asking for, from 0.8 to 1, that of the last run among them."""
    return sorted({*(percent / 100 for percent in range(80, 101)), results.min_recall})
