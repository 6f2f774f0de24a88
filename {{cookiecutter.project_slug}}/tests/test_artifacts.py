import json
import os
from pathlib import Path

import pandas as pd
import pytest

from {{ cookiecutter.package_name }} import artifacts

PIPELINE = """\
stages:
  train:
    matrix: {model: [a, b]}
    cmd: train ${item.model}
    outs: ["models/${item.model}.bin"]
    metrics: ["reports/train-${item.model}.json"]
  report:
    cmd: report
    outs: [data/table.csv]
    plots: [reports/curve.PNG]
    metrics: [reports/total.json]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (tmp_path / "reports").mkdir()
    return tmp_path


def test_outputs_are_those_of_every_stage_and_value(root: Path) -> None:
    assert artifacts.outputs(root) == [
        *("models/a.bin", "reports/train-a.json", "models/b.bin", "reports/train-b.json"),
        *("data/table.csv", "reports/total.json", "reports/curve.PNG"),
    ]
    assert artifacts.outputs(root, artifacts.FIGURES) == ["reports/curve.PNG"]
    assert artifacts.outputs(root, artifacts.TABLES) == ["data/table.csv"]


def test_missing_names_what_is_not_there(root: Path) -> None:
    (root / "there.txt").write_text("", encoding="utf-8")
    assert artifacts.missing(root, ["there.txt", "gone.txt"]) == ["gone.txt"]


def test_the_stamp_changes_with_every_change_of_a_file(root: Path) -> None:
    files = ["a.txt", "b.txt"]
    stamps = [artifacts.stamp(root, files)]
    for text in ("one", "two", "more"):
        (root / "a.txt").write_text(text, encoding="utf-8")
        # Two writes may fall into one tick of the clock of the file system.
        os.utime(root / "a.txt", ns=(0, len(stamps)))
        stamps.append(artifacts.stamp(root, files))
    (root / "a.txt").rename(root / "b.txt")
    stamps.append(artifacts.stamp(root, files))
    assert len(set(stamps)) == len(stamps)
    assert artifacts.stamp(root, files) == stamps[-1]


def test_metrics_of_the_same_names_are_one_table(root: Path) -> None:
    for name, content in (
        ("train-a", {"auc": 0.5}),
        ("train-b", {"auc": 0.75}),
        ("total", {"test": {"recall": 1.0}, "model": "a"}),
    ):
        (root / f"reports/{name}.json").write_text(json.dumps(content), encoding="utf-8")
    training, total = artifacts.metrics(root)
    assert training["auc"].to_dict() == {"train-a": 0.5, "train-b": 0.75}
    assert total.to_dict("index") == {"total": {"test.recall": 1.0}}


def test_tables_are_read_by_their_name(root: Path) -> None:
    table = pd.DataFrame({"x": [1, 2]})
    table.to_csv(root / "t.csv", index=False)
    table.to_parquet(root / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        pd.testing.assert_frame_equal(artifacts.read_table(root / name), table)
