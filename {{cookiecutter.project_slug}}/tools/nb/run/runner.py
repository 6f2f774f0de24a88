"""The runner: a thread that waits for output of stages, ends of stages, and signals.

The runner gives stages to workers (`runtime/worker_pool.py`) in the order of the scheduler
(`runtime/scheduler.py`), and writes down each change (`run/record.py`). No lock of DVC is held
while stages run.
"""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from pathlib import Path

from nb import pipeline, uptodate
from nb.declaration.tasks import (
    BROKEN,
    DONE,
    NOT_RUN,
    RUNNING,
    Outcome,
    Task,
    with_downstream,
)
from nb.exit_codes import after_signal
from nb.processes import memory
from nb.processes.events import EventLoop
from nb.processes.tree import adopt_orphans, end_descendants
from nb.programs import side_by_side_environment
from nb.project import unwritable
from nb.runtime import worker
from nb.runtime.handles import StageAtWork
from nb.runtime.scheduler import Schedule, width
from nb.runtime.warm_client import Warm
from nb.runtime.warm_start import WarmStart
from nb.runtime.worker import Order, Reproduce
from nb.runtime.worker_pool import FinishedStage, WorkerPool

from . import record
from .page_process import PAGES, MakePages, PageMaker
from .past_runs import stage_costs
from .record import Journal, Options, RunJournal, RunRecord
from .stage import first_exit_code, stage_record, verdict
from .view import View, outcome_of

# As the view calls the time until the first notebook starts: long in a fresh environment.
IMPORTS = "importing libraries"
# From an interrupt to the kill of stages that go on.
GRACE_SECONDS = 10.0
# Limits of time and the view are looked at this often.
LONGEST_WAIT_SECONDS = 0.2
# The part of the time of a run that goes into writing the record, at most.
WRITING_SHARE = 0.05
# A second Ctrl-C comes later than this: make and a terminal may both pass the first on.
SAME_SIGNAL_SECONDS = 0.5
ENDING = [getattr(signal, name) for name in worker.ENDING_SIGNALS if hasattr(signal, name)]


def stage_environment(count: int) -> dict[str, str]:
    """Return the environment variables of as many stages at a time."""
    return {**side_by_side_environment(count), "NB_STREAM": "1"}


