"""Workers: processes that reproduce stages in turn, stop them on order, and measure their use.

A worker is forked from the runner or the warm process, so imports are done, or is a fresh process
(`spawned_worker.py`). The worker leads a session of its own: Ctrl-C in the terminal reaches the
runner only. Orders come through a channel (`channels.py`): to reproduce a stage, or to interrupt or
kill the stage at work, after which the worker takes no other. When the runner is gone, in whatever
way, the worker sees the end of the channel and kills its descendants.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NoReturn, Protocol

from nb.declaration.tasks import Outcome
from nb.exit_codes import ExitCode
from nb.processes import fork_server
from nb.processes.job_object import JobObject, join_job
from nb.processes.tree import (
    adopt_orphans,
    child_pids,
    end_descendants,
    interrupt_group,
    reap_orphans,
    send_signal,
)

from .channels import RunnerChannel

INTERRUPT, KILL = "interrupt", "kill"
# The job of a warm process that runs a single notebook, without a stage.
NOTEBOOK_JOB = "notebook"
# How long DVC may take for bookkeeping once the command was killed.
LAST_WORDS_SECONDS = 3.0
# A worker that has reproduced so many stages ends: whatever DVC keeps in memory has a limit.
MOST_STAGES_OF_A_WORKER = 100
# A stage that takes no more than this beyond the memory of the worker is small, in bytes.
SMALL_EXCESS = 32_000_000
# Signals that end a run; each system has some.
ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@dataclass(frozen=True, kw_only=True)
class Order:
    """The order to reproduce a stage.

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


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer of a worker to an order.

    Attributes:
        outcome: the outcome of the stage.
        peak_memory: the memory of the largest process of the stage, in bytes; None if unknown.
        cpu_seconds: the CPU seconds of the worker and all its descendants so far.
        is_last: the worker takes no other order.
    """

    outcome: Outcome
    peak_memory: int | None = None
    cpu_seconds: float | None = None
    is_last: bool = True

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Answer:
        """Make an answer of the content of a message."""
        return cls(**{**content, "outcome": Outcome(**content["outcome"])})

    def content(self) -> dict[str, Any]:
        """Return the content of the message."""
        return {**vars(self), "outcome": vars(self.outcome)}


class Reproduce(Protocol):
    """A function that brings the stage of an order up to date, in the worker."""

    def __call__(
        self, order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Outcome: ...


def work(
    channel: RunnerChannel, reproduce: Reproduce, warm_files: Iterable[int] | None = None
) -> NoReturn:
    """Be the worker; never return into the code of the process that was forked.

    Args:
        channel: the connection to the runner.
        reproduce: brings a stage up to date.
        warm_files: if this process is a fork of the warm process, the files kept open for workers;
            papermill and kernels are forks, too, then.
    """
    status = 1
    try:
        _make_own_session()
        job = join_job()
        watch = _Watch(channel)
        for number in range(1, MOST_STAGES_OF_A_WORKER + 1):
            order = watch.next_order()
            if order is None:
                break
            channel.take_output()
            answer = _answer(order, channel, reproduce, warm_files, watch, job)
            is_last = answer.is_last or number == MOST_STAGES_OF_A_WORKER
            channel.answer(Answer(**{**vars(answer), "is_last": is_last}).content())
            if is_last:
                break
        status = 0
    finally:
        os._exit(status)


def _answer(
    order: Order,
    channel: RunnerChannel,
    reproduce: Reproduce,
    warm_files: Iterable[int] | None,
    watch: _Watch,
    job: JobObject | None,
) -> Answer:
    try:
        outcome = _carry_out(order, channel, reproduce, warm_files, watch)
    except BaseException as error:
        return Answer(outcome=Outcome(error=f"{type(error).__name__}: {error}"))
    peak = _peak_memory(job)
    return Answer(
        outcome=outcome,
        peak_memory=peak,
        cpu_seconds=_cpu_seconds(job),
        # The system tells the peak over the worker's life: after a large stage the next would seem
        # large as well. No command counts less than the worker, which starts it as a fork.
        is_last=watch.stopping or (peak or 0) > _own_peak_memory() + SMALL_EXCESS,
    )


def _carry_out(
    order: Order,
    channel: RunnerChannel,
    reproduce: Reproduce,
    warm_files: Iterable[int] | None,
    watch: _Watch,
) -> Outcome:
    """Reproduce a stage, and end everything that was started for it."""
    os.environ.clear()
    os.environ.update(order.environment)
    root = Path(order.root)
    os.chdir(root)
    server = None
    if warm_files is not None and sys.platform != "win32":
        server = fork_server.start_server(root, [*channel.files, *warm_files])
    if server:
        os.environ.update(server.environment())
    outcome = reproduce(
        order,
        tell=lambda text: print(text, flush=True),
        stopped=lambda: watch.stopping,
    )
    if server:
        server.close()
    end_descendants()
    reap_orphans()
    sys.stdout.flush()
    return outcome


def _make_own_session() -> None:
    if sys.platform != "win32" and os.getsid(0) != os.getpid():
        os.setsid()
    adopt_orphans()
    # DVC's bookkeeping must not be torn; commands start with the default handlers again.
    for name in ENDING_SIGNALS:
        if number := getattr(signal, name, None):
            signal.signal(number, lambda *_: None)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


class _Watch(Thread):
    """Carries out orders to interrupt and to kill, and ends the stage when the runner is gone."""

    def __init__(self, channel: RunnerChannel) -> None:
        super().__init__(daemon=True)
        self.channel = channel
        self.orders: SimpleQueue[Order | None] = SimpleQueue()
        self.ends: SimpleQueue[str] = SimpleQueue()
        self.stopping = False
        Thread(target=self._listen, daemon=True).start()
        self.start()

    def next_order(self) -> Order | None:
        """Wait for the order to reproduce a stage; return None if the runner wants no other."""
        return self.orders.get()

    def run(self) -> None:
        while self.ends.get() == INTERRUPT:
            self._interrupt()
        self.stopping = True
        Thread(target=self._give_up, daemon=True).start()
        while True:  # DVC may be about to start a command yet
            end_descendants()
            time.sleep(0.02)

    def _listen(self) -> None:
        """Pass on orders: a pipe cannot be waited for with a limit of time everywhere."""
        with suppress(OSError):
            while message := self.channel.receive():
                if "end" in message:
                    self.ends.put(message["end"])
                else:
                    self.orders.put(Order(**message))
        self.orders.put(None)
        self.ends.put(KILL)

    def _interrupt(self) -> None:
        """Send Ctrl-C to the stage's process group, and to each command that starts after that."""
        self.stopping = True
        seen = set(child_pids())
        interrupt_group()
        while True:
            with suppress(Empty):
                self.ends.put(self.ends.get(timeout=0.1))
                return
            for pid in set(child_pids()) - seen:
                seen.add(pid)
                send_signal(pid, signal.SIGINT)

    def _give_up(self) -> None:
        time.sleep(LAST_WORDS_SECONDS)
        os._exit(ExitCode.KILLED)


def _cpu_seconds(job: JobObject | None) -> float:
    if job:
        return job.cpu_seconds()
    usages = filter(None, map(_usage, ("RUSAGE_SELF", "RUSAGE_CHILDREN")))
    return sum(seconds for seconds, _ in usages) or sum(os.times()[:4])


def _peak_memory(job: JobObject | None) -> int | None:
    """Return the memory of the largest process that was started so far, in bytes."""
    if job:
        return job.peak_memory()
    usage = _usage("RUSAGE_CHILDREN")
    return usage[1] if usage else None


def _own_peak_memory() -> int:
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_pagefile)
    usage = _usage("RUSAGE_SELF")
    return usage[1] if usage else 0


def _usage(whose: str) -> tuple[float, int] | None:
    """Return CPU seconds and peak memory, in bytes; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    try:
        import resource
    except ImportError:
        return None
    usage = resource.getrusage(getattr(resource, whose))
    peak = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
    return usage.ru_utime + usage.ru_stime, peak
