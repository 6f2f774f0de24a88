"""A stage of a run: first record, reproduction by DVC in a worker, verdict and exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nb import pipeline
from nb.declaration.papermill_command import papermill_command
from nb.declaration.tasks import BROKEN_CONTRACT, KILLED, OUT_OF_MEMORY, TIMED_OUT, Outcome, Task
from nb.execution.failures import Cause, failed_cell, find_cause
from nb.exit_codes import ExitCode
from nb.pipeline.loaded import LoadedPipeline
from nb.pipeline.repository import rehearse
from nb.runtime.handles import StageAtWork
from nb.runtime.worker import Order

from .record import StageRecord

# Exit codes of the states in which a stage may end; others depend on the cause.
CODES = {
    TIMED_OUT: ExitCode.TIMED_OUT,
    KILLED: ExitCode.KILLED,
    OUT_OF_MEMORY: ExitCode.KILLED,
    BROKEN_CONTRACT: ExitCode.BROKEN_CONTRACT,
}


def stage_record(task: Task) -> StageRecord:
    """Return the record of a stage that was not looked at yet."""
    call = papermill_command(task.command, task.folder)
    parameters = dict(task.parameters)
    return StageRecord(
        task.name, notebook=call.notebook, executed=call.executed, parameters=parameters
    )


def verdict(
    ended: StageAtWork, outcome: Outcome, executed: Path | None, timeout: float | None
) -> Cause:
    """Return the state of a stage that ended, with the cause of a failure.

    Args:
        outcome: the outcome as DVC reports.
        executed: the executed copy.
        timeout: the limit of time, in seconds.
    """
    if outcome.state:
        cause = outcome.error if outcome.state == BROKEN_CONTRACT else ""
        return Cause(outcome.state, cause)
    if ended.timed_out:
        found = failed_cell(executed, ended.started) if executed else None
        return Cause(TIMED_OUT, f"ran longer than {timeout:g} s", found[1] if found else None)
    if ended.interrupted is not None:
        return Cause(KILLED, "interrupted")
    return find_cause(outcome, executed, ended.started, ended.oom_kills, ended.tail)


def first_exit_code(broken: Sequence[StageRecord], *, is_usage: bool) -> int:
    """Return the exit code of the first failure.

    Args:
        broken: the stages that failed.
        is_usage: papermill refused the first command before a kernel started.
    """
    if not broken:
        return ExitCode.DONE
    first = min(broken, key=lambda stage: stage.ended or "")
    return CODES.get(first.state, ExitCode.USAGE if is_usage else ExitCode.FAILED)


class StageReproducer:
    """Has DVC reproduce stages in a worker, and loads the pipeline once for all of them.

    Args:
        loaded: the pipeline as this process loaded it; a fresh process loads it again.
    """

    def __init__(self, loaded: LoadedPipeline | None = None) -> None:
        self.loaded = loaded

    def __reduce__(self) -> tuple[type[StageReproducer], tuple[()]]:
        return StageReproducer, ()

    def __call__(
        self, order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Outcome:
        """Have DVC bring the stage of an order up to date.

        Args:
            order: the stage, and the options of the run.
            tell: called with each line that DVC has to say.
            stopped: whether to give up waiting for another process.
        """
        root = Path(order.root)
        if self.loaded is None or not self.loaded.is_of(root):
            self.loaded = rehearse(root)
        return pipeline.reproduce(
            root,
            order.stage,
            force=order.force,
            pull=order.pull,
            tell=tell,
            stopped=stopped,
            persisted=order.persisted,
            loaded=self.loaded,
        )
