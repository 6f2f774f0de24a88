"""Trials side by side: a file that another notebook makes meanwhile counts as read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from nb.tracing import strace, trace


def test_a_file_that_another_program_makes_meanwhile_is_read(tmp_path: Path) -> None:
    if not strace.strace_is_available():
        pytest.skip("needs strace")
    made = tmp_path / "made.csv"
    command = ["sh", "-c", "until [ -s made.csv ]; do sleep 0.05; done; cat made.csv; echo > own"]
    timer = threading.Timer(0.5, lambda: made.write_text("1"))
    timer.start()
    found = trace.run_under_trace(command, tmp_path, view=trace.STRACE, quiet=True)
    timer.join()
    assert (found.reads, found.writes) == (["made.csv"], ["own"])
