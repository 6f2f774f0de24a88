import numpy as np
import pytest

from {{ cookiecutter.package_name }} import evaluation

MALIGNANT = [True, True, True, True, False, False, False, False]
SCORES = [0.9, 0.8, 0.7, 0.4, 0.6, 0.5, 0.3, 0.1]


@pytest.mark.parametrize(
    ("min_recall", "threshold"),
    [
        (1.0, 0.35),  # catches 0.4, just above the benign 0.3
        (0.8, 0.35),  # three of four would be too few
        (0.75, 0.65),  # may miss 0.4: between 0.7 and the benign 0.6
        (0.5, 0.75),
        (0.01, 0.85),
    ],
)
def test_the_threshold_is_halfway_to_the_next_lower_score(
    min_recall: float, threshold: float
) -> None:
    found = evaluation.threshold_for(MALIGNANT, SCORES, min_recall)
    assert found == pytest.approx(threshold)


def test_the_threshold_may_miss_exactly_one_in_ten() -> None:
    malignant = [True] * 10 + [False]
    scores = [*np.linspace(0.1, 1.0, 10), 0.0]
    assert evaluation.threshold_for(malignant, scores, 0.9) == pytest.approx(0.15)


def test_malignant_biopsies_of_equal_score_are_caught_together() -> None:
    malignant, scores = [True, True, True, False], [0.5, 0.5, 0.9, 0.1]
    threshold = evaluation.threshold_for(malignant, scores, 0.6)
    assert evaluation.outcome(malignant, scores, threshold)["missed"] == 0


def test_a_threshold_below_every_score_is_halfway_to_zero() -> None:
    assert evaluation.threshold_for([True, False], [0.4, 0.8], 1.0) == pytest.approx(0.2)


@pytest.mark.parametrize("min_recall", [0.0, 1.1, np.nan])
def test_an_impossible_recall_is_refused(min_recall: float) -> None:
    with pytest.raises(ValueError, match="min_recall"):
        evaluation.threshold_for(MALIGNANT, SCORES, min_recall)


def test_outcome_counts_by_hand() -> None:
    outcome = evaluation.outcome(MALIGNANT, SCORES, 0.5)
    assert outcome == {
        "malignant": 4,
        "missed": 1,
        "recall": 0.75,
        "recall_low": 0.300642,
        "recall_high": 0.954413,
        "benign": 4,
        "false_alarms": 2,  # 0.6, and 0.5 which is at the threshold
        "false_alarm_rate": 0.5,
        "roc_auc": 0.875,  # 14 of the 16 pairs are in the right order
    }


def test_the_best_model_has_the_fewest_false_alarms_at_the_recall_asked_for() -> None:
    poor = [0.9, 0.8, 0.2, 0.7, 0.6, 0.5, 0.3, 0.1]
    table = evaluation.choose(MALIGNANT, {"poor": poor, "good": SCORES}, min_recall=1.0)
    assert table.index.tolist() == ["good", "poor"]
    assert table["false_alarms"].tolist() == [2, 3]
    assert table.loc["good", "threshold"] == pytest.approx(0.35)


def test_between_equal_false_alarms_the_larger_area_wins() -> None:
    malignant = [True, True, False, False]
    low_first, high_first = [0.2, 0.9, 0.3, 0.1], [0.2, 0.4, 0.5, 0.1]
    table = evaluation.choose(malignant, {"a": high_first, "b": low_first}, min_recall=1.0)
    assert table["false_alarms"].tolist() == [1, 1]
    assert table.index.tolist() == ["b", "a"]


def test_between_equal_false_alarms_the_higher_recall_wins() -> None:
    malignant = [True, True, False, False, False, False]
    larger_area, higher_recall = [0.9, 0.3, 0.9, 0.2, 0.2, 0.2], [0.5, 0.5, 0.9, 0.1, 0.1, 0.1]
    table = evaluation.choose(malignant, {"a": larger_area, "b": higher_recall}, min_recall=0.5)
    assert table["false_alarms"].tolist() == [1, 1]
    assert table.index.tolist() == ["b", "a"]


def test_no_more_recall_than_asked_for_is_bought_with_false_alarms() -> None:
    malignant = [True, True, False, False]
    fewer_alarms, higher_recall = [0.9, 0.2, 0.8, 0.1], [0.5, 0.5, 0.6, 0.1]
    table = evaluation.choose(malignant, {"a": higher_recall, "b": fewer_alarms}, min_recall=0.5)
    assert table["recall"].tolist() == [0.5, 1.0]
    assert table.index.tolist() == ["b", "a"]


def test_roc_has_a_row_for_every_score() -> None:
    assert len(evaluation.roc(MALIGNANT, SCORES)) == 1 + len(SCORES)


def test_roc_of_four_biopsies() -> None:
    table = evaluation.roc([False, False, True, True], [0.1, 0.4, 0.35, 0.8])
    assert table["false_positive_rate"].tolist() == [0.0, 0.0, 0.5, 0.5, 1.0]
    assert table["true_positive_rate"].tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert table["threshold"].tolist() == [np.inf, 0.8, 0.4, 0.35, 0.1]


# R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine
# 17 (1998), pages 857-872, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert evaluation.wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_is_wider_for_more_confidence_and_symmetric() -> None:
    low, high = evaluation.wilson(3, 10, confidence=0.99)
    assert low < evaluation.wilson(3, 10)[0]
    assert evaluation.wilson(7, 10, confidence=0.99) == pytest.approx((1 - high, 1 - low))


def test_wilson_stays_between_0_and_1() -> None:
    for trials in range(1, 100):
        assert evaluation.wilson(0, trials)[0] >= 0
        assert evaluation.wilson(trials, trials)[1] <= 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_share(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        evaluation.wilson(successes, trials)


@pytest.mark.parametrize("malignant", [[True, True], [False, False]])
def test_one_diagnosis_alone_cannot_be_evaluated(malignant: list[bool]) -> None:
    with pytest.raises(ValueError, match="both diagnoses"):
        evaluation.outcome(malignant, [0.1, 0.9], 0.5)
    with pytest.raises(ValueError, match="both diagnoses"):
        evaluation.roc(malignant, [0.1, 0.9])


def test_every_biopsy_needs_a_score() -> None:
    for compute in (evaluation.roc, lambda *of: evaluation.threshold_for(*of, min_recall=1.0)):
        with pytest.raises(ValueError, match="1 of 3 scores are missing"):
            compute([True, False, True], [0.9, 0.1, np.nan])
    with pytest.raises(ValueError, match="2 diagnoses do not match 3 scores"):
        evaluation.outcome([True, False], [0.1, 0.9, 0.5], 0.5)
