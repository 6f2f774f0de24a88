import numpy as np
import pandas as pd
import pytest

from {{ cookiecutter.package_name }} import data


@pytest.fixture
def biopsies() -> pd.DataFrame:
    """Forty invented biopsies that are fit for use, every fourth malignant."""
    rows = np.arange(40)
    table = pd.DataFrame({"malignant": rows % 4 == 0})
    for statistic, offset in {"mean": 0.1, "error": 0.0, "worst": 0.2}.items():
        for name, (low, high) in data.PLAUSIBLE.items():
            table[f"{name}_{statistic}"] = low + (high - low) * (offset + rows / 100)
    return table


def test_the_source_is_the_published_one() -> None:
    raw = data.load()
    assert raw.shape == (569, 31)
    assert (raw["target"] == 0).sum() == 212


def test_a_sample_keeps_the_share_of_malignant_biopsies() -> None:
    whole, sample = data.load(), data.load(max_rows=100)
    assert len(sample) == 100
    assert not sample.duplicated().any()
    assert (sample["target"] == 0).mean() == pytest.approx((whole["target"] == 0).mean(), abs=0.05)


def test_a_sample_larger_than_the_source_is_the_source() -> None:
    assert len(data.load(max_rows=1000)) == 569


def test_a_sample_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        data.load(max_rows=0)


def test_tidy_names_the_columns_and_the_diagnosis() -> None:
    columns = ["mean concave points", "radius error", "worst fractal dimension", "target"]
    table = data.tidy(pd.DataFrame([[1, 2, 3, 0], [4, 5, 6, 1]], columns=columns))
    assert list(table) == [
        "malignant",
        "concave_points_mean",
        "radius_error",
        "fractal_dimension_worst",
    ]
    assert table["malignant"].tolist() == [True, False]
    assert table.loc[1, "radius_error"] == 5.0


def test_tidy_gives_exactly_the_columns_that_check_wants() -> None:
    table = data.tidy(data.load(max_rows=20))
    assert list(table) == data.COLUMNS
    data.check(table)


def test_tidy_refuses_an_unknown_target() -> None:
    with pytest.raises(ValueError, match="target"):
        data.tidy(pd.DataFrame({"mean radius": [1.0], "target": [2]}))


def test_check_accepts_what_is_fit_for_use(biopsies: pd.DataFrame) -> None:
    data.check(biopsies)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("texture_mean", np.nan, "missing values in texture_mean"),
        ("radius_worst", 500.0, "radius_worst outside 5.0 to 50.0"),
        ("radius_mean", 0.5, "radius_mean outside"),
        ("area_error", -1.0, "area_error below 0"),
        ("area_worst", 101.0, "area_worst below area_mean"),
    ],
)
def test_check_refuses_a_bad_value(
    biopsies: pd.DataFrame, column: str, value: float, reason: str
) -> None:
    biopsies.loc[3, column] = value
    with pytest.raises(ValueError, match=reason):
        data.check(biopsies)


def test_check_refuses_a_biopsy_that_comes_twice(biopsies: pd.DataFrame) -> None:
    biopsies.loc[7] = biopsies.loc[6]
    with pytest.raises(ValueError, match="1 rows repeat"):
        data.check(biopsies)


def test_check_refuses_a_single_diagnosis(biopsies: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="only one diagnosis"):
        data.check(biopsies[biopsies["malignant"]])


def test_check_names_missing_and_unknown_columns(biopsies: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r": radius, radius_mean$"):
        data.check(biopsies.rename(columns={"radius_mean": "radius"}))


def test_check_names_columns_of_a_wrong_type(biopsies: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r": area_mean, malignant$"):
        data.check(biopsies.astype({"area_mean": "int64", "malignant": "int64"}))


def test_check_lists_every_reason(biopsies: pd.DataFrame) -> None:
    biopsies.loc[3, ["texture_error", "area_error"]] = -1.0
    with pytest.raises(ValueError, match="texture_error below 0; area_error below 0"):
        data.check(biopsies)


def test_the_parts_of_a_split_share_no_biopsy_and_lose_none(biopsies: pd.DataFrame) -> None:
    parts = data.split(biopsies, validation_share=0.3, test_share=0.2, seed=1)
    assert [len(part) for part in parts] == [20, 12, 8]
    together = pd.concat(parts).sort_values("radius_mean").reset_index(drop=True)
    pd.testing.assert_frame_equal(together, biopsies)


@pytest.mark.parametrize("seed", range(5))
def test_each_part_of_a_split_has_the_same_share_of_malignant(
    biopsies: pd.DataFrame, seed: int
) -> None:
    parts = data.split(biopsies, validation_share=0.3, test_share=0.2, seed=seed)
    assert [part["malignant"].mean() for part in parts] == [0.25, 0.25, 0.25]


def test_a_split_depends_on_nothing_but_the_seed(biopsies: pd.DataFrame) -> None:
    first, again, other = (data.split(biopsies, 0.3, 0.2, seed).test for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    "shares", [(0.0, 0.2), (0.2, -0.1), (0.5, 0.5), (np.nan, 0.2), (0.2, np.nan)]
)
def test_a_split_leaves_something_in_every_part(
    biopsies: pd.DataFrame, shares: tuple[float, float]
) -> None:
    with pytest.raises(ValueError, match="shares"):
        data.split(biopsies, *shares, seed=1)


def test_redundant_keeps_the_left_one_of_two_that_say_the_same() -> None:
    left = np.array([1.0, 2.0, 3.0, 4.0])
    table = pd.DataFrame({"left": left, "twice": 2 * left, "other": [1, -1, 1, -1], "minus": -left})
    assert data.redundant(table, limit=0.95) == ["twice", "minus"]


def test_redundant_compares_with_columns_kept_only() -> None:
    # b repeats a, c repeats b; c is far enough from a, and b is gone.
    table = pd.DataFrame({"a": [1.0, 0, 0, 0], "b": [1.0, 0.7, 0, 0], "c": [0.5, 1.0, 0, 0]})
    correlation = table.corr()
    assert correlation.loc["b", "c"] > 0.7 > correlation.loc["a", "c"]
    assert data.redundant(table, limit=0.7) == ["b"]
