"""Workers of a run: each takes several stages, and is replaced where the next could suffer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from nb.declaration.tasks import RAN, Outcome, Task
from nb.exit_codes import ExitCode
from nb.processes.events import EventLoop
from nb.processes.start_method import FORK, SPAWN, START_METHOD
from nb.processes.tree import KILL_SIGNAL
from nb.runtime import worker
from nb.runtime.channels import ANSWER, SocketChannel
from nb.runtime.handles import ForkedWorker, StageAtWork
from nb.runtime.warm_client import Warm
from nb.runtime.worker import Order, work
from nb.runtime.worker_pool import FinishedStage, WorkerPool

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes")
SLEEP = 'import time\nprint("begun", flush=True)\ntime.sleep(120)'
LARGE = f"{sys.executable} -c 'b = bytearray(900_000_000); b[::4096] = b[::4096]'"


def run_shell(order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]) -> Outcome:
    """Run the name of a stage as a command; tell the worker."""
    sys.stdout = sys.__stdout__  # pytest has put another in its place
    tell(f"worker {os.getpid()}")
    if order.stage == "raise":
        raise OSError("broken")
    if order.stage == "two commands":
        for seconds in ("60", "61"):
            subprocess.run(["sleep", seconds])
    if order.stage == "linger":
        time.sleep(60)
    code = subprocess.run(order.stage, shell=True).returncode
    return Outcome("" if code or stopped() else RAN, status=code)


class Stages:
    """Stages that run one after another."""

    def __init__(self, pool: WorkerPool, root: Path) -> None:
        self.pool = pool
        self.root = root

    def begin(self, command: str, *, warm: bool = False, **environment: str) -> StageAtWork:
        """Begin a stage with these variables besides those of this process."""
        order = Order(
            stage=command,
            root=str(self.root),
            force=False,
            pull=False,
            executed="",
            persisted=(),
            environment={**os.environ, **environment},
        )
        return self.pool.begin(Task(command), order, warm=warm)

    def end(self) -> FinishedStage:
        """Wait for the end of the stage."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self.pool.events.wait(0.1)
            for finished in self.pool.collect():
                return finished
        pytest.fail("the stage does not end")

    def run(self, command: str, **environment: str) -> tuple[int, str, FinishedStage]:
        """Run a stage; return its worker, its output, and its end."""
        stage = self.begin(command, **environment)
        finished = self.end()
        with stage.output:
            return stage.worker.pid, output_of(stage), finished


def output_of(stage: StageAtWork) -> str:
    """Return the output so far."""
    text = b""
    while part := stage.output.read(65_536):
        text += part
    return text.decode()


def wait_for_lines(stage: StageAtWork, count: int) -> None:
    """Wait for the first lines of a stage; its worker writes the first, commands the others."""
    end = time.monotonic() + 60
    output = b""
    while output.count(b"\n") < count and time.monotonic() < end:
        output += stage.output.read(100) or b""
        time.sleep(0.01)


@pytest.fixture(params=[FORK, pytest.param(SPAWN, marks=pytest.mark.slow)])
def stages(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stages]:
    """A pool of workers, forked or fresh."""
    monkeypatch.setenv(START_METHOD, request.param)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    events = EventLoop()
    pool = WorkerPool(run_shell, events, leave=lambda: None, warm=None, lock=None)
    yield Stages(pool, tmp_path)
    pool.close()
    events.close()


def test_a_worker_takes_several_stages_and_mixes_no_output(stages: Stages) -> None:
    texts = ["printf one", "echo two >&2", "printf 'a <part> of < a mark'", "true"]
    pids = set()
    for text in texts:
        pid, output, finished = stages.run(text)
        wanted = subprocess.run(f"{{ {text}; }} 2>&1", shell=True, capture_output=True, text=True)
        assert output == f"worker {pid}\n{wanted.stdout}"
        assert finished.answer and finished.answer.outcome.state == RAN
        assert finished.cpu_seconds is not None and finished.cpu_seconds < 2
        pids.add(pid)
    assert len(pids) == 1


class Forks(Warm):
    """A warm process that is this process."""

    def __init__(self) -> None:
        self.ends = {}
        self.is_alive = True

    def fork(self, job: str, order: object, files: Iterable[int]) -> int:
        """Fork a worker."""
        pid = os.fork()
        if pid == 0:
            work(SocketChannel(socket.socket(fileno=next(iter(files)))), run_shell)
        return pid


def test_a_stage_gets_a_worker_that_is_warm_or_cold_as_the_stage_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(START_METHOD, FORK)
    events = EventLoop()
    pool = WorkerPool(run_shell, events, leave=lambda: None, warm=Forks(), lock=None)
    stages = Stages(pool, tmp_path)
    wanted = (True, False, True, False)
    workers = []
    for warm in wanted:
        workers.append(stages.begin("true", warm=warm).worker)
        stages.end()
    for each in set(workers):
        os.kill(each.pid, KILL_SIGNAL)  # the copy of a connection keeps a fork of this process
        os.waitpid(each.pid, 0)
    assert tuple(each.is_warm for each in workers) == wanted
    assert workers[:2] == workers[2:]
    events.close()


def test_a_fresh_process_marks_the_end_of_the_output_before_the_answer() -> None:
    code = "from nb.runtime.channels import StreamChannel; c = StreamChannel(b'<mark>'); \
print('text', flush=True); c.answer({'a': 1})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert done.stdout == b"text\n<mark>"
    assert done.stderr.startswith(ANSWER)


