"""Commands that run the pipeline, or show the stages that would run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from nb.git import wiring
from nb.project import EXECUTED, INDEX, PRODUCTION, SITE, NbError
from nb.surroundings import find_repository
from nb.terminal import echo, secho, style

from . import NO_NOTEBOOK, complete_stages, note, print_json

if TYPE_CHECKING:
    from nb.declaration.tasks import StageState
    from nb.run.page_process import RunPrograms
    from nb.run.record import Options, RunRecord


@click.command("run")
@click.argument("stages", nargs=-1, shell_complete=complete_stages)
@click.option("-j", "--jobs", type=click.IntRange(1), help="Stages at a time; default: cores.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, go on with the rest.")
@click.option("-f", "--force", is_flag=True, help="Run stages that are up to date, too.")
@click.option("-n", "--dry-run", is_flag=True, help="List the stages that would run, and why.")
@click.option("--downstream", is_flag=True, help="STAGES and all stages that depend on them.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds a stage may run.")
@click.option("--pull", is_flag=True, help="Fetch missing data from the storage.")
@click.option("--verify", is_flag=True, help="Fail stages that use files they do not declare.")
@click.option("--cold", is_flag=True, help="Start each kernel anew, without warm imports.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="STAGE.PARAMETER=VALUE",
    help="Run with another value, in a copy of the project; repeatable.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show papermill's own lines and nb's notes.")
@click.option("--json", "as_json", is_flag=True, help="Print the record of the run as JSON.")
@click.pass_obj
def run_command(
    root: Path, /, dry_run: bool, as_json: bool, jobs: int | None, verbose: bool, **chosen: Any
) -> None:
    """Run the production notebooks that are stale, side by side.

    The report is made at the end. STAGES are names from dvc.yaml, of a matrix as a whole or of a
    single value; without any, the whole pipeline runs. The outcome of each stage is written to
    reports/runs.

    \b
    Exit codes: 0 done, 1 a stage failed, 2 wrong usage or parameters, 3 a contract is broken,
    124 timed out, 130 interrupted, 137 killed or out of memory, 143 terminated.

    \b
    Examples:
      nb run                  the stages that are stale
      nb run train            train and its dependencies
      nb run -f evaluate      evaluate and its dependencies, even if nothing changed
      nb run -j1 -k           one stage at a time, and on after a failure
      nb run --set train.seed=7 --set features.correlation_limit=0.9
      nb run --verify -f      all stages, held to their declarations in dvc.yaml
    """
    from nb import uptodate
    from nb.programs import cores
    from nb.run import record

    options = record.Options(jobs=jobs or cores(), **chosen)
    if options.settings:
        _run_apart(root, options, dry_run=dry_run, as_json=as_json, verbose=verbose)
        return
    asks_for_all = not (options.stages or options.force or options.downstream)
    known = uptodate.read_stamp(root) if asks_for_all else None
    if dry_run:
        _print_plan(root, options, known is not None, as_json=as_json)
    elif known:
        done = record.record_unchanged(root, options, known)
        if not (root / INDEX).exists():
            from nb import report

            report.build(root)
        _print_end(done, INDEX, as_json=as_json)
    else:
        _run(root, options, as_json=as_json, verbose=verbose)


def _print_plan(root: Path, options: Options, nothing: bool, *, as_json: bool) -> None:
    """Say which of the chosen stages would run, and why."""
    from nb.run.pipeline_run import preview_run

    states = [] if nothing else preview_run(root, options)
    if as_json:
        print_json([vars(state) for state in states])
    elif states:
        _print_states(states)
    else:
        echo("Nothing would run.")


def _run(
    root: Path, options: Options, *, as_json: bool, verbose: bool, where: Path = Path()
) -> None:
    """Run, make the report, and print the outcome; `where` is the root as the user sees it."""
    from nb import report
    from nb.run import record
    from nb.run.pipeline_run import execute_pipeline
    from nb.run.view import View

    view = View(sys.stderr if as_json else sys.stdout, verbose=verbose)
    done = execute_pipeline(root, options, view, run_programs())
    if done is None and as_json:
        nothing: dict[str, object] = {"stages": [], "metrics": {}}
        _print_end(record.record_unchanged(root, options, nothing), None, as_json=True)
        return
    if done is None:
        echo(_nothing_yet(root), nl=False)
        return
    if find_repository(root):
        wiring.settle_lock(root)
    report.build(root)
    done.remember([path.as_posix() for path in (EXECUTED, SITE)])
    _print_end(done.record, where / INDEX, as_json=as_json, where=where)


def _nothing_yet(root: Path) -> str:
    """Return the next step for a `dvc.yaml` without stages."""
    from nb.notebook.content import notebooks_below

    notebooks = notebooks_below(root / PRODUCTION)
    if not notebooks:
        return NO_NOTEBOOK
    name = notebooks[0].relative_to(root).as_posix()
    return f"dvc.yaml declares no stage, none for {name} either; see: nb check\n"


def _run_apart(
    root: Path, options: Options, *, dry_run: bool, as_json: bool, verbose: bool
) -> None:
    """Run with other parameters in a copy of the project, and say where that is."""
    from shutil import rmtree

    from nb.run import what_if

    settings = what_if.read_settings(root, options.settings)
    for setting in settings:
        if setting.others:
            shared = f"{', '.join(setting.others)}, too: {setting.config} is shared"
            note(f"{setting.name} is set for {shared}", err=True)
    copy = what_if.make_what_if_copy(root, settings)
    if dry_run:
        _print_plan(copy, options, nothing=False, as_json=as_json)
        rmtree(copy)
        return
    where = copy.relative_to(root)
    os.chdir(copy)
    try:
        _run(copy, options, as_json=as_json, verbose=verbose, where=where)
    finally:
        untouched = "dvc.lock and artifacts here are untouched"
        note(f"the results are in {where.as_posix()}; {untouched}", err=True)


def _print_end(done: RunRecord, index: Path | None, *, as_json: bool, where: Path = Path()) -> None:
    """Print the outcome of a run, and exit with the run's code."""
    from nb.run.view import summary

    if as_json:
        print_json(done.values())
    else:
        echo("\n".join(summary(done, where)))
    if index and not as_json:
        secho(f"Report: {index.as_posix()}", bold=True)
    if done.exit_code:
        raise NbError(done.problem(where), done.exit_code)


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print the states as JSON.")
@click.pass_obj
def status_command(root: Path, as_json: bool) -> None:
    """Say which stages are stale, and why.

    \b
    Examples:
      nb status
      nb status --json
    """
    from nb import uptodate
    from nb.declaration.tasks import StageState

    known = (uptodate.read_stamp(root) or {}).get("shown")
    if known:
        states = [StageState(name) for name in known]
    else:
        from nb.notebook import fingerprints
        from nb.pipeline import stage_states

        fingerprints.refresh(root)
        states = stage_states(root)
    if as_json:
        print_json([vars(state) for state in states])
        return
    if not states:
        echo(_nothing_yet(root), nl=False)
        return
    _print_states(states)
    echo("\n" + "\n".join(_summary(states)))


