"""Trials side by side: a file that another notebook makes meanwhile counts as read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from cells import notebook
from nb.adoption.trials import try_notebook
from nb.processes.tree import process_tree
from nb.tracing import footprint, log, strace, trace


def test_a_file_that_another_program_makes_meanwhile_is_read(tmp_path: Path) -> None:
    if not strace.strace_is_available():
        pytest.skip("needs strace")
    made = tmp_path / "made.csv"
    command = ["sh", "-c", "until [ -s made.csv ]; do sleep 0.05; done; cat made.csv; echo > own"]
    timer = threading.Timer(0.5, lambda: made.write_text("1"))
    timer.start()
    found = trace.run_under_trace(command, tmp_path, view=log.STRACE)
    timer.join()
    assert (found.reads, found.writes) == (["made.csv"], ["own"])


def test_a_parameters_cell_as_papermill_alone_takes_it_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[str] = []

    def run(_copy: Path, path: Path, *_: object, **__: object) -> footprint.Footprint:
        ran.append(path.read_text())
        return footprint.Footprint(trace.Trace(0, "python", []))

    monkeypatch.setattr(footprint, "run_traced", run)
    for source in ("table = None", "table = 'a'"):
        tags = '"metadata": {"tags": ["parameters"]}'
        tagged = notebook(source).replace('"metadata": {}', tags, 1)
        (tmp_path / "a.ipynb").write_text(tagged)
        assert try_notebook(tmp_path, "a.ipynb", tmp_path).problem == ""
    assert ["parameters" in text for text in ran] == [False, True]


TRACE = """
import sys
from pathlib import Path
from nb.tracing import trace
command = ["sh", "-c", "echo $$ > started; sleep 100 & wait; sleep 100"]
trace.run_under_trace(command, Path.cwd(), view=sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("view", [log.STRACE, log.ARGUMENTS])
def test_a_trace_that_is_ended_leaves_no_process(
    tmp_path: Path, view: str, number: signal.Signals
) -> None:
    if view == log.STRACE and not strace.strace_is_available():
        pytest.skip("needs strace")
    (tmp_path / "temporary").mkdir()
    variables = {"PYTHONPATH": str(Path(trace.__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", TRACE, view],
        cwd=tmp_path,
        env={**os.environ, **variables, "TMPDIR": str(tmp_path / "temporary")},
    )
    started = tmp_path / "started"
    while not (started.is_file() and started.read_text().strip()):
        assert process.poll() is None
        time.sleep(0.05)
    left = process_tree(int(started.read_text()))
    process.send_signal(number)
    code = process.wait(timeout=60)
    _, alive = psutil.wait_procs(left, timeout=30)
    assert all(each.status() == psutil.STATUS_ZOMBIE for each in alive)
    if number == signal.SIGTERM:  # a process that is killed removes nothing
        assert code == 128 + number
        assert not list((tmp_path / "temporary").iterdir())
