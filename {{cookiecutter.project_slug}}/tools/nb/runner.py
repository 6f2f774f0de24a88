"""The runner: one thread that waits for events, output of a stage, the end of one, a signal.

It forks a worker per stage (`worker`), asks the schedule what comes next (`schedule`), and writes
down each change (`record`). It holds no lock of DVC while stages run. POSIX only.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from . import causes, pipeline, record, worker
from .causes import BROKEN_CONTRACT
from .pipeline import Outcome
from .project import program_environment
from .record import RunRecord, StageRecord
from .schedule import (
    BROKEN,
    CONTRACT_BROKEN,
    KILLED,
    NOT_RUN,
    OUT_OF_MEMORY,
    RUNNING,
    TIMED_OUT,
    WAITING,
    Schedule,
    Task,
    width,
)
from .view import View
from .worker import Worker

# From an interrupt to the kill of what does not heed it.
GRACE_SECONDS = 10.0
# A second Ctrl-C is one that comes later than this: make and a terminal may both pass one on.
SAME_SIGNAL_SECONDS = 0.5
ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
# OpenBLAS waits for work in a busy loop: stages that each use all cores take many times as long.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Options:
    """What `nb run` was told; the command line explains each."""

    stages: tuple[str, ...] = ()
    jobs: int = 1
    keep_going: bool = False
    force: bool = False
    downstream: bool = False
    pull: bool = False
    verify: bool = False
    timeout: float | None = None


class Runner:
    """Runs a plan to its end.

    Args:
        root: the project's root.
        options: what was asked for.
        tasks: the plan.
        view: where to show it.
        environment: variables for the commands of stages, besides those of this process.
    """

    def __init__(
        self,
        root: Path,
        options: Options,
        tasks: list[Task],
        view: View,
        environment: Mapping[str, str],
    ) -> None:
        self.root = root
        self.options = options
        self.view = view
        self.schedule = Schedule(
            tasks, options.jobs, record.durations(root), keep_going=options.keep_going
        )
        self.record = record.begin(root, asdict(options), options.jobs)
        self.stages = {task.name: _stage_record(task) for task in tasks}
        self.record.stages = [self.stages[task.name] for task in tasks if not task.hidden]
        self.environment = {**_environment(min(options.jobs, width(tasks))), **environment}
        self.locks = pipeline.read_locks(root, [task.name for task in tasks])
        self.workers: dict[int, Worker] = {}
        self.signals: list[tuple[int, float]] = []
        self.usage = False
        self.events = selectors.DefaultSelector()
        self.view.expect([task.name for task in tasks if not task.hidden])

    def run(self) -> RunRecord:
        """Run, and return the record, which is also written to `reports/runs`."""
        began = time.monotonic()
        worker.adopt_orphans()
        gc.freeze()  # what was imported stays shared with the workers
        with self._signals():
            try:
                self._loop()
            finally:
                worker.end_descendants()
                self.view.close()
        self._note_states()
        self.record.finish(self.root, self._exit_code(), time.monotonic() - began)
        return self.record

    def _loop(self) -> None:
        self._save()
        while True:
            self._heed_signals()
            for task in self.schedule.ready():
                self._start(task)
            self._save()
            if not self.workers:
                return
            self._wait()
            self._end_what_is_late()
            for ended in self._reap():
                self._save()
                self.view.ended(ended.task.name)
            self.view.tick()

    def _start(self, task: Task) -> None:
        started = worker.start(
            task,
            self.root,
            force=self.options.force,
            pull=self.options.pull,
            environment=self.environment,
            others=self.workers.values(),
            setup=self._leave,
        )
        pid = started.pid
        self.workers[pid] = started
        self.events.register(started.output, selectors.EVENT_READ, pid)
        self.schedule.set(task.name, RUNNING)
        self.stages[task.name].started = record.now()
        if not task.hidden:
            self.view.running(task.name, started.began)

    def _leave(self) -> None:
        """Close, in a new worker, what belongs to the runner."""
        signal.set_wakeup_fd(-1)
        self.events.close()
        os.close(self._wakeup[0])
        os.close(self._wakeup[1])

    def _wait(self) -> None:
        """Wait for output, the end of a stage, or a signal, and show the output."""
        for key, _ in self.events.select(0.2):
            if key.data is None:
                os.read(key.fd, 512)
            else:
                self._show(self.workers[key.data])

    def _show(self, running: Worker) -> None:
        with suppress(BlockingIOError):
            for line in running.lines.feed(os.read(running.output, 65_536)):
                self._show_line(running, line)
        if not running.task.hidden:
            self.view.running(running.task.name, running.began, running.lines.progress)

    def _show_rest(self, ended: Worker) -> None:
        with suppress(BlockingIOError):
            while content := os.read(ended.output, 65_536):
                for line in ended.lines.feed(content):
                    self._show_line(ended, line)
        for line in ended.lines.feed(b"", final=True):
            self._show_line(ended, line)

    def _show_line(self, running: Worker, line: str) -> None:
        running.tail.append(line)
        if not running.task.hidden:
            self.view.line(running.task.name, line)

    def _end_what_is_late(self) -> None:
        """Interrupt what runs longer than it may, and kill what does not heed an interrupt."""
        now = time.monotonic()
        for running in self.workers.values():
            if running.interrupted is not None:
                if now - running.interrupted > GRACE_SECONDS:
                    running.order(worker.KILL)
            elif self.options.timeout and now - running.began > self.options.timeout:
                running.timed_out = True
                self._interrupt(running)

    def _interrupt(self, running: Worker) -> None:
        running.interrupted = time.monotonic()
        running.order(worker.INTERRUPT)

    def _reap(self) -> list[Worker]:
        """Return the workers that ended; their outcomes are noted."""
        ended: list[Worker] = []
        for pid in list(self.workers):
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if found:
                running = self.workers.pop(pid)
                outcome, peak = running.outcome()
                if outcome is None:
                    # It was killed; what it had started is an orphan now, and ours.
                    worker.end_descendants(self.workers)
                    pipeline.mend_locks(self.root, self.locks)
                self._show_rest(running)
                self.events.unregister(running.output)
                for fd in running.pipes():
                    os.close(fd)
                stage = self.stages[running.task.name]
                stage.cpu_seconds = round(usage.ru_utime + usage.ru_stime, 3)
                stage.peak_memory = peak
                self._judge(running, outcome, os.waitstatus_to_exitcode(status))
                ended.append(running)
        return ended

    def _judge(self, ended: Worker, outcome: Outcome | None, code: int) -> None:
        """Note what became of a stage, and why."""
        stage = self.stages[ended.task.name]
        stage.ended = record.now()
        stage.seconds = round(time.monotonic() - ended.began, 3)
        outcome = outcome or Outcome(status=code)
        state = outcome.state
        if ended.timed_out and not state:
            state, stage.cause = TIMED_OUT, f"ran longer than {self.options.timeout:g} s"
        elif ended.interrupted is not None and not state:
            state, stage.cause = KILLED, "interrupted"
        elif not state:
            executed = self.root / stage.executed if stage.executed else None
            found = causes.find(outcome, executed, ended.started, ended.oom_kills, ended.tail)
            state, stage.cause, stage.cell = found.state, found.cause, found.cell
            self.usage |= found.is_usage and not self.schedule.any_broken()
        self.schedule.set(stage.name, state)
        if state in BROKEN and ended.task.hidden:
            self.record.stages.insert(0, stage)
            for line in ended.tail:
                self.view.line(stage.name, line)

    def _save(self) -> None:
        """Write the record if the state of a stage changed."""
        if self._note_states():
            self.record.save(self.root)

    def _note_states(self) -> bool:
        self.view.waiting = 0
        changed = False
        for name, state in self.schedule.states.items():
            stage = self.stages[name]
            changed |= stage.state != state
            stage.state = state
            if state == NOT_RUN:
                stage.cause = self.schedule.causes[name]
            self.view.waiting += state == WAITING and not self.schedule.tasks[name].hidden
        return changed

    def _exit_code(self) -> int:
        """Return the code of what went wrong first; docs/run.md of the template has the table."""
        if self.signals:
            return 128 + self.signals[0][0]
        broken = self.record.broken()
        if not broken:
            return 0
        first = min(broken, key=lambda stage: stage.ended or "")
        codes = {TIMED_OUT: 124, KILLED: 137, OUT_OF_MEMORY: 137, CONTRACT_BROKEN: BROKEN_CONTRACT}
        return codes.get(first.state, 1 + self.usage)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note signals while the block runs; each one, and the end of a worker, ends a wait."""
        self._wakeup = os.pipe()
        for fd in self._wakeup:
            os.set_blocking(fd, False)
        self.events.register(self._wakeup[0], selectors.EVENT_READ)
        handlers = {number: signal.signal(number, self._on_signal) for number in ENDING}
        handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self.events.close()
            for fd in self._wakeup:
                os.close(fd)

    def _on_signal(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if not self.signals or now - self.signals[-1][1] > SAME_SIGNAL_SECONDS:
            self.signals.append((number, now))

    def _heed_signals(self) -> None:
        """Interrupt everything after one signal, kill it after two."""
        if self.signals:
            self.schedule.stop("the run was interrupted")
        for running in self.workers.values():
            if len(self.signals) > 1:
                running.order(worker.KILL)
            elif self.signals and running.interrupted is None:
                self._interrupt(running)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _stage_record(task: Task) -> StageRecord:
    notebook, executed = causes.notebook_of(task.command)
    parameters = dict(task.parameters)
    return StageRecord(task.name, notebook=notebook, executed=executed, parameters=parameters)


def _environment(parallel: int) -> dict[str, str]:
    """Return the stages' environment variables; the cores are shared out among them."""
    environment = {**program_environment(), "NB_STREAM": "1"}
    if parallel > 1 and not any(name in environment for name in THREADS):
        threads = max(1, cores() // parallel)
        environment.update(dict.fromkeys(THREADS, str(threads)))
    return environment
