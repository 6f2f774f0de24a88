"""Two versions side by side, on real Git histories: commits, runs, variants and the work tree."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.exit_codes import ExitCode
from nb.pipeline import Change
from nb.project import NbError
from nb.run.record import RunRecord, StageRecord
from nb.versions import Differences, Version, compare_versions, differences, open_version, summary
from nb.versions.differences import FileDifference, StageDifference

STAGES = """stages:
  train:
    cmd: papermill notebooks/production/a.ipynb reports/notebooks/a.ipynb
    outs: [table.json]
    metrics: [metrics.json: {cache: false}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one stage, committed as `v1`, and with three changes in the work tree."""
    root = tmp_path / "project"
    (root / "notebooks/production").mkdir(parents=True)
    (root / "tools/nb").mkdir(parents=True)
    (root / "tools/nb/x.py").write_text("")
    (root / "dvc.yaml").write_text(STAGES)
    cache = tmp_path / "cache"
    cache.mkdir()

    def cached(root: Path, hashes: list[str]) -> dict[str, Path]:
        return {value: cache / value for value in hashes if (cache / value).exists()}

    monkeypatch.setattr(differences, "cached_files", cached)
    state(root, cache, "1", seed=1, auc=0.5, source="x = 1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "v1"], ["tag", "v1"]):
        git(root, *command)
    state(root, cache, "2", seed=2, auc=0.75, source="x = 2")
    return root


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.hooksPath=/dev/null")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True)


def state(root: Path, cache: Path, value: str, *, seed: int, auc: float, source: str) -> None:
    """Write the results of a run into the project."""
    cell = {"cell_type": "code", "metadata": {}, "source": source}
    cell |= {"outputs": [], "execution_count": None, "id": "a"}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "notebooks/production/a.ipynb").write_text(json.dumps(content))
    (root / "metrics.json").write_text(json.dumps({"auc": auc, "rows": 3}))
    (cache / f"table{value}").write_text(json.dumps({"a": int(value)}))
    entry = {
        "cmd": "papermill notebooks/production/a.ipynb reports/notebooks/a.ipynb",
        "deps": [{"path": ".nb/fingerprints/a.txt", "md5": source}],
        "params": {"config/a.yaml": {"seed": seed}},
        "outs": [
            {"path": f"{name}.json", "md5": f"{name}{value}"} for name in ("table", "metrics")
        ],
    }
    (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {"train": entry}}))


def compare(root: Path, before: str, now: str) -> Differences:
    with open_version(root, before) as old, open_version(root, now) as new:
        return compare_versions(root, old, new)


def test_three_changes_are_shown_by_what_they_are(project: Path) -> None:
    found = compare(project, "v1", ".")
    assert [(c.name, c.before, c.now) for c in found.metrics] == [
        ("auc", 0.5, 0.75),
        ("rows", 3, 3),
    ]
    assert [(c.path, c.name, c.before, c.now) for c in found.parameters] == [
        ("train", "seed", 1, 2)
    ]
    outputs = ["table.json", "metrics.json"]
    difference = StageDifference(name="train", inputs=["code", "parameters"], outputs=outputs)
    assert found.stages == [difference]
    assert found.artifacts == [FileDifference(path="table.json", words="a: 1 became 2")]
    (code,) = found.code
    assert code.path == "notebooks/production/a.ipynb"
    assert code.words.splitlines()[-2:] == ["-x = 1", "+x = 2"]


def test_the_other_way_round_is_the_reverse(project: Path) -> None:
    found = compare(project, ".", "v1")
    assert [(c.before, c.now) for c in found.parameters] == [(2, 1)]
    assert found.code[0].words.splitlines()[-2:] == ["-x = 2", "+x = 1"]


@pytest.mark.parametrize("name", [".", "v1", "HEAD"])
def test_a_version_does_not_differ_from_itself(project: Path, name: str) -> None:
    found = compare(project, name, name)
    assert not (found.parameters or found.stages or found.code or found.artifacts)
    assert summary.as_text(found).endswith("\n\nNo differences.")


def test_a_project_in_a_folder_of_its_repository(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    project.joinpath(".git").rename(tmp_path / "old.git")
    git(tmp_path, "add", "project")
    git(tmp_path, "commit", "-qm", "all")
    assert compare(project, "HEAD", ".").code == []


def test_of_a_run_metrics_and_parameters_are_known(project: Path) -> None:
    (project / "reports/runs").mkdir(parents=True)
    stages = [StageRecord("train", "ran", parameters={"seed": 3})]
    run = RunRecord("20260101T100000.000000Z", {}, 1, "2026-01-01T10:00:00+00:00", stages=stages)
    run.metrics = {"metrics.json": {"auc": 0.25}}
    run.save(project)
    found = compare(project, run.id, ".")
    assert [(c.before, c.now) for c in found.parameters] == [(3, 2)]
    assert (found.metrics[0].before, found.metrics[0].now) == (0.25, 0.75)
    assert found.stages == found.code == found.artifacts == []


@pytest.mark.parametrize("name", ["nothing", "--help", "../x", "99", "HEAD~9", ""])
def test_a_version_that_is_not_there_is_one_sentence(project: Path, name: str) -> None:
    with pytest.raises(NbError, match="there is no commit, run or variant") as error:
        compare(project, name, ".")
    assert error.value.exit_code == ExitCode.USAGE


def test_a_result_that_would_run_code_is_not_opened(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "difference", lambda *_: pytest.fail("opened"))
    for name in ("v1", "."):
        file = project.parent / "cache" / f"{name}.bin"
        file.write_bytes(name.encode())
    lock = {"train": {"outs": [{"path": "m.joblib", "md5": "v1.bin"}]}}
    old = Version(name="v1", title="v1", folder=project, lock=lock)
    lock = {"train": {"outs": [{"path": "m.joblib", "md5": "..bin"}]}}
    new = Version(name=".", title=".", folder=project, lock=lock)
    found = compare_versions(project, old, new)
    assert [file.words for file in found.artifacts] == ["other bytes (2 and 1)"]


def shown(**more: Any) -> Differences:
    return Differences(before="a", now="b", **more)


@pytest.mark.parametrize("form", [summary.as_text, summary.as_markdown_summary])
def test_a_stage_tells_its_inputs_and_results(form: Callable[[Differences], str]) -> None:
    stage = StageDifference(name="train", inputs=["code"], outputs=["t.csv"])
    other = StageDifference(name="new", only_in="b")
    text = form(shown(stages=[stage, other], stale={"late": ["forced"]}))
    for words in ("changed: code; other results: t.csv", "only in b", "late", "forced"):
        assert words in text


def test_markdown_stays_below_what_a_comment_holds() -> None:
    files = [FileDifference(path=f"{n}.py", words="+ x\n" * 5_000) for n in range(200)]
    text = summary.as_markdown_summary(shown(code=files))
    assert len(text) < 65_536
    assert "more lines" in text
    assert "More differs" in text
    assert text.count("<details>") == text.count("</details>") > 10
    names = [
        Change(kind="metric", path="p" * 99, name=str(n), before=n, now=-1) for n in range(999)
    ]
    assert len(summary.as_markdown_summary(shown(metrics=names))) < 65_536


@given(st.text(), st.text())
def test_markdown_of_any_name_and_code_keeps_its_tables_and_fences(name: str, code: str) -> None:
    change = Change(kind="metric", path="m", name=name, before=1, now=2)
    text = summary.as_markdown_summary(
        shown(metrics=[change], code=[FileDifference(path="x", words=code)])
    )
    (row,) = [line for line in text.split("\n") if line.startswith("| m |")]
    assert row.replace("\\\\", "").replace("\\|", "").count("|") == 6
    assert "<script" not in row
    begin, _, rest = text.partition("diff\n")
    fence = begin.rpartition("\n")[2]
    assert rest.count(f"\n{fence}\n") == 1