def test_a_stage_that_outlives_its_command_leaves_nothing_to_the_next(stages: Stages) -> None:
    stages.run("(sleep 0.4; echo late) & echo begun")
    _, output, _ = stages.run("sleep 0.6")
    assert "late" not in output


def test_a_large_stage_does_not_count_for_the_next(stages: Stages) -> None:
    first, _, large = stages.run(LARGE)
    second, _, small = stages.run("true")
    assert large.answer and small.answer
    assert large.answer.peak_memory and large.answer.peak_memory > 900_000_000
    assert small.answer.peak_memory and small.answer.peak_memory < 900_000_000
    assert first != second


def test_the_cpu_seconds_of_a_stage_are_those_of_no_other(stages: Stages) -> None:
    busy = "import time\nwhile time.process_time() < 1.5: pass"
    first, _, costly = stages.run(f"{sys.executable} -c '{busy}'")
    second, _, cheap = stages.run("true")
    assert costly.cpu_seconds and costly.cpu_seconds > 1.2
    assert cheap.cpu_seconds is not None and cheap.cpu_seconds < 1
    assert first == second


@pytest.mark.parametrize("how", [worker.INTERRUPT, worker.KILL])
def test_a_worker_whose_stage_is_ended_takes_no_other(stages: Stages, how: str) -> None:
    # No shell starts another program meanwhile: dash loses signals between vfork and exec.
    stage = stages.begin(f"exec {sys.executable} -c '{SLEEP}'")
    wait_for_lines(stage, 2)
    stage.end(how)
    ended = stages.end()
    assert ended.answer is None or ended.answer.outcome.state == ""
    pid, _, finished = stages.run("true")
    assert pid != stage.worker.pid
    assert finished.answer and finished.answer.outcome.state == RAN


def test_a_worker_that_fails_takes_no_other(stages: Stages) -> None:
    first, _, failed = stages.run("raise")
    assert failed.answer and failed.answer.outcome.error == "OSError: broken"
    second, _, finished = stages.run("true")
    assert first != second
    assert finished.answer and finished.answer.outcome.state == RAN


def test_a_worker_that_is_killed_is_replaced(stages: Stages) -> None:
    first, _, _ = stages.run("true")
    os.kill(first, KILL_SIGNAL)  # while it has no stage
    with suppress(ChildProcessError):  # reaped already
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    second, _, _ = stages.run("true")
    stage = stages.begin("sleep 60")
    assert stage.worker.pid == second != first
    os.kill(second, KILL_SIGNAL)
    killed = stages.end()
    assert killed.answer is None
    assert killed.code == -KILL_SIGNAL
    assert stages.run("true")[2].answer


def test_a_worker_of_a_killed_warm_process_is_at_work_until_the_system_passes_it_on(
    stages: Stages,
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen(["true"]) as gone:
        gone.wait()
        elsewhere = ForkedWorker(os.getppid(), ours, is_warm=True)  # no child of this process
        assert stages.pool._end_of(elsewhere) is None
        ended = ForkedWorker(gone.pid, ours, is_warm=True)
        assert stages.pool._end_of(ended) == (-KILL_SIGNAL, None)


def test_the_variables_of_a_stage_are_not_those_of_the_next(stages: Stages) -> None:
    first, output, _ = stages.run("echo is $OF_ONE", OF_ONE="set")
    assert "is set\n" in output
    second, output, _ = stages.run("echo is $OF_ONE")
    assert "is\n" in output
    assert first == second


def test_signals_that_reach_a_worker_leave_its_stage_alone(stages: Stages) -> None:
    stage = stages.begin("sleep 1; echo whole")
    wait_for_lines(stage, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(stage.worker.pid, number)
    finished = stages.end()
    assert finished.answer and finished.answer.outcome.state == RAN
    assert output_of(stage) == "whole\n"


def test_a_command_that_starts_after_the_interrupt_is_interrupted_too(stages: Stages) -> None:
    stage = stages.begin("two commands")
    wait_for_lines(stage, 1)
    time.sleep(0.5)
    began = time.monotonic()
    stage.end(worker.INTERRUPT)
    stages.end()
    assert time.monotonic() - began < 30  # of the 121 seconds


def test_a_killed_stage_whose_bookkeeping_goes_on_ends_all_the_same(stages: Stages) -> None:
    stage = stages.begin("linger")
    stage.end(worker.KILL)
    began = time.monotonic()
    finished = stages.end()
    assert finished.answer is None
    assert finished.code == ExitCode.KILLED
    assert time.monotonic() - began < 30  # of the 60 seconds


def test_a_worker_ends_its_stage_when_the_runner_is_gone(stages: Stages) -> None:
    stage = stages.begin("sleep 60")
    stage.worker.close()
    end = time.monotonic() + 30
    while (ended := stage.worker.ended()) is None and time.monotonic() < end:
        time.sleep(0.02)
    assert ended
    del stages.pool.at_work["sleep 60"]


def test_idle_workers_end_with_the_pool(stages: Stages) -> None:
    pid, _, _ = stages.run("true")
    stages.pool.close()
    assert not Path(f"/proc/{pid}").exists() or not Path("/proc").exists()
