"""Run of the pipeline, stages side by side or else by `dvc repro`, and the preview of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nb import pipeline, uptodate
from nb.declaration.tasks import DONE, UNCHANGED, StageState
from nb.declaration.validation import check_parameter_files
from nb.exit_codes import ExitCode, after_signal, as_exit_code
from nb.notebook.content import notebooks_below
from nb.pipeline import Plan, storage
from nb.processes.garbage import no_collection
from nb.processes.signals import handle_signals
from nb.processes.start_method import SPAWN, start_method
from nb.processes.tree import adopt_orphans, end_descendants
from nb.programs import program_environment, program_path
from nb.project import PRODUCTION, NbError, UsageError
from nb.runtime.warm_client import COLD, Warm
from nb.tracing import contract, trace
from nb.tracing.log import STRACE

from . import executed_copies, record
from .lock import exclusive_lock, remove_leftovers
from .page_process import RunPrograms
from .record import Options, RunRecord, data_without_secrets, stages_without_secrets
from .runner import ENDING, Runner
from .stage import StageReproducer, stage_record
from .view import View


@dataclass(frozen=True)
class EndedRun:
    """A run that has ended.

    Attributes:
        record: the record of the run.
        remember: writes a stamp if everything is up to date: until a file is touched, the next
            run need not ask DVC. The argument: the files made of the results.
    """

    record: RunRecord
    remember: Callable[[list[str]], None] = lambda made: None


@contextmanager
def interrupted_early(problem: str = "interrupted before anything was started") -> Iterator[None]:
    """End the command on a Ctrl-C while no runner is at work to note the signal.

    Raises:
        NbError: with the exit code of an interrupt.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise NbError(problem, ExitCode.INTERRUPTED) from None


@interrupted_early()
def execute_pipeline(
    root: Path, options: Options, view: View, programs: RunPrograms
) -> EndedRun | None:
    """Bring stages up to date and return the run; None if the pipeline has no stage.

    Raises:
        NbError: if the pipeline cannot be read, or on an interrupt before the first stage.
    """
    if options.verify:
        options = _options_for_verification(options, view)
    with (
        exclusive_lock(root, view) as lock,
        started_warm_process(root, options, programs, lock) as warm,
    ):
        with no_collection():  # DVC is imported
            missing = pipeline.missing_names()
        if missing:
            lacks = f"this environment has no {', no '.join(missing)}"
            return _run_plainly(root, options, view, lacks)
        return _run_side_by_side(root, options, view, programs, warm, lock)


def _run_side_by_side(
    root: Path,
    options: Options,
    view: View,
    programs: RunPrograms,
    warm: Warm | None,
    lock: int,
) -> EndedRun | None:
    remove_leftovers(root)
    if options.pull:
        storage.fetch_run_cache(root, view.note)
    began = uptodate.file_system_time(root)
    plan = pipeline.plan(
        root, options.stages, force=options.force, downstream=options.downstream, tell=view.note
    )
    planned = uptodate.file_system_time(root)
    if all(task.hidden for task in plan.tasks):
        return None
    check_parameter_files(root, (task for task in plan.tasks if task.changed), plan.made)
    if any(task.changed for task in plan.tasks):
        uptodate.remove_stamp(root)
    reproduce = StageReproducer(plan.loaded)
    shell, pages = _shell_variables(root, options), programs.make_pages
    runner = Runner(root, options, plan.tasks, view, shell, pages, reproduce, warm, lock=lock)
    done = runner.run()
    if options.verify:
        _tell_verified(root, done, view)
    if runner.ended:
        try:
            pipeline.sort_locks(root, plan.order, view.note)
        except KeyboardInterrupt:
            view.note("interrupted; dvc.lock is complete, but not in order")
    executed_copies.note_and_pull_copies(root, done, view.note, pull=options.pull)
    if plan.watched and runner.all_done():
        # The plan was made with fingerprints that were brought up to date meanwhile.
        ended = {pipeline.FINGERPRINT_STAGE: planned, **runner.ended}
        seen = (root, plan.watched, began, ended, _stamp_content(plan, done))
        ours = partial(pipeline.hold_only, plan.watched.locks, runner.written)
        return EndedRun(done, partial(uptodate.write_stamp, *seen, locks_are_ours=ours))
    return EndedRun(done)


def _stamp_content(plan: Plan, done: RunRecord) -> dict[str, object]:
    """Return the facts that a stamp keeps for a run that finds nothing touched."""
    tasks = [task for task in plan.tasks if not task.hidden]
    whole = {task.name for task in tasks} >= set(plan.shown)
    stages = [replace(stage_record(task), state=UNCHANGED) for task in tasks]
    return {
        "stages": stages_without_secrets(stages),
        "metrics": data_without_secrets(done.metrics),
        "shown": plan.shown if whole else None,
    }


