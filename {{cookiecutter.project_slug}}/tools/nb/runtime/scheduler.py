"""The scheduler of a run: decides which stages may start. Knows neither DVC nor processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

from nb.declaration.tasks import (
    BROKEN,
    BROKEN_CONTRACT,
    DONE,
    FAILED,
    KILLED,
    NOT_RUN,
    OUT_OF_MEMORY,
    RUNNING,
    TIMED_OUT,
    UNCHANGED,
    WAITING,
    Task,
)

# The assumed seconds of a stage that never ran: those of a small notebook.
UNKNOWN_SECONDS = 1.0


class Schedule:
    """The state of each stage of a plan, and the stages that may start next.

    Args:
        tasks: the plan; each stage comes after the stages it needs.
        jobs: how many stages may run at a time.
        seconds: how long stages took earlier, by name.
        keep_going: after a failure, start stages that do not depend on the failed stage.
        memory: how much stages needed earlier, by name, in bytes; a declared need counts more.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        jobs: int,
        seconds: Mapping[str, float],
        *,
        keep_going: bool = False,
        memory: Mapping[str, int] | None = None,
    ) -> None:
        self.tasks = {task.name: task for task in tasks}
        self.jobs = jobs
        self.keep_going = keep_going
        self.states = dict.fromkeys(self.tasks, WAITING)
        self.causes: dict[str, str] = {}
        learnt = memory or {}
        self._needs = {t.name: t.memory or learnt.get(t.name, 0) for t in self.tasks.values()}
        self._capacity = inf
        self._running: list[str] = []
        self._is_changed = True
        self._remaining = _remaining_seconds(list(self.tasks.values()), seconds)

    def ready(self, available: Callable[[], float] = lambda: inf) -> list[Task]:
        """Return the stages to start now; the longest way to the end comes first.

        A stage waits while the memory for this and the running stages exceeds the memory that was
        available when none ran, or is available now. A stage alone always starts.

        Args:
            available: tells how much memory is available, in bytes; asked if a stage could start.
        """
        if self._is_changed:
            self._settle()
            self._running = [name for name, state in self.states.items() if state == RUNNING]
            self._is_changed = False
        running = self._running
        if len(running) >= self.jobs:
            return []
        tasks = [task for task in self._waiting() if self._inputs_are_done(task)]
        if not tasks:
            return []
        now = available()
        if not running:
            self._capacity = now
        tasks.sort(key=lambda task: -self._remaining[task.name])
        used = sum(self._needs[name] for name in running)
        room = min(now, self._capacity - used)
        chosen: list[Task] = []
        for task in tasks:
            if len(running) + len(chosen) >= self.jobs:
                break
            need = self._needs[task.name]
            if need <= room or not (running or chosen):
                chosen.append(task)
                room -= need
        return chosen

    def set(self, name: str, state: str) -> None:
        """Note a stage's state; after a failure nothing new starts, unless told to go on."""
        self.states[name] = state
        self._is_changed = True
        if state in BROKEN and not self.keep_going:
            self.stop(f"{name} {_SHORT.get(state, state)}")

    def stop(self, cause: str) -> None:
        """Start nothing any more."""
        for task in self._waiting():
            self._skip(task, cause)

    def any_broken(self) -> bool:
        """Return whether a stage has failed so far."""
        return any(state in BROKEN for state in self.states.values())

    def _settle(self) -> None:
        """Decide about the stages that need no process: unchanged, or after a failure."""
        for task in self._waiting():
            before = {name: self.states[name] for name in task.after}
            broken = [name for name, state in before.items() if state in (*BROKEN, NOT_RUN)]
            if broken:
                name = min(broken)
                self._skip(task, self.causes.get(name) or f"{name} {_SHORT[self.states[name]]}")
            elif not task.changed and all(self._left_alone(name) for name in before):
                self.states[task.name] = UNCHANGED

    def _left_alone(self, name: str) -> bool:
        # A hidden stage's results were brought up to date before the plan was made.
        return self.states[name] == UNCHANGED or (
            self.tasks[name].hidden and self.states[name] in DONE
        )

    def _inputs_are_done(self, task: Task) -> bool:
        return all(self.states[name] in DONE for name in task.after)

    def _skip(self, task: Task, cause: str) -> None:
        self._is_changed = True
        self.states[task.name] = NOT_RUN
        self.causes[task.name] = cause

    def _waiting(self) -> list[Task]:
        return [task for task in self.tasks.values() if self.states[task.name] == WAITING]


_SHORT = {
    FAILED: "failed",
    TIMED_OUT: "timed out",
    KILLED: "was killed",
    OUT_OF_MEMORY: "ran out of memory",
    BROKEN_CONTRACT: "broke its contract",
}


def width(tasks: Iterable[Task]) -> int:
    """Return how many stages can run side by side: the size of the graph's widest layer."""
    depths: dict[str, int] = {}
    layers: dict[int, int] = {}
    for task in tasks:
        depth = 1 + max((depths[name] for name in task.after), default=0)
        depths[task.name] = depth
        layers[depth] = layers.get(depth, 0) + (not task.hidden)
    return max(layers.values(), default=1)


def _remaining_seconds(tasks: list[Task], seconds: Mapping[str, float]) -> dict[str, float]:
    """Return for each stage the seconds of the longest chain of stages to the end."""
    remaining = {task.name: seconds.get(task.name, UNKNOWN_SECONDS) for task in tasks}
    longest_after = dict.fromkeys(remaining, 0.0)
    for task in reversed(tasks):
        remaining[task.name] += longest_after[task.name]
        for name in task.after:
            longest_after[name] = max(longest_after[name], remaining[task.name])
    return remaining
