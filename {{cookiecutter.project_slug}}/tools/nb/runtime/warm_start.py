"""Use of the warm process by a run: imports for notebooks, stages that start without, forks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from functools import partial
from pathlib import Path

from nb.processes.events import EventLoop

from .warm_client import Warm, sets_environment_first, third_party_modules


class WarmStart:
    """The warm process as a run uses the process, and the tasks that start without.

    Args:
        warm: the process; None if all tasks start without.
        cold: the tasks that start without.
        note: called with a line for everybody.
        detail: called with a line for those who asked for details.

    Attributes:
        process: the process; None if there is none, or nothing to import.
        is_warming: the imports are under way.
    """

    def __init__(
        self,
        root: Path,
        warm: Warm | None,
        cold: Set[str],
        *,
        note: Callable[[str], None],
        detail: Callable[[str], None],
    ) -> None:
        self.root = root
        self.process = warm
        self.is_warming = False
        self._cold = set(cold)
        self._note = note
        self._detail = detail

    def begin(self, notebooks: Mapping[str, Path], environment: Mapping[str, str]) -> None:
        """Begin the imports of the notebooks of tasks that may run.

        Args:
            notebooks: the notebooks by task.
            environment: the environment variables of the stages.
        """
        if not self.process:
            return
        for name, path in notebooks.items():
            if sets_environment_first(self.root, path):
                self._cold.add(name)
                why = "it sets environment variables before it imports libraries"
                self._detail(f"{name} starts without warm imports: {why}")
        warmed = {path for name, path in notebooks.items() if name not in self._cold}
        if not warmed:
            self.process = None
            return
        self.process.preload(environment, third_party_modules(self.root, warmed))
        self.is_warming = True

    def serves(self, task: str) -> bool:
        """Return whether a task may be forked from the process now."""
        return not self.is_warming and task not in self._cold

    def fork(self, job: str, order: Mapping[str, object], files: list[int]) -> int | None:
        """Fork from the process; return None if there is none, or not yet."""
        if not self.process or not self.process.is_alive or self.is_warming:
            return None
        return self.process.fork(job, order, files)

    def watch(self, events: EventLoop) -> None:
        """Have the ends of workers, and that of the imports, end a wait of the loop."""
        if self.process:
            events.watch(self.process, partial(self._listen, self.process, events))

    def _listen(self, warm: Warm, events: EventLoop) -> None:
        """Note the ends of workers, and that imports are done; without the process, go on."""
        events.forget(warm)
        if not warm.listen():
            if self.is_warming:
                self._note("kernels start cold: the process with warm imports ended")
            self.is_warming = False
            return
        if self.is_warming and warm.is_ready():
            self.is_warming = False
            for name, why in warm.excluded.items():
                self._detail(f"each notebook imports {name} by itself: {why}")
        self.watch(events)


def expect_imports(warm: Warm, notebooks: Iterable[Path], environment: Mapping[str, str]) -> None:
    """Begin the imports of notebooks that are sure to run, while the run is still planned.

    Args:
        environment: the environment variables that the stages will have.
    """
    warmed = [path for path in notebooks if not sets_environment_first(warm.root, path)]
    if warmed:
        warm.expect(environment, third_party_modules(warm.root, warmed))