def preview_run(root: Path, options: Options) -> list[StageState]:
    """Return the stages that would run, or may, and why."""
    tasks, found = pipeline.preview(
        root, options.stages, force=options.force, downstream=options.downstream
    )
    names = {task.name for task in tasks}
    states = {state.name: state for state in found}
    shown: list[StageState] = []
    for task in tasks:
        state = states.get(task.name) or StageState(task.name)
        after = [name for name in state.after if name in names]
        reasons = state.reasons if task.changed else []
        if task.changed and not reasons:
            reasons = ["forced"] if options.force else ["it is not what dvc.lock says"]
        if (reasons or after) and not task.hidden:
            shown.append(StageState(task.name, reasons, after, state.command))
    return shown


@contextmanager
def started_warm_process(
    root: Path, options: Options, programs: RunPrograms, lock: int
) -> Iterator[Warm | None]:
    """Start the warm process for a block if notebooks may run; yield None without that process."""
    is_cold = options.cold or os.environ.get(COLD, "0") not in ("", "0")
    if is_cold or start_method() == SPAWN or not notebooks_below(root / PRODUCTION):
        yield None
        return
    warm = Warm(root, programs.warm_process, [lock])
    try:
        yield warm
    finally:
        warm.close()


def _options_for_verification(options: Options, view: View) -> Options:
    """Return options with which the contract of each stage can be verified.

    Raises:
        NbError: if this system cannot.
    """
    if sys.platform == "win32":
        raise UsageError("nb run --verify needs Linux or macOS; nb trace NOTEBOOK runs here, too")
    seen = trace.best_view()
    if seen != STRACE and options.jobs > 1:
        view.note(f"one stage at a time, to know whose a file is: {trace.VIEWS[seen]} do not tell")
        options = replace(options, jobs=1)
    # The warm process is no descendant of the stage: nobody would see the files of the forks.
    return replace(options, cold=True)


def _shell_variables(root: Path, options: Options) -> dict[str, str]:
    """Return variables with which DVC runs commands in a shell that traces them (`--verify`)."""
    if not options.verify:
        return {}
    return contract.prepare_verification(root, pipeline.contracts(root), os.environ)


def _tell_verified(root: Path, done: RunRecord, view: View) -> None:
    names = set(contract.verified_stages(root))
    rest = [stage.name for stage in done.stages if stage.state in DONE and stage.name not in names]
    count = "one stage" if len(names) == 1 else f"{len(names) or 'no'} stages"
    note = f"verified the contract of {count}, by {trace.VIEWS[trace.best_view()]}"
    hint = f"; {len(rest)} did not run (nb run --verify --force runs all)" if rest else ""
    view.note(f"{note}{hint}")


def _run_plainly(root: Path, options: Options, view: View, why: str) -> EndedRun:
    """Run `dvc repro`: a stage at a time, without stages in the record."""
    pipeline.check_places(root)
    uptodate.remove_stamp(root)
    view.note(f"running one by one, with dvc repro: {why}")
    flags = {
        "--force": options.force,
        "--keep-going": options.keep_going,
        "--downstream": options.downstream,
        "--pull": options.pull,
    }
    chosen = [flag for flag, given in flags.items() if given]
    command = [program_path("dvc"), "repro", *chosen, *options.stages]
    report = record.new_record(root, options, jobs=1)
    report.engine = "dvc repro"
    report.save(root)
    began = time.monotonic()
    environment = {**program_environment(), **_shell_variables(root, options)}
    with _ends_descendants() as signals:
        # With --json only that is for standard output.
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=view.stream.fileno())
        code = process.wait()
    code = min(code, ExitCode.FAILED) if code >= 0 else as_exit_code(code)
    code = after_signal(signals[0]) if signals else code
    record.RunJournal(root).finish(report, code, time.monotonic() - began)
    executed_copies.note_and_pull_copies(root, report, view.note, pull=options.pull)
    return EndedRun(report)


@contextmanager
def _ends_descendants() -> Iterator[list[int]]:
    """Note signals in the block; kill all descendants at any but a first Ctrl-C.

    The terminal sends Ctrl-C to DVC, too, which then tidies up; after a second Ctrl-C nobody waits.
    """
    signals: list[int] = []

    def handle(number: int, _frame: object) -> None:
        signals.append(number)
        if signals != [signal.SIGINT]:
            end_descendants()

    adopt_orphans()
    with handle_signals(handle, ENDING):
        yield signals
