"""Choosing a threshold, comparing models at it, and saying how sure the result is.

A biopsy is flagged when its score, the probability of malignant, is not below the threshold. Recall
is the share of malignant biopsies that are flagged; a false alarm is a benign one that is flagged.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score, roc_curve


def threshold_for(malignant: npt.ArrayLike, scores: npt.ArrayLike, min_recall: float) -> float:
    """Return the threshold with the fewest false alarms among those of at least `min_recall`.

    Every threshold between two neighbouring scores flags the same biopsies. The middle is
    returned, so that the next biopsy does not hang on the last digit of one score.

    Args:
        malignant: the truth, one per biopsy.
        scores: probability of malignant, one per biopsy.
        min_recall: lowest share of malignant biopsies to flag, above 0, at most 1.

    Raises:
        ValueError: if `min_recall` is out of range or a diagnosis or a score is missing.
    """
    if not 0 < min_recall <= 1:
        raise ValueError(f"min_recall must be above 0 and at most 1, not {min_recall}")
    truth, score = _checked(malignant, scores)
    ascending = np.sort(score[truth])
    # 1 - 0.9 is a little below 0.1; without the margin one allowed miss in ten would be none.
    may_miss = floor(len(ascending) * (1 - min_recall) + 1e-9)
    lowest_caught = ascending[may_miss]
    below = score[score < lowest_caught]
    return float((lowest_caught + below.max(initial=0.0)) / 2)


def choose(
    malignant: npt.ArrayLike, scores: Mapping[str, npt.ArrayLike], min_recall: float
) -> pd.DataFrame:
    """Compare models, each at its own threshold for `min_recall`; the first row is the best.

    Best is fewest false alarms, then highest recall, then largest area under the ROC curve. The
    index is the model's name, the columns are `threshold` and those of `outcome`.

    Args:
        malignant: the truth, one per biopsy.
        scores: by model name, the probability of malignant, one per biopsy.
        min_recall: lowest share of malignant biopsies to flag, above 0, at most 1.

    Raises:
        ValueError: if `min_recall` is out of range or a diagnosis or a score is missing.
    """
    rows = {}
    for name in sorted(scores):
        threshold = threshold_for(malignant, scores[name], min_recall)
        rows[name] = {"threshold": threshold, **outcome(malignant, scores[name], threshold)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    return table.sort_values(["false_alarms", "recall", "roc_auc"], ascending=[True, False, False])


def outcome(malignant: npt.ArrayLike, scores: npt.ArrayLike, threshold: float) -> dict[str, float]:
    """Count what happens at a threshold: hits, misses, false alarms, and their rates (6 digits).

    `recall_low` and `recall_high` are the 95 % Wilson interval of the recall; `roc_auc` is the area
    under the ROC curve and does not depend on the threshold.

    Args:
        malignant: the truth, one per biopsy.
        scores: probability of malignant, one per biopsy.
        threshold: a biopsy is flagged when its score is not below this.

    Raises:
        ValueError: if a diagnosis or a score is missing.
    """
    truth, score = _checked(malignant, scores)
    flagged = score >= threshold
    positives, negatives = int(truth.sum()), int((~truth).sum())
    caught, false_alarms = int((flagged & truth).sum()), int((flagged & ~truth).sum())
    low, high = wilson(caught, positives)
    return {
        "malignant": positives,
        "missed": positives - caught,
        "recall": round(caught / positives, 6),
        "recall_low": round(low, 6),
        "recall_high": round(high, 6),
        "benign": negatives,
        "false_alarms": false_alarms,
        "false_alarm_rate": round(false_alarms / negatives, 6),
        "roc_auc": round(float(roc_auc_score(truth, score)), 6),
    }


def roc(malignant: npt.ArrayLike, scores: npt.ArrayLike) -> pd.DataFrame:
    """Return the ROC curve, one row per distinct score, from nothing flagged to all flagged.

    Columns: `threshold` (infinite in the first row), `false_positive_rate`, `true_positive_rate`.

    Args:
        malignant: the truth, one per biopsy.
        scores: probability of malignant, one per biopsy.

    Raises:
        ValueError: if a diagnosis or a score is missing.
    """
    truth, score = _checked(malignant, scores)
    false_positive_rate, true_positive_rate, threshold = roc_curve(
        truth, score, drop_intermediate=False
    )
    return pd.DataFrame(
        {
            "threshold": threshold,
            "false_positive_rate": false_positive_rate,
            "true_positive_rate": true_positive_rate,
        }
    )


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share, `successes` out of `trials`.

    Unlike the textbook interval (share +- 1.96 standard errors) it has a width when all trials
    succeed. E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), pages 209-212.

    Args:
        successes: how many trials succeeded.
        trials: how many there were.
        confidence: share of such intervals that hold the true share, 0 to 1.

    Raises:
        ValueError: if there is no trial or more successes than trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials is not a share")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = share + z**2 / (2 * trials)
    half_width = z * sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return max(0.0, (centre - half_width) / scale), min(1.0, (centre + half_width) / scale)


def _checked(
    malignant: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    truth, score = np.asarray(malignant, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    if truth.shape != score.shape:
        raise ValueError(f"{truth.size} diagnoses do not match {score.size} scores")
    if np.isnan(score).any():
        raise ValueError(f"{int(np.isnan(score).sum())} of {score.size} scores are missing")
    if truth.all() or not truth.any():
        raise ValueError("both diagnoses are needed, malignant and benign")
    return truth, score
