"""The scheduler of a run: decides which stages may start. Knows neither DVC nor processes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from math import inf

from nb.declaration.tasks import BROKEN, DONE, FAILURES, NOT_RUN, RUNNING, UNCHANGED, WAITING, Task

# The assumed seconds of a stage that never ran: those of a small notebook.
UNKNOWN_SECONDS = 1.0
# A stage of a notebook takes several times as long as a hidden stage: the copy of a project.
STAGES_PER_HIDDEN = 4
# The rank of a stage: the seconds from its start to the end of the run, negative; place; name.
Rank = tuple[float, int, str]


class Schedule:
    """The state of each stage of a plan, and the stages that may start next.

    A change of a state is noted with the stages that need the changed stage, not by a look at all:
    an experiment has thousands.

    Args:
        tasks: the plan; each stage comes after the stages it needs.
        jobs: how many stages may run at a time; one hidden stage runs beside up to four.
        seconds: how long stages took earlier, by name.
        keep_going: after a failure, start stages that do not depend on the failed stage.
        memory: how much stages needed earlier, by name, in bytes; a declared need counts more.

    Attributes:
        states: the state of each stage.
        causes: why stages were not run.
        waiting: how many stages wait, hidden stages not counted.
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
        # Of stages that are shown (False), and of hidden stages (True).
        self._running: dict[bool, set[str]] = {False: set(), True: set()}
        self._ready: dict[bool, list[Rank]] = {False: [], True: []}  # in order
        self._is_any_broken = False
        remaining = _remaining_seconds(list(self.tasks.values()), seconds)
        # The longest way to the end first; of equal ways, that of the stage declared first.
        self._ranks: dict[str, Rank] = {
            n: (-remaining[n], place, n) for place, n in enumerate(self.tasks)
        }
        self._dependents: dict[str, list[str]] = {name: [] for name in self.tasks}
        for task in self.tasks.values():
            for name in task.after:
                self._dependents[name].append(task.name)
        self._undone = {task.name: len(task.after) for task in self.tasks.values()}
        # Places of stages to decide about, in topological order; more come with each change.
        self._names = list(self.tasks)
        self._undecided = [place for place, name in enumerate(self.tasks) if not self._undone[name]]
        self._changed: dict[str, None] = {}
        self.waiting = sum(not task.hidden for task in self.tasks.values())

    def ready(self, available: Callable[[], float] = lambda: inf) -> list[Task]:
        """Return the stages to start now; the longest way to the end comes first.

        A stage waits while the need for memory exceeds the memory available now, or, together with
        the needs of the running stages, the memory that was available when none ran. A stage that
        would run alone always starts. Hidden stages take neither a place nor memory: they prepare
        other stages while the running stages wait for something.

        Args:
            available: tells how much memory is available, in bytes; asked if a stage could start.
        """
        self._settle()
        places = -(-self.jobs // STAGES_PER_HIDDEN) - len(self._running[True])
        hidden = self._ready[True][:places]
        return [*(self.tasks[name] for *_, name in hidden), *self._fitting(available)]

    def _fitting(self, available: Callable[[], float]) -> list[Task]:
        """Return the stages, hidden stages left out, for which there is a place and memory."""
        running, ready = self._running[False], self._ready[False]
        if len(running) >= self.jobs or not ready:
            return []
        now = available()
        if not running:
            self._capacity = now
        used = sum(self._needs[name] for name in running)
        room = min(now, self._capacity - used)
        chosen: list[Task] = []
        for *_, name in ready:
            if len(running) + len(chosen) >= self.jobs:
                break
            need = self._needs[name]
            if need <= room or not (running or chosen):
                chosen.append(self.tasks[name])
                room -= need
        return chosen

    def set(self, name: str, state: str) -> None:
        """Note a stage's state; after a failure nothing new starts, unless told to go on."""
        self._note(name, state)
        if state in BROKEN:
            self._is_any_broken = True
            if not self.keep_going:
                self.stop(f"{name} {FAILURES[state]}")

    def stop(self, cause: str) -> None:
        """Start nothing any more."""
        for name, state in self.states.items():
            if state == WAITING:
                self._skip(name, cause)

    def any_broken(self) -> bool:
        """Return whether a stage has failed so far."""
        return self._is_any_broken

    def take_changes(self) -> list[str]:
        """Return the stages whose states have changed since the last call."""
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def _note(self, name: str, state: str) -> None:
        before, self.states[name] = self.states[name], state
        self._changed[name] = None
        hidden = self.tasks[name].hidden
        running, ready = self._running[hidden], self._ready[hidden]
        if before == WAITING:
            self.waiting -= not hidden
            place = bisect_left(ready, self._ranks[name])
            if ready[place : place + 1] == [self._ranks[name]]:
                del ready[place]
        (running.add if state == RUNNING else running.discard)(name)
        for dependent in self._dependents[name]:
            self._undone[dependent] -= state in DONE
            if not self._undone[dependent] or state in (*BROKEN, NOT_RUN):
                heappush(self._undecided, self._ranks[dependent][1])

    def _settle(self) -> None:
        """Decide about stages of whose inputs more is known: skipped, unchanged, or ready."""
        while self._undecided:
            task = self.tasks[self._names[heappop(self._undecided)]]
            if self.states[task.name] != WAITING:
                continue
            broken = [name for name in task.after if self.states[name] in (*BROKEN, NOT_RUN)]
            if broken:
                name = min(broken)
                cause = self.causes.get(name) or f"{name} {FAILURES[self.states[name]]}"
                self._skip(task.name, cause)
            elif not task.changed and all(map(self._left_alone, task.after)):
                self._note(task.name, UNCHANGED)
            else:
                insort(self._ready[task.hidden], self._ranks[task.name])

    def _left_alone(self, name: str) -> bool:
        # A hidden stage's results were brought up to date before the plan was made.
        return self.states[name] == UNCHANGED or (
            self.tasks[name].hidden and self.states[name] in DONE
        )

    def _skip(self, name: str, cause: str) -> None:
        self.causes[name] = cause
        self._note(name, NOT_RUN)


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
