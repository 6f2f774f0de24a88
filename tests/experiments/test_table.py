"""The table of experiments: columns that differ, the best variant, sorting and filters."""

from __future__ import annotations

from typing import Any

import pytest
from nb.experiments.definition import Best
from nb.experiments.store import VariantRecord, parameters_of
from nb.experiments.table import VariantTable, filter_rows, make_table, sort_rows
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
    chosen = Best(metric=best, is_max=True) if best else None
    return make_table(records, {FILE: {"test.auc": 0.93}}, chosen)


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


def test_a_metric_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(NbError, match=r"evaluate\.test\.auc"):
        table("accuracy")


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
