"""Definitions of experiments: command lines and files of YAML."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.experiments.definition import (
    BestMetric,
    declared_best,
    experiment_from_arguments,
    experiment_from_file,
)
from nb.project import NbError

FILE = """\
variants:
  strict: {evaluate.min_recall: 0.99}
grid:
  train.folds: [3, 5]
  features.limit: 0.8:0.9:0.1
zip:
  train.seed: [1, 2]
  features.seed: [3, 4]
sample:
  count: 3
  train.C: log:0.01..100
best: max:evaluate.test.roc_auc
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "threshold.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_holds_named_variants_grids_lists_side_by_side_and_samples(tmp_path: Path) -> None:
    found = experiment_from_file(write(tmp_path, FILE))
    assert found.name == "threshold"
    assert found.best == BestMetric(metric="evaluate.test.roc_auc", is_max=True)
    settings = [each.settings for each in found.variations]
    assert settings[0] == {"evaluate.min_recall": 0.99}
    assert found.variations[0].name == "strict"
    assert settings[1:5] == [
        {"train.folds": folds, "features.limit": limit} for folds in (3, 5) for limit in (0.8, 0.9)
    ]
    assert settings[5:7] == [
        {"train.seed": 1, "features.seed": 3},
        {"train.seed": 2, "features.seed": 4},
    ]
    assert len(settings) == 10


def test_a_variant_that_is_asked_for_twice_runs_once_under_its_name(tmp_path: Path) -> None:
    text = "variants:\n  five: {train.folds: 5}\ngrid:\n  train.folds: [3, 5]\n"
    found = experiment_from_file(write(tmp_path, text))
    assert [(v.name, v.settings["train.folds"]) for v in found.variations] == [("five", 5), ("", 3)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gird:\n  a.b: 1\n", "did you mean grid?"),
        ("- 1\n", "write grid, zip"),
        ("", "write grid, zip"),
        ("grid: 5\n", "names and values"),
        ("grid:\n  folds: [1]\n", "stage.parameter"),
        ("grid: {}\n", "no variant"),
        ("variants:\n  a: 3\n", "give a parameters"),
        ("sample:\n  a.b: 1..2\n", "count has to be"),
        ("sample:\n  count: true\n  a.b: 1..2\n", "count has to be"),
        ("zip:\n  a.b: [1]\n  a.c: [1, 2]\n", "a.b has 1, a.c has 2"),
        ("grid:\n  a.b: []\n  c: 1\n", "a.b: give at least one value"),
        ("best: roc\ngrid:\n  a.b: 1\n", "max:METRIC"),
        ("grid:\n  a.b: [on]\n", "papermill"),
        ("grid: [\n", "cannot be read"),
    ],
)
def test_a_file_that_is_not_right_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(NbError) as caught:
        experiment_from_file(write(tmp_path, text))
    assert caught.value.exit_code == 2
    assert said in str(caught.value)
    assert all("threshold.yaml" in line for line in str(caught.value).splitlines())


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NbError, match=r"missing\.yaml cannot be read"):
        experiment_from_file(tmp_path / "missing.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NbError, match=r"bytes\.yaml cannot be read"):
        experiment_from_file(tmp_path / "bytes.yaml")


def test_all_mistakes_of_a_command_line_are_named_at_once() -> None:
    with pytest.raises(NbError) as caught:
        experiment_from_arguments(["folds=3", "train.x=2:1:1", "a.b=1", "a.b=2"], None, 1)
    lines = str(caught.value).splitlines()
    assert [line.split()[0].rstrip(":") for line in lines] == ["folds=3", "train.x", "a.b"]


def test_the_name_of_a_command_line_is_its_parameters() -> None:
    assert experiment_from_arguments(["a.b=1,2", "c.d=3"], None, 1).name == "a.b, c.d"
    assert len(experiment_from_arguments(["a.b=1..9"], 5, 1).variations) == 5


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text("ab.:,[{", max_size=6)),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(["grid", "zip", "sample", "variants", "best", "count", "a.b", "c"]),
                inner,
                max_size=3,
            )
            | st.lists(inner, max_size=2)
        ),
        max_leaves=8,
    )
)
def test_any_content_is_an_experiment_or_one_sentence_a_line(content: object) -> None:
    import tempfile

    from nb.notebook.yaml_file import dump

    with tempfile.TemporaryDirectory() as folder:
        try:
            experiment_from_file(write(Path(folder), dump(content)))
        except NbError as error:
            assert error.exit_code == 2


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("metrics: [m/score.json]\n    meta: {nb: {best: max:test.auc}}", "max:score.test.auc"),
        ("metrics: [a.json, b.json]\n    meta: {nb: {best: min:b.loss}}", "min:b.loss"),
        ("meta: {nb: {other: 1}}", "None"),
        ("meta: text", "None"),
        ("deps: [x]", "None"),
    ],
)
def test_a_stage_names_the_metric_to_judge_by(tmp_path: Path, stage: str, expected: str) -> None:
    text = f"stages:\n  first: {{cmd: x}}\n  evaluate:\n    cmd: x\n    {stage}\n"
    (tmp_path / "dvc.yaml").write_text(text, encoding="utf-8")
    assert str(declared_best(tmp_path)) == expected