def _summary(states: Sequence[StageState]) -> Iterator[str]:
    """Say how many stages are stale, and which commands bring them up to date."""
    from nb.declaration.tasks import UNFREEZE

    stale = [state for state in states if state.reasons]
    frozen = [state for state in stale if state.command.startswith(UNFREEZE)]
    commands = dict.fromkeys(state.command for state in stale if state not in frozen)
    if not stale:
        yield "Nothing to run."
        return
    advice = f"; bring them up to date: {' && '.join(commands)}" if commands else ""
    yield f"stale: {len(stale)} of {len(states)} stages{advice}"
    for state in frozen:
        yield f"{state.name} is frozen, nb run leaves it as it is: {state.command}"


def _print_states(states: list[StageState]) -> None:
    width = max(len(state.name) for state in states)
    for state in states:
        echo(_state_lines(state, width))


def _state_lines(state: StageState, width: int) -> str:
    """Show a stage: the name, a word in color, and a line for each reason."""
    if state.reasons:
        word, reasons = style("stale", fg="red"), state.reasons
    elif state.after:
        word = style("waits", fg="yellow")
        reasons = [f"runs if the results of {', '.join(state.after)} change"]
    else:
        word, reasons = style("fresh", fg="green"), []
    indent = "\n" + " " * (width + 9)
    return f"{state.name:{width}}  {word}  {indent.join(reasons)}".rstrip()


def run_programs() -> RunPrograms:
    """Return the programs of a run, which know of the report and of DVC."""
    from nb.run.page_process import RunPrograms

    return RunPrograms(make_pages=_make_pages, warm_process="nb.commands.warm_process")


def _make_pages(root: Path, connection: int, leave: Callable[[], None] | None = None) -> NoReturn:
    from nb.report.page_maker import make_pages  # late: only the page maker needs the report

    make_pages(root, connection, leave)
