"""Whatever is killed, whenever: no process is left, nothing is torn, the next run is right.

`FAULT_RUNS=50 pytest tests/test_faults.py` is the long series.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Container
from pathlib import Path

import pytest
from conftest import Project
from test_run import Pipeline, notebook, pipeline, wait

__all__ = ["pipeline"]  # a fixture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
RUNS = int(os.environ.get("FAULT_RUNS", "1"))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
KINDS = (
    "runner",
    "page maker",
    "warm process",
    "worker",
    "fork server",
    "papermill",
    "kernel",
    "grandchild",
)
# Writes half of its output, and has a process that outlives it unless it is ended.
CELL = """\
import subprocess, time
from pathlib import Path
subprocess.Popen(["sleep", "611"])
with Path("{name}").open("w") as file:
    file.write("half")
    file.flush()
    time.sleep(0.4)
    file.write(" whole")
"""
FILES = {"a.txt": "half whole", "b.txt": "half whole", "c.txt": "half wholehalf whole"}


class Processes:
    """The processes of a run, by what they are."""

    def __init__(self, pipeline: Pipeline, runner: int) -> None:
        self.runner = runner
        self.parents: dict[int, int] = {}
        self.sessions: dict[int, int] = {}
        self.commands: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"NB_TEST={pipeline.mark}".encode() not in (folder / "environ").read_bytes():
                    continue
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                pid = int(folder.name)
                self.commands[pid] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            self.parents[pid], self.sessions[pid] = int(fields[1]), int(fields[3])

    def find(self, kind: str) -> int | None:
        """Return a process of a kind, if there is one."""
        warm = self._below({self.runner}, "nb.preload")
        below = self._below({self.runner, *warm}, "")
        workers = {pid for pid in below if self.sessions[pid] == pid} - warm
        servers = self._below(workers, "nb.preload")
        forks = self._below(servers, "nb.preload")
        kinds = {
            "runner": {self.runner} & self.parents.keys(),
            "page maker": below - workers - warm,
            "warm process": warm,
            "worker": workers,
            "fork server": servers,
            "papermill": {pid for pid in forks if self.sessions[pid] != pid},
            "kernel": {pid for pid in forks if self.sessions[pid] == pid},
            "grandchild": self._below(self.commands.keys(), "sleep 611"),
        }
        return min(kinds[kind], default=None)

    def _below(self, parents: Container[int], command: str) -> set[int]:
        return {
            pid
            for pid, parent in self.parents.items()
            if parent in parents and command in self.commands[pid]
        }


@pytest.fixture
def notebooks(pipeline: Pipeline) -> Pipeline:
    """Two notebooks side by side, and a script that needs both."""
    stages = {name: notebook(pipeline, CELL.format(name=f"{name}.txt"), name=name) for name in "ab"}
    pipeline.declare(
        a={**stages["a"], "outs": ["a.txt"]},
        b={**stages["b"], "outs": ["b.txt"]},
        c={"cmd": "cat a.txt b.txt > c.txt", "deps": ["a.txt", "b.txt"], "outs": ["c.txt"]},
    )
    return pipeline


@pytest.mark.slow
@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_killed_the_next_run_is_right(
    notebooks: Pipeline, kind: str, number: signal.Signals, run: int
) -> None:
    # Most delays are short: most can go wrong while a process begins.
    end_one(notebooks, kind, number, random.Random(f"{kind} {number} {run}").random() ** 2)


def test_a_kernel_that_is_killed_is_told_and_leaves_nothing(notebooks: Pipeline) -> None:
    end_one(notebooks, "kernel", signal.SIGKILL, 0.1)


def test_without_its_warm_process_a_run_goes_on(notebooks: Pipeline) -> None:
    process = notebooks.begin("nb", "run", "-j1")
    victim = find(notebooks, process, "kernel") and find(notebooks, process, "warm process")
    assert victim
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    check(notebooks)


def test_without_its_page_maker_a_run_makes_all_pages(notebooks: Pipeline) -> None:
    process = notebooks.begin("nb", "run", "-j1")
    # A worker is taken for one until it leads its session.
    victim = find(notebooks, process, "kernel") and find(notebooks, process, "page maker")
    assert victim
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    check(notebooks)
    pages = notebooks.path / "reports" / "site" / "notebooks"
    assert {page.name for page in pages.glob("*.html")} == {"a.html", "b.html"}


def end_one(pipeline: Pipeline, kind: str, number: signal.Signals, delay: float) -> None:
    """End a process of a run some time after it came up; then run again."""
    process = pipeline.begin("nb", "run", "-j2")
    if find(pipeline, process, kind):
        time.sleep(delay)
        victim = Processes(pipeline, process.pid).find(kind)
        if victim:
            os.kill(victim, number)
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        pytest.fail(f"after {number.name} to the {kind} it did not end: {pipeline.alive()}")
    pipeline.is_gone()
    if process.returncode == 0:
        check(pipeline)
    pipeline.nb("run", "-j2")
    check(pipeline)


def find(pipeline: Pipeline, process: subprocess.Popen[str], kind: str) -> int | None:
    """Wait for a process of a kind; return None if the run ended without one."""
    found: list[int | None] = []

    def look() -> bool:
        found[:] = [Processes(pipeline, process.pid).find(kind)]
        return found[0] is not None or process.poll() is not None

    wait(look, 60, f"there was no {kind}")
    return found[0]


def check(project: Project) -> None:
    """Everything is whole, and DVC agrees."""
    assert {name: project.read(name) for name in FILES} == FILES
    assert not list(project.path.rglob("*.draft"))
    assert "Data and pipelines are up to date" in project.run("dvc", "status")
