"""The verdict on a stage that ended, and the exit code of the first failure."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nb.declaration.tasks import (
    BROKEN_CONTRACT,
    FAILED,
    KILLED,
    OUT_OF_MEMORY,
    RAN,
    TIMED_OUT,
    Outcome,
)
from nb.execution.failures import Cause
from nb.exit_codes import ExitCode
from nb.run.record import StageRecord
from nb.run.stage import first_exit_code, verdict


def ended(*, timed_out: bool = False, interrupted: float | None = None) -> Any:
    return SimpleNamespace(
        timed_out=timed_out, interrupted=interrupted, started=0.0, oom_kills=0, tail=["the last"]
    )


@pytest.mark.parametrize(
    ("stage", "outcome", "found"),
    [
        (ended(), Outcome(RAN), Cause(RAN, "")),
        (ended(timed_out=True, interrupted=1.0), Outcome(RAN), Cause(RAN, "")),
        (
            ended(),
            Outcome(BROKEN_CONTRACT, error="a.csv was not written"),
            Cause(BROKEN_CONTRACT, "a.csv was not written"),
        ),
        (
            ended(timed_out=True, interrupted=1.0),
            Outcome(status=-2),
            Cause(TIMED_OUT, "ran longer than 5 s"),
        ),
        (ended(interrupted=1.0), Outcome(status=-2), Cause(KILLED, "interrupted")),
    ],
)
def test_what_dvc_reports_counts_before_what_the_runner_did(
    stage: Any, outcome: Outcome, found: Cause
) -> None:
    assert verdict(stage, outcome, None, 5) == found


def test_a_failure_by_itself_is_explained(tmp_path: Path) -> None:
    found = verdict(ended(), Outcome(status=1), tmp_path / "absent.ipynb", None)
    assert found.state == FAILED and found.cause


@pytest.mark.parametrize(
    ("states", "is_usage", "code"),
    [
        ([], False, ExitCode.DONE),
        ([FAILED], False, ExitCode.FAILED),
        ([FAILED], True, ExitCode.USAGE),
        ([TIMED_OUT, FAILED], False, ExitCode.TIMED_OUT),
        ([OUT_OF_MEMORY, TIMED_OUT], True, ExitCode.KILLED),
        ([BROKEN_CONTRACT], True, ExitCode.BROKEN_CONTRACT),
    ],
)
def test_the_first_failure_decides_about_the_exit_code(
    states: list[str], is_usage: bool, code: int
) -> None:
    broken = [StageRecord("a", state, ended=f"2026-01-0{n}") for n, state in enumerate(states, 1)]
    assert first_exit_code(broken[::-1], is_usage=is_usage) == code
