"""Past runs: of many records, only those that can tell something are parsed."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.declaration.tasks import KILLED, NOT_RUN, RAN, RUNNING, UNCHANGED, WAITING
from nb.run import past_runs
from nb.run.record import Options, StageRecord, new_record


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which the text of each parsed record is added from now on."""
    found: list[str] = []
    read = past_runs.read_record
    monkeypatch.setattr(past_runs, "read_record", lambda text: (found.append(text), read(text))[1])
    return found


def write(root: Path, state: str, *stages: str) -> str:
    made = new_record(root, Options(), 1)
    made.state = state
    made.stages = [
        StageRecord(f"s{number}", state=each, seconds=2.0) for number, each in enumerate(stages)
    ]
    made.save(root)
    return made.id


def test_seconds_of_stages_come_from_runs_in_which_one_ran(
    tmp_path: Path, parsed: list[str]
) -> None:
    write(tmp_path, "done", RAN, UNCHANGED)
    for _ in range(20):
        write(tmp_path, "done", UNCHANGED, UNCHANGED)
    assert past_runs.stage_costs(tmp_path) == ({"s0": 2.0}, {})
    assert len(parsed) == 1


def test_records_of_runs_that_ended_are_not_parsed_to_close_those_of_dead_runs(
    tmp_path: Path, parsed: list[str]
) -> None:
    for _ in range(20):
        write(tmp_path, "done", RAN)
    dead = write(tmp_path, RUNNING, RAN, RUNNING, WAITING)
    past_runs.close_dead_records(tmp_path)
    assert len(parsed) == 1
    closed = {run.id: run for run in past_runs.read_past_runs(tmp_path)}[dead]
    assert (closed.state, [s.state for s in closed.stages]) == (KILLED, [RAN, KILLED, NOT_RUN])
