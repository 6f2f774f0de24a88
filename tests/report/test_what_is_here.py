"""The report of a clone that has not run: made of what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from nb.cli import main
from nb.report import build

STAGES = """
stages:
  a:
    cmd: papermill notebooks/production/a.ipynb reports/notebooks/a.ipynb
    metrics: [reports/metrics/a.json]
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "clone"
    for folder in ("tools/nb", "reports/metrics"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    (root / "dvc.yaml").write_text(STAGES)
    (root / "reports/metrics/a.json").write_text('{"auc": 0.875}')
    monkeypatch.chdir(root)
    return root


def test_the_index_of_a_clone_without_copies_shows_metrics_and_how_to_get_pages(
    clone: Path,
) -> None:
    text = build(clone).read_text("utf-8")
    assert "0.875" in text
    assert "No executed copy is here" in text
    result = CliRunner().invoke(main, ["report"])
    assert (result.exit_code, result.output) == (0, "Report: reports/site/index.html\n")


def test_an_empty_pipeline_has_an_index_too(clone: Path) -> None:
    (clone / "dvc.yaml").write_text("stages: {}\n")
    assert "No executed copy is here" not in build(clone).read_text("utf-8")
