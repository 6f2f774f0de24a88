"""The history of the report: runs of this clone, and commits whose results were made elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from nb.report.history import read_history
from nb.run.record import RunRecord

METRICS = "metrics [1].json"
MORE = "more.yaml"
# Ends a line for Python, and none for Git.
END = "\u2028."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


def commit(
    root: Path, monkeypatch: pytest.MonkeyPatch, second: int, score: float, more: str | None = None
) -> None:
    """Commit metrics at a second of a minute."""
    (root / METRICS).write_text(f'{{"score": {score}, "name": "not a number"}}\n')
    if more is not None:
        (root / MORE).write_text(more)
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-01-01T10:00:{second:02}+01:00")
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    subprocess.run(
        ["git", "commit", "--quiet", "--message", f"at {second}{END}"], cwd=root, check=True
    )


def run(second: float, score: float) -> RunRecord:
    """Return the record of a run that ended at a second of the same minute."""
    when = f"2026-01-01T09:00:{second:06.3f}+00:00"
    return RunRecord(str(second), {}, 1, when, ended=when, metrics={METRICS: {"score": score}})


def told(root: Path, *runs: RunRecord) -> list[tuple[str, float]]:
    """Return what each moment is of, and its score."""
    history = read_history(root, runs, [METRICS, MORE])
    return [(at.subject.removesuffix(END) or "run", at.metrics[METRICS]["score"]) for at in history]


def test_a_commit_of_what_a_run_made_is_not_told_twice(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(root, monkeypatch, 5, 1.0)
    # Git knows whole seconds: the run ended before its results were committed.
    assert told(root, run(5.7, 1.0)) == [("run", 1.0)]


def test_commits_of_other_metrics_stand_between_the_runs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(root, monkeypatch, 10, 1.0)
    commit(root, monkeypatch, 20, 2.0)
    commit(root, monkeypatch, 30, 1.0)
    runs = [run(15, 1.0), run(40, 1.0)]
    assert told(root, *runs) == [
        *(("at 10", 1.0), ("run", 1.0), ("at 20", 2.0), ("at 30", 1.0), ("run", 1.0))
    ]


def test_metrics_that_came_later_or_cannot_be_read_are_left_out(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(root, monkeypatch, 1, 1.0)
    commit(root, monkeypatch, 2, 1.0, more="a: 1\nb: {c: 2.5}\n")
    commit(root, monkeypatch, 3, 1.0, more="a: [")
    history = read_history(root, [], [METRICS, MORE])
    assert [at.metrics.get(MORE) for at in history] == [None, {"a": 1, "b.c": 2.5}, None]
    assert [at.when for at in history] == [f"2026-01-01T09:00:0{n}+00:00" for n in (1, 2, 3)]


def test_without_a_repository_or_a_commit_there_are_runs_only(root: Path, tmp_path: Path) -> None:
    assert told(root, run(1, 1.0)) == [("run", 1.0)]
    (tmp_path / ".git").rename(tmp_path / "git")
    assert told(root, run(1, 1.0)) == [("run", 1.0)]
