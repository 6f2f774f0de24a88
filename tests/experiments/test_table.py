"""The table of experiments: columns that differ, the best variant, sorting and filters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.experiments.definition import BestMetric
from nb.experiments.store import VariantRecord, parameters_of
from nb.experiments.table import (
    VariantTable,
    best_first,
    filter_rows,
    fitting_columns,
    make_table,
    metric_first,
    select_metrics,
    short_names,
    sort_rows,
)
from nb.experiments.values import public_record
from nb.project import NbError
from nb.run.record import StageRecord

FILE = "reports/metrics/evaluate.json"


def variant(number: int, folds: int, score: float | None, **more: Any) -> VariantRecord:
    stage = StageRecord("train", state="ran" if score is not None else "failed", cause="ValueError")
    return VariantRecord(
        number=number,
        experiment="folds",
        settings={"train.folds": folds},
        source="s",
        started="2026-11-27T00:00:00+00:00",
        stages=[stage],
        parameters={"train.seed": 42, "train.folds": folds, **more},
        metrics={FILE: {"test.auc": score, "rows": 100}} if score is not None else {},
    )


def table(best: str = "") -> VariantTable:
    records = [variant(1, 3, 0.9), variant(2, 5, 0.95), variant(3, 10, None)]
    chosen = BestMetric(metric=best, is_max=True) if best else None
    return make_table(records, {FILE: {"test.auc": 0.93}}, chosen)


@given(st.permutations([0.5, float("nan"), 0.9, float("inf"), None, -1.0]), st.booleans())
def test_variants_without_a_number_to_judge_by_come_last(
    scores: list[float | None], is_max: bool
) -> None:
    records = [variant(number, number, score) for number, score in enumerate(scores)]
    found = make_table(records, {}, BestMetric(metric="auc", is_max=is_max))
    ordered = [scores[row.number] for row in best_first(found)]
    numbers = [-1.0, 0.5, 0.9, float("inf")]
    assert ordered[:4] == (numbers[::-1] if is_max else numbers)
    assert found.best == best_first(found)[0].number


def test_a_difference_is_a_number() -> None:
    records = [variant(1, 3, float("nan")), variant(2, 5, float("inf")), variant(3, 7, 0.5)]
    rows = make_table(records, {FILE: {"test.auc": 0.25}}).rows
    assert [row.changes for row in rows] == [{}, {}, {"evaluate.test.auc": 0.25}]


def test_no_table_shows_a_secret() -> None:
    token = "ghp_" + "R7q2Xk9vLm4Tz8Wc1Yb6" + "Nf3Hs5Jd0Gp2Qa"
    records = [
        variant(n, n, 0.5, **{"load.token": f"{token}{n}", "load.n": [token]}) for n in (1, 2)
    ]
    records[0].settings["load.password"] = "correct-h0rse-battery"
    found = make_table(records, {})
    assert token not in str(found.rows)
    assert "correct-h0rse-battery" not in str(found.rows)
    assert "load.token" in found.parameters, "the values do differ"
    assert found.rows[0].parameters["train.seed"] == 42
    assert token not in str(public_record(records[0]))
    assert records[0].parameters["load.n"] == [token], "the record itself stays as it was"


def test_only_what_differs_is_a_column() -> None:
    found = table()
    assert found.parameters == ["train.folds"]
    assert found.metrics == ["evaluate.test.auc"]
    assert found.best is None


def test_the_best_variant_and_the_difference_to_the_project() -> None:
    found = table("auc")
    assert found.best == 2
    assert found.rows[1].changes == {"evaluate.test.auc": pytest.approx(0.02)}
    assert found.rows[2].state == "failed"
    assert found.rows[2].cause == "train: ValueError"


def test_a_parameter_of_a_stage_that_did_not_run_is_no_difference() -> None:
    records = [variant(1, 3, 0.9, **{"features.limit": 0.5}), variant(2, 5, 0.95)]
    assert make_table(records, {}).parameters == ["train.folds"]
    records[0].settings = {"train.folds": 3, "features.limit": 0.5}
    assert make_table(records, {}).parameters == ["train.folds", "features.limit"]


def test_what_is_no_number_is_not_the_best() -> None:
    records = [variant(1, 3, float("nan")), variant(2, 5, 0.5), variant(3, 10, None)]
    assert make_table(records, {}, BestMetric(metric="auc", is_max=True)).best == 2
    assert make_table(records[:1], {}, BestMetric(metric="auc", is_max=True)).best is None


def test_a_metric_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(NbError, match=r"evaluate\.test\.auc"):
        table("accuracy")


def test_a_mistyped_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(NbError, match=r"column; did you mean train\.folds\?"):
        sort_rows(table(), "train.fold")


def test_the_metric_that_sorts_stands_before_the_others() -> None:
    records = [variant(1, 3, 0.9), variant(2, 5, 0.8)]
    records[1].metrics[FILE]["rows"] = 50
    found = make_table(records, {})
    assert found.metrics == ["evaluate.test.auc", "evaluate.rows"]
    assert metric_first(found, "rows").metrics == ["evaluate.rows", "evaluate.test.auc"]
    assert metric_first(found, "folds").metrics == found.metrics


def test_rows_are_sorted_by_any_column_and_those_without_a_value_come_last() -> None:
    found = table()
    assert [row.number for row in sort_rows(found, "auc", descending=True)] == [2, 1, 3]
    assert [row.number for row in sort_rows(found, "train.folds")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("train.folds>3", [2, 3]),
        ("folds = 5", [2]),
        ("auc>=0.9", [1, 2]),
        ("state=failed", [3]),
        ("state!=failed", [1, 2]),
        ("auc<text", []),
    ],
)
def test_filters(condition: str, numbers: list[int]) -> None:
    assert [row.number for row in filter_rows(table(), condition)] == numbers


@pytest.mark.parametrize("condition", ["", "folds", "nobody=3", "=3"])
def test_a_filter_that_is_not_right_is_refused(condition: str) -> None:
    with pytest.raises(NbError) as caught:
        filter_rows(table(), condition)
    assert caught.value.exit_code == 2


def test_a_parameter_of_a_matrix_is_one_column_while_all_values_agree() -> None:
    stages = [
        StageRecord("train@a", parameters={"folds": 5, "model": "a"}),
        StageRecord("train@b", parameters={"folds": 5, "model": "b"}),
        StageRecord("evaluate", parameters={"limit": 0.5}),
    ]
    assert parameters_of(stages) == {
        "train.folds": 5,
        "train@a.model": "a",
        "train@b.model": "b",
        "evaluate.limit": 0.5,
    }


def test_the_best_comes_first_once_a_metric_tells() -> None:
    assert [row.number for row in best_first(table())] == [1, 2, 3]
    assert [row.number for row in best_first(table("auc"))] == [2, 1, 3]


def test_metrics_are_chosen_by_the_end_of_their_names() -> None:
    assert select_metrics(table(), ["rows", "auc"]).metrics == [
        "evaluate.rows",
        "evaluate.test.auc",
    ]
    with pytest.raises(NbError, match="nobody"):
        select_metrics(table(), ["nobody"])


words = st.text("ab", min_size=1, max_size=2)
dotted = st.lists(words, min_size=1, max_size=4).map(".".join)


@given(st.lists(dotted, unique=True, max_size=8))
def test_a_short_name_is_an_end_of_one_name_only(names: list[str]) -> None:
    short = short_names(names)
    assert list(short) == names
    for name, end in short.items():
        assert name == end or name.endswith(f".{end}")
        if name != end:
            assert [n for n in names if n == end or n.endswith(f".{end}")] == [name]


@given(st.lists(st.integers(3, 40), max_size=20), st.integers(0, 100), st.integers(0, 300))
def test_a_table_is_no_wider_than_the_terminal(widths: list[int], needed: int, space: int) -> None:
    shown = fitting_columns(widths, needed, space)
    assert shown <= max(1, len(widths))
    assert shown == 1 or needed + sum(widths[:shown]) <= space
    if shown < len(widths):
        assert needed + sum(widths[: shown + 1]) > space
    assert fitting_columns(widths, needed, None) == len(widths)
