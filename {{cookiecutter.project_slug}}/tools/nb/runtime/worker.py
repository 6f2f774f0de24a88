"""Workers: processes that reproduce a stage each, and end with all their descendants.

A worker is forked from the runner or the warm process, so imports are done, or is a fresh process
(`spawned_worker.py`). The worker leads a session of its own: Ctrl-C in the terminal reaches the
runner only. The runner holds one end of a pipe, the worker watches the other: an order to interrupt
or to kill comes through the pipe, and when the runner is gone, in whatever way, the worker sees the
end of the pipe and kills its descendants.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NoReturn, Protocol, cast

from nb.declaration.tasks import Outcome, Task
from nb.execution.failures import oom_kills
from nb.exit_codes import ExitCode
from nb.processes import fork_server
from nb.processes.job_object import JobObject, join_job
from nb.processes.tree import adopt_orphans, children, end_descendants, interrupt_group, send_signal

from .lines import Lines

INTERRUPT, KILL = b"i", b"k"
# How long DVC may take for bookkeeping once the command was killed.
LAST_WORDS_SECONDS = 3.0
# Signals that end a run; each system has some.
ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@dataclass(kw_only=True)
class Worker:
    """The runner's end of a worker.

    Attributes:
        task: the stage.
        pid: the process, which leads the process group and the session of the stage.
        control: the pipe for orders; closing it means: end.
        output: the output of the stage, readable without waiting.
        result: the outcome, as JSON; nothing if the worker was killed.
        began: the start, on the monotonic clock.
        started: the same in seconds since the epoch, to compare with times of files.
        oom_kills: how often the system had killed for lack of memory by then.
        lines: the lines of the output.
        tail: the last lines of the output.
        is_heard: the end of the output was not read yet.
        ordered: the orders that were given.
        interrupted: the time of the interrupt, on the monotonic clock.
        timed_out: the interrupt came because the stage ran too long.
    """

    task: Task
    pid: int
    control: int
    output: RawIOBase
    result: int
    began: float
    started: float
    oom_kills: int
    lines: Lines = field(default_factory=Lines)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    is_heard: bool = True
    ordered: bytes = b""
    interrupted: float | None = None
    timed_out: bool = False

    def order(self, order: bytes) -> None:
        """Have the stage interrupted or killed; of no effect the second time, or after the end."""
        if order not in self.ordered:
            self.ordered += order
            with suppress(OSError):  # the worker has ended
                os.write(self.control, order)

    def close(self) -> None:
        """Close the runner's ends of the pipes."""
        self.output.close()
        for file in (self.control, self.result):
            os.close(file)

    def ended(self) -> tuple[int, float | None] | None:
        """Return the exit code, negative for a signal, and the CPU seconds; None while it runs.

        Raises:
            ChildProcessError: if the worker is no child of this process, or not any more.
        """
        if sys.platform == "win32":
            raise NotImplementedError  # workers are spawned there
        found, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not found:
            return None
        return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime

    def outcome(self) -> tuple[Outcome | None, int | None]:
        """Return the stage's outcome and peak memory in bytes, once the worker ended."""
        return read_result(_read_all(self.result))


@dataclass(frozen=True, kw_only=True)
class Order:
    """The order to a worker.

    Attributes:
        stage: the stage to bring up to date.
        root: the project's root.
        force: run the stage even if nothing changed.
        pull: fetch missing data from the storage.
        executed: the executed copy that the command writes; empty without a notebook.
        persisted: outputs that DVC does not remove before a run, as absolute paths.
        environment: the environment variables of the command.
    """

    stage: str
    root: str
    force: bool
    pull: bool
    executed: str
    persisted: Sequence[str]
    environment: dict[str, str]


