"""The workers of a run: started as stages need them, used for several stages, and reaped."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import RawIOBase

from nb.declaration.tasks import Task
from nb.processes.events import EventLoop
from nb.processes.start_method import SPAWN, start_method
from nb.processes.tree import KILL_SIGNAL

from .channels import SocketChannel
from .handles import End, ForkedWorker, StageAtWork, Worker
from .spawned_worker import SpawnedWorker
from .warm_client import Warm
from .worker import Answer, Order, Reproduce, work

# The job of the warm process that is a worker.
STAGE = "stage"
# How long idle workers may take to end before they are killed.
LEAVING_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class FinishedStage:
    """A stage whose worker has answered, or has ended without an answer.

    Attributes:
        stage: the stage.
        answer: the answer; None if the worker was killed.
        code: the exit code of a worker that ended, negative for a signal.
        cpu_seconds: the CPU seconds of the stage; None if unknown.
    """

    stage: StageAtWork
    answer: Answer | None
    code: int
    cpu_seconds: float | None


class WorkerPool:
    """The workers of a run; a stage gets an idle worker, or a new one.

    Args:
        reproduce: brings a stage up to date, in a worker that is forked from this process.
        events: the loop of the runner, which the end of a stage wakes up.
        leave: called first in a worker forked from this process, to close the runner's own files.
        warm: the warm process; None without one.
        lock: the open file of the run's lock, which fresh processes keep open.
    """

    def __init__(
        self,
        reproduce: Reproduce,
        events: EventLoop,
        *,
        leave: Callable[[], None],
        warm: Warm | None,
        lock: int | None,
    ) -> None:
        self.reproduce = reproduce
        self.events = events
        self.leave = leave
        self.warm = warm
        self.lock = lock
        self.start_method = start_method()
        self.at_work: dict[str, StageAtWork] = {}
        self._idle: list[Worker] = []
        self._leaving: list[Worker] = []

    def begin(self, task: Task, order: Order, *, warm: bool) -> StageAtWork:
        """Have a worker begin a stage.

        Args:
            task: the stage.
            order: the order.
            warm: the worker is to be a fork of the warm process, if that is there.
        """
        worker, output = self._ordered(order, warm and self.warm is not None and self.warm.is_alive)
        stage = StageAtWork(task=task, worker=worker, output=output)
        self.at_work[task.name] = stage
        return stage

    def _ordered(self, order: Order, warm: bool) -> tuple[Worker, RawIOBase]:
        for worker in [each for each in self._idle if each.is_warm == warm]:
            self._idle.remove(worker)
            with suppress(OSError):
                return worker, worker.begin(order)
            self._dismiss(worker)  # it was killed while idle
        worker = self._new_worker(warm)
        return worker, worker.begin(order)

    def _new_worker(self, warm: bool) -> Worker:
        if self.start_method == SPAWN:
            return SpawnedWorker(self.reproduce, self.events.wake, self.lock)
        if sys.platform == "win32":
            raise NotImplementedError  # workers are spawned there
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = self.warm.fork(STAGE, {}, [theirs.fileno()]) if warm and self.warm else None
        is_warm = pid is not None
        if pid is None:
            pid = os.fork()
            if pid == 0:
                self.leave()
                ours.close()
                work(SocketChannel(theirs), self.reproduce)
        theirs.close()
        worker = ForkedWorker(pid, ours, is_warm=is_warm)
        self.events.watch(ours, partial(self._listen, worker))
        return worker

    def _listen(self, worker: ForkedWorker) -> None:
        if not worker.listen():  # readable for ever, until the process is reaped
            self._ignore(worker)

    def _ignore(self, worker: Worker) -> None:
        if isinstance(worker, ForkedWorker) and worker.is_watched:
            worker.is_watched = False
            self.events.forget(worker.connection)

    def collect(self) -> Iterator[FinishedStage]:
        """Yield the stages that are finished; their workers are idle again, or end."""
        self._leaving = [worker for worker in self._leaving if not self._end_of(worker)]
        for stage in list(self.at_work.values()):
            end = self._end_of(stage.worker)
            answer = stage.worker.answer()
            if end or answer:
                del self.at_work[stage.task.name]
                yield self._finished(stage, answer, end)

    def _finished(
        self, stage: StageAtWork, answer: Answer | None, end: End | None
    ) -> FinishedStage:
        worker = stage.worker
        code, total = end or (0, None)
        if answer and answer.cpu_seconds is not None:
            total = answer.cpu_seconds
        spent = None if total is None else max(total - worker.counted, 0)
        worker.counted = total or worker.counted
        if end:
            self._ignore(worker)
            worker.close()
        elif answer is None or answer.is_last or stage.ordered_ends:
            self._dismiss(worker)
        else:
            self._idle.append(worker)
        return FinishedStage(stage=stage, answer=answer, code=code, cpu_seconds=spent)

    def _end_of(self, worker: Worker) -> End | None:
        """Return a worker's exit code and CPU seconds, as far as known; None while it runs."""
        if worker.is_warm and self.warm:
            end = self.warm.ends.get(worker.pid)
            if end or self.warm.is_alive:
                return end
        try:
            return worker.ended()
        except ChildProcessError:
            # The warm process was killed: after it had reaped the worker, or a moment ago, and the
            # system has not yet made the worker a child of this process.
            import psutil

            return None if psutil.pid_exists(worker.pid) else (-KILL_SIGNAL, None)

    def _dismiss(self, worker: Worker) -> None:
        """Have a worker without a stage end."""
        self._ignore(worker)
        worker.close()
        self._leaving.append(worker)

    def pids(self) -> set[int]:
        """Return the processes of all workers."""
        return {worker.pid for worker in self._workers()}

    def _workers(self) -> list[Worker]:
        at_work = [stage.worker for stage in self.at_work.values()]
        return [*at_work, *self._idle, *self._leaving]

    def close_files(self) -> None:
        """Close, in a fork, the runner's ends of all connections.

        A copy of such an end would keep workers from seeing that the runner has ended.
        """
        for stage in self.at_work.values():
            stage.output.close()
        for worker in self._workers():
            worker.close()

    def close(self) -> None:
        """Have idle workers end, and wait for that."""
        while self._idle:
            self._dismiss(self._idle.pop())
        end = time.monotonic() + LEAVING_SECONDS
        while self._leaving and time.monotonic() < end:
            self.events.wait(0.01)  # the warm process tells the ends of its forks
            self._leaving = [worker for worker in self._leaving if not self._end_of(worker)]