class Runner:
    """Runs a plan to its end.

    Args:
        environment: variables for the commands of stages, besides those of this process.
        make_pages: makes pages of executed copies beside the stages.
        reproduce: brings a stage up to date, in a worker that is forked from this process.
        warm: the process to fork stages from; by default, this process.
        journal: keeps the record; by default, `reports/runs` of the project.
        cold: the tasks that are not to be forked from the warm process.
        lock: the open file of the run's lock, which workers keep open, however the run ends.
    """

    def __init__(
        self,
        root: Path,
        options: Options,
        tasks: list[Task],
        view: View,
        environment: Mapping[str, str],
        make_pages: MakePages,
        reproduce: Reproduce,
        warm: Warm | None = None,
        journal: Journal | None = None,
        cold: Set[str] = frozenset(),
        lock: int | None = None,
    ) -> None:
        self.root = root
        self.options = options
        self.view = view
        seconds, peaks = stage_costs(root)
        self.schedule = Schedule(
            tasks,
            options.jobs,
            {task.name: seconds[task.address] for task in tasks if task.address in seconds},
            keep_going=options.keep_going,
            memory={task.name: peaks[task.address] for task in tasks if task.address in peaks},
        )
        self.journal = journal or RunJournal(root)
        self.record = record.new_record(root, options, options.jobs)
        self.stages = {task.name: stage_record(task) for task in tasks}
        self.record.stages = [self.stages[task.name] for task in tasks if not task.hidden]
        self.environment = {**stage_environment(min(options.jobs, width(tasks))), **environment}
        self.warm = WarmStart(root, warm, cold, note=view.note, detail=view.detail)
        self.warm.begin(self._notebooks_that_may_run(tasks), self.environment)
        self.has_pages = any(self.stages[t.name].executed for t in tasks if not t.project)
        self.pages = PageMaker(root, partial(self.warm.fork, PAGES), self._leave, make_pages)
        self.locks = pipeline.read_locks(root, [t.name for t in tasks if not t.project])
        self.signals: list[tuple[int, float]] = []
        self.usage = False
        self.unsaved = set(self.stages)
        self.is_behind = False
        self.began = time.monotonic()
        self.next_write = 0.0
        self.written: pipeline.Written = {}
        self.ended: dict[str, int] = {}  # by the clock of the file system
        self.events = EventLoop()
        self.workers = WorkerPool(
            reproduce, self.events, leave=self._leave, warm=self.warm.process, lock=lock
        )
        self.view.expect([task.name for task in tasks if not task.hidden])

    def run(self) -> RunRecord:
        """Run, and return the record, which is also written to `reports/runs`."""
        adopt_orphans()
        gc.freeze()  # imported modules stay shared with the workers
        with self._signals():
            try:
                self._loop()
                if not self.signals:
                    self.pages.wait()
            finally:
                self.workers.close()
                end_descendants()
                self.view.close()
        self._note_states()
        self.journal.finish(self.record, self._exit_code(), time.monotonic() - self.began)
        return self.record

    def all_done(self) -> bool:
        """Return whether everything that was asked for is up to date."""
        return all(state in DONE for state in self.schedule.states.values())

    def _notebooks_that_may_run(self, tasks: list[Task]) -> dict[str, Path]:
        stale = sorted(with_downstream(tasks, attrgetter("changed")))
        notebooks = {name: self.stages[name].notebook for name in stale}
        return {name: self.root / path for name, path in notebooks.items() if path}

    def _loop(self) -> None:
        self.view.waiting = self.schedule.waiting
        self._write()  # where that is not possible, nothing starts
        while True:
            self._heed_signals()
            ready = self.schedule.ready(memory.available_memory)
            # Hidden stages run no notebook, and need not wait for warm imports.
            held = [task for task in ready if self.warm.is_warming and not task.hidden]
            for task in ready:
                if task not in held:
                    self._start(task)
            if held:
                self.view.running(IMPORTS, self.began)
            else:
                self.view.ended(IMPORTS)
            self._save()
            if not self.workers.at_work and not held:
                return
            if not self.warm.is_warming and self.has_pages:
                self.pages.start()
            self.events.wait(LONGEST_WAIT_SECONDS)
            self._end_what_is_late()
            for finished in self.workers.collect():
                self._conclude(finished)
            self.view.tick()

    def _start(self, task: Task) -> None:
        order = Order(
            stage=task.stage or task.name,
            root=task.project or str(self.root),
            force=self.options.force,
            pull=self.options.pull,
            executed=self.stages[task.name].executed,
            persisted=task.persisted,
            environment=self.environment,
        )
        started = self.workers.begin(task, order, warm=self.warm.serves(task.name))
        self.events.watch(started.output, partial(self._show, started))
        self.schedule.set(task.name, RUNNING)
        self.stages[task.name].started = record.now()
        if not task.hidden:
            self.view.running(task.name, started.began)

    def _leave(self) -> None:
        """Close, in a fork, the files of the runner.

        A copy of an end of a pipe would keep others from seeing that the runner has ended.
        """
        self.events.close()
        if self.warm.process:
            self.warm.process.socket.close()
        self.pages.close()
        self.workers.close_files()

    def _show(self, running: StageAtWork) -> None:
        content = running.output.read(65_536)
        if content == b"":  # readable for ever: the loop would not rest until the process is gone
            self._stop_listening(running)
        self._show_lines(running, running.lines.feed(content or b""))
        if not running.task.hidden:
            self.view.running(running.task.name, running.began, running.lines.progress)

    def _stop_listening(self, running: StageAtWork) -> None:
        if running.is_heard:
            running.is_heard = False
            self.events.forget(running.output)

    def _show_rest(self, ended: StageAtWork) -> None:
        while content := ended.output.read(65_536):
            self._show_lines(ended, ended.lines.feed(content))
        self._show_lines(ended, ended.lines.feed(b"", final=True))

    def _show_lines(self, running: StageAtWork, lines: list[str]) -> None:
        for line in record.lines_without_secrets(lines):  # of commands without a notebook, too
            running.tail.append(line)
            if not running.task.hidden:
                self.view.line(running.task.name, line)

    def _outcome(self, task: Task) -> str:
        return "" if task.hidden else outcome_of(self.stages[task.name])

    def _end_what_is_late(self) -> None:
        """Interrupt stages that exceed the limit of time, and kill those that go on."""
        now = time.monotonic()
        for running in self.workers.at_work.values():
            if running.interrupted is not None:
                if now - running.interrupted > GRACE_SECONDS:
                    running.end(worker.KILL)
            elif self.options.timeout and now - running.began > self.options.timeout:
                running.timed_out = True
                self._interrupt(running)

    def _interrupt(self, running: StageAtWork) -> None:
        running.interrupted = time.monotonic()
        running.end(worker.INTERRUPT)

    def _conclude(self, finished: FinishedStage) -> None:
        """Note the outcome of a stage, and show it."""
        ended, answer = finished.stage, finished.answer
        if answer is None:
            # The worker was killed; its descendants are orphans now, and ours.
            warm = self.warm.process
            helpers = {warm.pid if warm else 0, self.pages.pid or 0}
            end_descendants({*self.workers.pids(), *helpers})
            pipeline.mend_locks(self.root, self.locks, self.view.note)
        self._show_rest(ended)
        self._stop_listening(ended)
        ended.output.close()
        stage = self.stages[ended.task.name]
        cpu = finished.cpu_seconds
        stage.cpu_seconds = None if cpu is None else round(cpu, 3)
        stage.peak_memory = answer.peak_memory if answer else None
        self._judge(ended, answer.outcome if answer else None, finished.code)
        self._save()
        self.view.ended(ended.task.name, self._outcome(ended.task))
        if not ended.task.project:
            self.pages.make(stage.executed)

    def _judge(self, ended: StageAtWork, outcome: Outcome | None, code: int) -> None:
        """Note the state of a stage that ended, and the cause of a failure."""
        stage = self.stages[ended.task.name]
        stage.ended = record.now()
        try:
            self.ended[stage.name] = uptodate.file_system_time(self.root)
        except OSError:  # of a full disk; with this time, nothing is taken for untouched
            self.ended[stage.name] = 0
        stage.seconds = round(time.monotonic() - ended.began, 3)
        outcome = outcome or Outcome(status=code)
        for path, lines in outcome.written.items():
            self.written.setdefault(path, {}).update(lines)
        project = Path(ended.task.project or self.root)
        executed = project / stage.executed if stage.executed else None
        found = verdict(ended, outcome, executed, self.options.timeout)
        stage.cause, stage.cell = found.cause, found.cell
        self.usage |= found.is_usage and not self.schedule.any_broken()
        self.schedule.set(stage.name, found.state)
        if found.state in BROKEN and ended.task.hidden:
            self.record.stages.insert(0, stage)
            for line in ended.tail:
                self.view.line(stage.name, line)

    def _save(self) -> None:
        """Write the record if the state of a stage changed.

        The record of a thousand stages takes long to write; changes that come meanwhile wait.
        Where writing is not possible any more, the run goes on; the end of the run tries again.
        """
        self._note_states()
        began = time.monotonic()
        if not self.unsaved or began < self.next_write:
            return
        try:
            self._write()
            self.next_write = began + (time.monotonic() - began) / WRITING_SHARE
        except OSError as error:
            if not self.is_behind:
                self.view.note(f"the record of the run is behind: {unwritable(error)}")
            self.is_behind = True

    def _write(self) -> None:
        self.journal.save(self.record, self.unsaved)
        self.unsaved.clear()

    def _note_states(self) -> None:
        changed = self.schedule.take_changes()
        for name in changed:
            stage = self.stages[name]
            stage.state = self.schedule.states[name]
            if stage.state == NOT_RUN:
                stage.cause = self.schedule.causes[name]
        self.view.waiting = self.schedule.waiting
        self.unsaved.update(changed)

    def _exit_code(self) -> int:
        if self.signals:
            return after_signal(self.signals[0][0])
        return first_exit_code(self.record.broken(), is_usage=self.usage)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note signals while the block runs; each, and the end of a worker, ends a wait."""
        self.warm.watch(self.events)
        before = self.events.catch(dict.fromkeys(ENDING, self._on_signal))
        try:
            yield
        finally:
            self.events.release(before)
            self.events.close()

    def _on_signal(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if not self.signals or now - self.signals[-1][1] > SAME_SIGNAL_SECONDS:
            self.signals.append((number, now))

    def _heed_signals(self) -> None:
        """Interrupt everything after one signal, kill it after two."""
        if self.signals:
            self.schedule.stop("the run was interrupted")
        for running in self.workers.at_work.values():
            if len(self.signals) > 1:
                running.end(worker.KILL)
            elif self.signals and running.interrupted is None:
                self._interrupt(running)
