"""Whatever is killed, whenever: no process is left, nothing is torn, the next run is right.

`FAULT_RUNS=50 pytest tests/test_faults.py` is the long series.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Container, Iterator
from pathlib import Path

import pytest
from conftest import Project
from test_run import Pipeline, notebook, pipeline, wait

__all__ = ["pipeline"]  # a fixture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
RUNS = int(os.environ.get("FAULT_RUNS", "1"))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
FRESH = ("runner", "page maker", "worker", "papermill", "kernel", "grandchild")
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
        if os.environ.get("NB_START_METHOD") == "spawn":
            return self._find_fresh(kind)
        warm = self._below({self.runner}, "nb.commands.warm_process")
        below = self._below({self.runner, *warm}, "")
        workers = {pid for pid in below if self.sessions[pid] == pid} - warm
        servers = self._below(workers, "nb.commands.warm_process")
        forks = self._below(servers, "nb.commands.warm_process")
        kinds = {
            "runner": {self.runner} & self.parents.keys(),
            "page maker": below - workers - warm,
            "warm process": warm,
            # One at work, if there is any: others copy projects, or wait.
            "worker": {self.parents[pid] for pid in servers} or workers,
            "fork server": servers,
            "papermill": {pid for pid in forks if self.sessions[pid] != pid},
            "kernel": {pid for pid in forks if self.sessions[pid] == pid},
            "grandchild": self._below(self.commands.keys(), "sleep 611"),
        }
        return min(kinds[kind], default=None)

    def _find_fresh(self, kind: str) -> int | None:
        """Return a process of a kind where none is forked: each has a command line of its own."""
        words = {
            "worker": "worker of ",
            "page maker": "page maker",
            "papermill": "bin/papermill",
            "kernel": "ipykernel_launcher",
            "grandchild": "sleep 611",
        }
        if kind == "runner":
            return self.runner if self.runner in self.parents else None
        return min((p for p, text in self.commands.items() if words[kind] in text), default=None)

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


@pytest.mark.slow
@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("kind", FRESH)
def test_whatever_is_killed_of_fresh_processes_the_next_run_is_right(
    notebooks: Pipeline,
    kind: str,
    number: signal.Signals,
    run: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NB_START_METHOD", "spawn")
    end_one(notebooks, kind, number, random.Random(f"{kind} {number} {run}").random() ** 2)


def test_a_kernel_that_is_killed_is_told_and_leaves_nothing(notebooks: Pipeline) -> None:
    end_one(notebooks, "kernel", signal.SIGKILL, 0.1)


@pytest.mark.parametrize("kind", ["papermill", "fork server"])
def test_a_command_that_is_killed_is_told_from_a_failed_one(notebooks: Pipeline, kind: str) -> None:
    process = notebooks.begin("nb", "run", "-j1")
    victim = find(notebooks, process, "grandchild") and find(notebooks, process, kind)
    assert victim
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 137, output
    assert notebooks.stage("a")["state"] == "killed"
    assert "Traceback" not in output
    notebooks.is_gone()


def test_the_next_run_removes_the_temporary_files_of_a_killed_one(
    notebooks: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = notebooks.begin("nb", "run", "-j1")
    victim = find(notebooks, process, "grandchild") and find(notebooks, process, "papermill")
    assert victim
    os.kill(victim, signal.SIGKILL)
    process.communicate(timeout=60)
    notebooks.is_gone()
    assert list(temporary.iterdir())
    notebooks.nb("run")
    assert not list(temporary.iterdir())


def test_ctrl_c_while_a_command_starts_is_no_traceback(notebooks: Pipeline) -> None:
    run = "papermill notebooks/production/a.ipynb a.ipynb --engine nb"
    # The stage's process group gets the signal while a shell, Python and papermill begin.
    notebooks.declare(
        **{
            f"s{delay:03}": {"cmd": f"(sleep 0.{delay:03}; kill -INT 0) & exec {run}"}
            for delay in range(0, 120, 8)
        }
    )
    output = notebooks.nb("run", "-j1", "--keep-going", code=None)
    assert "Traceback" not in output
    assert not {stage["state"] for stage in notebooks.record()["stages"]} & {"ran", "running"}


# Leaves kernels as an interrupt in their first moments can: they run and say nothing.
DEAF = """
import time
from ipykernel.kernelbase import Kernel
def deaf(self, *_):
    time.sleep(600)
Kernel.{request}_request = deaf
"""


@pytest.mark.slow
@pytest.mark.parametrize("request_", ["kernel_info", "execute"])
def test_a_kernel_that_never_answers_ends_a_run(
    notebooks: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    (tmp_path / "deaf.py").write_text(DEAF.format(request=request_))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notebooks.declare(a=notebook(notebooks, "import deaf", name="a"))
    process = notebooks.begin("nb", "run")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 137, output
    assert "the kernel was lost outside of the cells" in output
    notebooks.is_gone()


# Delays one step of a kernel's life, and says when it begins.
SLOW = """
import time
from pathlib import Path
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
def put_off(kind, name):
    step = getattr(kind, name)
    def later(*arguments, **options):
        Path("{mark}").touch()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            time.sleep(0.01)
        return step(*arguments, **options)
    setattr(kind, name, later)
