"""Run the pipeline: DVC decides what is stale and keeps the results, stages run side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from . import contract, fingerprints, pipeline, record, trace
from .pipeline import StageState
from .project import NbError, program_environment
from .record import RunRecord
from .runner import Options, Runner
from .schedule import DONE, Task
from .view import View

RUN_LOCK = Path(".nb/run.lock")


def execute(root: Path, options: Options, view: View) -> RunRecord | None:
    """Bring stages up to date and return the record of it; None if the pipeline has no stage.

    Raises:
        NbError: if the pipeline cannot be read, or the run was interrupted before it began.
    """
    try:
        environment: dict[str, str] = {}
        if options.verify:
            options, environment = _verification(root, options, view)
        missing = _obstacles()
        if missing:
            view.note(f"running one by one, with dvc repro: {missing}")
            return _run_plainly(root, options, environment)
        with _only_run(root, view):
            record.tidy(root)
            tasks = _plan(root, options, view.note)
            if all(task.hidden for task in tasks):
                return None
            done = Runner(root, options, tasks, view, environment).run()
            if options.verify:
                _tell_verified(root, done, view)
            return done
    except KeyboardInterrupt:
        raise NbError("interrupted before anything was started", 130) from None


def preview(root: Path, options: Options) -> list[StageState]:
    """Return the stages that would run, or may, and why."""
    fingerprints.refresh(root)
    tasks = _plan(root, options, lambda line: None)
    states = {state.name: state for state in pipeline.stage_states(root)}
    shown: list[StageState] = []
    for task in tasks:
        state = states.get(task.name) or StageState(task.name)
        after = [name for name in state.after if any(other.name == name for other in tasks)]
        reasons = state.reasons if task.changed else []
        if task.changed and not reasons:
            reasons = ["forced"] if options.force else ["it is not what dvc.lock says"]
        if (reasons or after) and not task.hidden:
            shown.append(StageState(task.name, reasons, after))
    return shown


def _plan(root: Path, options: Options, tell: Callable[[str], None]) -> list[Task]:
    return pipeline.plan(
        root, options.stages, force=options.force, downstream=options.downstream, tell=tell
    )


def _obstacles() -> str:
    """Return why stages cannot run side by side here; empty if they can."""
    if os.name != "posix":
        return "this system cannot fork processes"
    missing = pipeline.missing_names()
    return f"this version of DVC has no {', no '.join(missing)}" if missing else ""


def _verification(root: Path, options: Options, view: View) -> tuple[Options, dict[str, str]]:
    """Return how to run stages so that each is held to its contract, and with which variables.

    Raises:
        NbError: if this system cannot.
    """
    if os.name != "posix":
        raise NbError("nb run --verify needs Linux or macOS; nb trace NOTEBOOK runs here, too", 2)
    seen = trace.best_view()
    if seen != trace.STRACE and options.jobs > 1:
        view.note(f"one stage at a time, to know whose a file is: {trace.VIEWS[seen]} do not tell")
        options = replace(options, jobs=1)
    return options, contract.prepare(root, pipeline.contracts(root), os.environ)


def _tell_verified(root: Path, done: RunRecord, view: View) -> None:
    names = set(contract.verified(root))
    rest = [stage.name for stage in done.stages if stage.state in DONE and stage.name not in names]
    count = "one stage" if len(names) == 1 else f"{len(names) or 'no'} stages"
    note = f"verified the contract of {count}, by {trace.VIEWS[trace.best_view()]}"
    hint = f"; {len(rest)} did not run (nb run --verify --force runs all)" if rest else ""
    view.note(f"{note}{hint}")


def _run_plainly(root: Path, options: Options, environment: Mapping[str, str]) -> RunRecord:
    """Leave all the work to `dvc repro`: one stage at a time, without the stages in the record."""
    flags = {
        "--force": options.force,
        "--keep-going": options.keep_going,
        "--downstream": options.downstream,
        "--pull": options.pull,
    }
    chosen = [flag for flag, given in flags.items() if given]
    command = [sys.executable, "-m", "dvc", "repro", *chosen, *options.stages]
    report = record.begin(root, asdict(options), 1)
    report.engine = "dvc repro"
    report.save(root)
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=root, env={**program_environment(), **environment})
    interrupted = False
    while process.returncode is None:
        try:
            process.wait()
        except KeyboardInterrupt:  # the terminal sends Ctrl-C to DVC, too: wait for it to tidy up
            interrupted = True
    code = 130 if interrupted else min(process.returncode, 1)
    report.finish(root, code, time.monotonic() - began)
    return report


@contextmanager
def _only_run(root: Path, view: View) -> Iterator[None]:
    """Wait until no other `nb run` is at work in this project.

    Workers inherit the lock: after `kill -9` of a runner it is free when the last of them ended.
    """
    import fcntl

    path = root / RUN_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            view.note(f"waiting for another nb run, process {file.read().strip()}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
