"""How a scheduler runs a stage: what it starts, says and ends. `nb` is a stand-in here."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import load_from_template

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
STAGE = {
    "name": "train@forest",
    "group": "train",
    "desc": "",
    "command": "",
    "after": [],
    "notebook": "",
    "executed": "",
    "metrics": [],
    "plots": [],
    "parameters": [],
    "fixed": {},
    "meta": {},
}


@pytest.fixture
def stages(tmp_path: Path) -> ModuleType:
    """The module of a generated project that schedulers run stages with; it is copied as it is."""
    return load_from_template("*orchestration/*stages.py*", tmp_path / "orchestration/stages.py")


def stand_in(stages: ModuleType, script: str) -> None:
    """Put a shell script in the place of nb."""
    nb = stages.ROOT / ".venv/bin/nb"
    nb.parent.mkdir(parents=True)
    nb.write_text(f"#!/bin/sh\n{script}\n")
    nb.chmod(0o755)


def stage(stages: ModuleType, **scheduler: Any) -> Any:
    return stages._stage({**STAGE, "meta": {"scheduler": scheduler}})


def test_a_stage_is_run_with_the_options_of_the_worker(
    stages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(stages, 'echo "code cell 1" >&2; echo "{\\"given\\": \\"$*\\"}"')
    lines: list[str] = []
    assert stages.run(stage(stages), lines.append) == {"given": "task train@forest --json"}
    assert lines == ["code cell 1"]
    monkeypatch.setenv("NB_TASK_OPTIONS", "--pull --push")
    given = stages.run(stage(stages), lines.append)["given"]
    assert given == "task train@forest --json --pull --push"


@pytest.mark.parametrize(("code", "hopeless"), [(1, False), (2, True), (3, True), (137, False)])
def test_the_last_line_of_a_failed_stage_is_its_error(
    stages: ModuleType, code: int, hopeless: bool
) -> None:
    stand_in(
        stages, f'echo "a line" >&2; echo "nb: train · code cell 7 · KeyError" >&2; exit {code}'
    )
    with pytest.raises(stages.StageError, match=r"^train · code cell 7 · KeyError$") as error:
        stages.run(stage(stages), lambda _: None)
    assert error.value.is_hopeless == hopeless


def test_a_stage_is_warned_of_and_ended_by_its_times(stages: ModuleType, tmp_path: Path) -> None:
    stand_in(stages, f"trap 'touch {tmp_path}/ended; exit 143' TERM; sleep 30 2>&- & wait")
    lines: list[str] = []
    began = time.monotonic()
    with pytest.raises(stages.StageError, match=r"ran longer than 0\.6 s"):
        stages.run(stage(stages, timeout=0.6, expected=0.2), lines.append)
    assert time.monotonic() - began < 20
    assert (tmp_path / "ended").exists()
    expected = "WARNING: train@forest is expected to end within 0.2 s and still runs"
    assert lines == [expected]


def test_whatever_ends_the_scheduler_ends_the_stage(stages: ModuleType, tmp_path: Path) -> None:
    stand_in(
        stages, f"trap 'touch {tmp_path}/ended; exit 143' TERM; echo up >&2; sleep 30 2>&- & wait"
    )

    def cancelled(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stages.run(stage(stages), cancelled)
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"retires": 2}, "meta.scheduler has no retires; known are retries"),
        ({"retries": "two"}, "meta.scheduler: retries is 'two', which is no number"),
        ({"queue": 1}, "meta.scheduler: queue is 1, which is no text"),
    ],
)
def test_a_wrong_setting_is_one_line(stages: ModuleType, given: Any, said: str) -> None:
    with pytest.raises(stages.StageError, match=f"^dvc.yaml: stage train@forest: {said}"):
        stage(stages, **given)


def test_without_an_environment_the_message_says_what_to_do(
    stages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(stages.StageError, match="has no environment yet; run: make setup"):
        stages.load()
