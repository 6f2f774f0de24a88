"""One stage as a task of an outside scheduler; the whole pipeline from the run cache.

A task runs its own stage only: results of earlier stages are taken from the run cache, which
the storage shares between machines.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nb import pipeline
from nb.declaration.tasks import RESTORED, Task, group_of
from nb.declaration.validation import check_parameter_files
from nb.notebook import fingerprints
from nb.pipeline import Plan, storage
from nb.project import NbError, UsageError
from nb.wording import count

from . import executed_copies
from .lock import shared_lock
from .page_process import RunPrograms
from .pipeline_run import interrupted_early, started_warm_process
from .record import RUNS, Options, RunRecord
from .runner import Runner
from .stage import StageReproducer
from .view import View


class NotSentError(NbError):
    """A stage is done, but the results are on this machine only."""


@interrupted_early("interrupted")
def execute_task(
    root: Path, options: Options, view: View, programs: RunPrograms, *, push: bool
) -> RunRecord:
    """Bring the stage that `options` name up to date, and return the record.

    Args:
        options: the stage; with `pull`, missing results come from the storage.
        push: send the results to the storage, with their entry in the run cache.

    Raises:
        NbError: if there is no such stage, an earlier stage was not computed, or the storage is out
            of reach.
    """
    with (
        shared_lock(root, view) as lock,
        started_warm_process(root, options, programs, lock) as warm,
    ):
        if options.pull:
            storage.fetch_run_cache(root, view.note)
        elif push:  # better known before hours of work than after
            storage.require_storage(root)
        plan = _plan(root, options.stages, view)
        *before, task = _one_stage(plan, *options.stages)
        check_parameter_files(root, [task], plan.made)
        names = [other.name for other in before]
        states = pipeline.restore(root, names, pull=options.pull, tell=view.note)
        restored = [name for name, state in states.items() if state == RESTORED]
        if restored:
            view.note(f"restored from the run cache: {', '.join(restored)}")
        # The plan was made before results were restored.
        changed = task.changed or bool(restored) or options.pull or options.force
        alone = replace(task, after=frozenset(), changed=changed)
        reproduce, pages = StageReproducer(plan.loaded), programs.make_pages
        runner = Runner(root, options, [alone], view, {}, pages, reproduce, warm, lock=lock)
        done = runner.run()
        if runner.ended:
            pipeline.sort_locks(root, plan.order, view.note)
        executed_copies.note_and_pull_copies(root, done, view.note, pull=options.pull)
        if push and not done.exit_code:
            try:
                sent = storage.push_results(root, view.note, [task.name])
                sent += executed_copies.push_copies(root, view.note)
            except NbError as error:
                raise NotSentError(f"{task.name} is done, but not sent: {error}") from None
            view.note(f"sent {count(sent, 'file')} to the storage")
        return done


def restore_pipeline(root: Path, view: View, *, pull: bool) -> dict[str, str]:
    """Bring the whole pipeline up to date from the run cache, and run nothing.

    Returns:
        The state of each stage, unchanged or restored, by name.

    Raises:
        NbError: if a stage was not computed; those before it are up to date.
    """
    with shared_lock(root, view):
        if pull:
            storage.fetch_run_cache(root, view.note)
        plan = _plan(root, (), view)
        names = [task.name for task in plan.tasks if not task.hidden]
        states = pipeline.restore(root, names, pull=pull, tell=view.note)
        pipeline.sort_locks(root, plan.order, view.note)
        if pull:
            executed_copies.try_to_pull_copies(root, view.note)
    return states


def outcome(root: Path, done: RunRecord) -> dict[str, object]:
    """Return the outcome of a task, for machines."""
    from nb.declaration.reader import read_stages

    (stage,) = done.stages
    # A result that was computed elsewhere may come without its executed copy.
    is_there = "://" in stage.executed or (root / stage.executed).is_file()
    own = {
        path for found in read_stages(root) if found.name == stage.name for path in found.metrics
    }
    return {
        "stage": stage.name,
        "state": stage.state,
        "exit_code": done.exit_code,
        "cause": stage.cause,
        "cell": stage.cell,
        "notebook": stage.notebook,
        "executed": stage.executed if is_there else "",
        "parameters": stage.parameters,
        "metrics": {path: numbers for path, numbers in done.metrics.items() if path in own},
        "seconds": stage.seconds,
        "started": stage.started,
        "ended": stage.ended,
        "cpu_seconds": stage.cpu_seconds,
        "peak_memory": stage.peak_memory,
        "commit": done.commit,
        "record": (RUNS / f"{done.id}.json").as_posix(),
    }


def _plan(root: Path, targets: tuple[str, ...], view: View) -> Plan:
    missing = pipeline.missing_names()
    if missing:
        raise UsageError(f"this environment has no {', no '.join(missing)}: update the project")
    fingerprints.refresh(root)
    return pipeline.plan(root, targets, force=False, downstream=False, tell=view.note)


def _one_stage(plan: Plan, name: str) -> list[Task]:
    """Return the stages before the requested stage, then that stage."""
    group = [task.name for task in plan.tasks if group_of(task.name) == name != task.name]
    if group:
        raise UsageError(f"{name} stands for {', '.join(group)}: name one of them")
    tasks = [task for task in plan.tasks if not task.hidden]
    if not tasks or tasks[-1].name != name:
        raise UsageError(f"{name} is no stage that a task can run. All stages: nb stages")
    return tasks
