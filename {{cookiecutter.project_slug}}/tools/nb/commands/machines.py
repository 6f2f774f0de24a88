"""Commands for schedulers: stages as JSON, one stage as a task, dvc.lock of all their results."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nb.project import NbError
from nb.terminal import echo

from . import NO_NOTEBOOK, complete_stages, print_json, print_table
from .running import run_programs


@click.command("stages")
@click.option("--json", "as_json", is_flag=True, help="Print all properties of the stages as JSON.")
@click.pass_obj
def stages_command(root: Path, as_json: bool) -> None:
    """List the stages of the pipeline, each after its dependencies.

    With --json, also the facts for a scheduler: edges, commands, notebooks with their parameters,
    outputs and `meta`. Every value of a matrix is a stage.

    \b
    Examples:
      nb stages
      nb stages --json
    """
    from nb.run.scheduler_view import described_stages, stages_for_schedulers

    if as_json:
        print_json(stages_for_schedulers(root))
        return
    found = described_stages(root)
    print_table(found)
    if not found:
        echo(NO_NOTEBOOK, nl=False)


@click.command("task")
@click.argument("stage", shell_complete=complete_stages)
@click.option("--pull", is_flag=True, help="Fetch results of others from the storage.")
@click.option("--push", is_flag=True, help="Send the results to the storage.")
@click.option("-f", "--force", is_flag=True, help="Run even if it is up to date.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds it may run.")
@click.option("--cold", is_flag=True, help="Start the kernel anew, without warm imports.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_obj
def task_command(root: Path, /, stage: str, push: bool, as_json: bool, **chosen: Any) -> None:
    """Run one stage, as a task of a scheduler.

    STAGE is a name from dvc.yaml, `train@forest` for a value of a matrix. No other stage runs: the
    stages before it have to be computed, here or, with --pull, anywhere. If somebody has computed
    the stage itself, its results are restored. Tasks of one project may run side by side.

    On a machine that shares nothing but the storage, check out the commit and use both --pull and
    --push; `nb assemble --pull` makes dvc.lock of the results that all of them have sent.

    Exit codes are those of `nb run`.

    \b
    Examples:
      nb task train@forest                  in a folder that all workers see
      nb task train@forest --pull --push    on a machine of its own
      nb task train@forest --json           the outcome on standard output, the rest on the other
    """
    from nb.run import record
    from nb.run.task import NotSentError, execute_task, outcome
    from nb.run.view import View, failure_line

    options = record.Options(stages=(stage,), **chosen)
    try:
        view = View(sys.stderr if as_json else sys.stdout)
        done = execute_task(root, options, view, run_programs(), push=push)
    except NbError as error:
        if as_json:
            state = "not sent" if isinstance(error, NotSentError) else "not run"
            found = {"stage": stage, "state": state, "exit_code": error.exit_code}
            print_json({**found, "cause": str(error)})
        raise
    found = outcome(root, done)
    if as_json:
        print_json(found)
    elif not done.exit_code:
        echo(_task_line(found))
    if done.broken():
        raise NbError(click.unstyle(failure_line(done.broken()[0])), done.exit_code or 1)
    if done.exit_code:
        raise NbError(done.problem(), done.exit_code)


def _task_line(found: Mapping[str, object]) -> str:
    """Return the outcome of a task: `train@forest  restored from the run cache`."""
    from nb.declaration.tasks import RAN, RESTORED

    words = {RAN: f"ran; see {found['executed']}", RESTORED: "restored from the run cache"}
    words[RAN] = words[RAN] if found["executed"] else "ran"
    return f"{found['stage']}  {words.get(str(found['state']), found['state'])}"


@click.command("assemble")
@click.option("--pull", is_flag=True, help="Fetch results of others from the storage.")
@click.option("--json", "as_json", is_flag=True, help="Print the state of each stage as JSON.")
@click.pass_obj
def assemble_command(root: Path, pull: bool, as_json: bool) -> None:
    """Make dvc.lock of results computed elsewhere; run nothing.

    The same bytes as after a run on one machine. Exits with 1 if a stage was not computed.

    \b
    Examples:
      nb assemble --pull      after tasks on several machines
      nb assemble             after tasks in this folder
    """
    from nb.run.task import restore_pipeline
    from nb.run.view import View

    states = restore_pipeline(root, View(sys.stderr if as_json else sys.stdout), pull=pull)
    if as_json:
        print_json(states)
    else:
        print_table(states.items())