class Reproduce(Protocol):
    """A function that brings the stage of an order up to date, in the worker."""

    def __call__(
        self, order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Outcome: ...


def start(
    task: Task,
    order: Order,
    *,
    fork: Callable[[Mapping[str, Any], list[int]], int | None],
    setup: Callable[[], None],
    reproduce: Reproduce,
) -> Worker:
    """Start a worker for a stage.

    Args:
        task: the stage.
        order: the order.
        fork: forks a worker from the warm process, given the order and its pipes; returns None if
            there is none, and the worker is forked from this process.
        setup: called first in a worker forked from this process, to close the runner's files.
        reproduce: brings the stage up to date, in a worker that is forked from this process.
    """
    if sys.platform == "win32":
        raise NotImplementedError  # workers are spawned there
    control, output, result = os.pipe(), os.pipe(), os.pipe()
    began, started = time.monotonic(), time.time()
    sys.stdout.flush()
    sys.stderr.flush()
    theirs = [control[0], output[1], result[1]]
    pid = fork(vars(order), theirs)
    if pid is None:
        pid = os.fork()
        if pid == 0:
            setup()
            for fd in (control[1], output[0], result[0]):
                os.close(fd)
            work(order, theirs, reproduce)
    for fd in theirs:
        os.close(fd)
    os.set_blocking(output[0], False)
    return Worker(
        task=task,
        pid=pid,
        control=control[1],
        output=cast("RawIOBase", os.fdopen(output[0], "rb", buffering=0)),
        result=result[0],
        began=began,
        started=started,
        oom_kills=oom_kills(),
    )


def work(
    order: Order,
    files: list[int],
    reproduce: Reproduce,
    warm_files: Iterable[int] | None = None,
) -> NoReturn:
    """Be the worker; never return into the code of the process that was forked.

    Args:
        order: the order.
        files: the pipes for orders, for the output of the stage, and for the outcome.
        reproduce: brings the stage up to date.
        warm_files: if this process is a fork of the warm process, the files kept open for workers;
            papermill and kernels are forks, too, then.
    """
    control, output, result = files
    status = 1
    os.environ.clear()
    os.environ.update(order.environment)
    root = Path(order.root)
    _make_own_session(output)
    job = join_job()
    try:
        os.chdir(root)
        server = None
        if warm_files is not None and sys.platform != "win32":
            server = fork_server.start_server(root, [control, result, *warm_files])
        if server:
            os.environ.update(server.environment())
        watch = _Watch(control)
        outcome = reproduce(
            order,
            tell=lambda text: print(text, flush=True),
            stopped=lambda: watch.stopping,
        )
        if server:
            server.close()
        end_descendants()
        _write_all(result, _result(outcome, _peak_memory(job), _cpu_seconds(job)))
        status = 0
    except BaseException as error:
        failure = Outcome(error=f"{type(error).__name__}: {error}")
        _write_all(result, _result(failure, None, None))
    finally:
        os._exit(status)


def _make_own_session(output: int) -> None:
    if sys.platform != "win32" and os.getsid(0) != os.getpid():
        os.setsid()
    adopt_orphans()
    # DVC's bookkeeping must not be torn; commands start with the default handlers again.
    for name in ENDING_SIGNALS:
        if number := getattr(signal, name, None):
            signal.signal(number, lambda *_: None)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)


class _Watch(Thread):
    """Carries out the runner's orders, and ends the stage when the runner is gone."""

    def __init__(self, control: int) -> None:
        super().__init__(daemon=True)
        self.control = control
        self.orders: SimpleQueue[bytes] = SimpleQueue()
        self.stopping = False
        Thread(target=self._listen, daemon=True).start()
        self.start()

    def run(self) -> None:
        while self.orders.get() == INTERRUPT:
            self._interrupt()
        self.stopping = True
        Thread(target=self._give_up, daemon=True).start()
        while True:  # DVC may be about to start a command yet
            end_descendants()
            time.sleep(0.02)

    def _listen(self) -> None:
        """Pass on orders: a pipe cannot be waited for with a limit of time everywhere."""
        while order := os.read(self.control, 1):
            self.orders.put(order)
        self.orders.put(KILL)

    def _interrupt(self) -> None:
        """Send Ctrl-C to the stage's process group, and to each command that starts after that."""
        self.stopping = True
        seen = set(children())
        interrupt_group()
        while True:
            with suppress(Empty):
                self.orders.put(self.orders.get(timeout=0.1))
                return
            for pid in set(children()) - seen:
                seen.add(pid)
                send_signal(pid, signal.SIGINT)

    def _give_up(self) -> None:
        time.sleep(LAST_WORDS_SECONDS)
        os._exit(ExitCode.KILLED)


def read_result(content: bytes) -> tuple[Outcome | None, int | None]:
    """Return the outcome and the peak memory that a worker wrote; nothing if it was killed."""
    if not content:
        return None, None
    values = json.loads(content)
    return Outcome(**values["outcome"]), values["peak_memory"]


def _result(outcome: Outcome, peak_memory: int | None, cpu_seconds: float | None) -> bytes:
    values = {"peak_memory": peak_memory, "cpu_seconds": cpu_seconds}
    return json.dumps({"outcome": vars(outcome), **values}).encode()


def _cpu_seconds(job: JobObject | None) -> float:
    if job:
        return job.cpu_seconds()
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_memory(job: JobObject | None) -> int | None:
    if job:
        return job.peak_memory()
    if sys.platform == "win32":
        return None
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def _read_all(fd: int) -> bytes:
    parts: list[bytes] = []
    while part := os.read(fd, 65_536):
        parts.append(part)
    return b"".join(parts)
