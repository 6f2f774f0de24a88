"""Tasks of a run plan, their states, and the outcome of a reproduced stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field

# States of stages. A stage may run only after all stages before it are `DONE`.
RAN, UNCHANGED, RESTORED = "ran", "unchanged", "restored"
FAILED, TIMED_OUT, KILLED, OUT_OF_MEMORY = "failed", "timed out", "killed", "out of memory"
BROKEN_CONTRACT = "broken contract"
NOT_RUN, RUNNING, WAITING = "not run", "running", "waiting"
DONE = (RAN, UNCHANGED, RESTORED)
# Commands that bring stages up to date.
NB_RUN, UNFREEZE = "nb run", "dvc unfreeze"
# The states of a stage that failed, each as the verb of a message.
FAILURES = {
    FAILED: "failed",
    TIMED_OUT: "timed out",
    KILLED: "was killed",
    OUT_OF_MEMORY: "ran out of memory",
    BROKEN_CONTRACT: "broke its contract",
}
BROKEN = tuple(FAILURES)


def group_of(stage: str) -> str:
    """Return the name of a stage in `dvc.yaml`: `train` for `train@forest`, a value of a matrix."""
    return stage.partition("@")[0]


@dataclass(frozen=True)
class Task:
    """A stage of a plan.

    Attributes:
        name: the name in the run, as DVC addresses the stage.
        command: the command line; empty for data that DVC merely tracks.
        folder: the working directory of the command, relative to the root.
        after: the stages of the plan that make the inputs.
        changed: the stage is stale even if no stage upstream runs.
        parameters: the values of the parameters, by name.
        hidden: part of the machinery or unchanged data, shown only after a failure.
        memory: the declared need of memory, in bytes.
        persisted: outputs that DVC keeps before a run, as absolute paths.
        stage: the name as DVC addresses the stage, where `name` also tells of the project copy.
        project: the root of the project copy that the stage runs in; empty for the run's own.
    """

    name: str
    _: KW_ONLY
    command: str = ""
    folder: str = ""
    after: frozenset[str] = frozenset()
    changed: bool = True
    parameters: Mapping[str, object] = field(default_factory=dict)
    hidden: bool = False
    memory: int | None = None
    persisted: tuple[str, ...] = ()
    stage: str = ""
    project: str = ""

    @property
    def address(self) -> str:
        """The name as DVC addresses the stage."""
        return self.stage or self.name


@dataclass(frozen=True)
class Outcome:
    """The outcome of reproducing a stage.

    Attributes:
        state: ran, restored or unchanged; broken contract, if the command did not write a declared
            output; empty after a failure.
        status: the exit status of a failed command; negative for a signal.
        error: the error in one line.
        written: the lines of stages that were written into lock files, by path and by name.
    """

    state: str = ""
    status: int | None = None
    error: str = ""
    written: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class StageState:
    """The staleness of a stage.

    Attributes:
        name: the name as DVC addresses the stage, `train@forest` for a value of a matrix.
        reasons: the changes, in words; empty if there are none.
        after: the stale stages upstream: this stage also runs if their results change.
        command: the command that brings the stage up to date; `dvc unfreeze` for a frozen stage,
            which `nb run` skips.
    """

    name: str
    reasons: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    command: str = NB_RUN


def with_downstream(tasks: Iterable[Task], is_chosen: Callable[[Task], bool]) -> set[str]:
    """Return the chosen tasks and all that depend on them; the tasks are in topological order."""
    found: set[str] = set()
    for task in tasks:
        if is_chosen(task) or found & task.after:
            found.add(task.name)
    return found
