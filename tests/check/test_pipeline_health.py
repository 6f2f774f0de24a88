"""Health of the pipeline: inputs that nobody can fetch are named."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nb.check.health.pipeline import _declaration_repair, lost_inputs

DECLARATION = """\
stages:
  first:
    cmd: a
    deps: [lost.csv, held.csv, here.csv, in-git.csv, 's3://bucket/far.csv', .nb/fingerprints/a.txt]
    outs: [made.csv]
  second:
    cmd: b
    deps: [made.csv]
    outs: [result.csv]
"""


def test_an_input_is_lost_if_neither_git_nor_dvc_nor_a_stage_has_it(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(DECLARATION)
    (tmp_path / "held.csv.dvc").write_text("outs: []\n")
    for name in ("here.csv", "in-git.csv"):
        (tmp_path / name).write_text("v\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "add", "in-git.csv"], cwd=tmp_path, check=True)
    (tmp_path / "in-git.csv").unlink()
    assert lost_inputs(tmp_path) == ["lost.csv"]


def test_a_notebook_without_a_stage_gets_that_of_the_template(tmp_path: Path) -> None:
    """In a repository with a dvc.yaml of its own, the example's notebooks have none."""
    assert _declaration_repair(tmp_path) == "edit dvc.yaml"
    (tmp_path / ".nb" / "skipped").mkdir(parents=True)
    (tmp_path / ".nb" / "skipped" / "dvc.yaml").write_text(DECLARATION)
    assert ".nb/skipped/dvc.yaml" in _declaration_repair(tmp_path)