put_off({step})
"""
STEPS = (
    "IPKernelApp.initialize",
    "IPKernelApp.init_sockets",
    "IPKernelApp.init_kernel",
    "IPKernelApp.start",
    "Kernel.kernel_info_request",
    "Kernel.execute_request",
    "IPythonKernel.finish_metadata",
    "Kernel.shutdown_request",
)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_during_each_step_of_a_kernel_ends_a_run(
    notebooks: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    mark = tmp_path / "began"
    kind, name = step.split(".")
    (tmp_path / "slow.py").write_text(SLOW.format(mark=mark, step=f"{kind}, '{name}'"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notebooks.declare(a=notebook(notebooks, "import slow", name="a"))
    process = notebooks.begin("nb", "run")
    wait(mark.exists, 60, "the kernel does not reach the step")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    notebooks.is_gone()
    monkeypatch.delenv("PYTHONPATH")
    notebooks.declare(a=notebook(notebooks, "print(1)", name="a"))
    assert notebooks.states() == {"a": "ran"}


def test_a_killed_runner_leaves_no_traceback(notebooks: Pipeline) -> None:
    process = notebooks.begin("nb", "run", "-j2")
    assert find(notebooks, process, "grandchild")
    found = {kind: find(notebooks, process, kind) for kind in ("warm process", "worker")}
    warm, worker = (pid for pid in found.values() if pid)
    os.kill(warm, signal.SIGSTOP)  # it learns of both ends at once
    os.kill(worker, signal.SIGKILL)
    process.kill()
    os.kill(warm, signal.SIGCONT)
    output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output
    notebooks.is_gone()


@pytest.fixture
def small_disk(notebooks: Pipeline) -> Iterator[Path]:
    """A disk of 200 kB at `reports`."""
    folder = notebooks.path / "reports"
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_named(notebooks: Pipeline, small_disk: Path) -> None:
    big = notebook(notebooks, "print('0123456789' * 30_000)", name="big")
    notebooks.declare(big={**big, "outs": []})
    output = notebooks.nb("run", code=1)
    copy = "reports/notebooks/big.ipynb"
    assert f"{copy}: cannot be written: No space left on device" in output
    assert re.search(rf"the disk of {small_disk}/notebooks: [\d,]+ bytes to write, ", output)
    assert re.search(r"[\d,]+ free, \d+ kB are missing\)", output)
    assert "Traceback" not in output
    stage = notebooks.stage("big")
    assert (stage["state"], notebooks.record()["exit_code"]) == ("failed", 1)
    assert "No space left on device" in stage["cause"]


def test_a_run_whose_record_cannot_be_written_does_not_start(
    notebooks: Pipeline, small_disk: Path
) -> None:
    (small_disk / "rest").write_bytes(b"0" * (shutil.disk_usage(small_disk).free))
    output = notebooks.nb("run", code=1)
    assert re.search(r"nb: reports/runs/\S+.json: No space left on device \(the disk of ", output)
    assert "Traceback" not in output
    assert not notebooks.has("a.txt")
    (small_disk / "rest").unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    output = notebooks.nb("run", code=1)
    assert "Read-only file system" in output and "Traceback" not in output
    assert not notebooks.has("a.txt")


def test_a_run_at_work_goes_on_when_the_disk_of_its_record_is_full(
    notebooks: Pipeline, small_disk: Path
) -> None:
    fill = "; cat /dev/zero > reports/zeros; echo > {0}"
    notebooks.declare(
        a={"cmd": f"true {fill.format('a')}", "outs": ["a"]},
        b={"cmd": "cat a > b", "deps": ["a"], "outs": ["b"]},
    )
    output = notebooks.nb("run", code=1)
    assert "the record of the run is behind: reports/runs/" in output
    assert "Traceback" not in output
    assert notebooks.has("b")
    (small_disk / "zeros").unlink()
    assert set(notebooks.states().values()) == {"unchanged"}


def test_without_its_warm_process_a_run_goes_on(notebooks: Pipeline) -> None:
    process = notebooks.begin("nb", "run", "-j1")
    victim = find(notebooks, process, "kernel") and find(notebooks, process, "warm process")
    assert victim
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    check(notebooks)


def test_a_killed_worker_takes_no_helper_of_the_run_along(notebooks: Pipeline) -> None:
    process = notebooks.begin("nb", "run", "-j1", "--keep-going")
    helpers = {
        kind: find(notebooks, process, "grandchild") and find(notebooks, process, kind)
        for kind in ("warm process", "page maker", "worker")
    }
    victim = helpers.pop("worker")
    assert victim
    os.kill(victim, signal.SIGKILL)
    wait(lambda: Processes(notebooks, process.pid).find("worker") not in (victim, None), 60, "")
    assert find(notebooks, process, "kernel")
    assert {kind: find(notebooks, process, kind) for kind in helpers} == helpers
    process.communicate(timeout=60)
    assert notebooks.stage("a")["state"] == "killed"
    assert notebooks.stage("b")["state"] == "ran"


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
