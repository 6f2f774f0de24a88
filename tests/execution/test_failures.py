"""Causes of failed stages: exit status, executed copy and printed lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from nb.declaration.tasks import (
    BROKEN_CONTRACT,
    FAILED,
    KILLED,
    OUT_OF_MEMORY,
    TIMED_OUT,
    Outcome,
)
from nb.execution import failures
from nb.execution.failures import Cause, find_cause
from nb.exit_codes import ExitCode

BEGAN = 1_000.0
MEMORY = "MemoryError: Unable to allocate 8 TiB"


@pytest.fixture(autouse=True)
def kills(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of processes that the system killed for lack of memory."""
    found = [3]
    monkeypatch.setattr(failures, "oom_kills", lambda: found[0])
    return found


def failed_copy(folder: Path, error: str, at: float = BEGAN + 1) -> Path:
    """Write an executed copy whose second code cell failed, with a time of the file."""
    name, _, value = error.partition(": ")
    output = {"output_type": "error", "ename": name, "evalue": value, "traceback": []}
    failed: dict[str, Any] = {"cell_type": "code", "metadata": {"papermill": {"exception": True}}}
    cells = [{"cell_type": "code", "metadata": {}}, failed | {"outputs": [output]}]
    copy = folder / "copy.ipynb"
    copy.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    os.utime(copy, (at, at))
    return copy


def cause(status: int | None, *lines: str, copy: Path | None = None, error: str = "") -> Cause:
    outcome = Outcome(status=status, error=error)
    return find_cause(outcome, copy, BEGAN, oom_before=3, lines=lines)


def test_the_error_of_a_cell_is_the_cause(tmp_path: Path) -> None:
    copy = failed_copy(tmp_path, "NameError: no x")
    assert cause(1, "ValueError: later", copy=copy) == Cause(FAILED, "NameError: no x", 2)
    assert cause(1, copy=failed_copy(tmp_path, MEMORY)) == Cause(OUT_OF_MEMORY, MEMORY, 2)


def test_an_error_without_words_and_one_that_begins_with_a_blank_line_are_one_line(
    tmp_path: Path,
) -> None:
    assert cause(1, copy=failed_copy(tmp_path, "AssertionError: ")).cause == "AssertionError"
    copy = failed_copy(tmp_path, "ValueError: \nAll fits failed.\nmore")
    assert cause(1, copy=copy).cause == "ValueError: All fits failed."


def test_the_copy_of_an_earlier_run_tells_nothing(tmp_path: Path) -> None:
    copy = failed_copy(tmp_path, "NameError: no x", at=BEGAN - 1)
    assert cause(1, "OSError: now", copy=copy) == Cause(FAILED, "OSError: now")
    assert cause(ExitCode.USAGE, "nb: no such parameter", copy=copy) == Cause(
        FAILED, "no such parameter", is_usage=True
    )
    newer = tmp_path / "newer.ipynb"
    newer.write_text('{"cells": []}', encoding="utf-8")
    assert not cause(ExitCode.USAGE, "nb: no such parameter", copy=newer).is_usage


def test_a_copy_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "copy.ipynb"
    assert cause(1, "OSError: now", copy=copy).cause == "OSError: now"
    copy.write_text("[1]", encoding="utf-8")
    assert cause(1, "OSError: now", copy=copy).cause == "OSError: now"


def test_a_timeout_is_told_with_its_place(tmp_path: Path) -> None:
    late = "TimeoutError: the cell took longer than 5 s"
    copy = failed_copy(tmp_path, late)
    assert cause(ExitCode.TIMED_OUT, copy=copy) == Cause(TIMED_OUT, late, 2)
    assert cause(ExitCode.TIMED_OUT) == Cause(TIMED_OUT, "its command exited with 124")


@pytest.mark.parametrize("status", [-9, -15, 129, 137, 143])
def test_a_signal_is_told_from_a_lack_of_memory(status: int, kills: list[int]) -> None:
    assert cause(status, "OSError: now") == Cause(KILLED, "it was killed")
    kills[0] += 1
    assert cause(status).state == OUT_OF_MEMORY


@pytest.mark.parametrize("status", [128, 193, 255])
def test_other_exit_codes_are_no_signals(status: int, kills: list[int]) -> None:
    kills[0] += 1
    assert cause(status) == Cause(FAILED, f"its command exited with {status}")


def test_a_dead_kernel_is_told_from_a_dead_command(tmp_path: Path) -> None:
    copy = failed_copy(tmp_path, "DeadKernelError: the kernel died")
    assert cause(ExitCode.DEAD_KERNEL, copy=copy) == Cause(KILLED, "its kernel died", 2)
    assert cause(ExitCode.DEAD_KERNEL) == Cause(KILLED, "it was killed")
    assert cause(137, copy=copy).cause == "it was killed"


def test_breaches_of_the_contract_are_counted() -> None:
    lines = [f"ContractError: {path} was read" for path in ("a.csv", "b.csv", "c.csv")]
    state = BROKEN_CONTRACT
    assert cause(3, *lines[:1]) == Cause(state, "a.csv was read")
    assert cause(3, *lines[:2]) == Cause(state, "a.csv was read (and 1 more, above)")
    assert cause(3, *lines) == Cause(state, "a.csv was read (and 2 more, above)")
    assert cause(3, "an exit code of the user's own").state == FAILED


def test_the_last_error_that_a_command_printed_is_the_cause() -> None:
    lines = ["OSError: early", "KeyError: 'a'", "\x1b[31mValueError\x1b[0m: b", "bye"]
    assert cause(1, *lines) == Cause(FAILED, "ValueError: b")
    assert cause(1, "ValueError: b", *("…",) * 5) == Cause(FAILED, "its command exited with 1")
    assert cause(1, "Cannot allocate memory", "MemoryError: x").state == OUT_OF_MEMORY
    assert cause(1, *lines, "nb: papermill says why") == Cause(FAILED, "papermill says why")


def test_without_an_exit_code_the_cause_is_dvcs() -> None:
    missing = "missing data 'source': '/p/.nb/fingerprints/10-a.txt'"
    assert cause(None, error=missing).cause == "notebooks/production/10-a.ipynb is missing"
    assert cause(None, error="locked\nby another").cause == "locked"
