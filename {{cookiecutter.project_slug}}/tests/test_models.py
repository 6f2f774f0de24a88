from typing import get_args

import numpy as np
import pandas as pd
import pytest

from {{ cookiecutter.package_name }} import models


@pytest.fixture(scope="module")
def biopsies() -> pd.DataFrame:
    """Sixty invented biopsies: size tells most malignant ones from benign, noise does not."""
    random = np.random.default_rng(3)
    malignant = np.arange(60) % 3 == 0
    size = random.normal(size=60) + 3 * malignant
    return pd.DataFrame({"malignant": malignant, "size": size, "noise": random.normal(size=60)})


@pytest.fixture(scope="module", params=get_args(models.Name))
def tuned(request: pytest.FixtureRequest, biopsies: pd.DataFrame) -> models.Tuned:
    return models.tune(request.param, biopsies, folds=2, seed=1)


def test_malignant_biopsies_score_higher(tuned: models.Tuned, biopsies: pd.DataFrame) -> None:
    scores = models.score(tuned.model, biopsies)
    assert scores.shape == (60,)
    assert ((scores >= 0) & (scores <= 1)).all()
    malignant, benign = scores[biopsies["malignant"]], scores[~biopsies["malignant"]]
    assert np.quantile(malignant, 0.25) > np.quantile(benign, 0.9)


def test_the_best_setting_is_the_one_with_the_highest_mean(tuned: models.Tuned) -> None:
    means = tuned.trials.groupby("setting")["roc_auc"].mean()
    assert means[tuned.setting] == means.max()


def test_there_is_a_trial_for_each_fold_and_setting(tuned: models.Tuned) -> None:
    folds = tuned.trials.groupby("setting")["fold"].apply(sorted).tolist()
    assert len(folds) > 1
    assert all(numbers == [1, 2] for numbers in folds)
    assert tuned.trials["roc_auc"].between(0, 1).all()  # which nan is not


def test_the_same_seed_gives_the_same_search(biopsies: pd.DataFrame) -> None:
    first, again, other = (models.tune("logistic", biopsies, 2, seed).trials for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_the_same_seed_gives_the_same_forest(biopsies: pd.DataFrame) -> None:
    measurements, malignant = biopsies.drop(columns="malignant"), biopsies["malignant"]
    forests = [models.untrained("forest", seed)[0] for seed in (1, 1, 2)]
    scores = [models.score(forest.fit(measurements, malignant), biopsies) for forest in forests]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


def test_a_score_does_not_depend_on_the_order_of_columns_or_on_others(
    tuned: models.Tuned, biopsies: pd.DataFrame
) -> None:
    rearranged = biopsies[["noise", "size"]].assign(extra=1.0)
    expected = models.score(tuned.model, biopsies)
    assert (models.score(tuned.model, rearranged) == expected).all()


def test_the_unit_of_a_measurement_does_not_matter(biopsies: pd.DataFrame) -> None:
    original, other_unit = (
        models.score(models.tune("logistic", table, folds=2, seed=1).model, table)
        for table in (biopsies, biopsies.assign(size=1000 * biopsies["size"]))
    )
    assert other_unit == pytest.approx(original)


def test_a_score_needs_every_measurement(tuned: models.Tuned, biopsies: pd.DataFrame) -> None:
    with pytest.raises(KeyError, match="noise"):
        models.score(tuned.model, biopsies.drop(columns="noise"))


def test_an_unknown_model_is_refused(biopsies: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no model is called 'tree'"):
        models.tune("tree", biopsies, folds=3, seed=1)  # type: ignore[arg-type]


def test_more_folds_than_malignant_biopsies_are_refused(biopsies: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="21 folds"):
        models.tune("logistic", biopsies, folds=21, seed=1)
