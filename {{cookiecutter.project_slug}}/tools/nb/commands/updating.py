"""Command `nb update`: brings a project to another version of the template, or to other answers."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.project import LOCK_FILES, NbError, UsageError
from nb.surroundings import project_prefix
from nb.terminal import echo, secho
from nb.wording import enumerated

if TYPE_CHECKING:
    from nb.update.pending import PendingWork
    from nb.update.preparing import UpdatePlan, UpdateRequest

# Lines of the changelog that are shown.
NEWS = 12


@click.command("update")
@click.argument("more", nargs=-1, metavar="[QUESTION=ANSWER]...")
@click.option("--to", default="", help="A version, tag, branch or commit; by default the newest.")
@click.option(
    "--answers",
    multiple=True,
    metavar="QUESTION=ANSWER",
    help="Change answers to the template's questions; several may follow.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show the changes; change nothing.")
@click.option("--continue", "goes_on", is_flag=True, help="Go on after conflicts were resolved.")
@click.option("--abort", is_flag=True, help="Put everything back as it was before the update.")
@click.option("--template", default="", help="The template's address, if it has moved.")
@click.option("--from", "since", default="", help="The version that a project without record has.")
@click.option("--no-checks", is_flag=True, help="Leave out the set-up and the checks afterwards.")
@click.pass_obj
def update_command(
    root: Path,
    more: tuple[str, ...],
    to: str,
    answers: tuple[str, ...],
    dry_run: bool,
    goes_on: bool,
    abort: bool,
    template: str,
    since: str,
    no_checks: bool,
) -> None:
    """Bring the project to another version of the template.

    With --answers, also to other answers. Git merges the difference between the template then and
    now into the project, as one commit; conflicts stand in the files. tools/ is replaced as a
    whole.

    \b
    Examples:
      nb update --dry-run
      nb update
      nb update --to 0.2.0
      nb update --answers storage=s3://bucket/data scheduler=Dagster
    """
    from nb.update import merging, pending
    from nb.update.preparing import UpdateRequest

    if goes_on + abort + dry_run > 1 or ((goes_on or abort) and (to or answers or more or since)):
        raise UsageError("--continue, --abort and --dry-run stand alone: nb update --help")
    with pending.update_lock(root) as lock:
        waiting = pending.read_state(root)
        if abort:
            _abort(root, waiting)
            return
        state: PendingWork | None
        if goes_on:
            state = _continue(root, waiting, lock)
        else:
            if said := merging.put_back_unfinished(root):
                echo(said, err=True)
            request = UpdateRequest(to, since, template, _typed((*answers, *more)))
            state = _update(root, request, lock, dry_run)
        if state:
            _afterwards(root, state, no_checks)


def _typed(answers: tuple[str, ...]) -> dict[str, str]:
    for answer in answers:
        if "=" not in answer:
            raise UsageError(f"{answer!r} is no answer: --answers QUESTION=ANSWER")
    return dict(answer.split("=", 1) for answer in answers)


def _required_update(waiting: PendingWork | None) -> PendingWork:
    from nb.update import pending

    if waiting is None:
        raise NbError("no update is under way")
    if waiting.work != pending.UPDATE:
        raise NbError("an adoption is under way: nb adopt --continue")
    return waiting


def _abort(root: Path, waiting: PendingWork | None) -> None:
    from nb.git.kept_outputs import keep_outputs
    from nb.update import pending

    waiting = _required_update(waiting)
    if pending.head_commit(root) != waiting.head:
        raise NbError(
            f"the update is committed already; git reset --hard {waiting.head[:12]} takes it back, "
            "with all that was committed since"
        )
    with keep_outputs(root, edits_return=False):
        kept = pending.take_back(root, waiting)
    echo(f"The project is as it was before the update.{kept}")


def _continue(root: Path, waiting: PendingWork | None, lock: int) -> PendingWork:
    from nb.git.kept_outputs import keep_outputs
    from nb.update import merging

    waiting = _required_update(waiting)
    with keep_outputs(root, edits_return=False):
        merging.finish(root, waiting, lock)
    return waiting


def _update(root: Path, request: UpdateRequest, lock: int, dry_run: bool) -> PendingWork | None:
    from tempfile import TemporaryDirectory

    from nb.update import merging, pending
    from nb.update.preparing import keep_edits, prepare

    before = pending.head_commit(root)
    if not dry_run:
        merging.require_quiet(root)
    with TemporaryDirectory(prefix="nb-update-", ignore_cleanup_errors=True) as scratch:
        echo("Rendering both versions of the template …", err=True)
        ask = _ask if sys.stdin.isatty() and not dry_run else None
        plan = prepare(root, request, Path(scratch), ask)
    if plan is None:
        echo("The project is up to date with the template.")
        return None
    _show(root, plan)
    if dry_run:
        echo("Nothing was changed.")
        return None
    patch = keep_edits(root, plan.difference, before)
    if patch:
        name = patch.relative_to(root).as_posix()
        echo(f"Your edits of tools/ are replaced; they are kept in {name}")
    merging.require_quiet(root)
    return _merge(root, plan, before, lock)


def _merge(root: Path, plan: UpdatePlan, before: str, lock: int) -> PendingWork:
    from nb.git.kept_outputs import keep_outputs
    from nb.update import merging, pending

    environment = str(plan.answers.get("environment", "uv"))
    state = pending.PendingWork(
        *(before, plan.difference.commit, str(plan.old), str(plan.new), environment, plan.news)
    )
    with keep_outputs(root, edits_return=False):
        conflicts = merging.merge_rendering(root, state, lock)
    if conflicts:
        raise NbError(f"in conflict: {', '.join(conflicts)}; {merging.RESOLVE}")
    return state


def _ask(text: str, default: str | bool, choices: list[str]) -> str | bool:
    if isinstance(default, bool):
        return click.confirm(text, default=default)
    kind = click.Choice(choices) if choices else str
    answer: str = click.prompt(text, default=default, type=kind)
    return answer


def _show(root: Path, plan: UpdatePlan) -> None:
    """Print what an update brings: versions, files, conflicts, new questions."""
    from nb.update import trees

    echo(f"template: {plan.old} → {plan.new}")
    changes = trees.template_changes(root, plan.difference)
    top = project_prefix(root)
    tooling = [name for name in changes if name.startswith(f"{top}{trees.REPLACED.as_posix()}/")]
    counts = Counter(changes.values())
    echo(
        f"files: {counts['A']} new, {counts['M']} changed, {counts['D']} removed; "
        f"{len(tooling)} of them in tools/, which is replaced as a whole"
    )
    yours = [name for name in changes if name.removeprefix(top).split("/")[0] in trees.USERS_GROUND]
    for title, names in (
        ("merged with your work", yours),
        ("edited in tools/", plan.difference.edited),
        ("deleted by you, stay deleted", plan.difference.deleted),
    ):
        if names:
            echo(f"{title}: {enumerated(names, 8)}")
    for question in plan.asked:
        echo(f"new question: {question} = {plan.answers[question]}")
    for question, answer in plan.dropped.items():
        echo(f"question that is gone: {question} = {answer}")
    conflicts = trees.expected_conflicts(root, plan.difference)
    if conflicts is not None:
        echo(f"conflicts: {', '.join(conflicts) or 'none'}")


def _afterwards(root: Path, state: PendingWork, no_checks: bool) -> None:
    """Set up and check the project with the tooling that it has now; print the news."""
    import subprocess

    from nb.update import merging

    secho(f"Updated: {state.old} → {state.new}", fg="green")
    for line in state.news[:NEWS]:
        echo(f"  {line}")
    if len(state.news) > NEWS:
        echo(f"  … and {len(state.news) - NEWS} lines more in the template's CHANGELOG.md")
    bootstrap = root / "tools" / "bootstrap.py"
    if no_checks or not bootstrap.is_file():
        return
    # This process holds modules of the tooling before; from here on, programs do the work.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    python = getattr(sys, "_base_executable", sys.executable)
    setup = [python, "-I", str(bootstrap), state.environment]
    if subprocess.call(setup, cwd=root, env=environment):
        raise NbError(
            "the update is committed, but the set-up failed (its message is above): make setup; "
            f"or back to before the update: git reset --hard {state.head[:12]}"
        )
    changed = merging.changed_files(root, LOCK_FILES)
    if changed:
        merging.add_to_last_commit(root, changed)
    programs = root / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    for command in ("doctor", "check", "status"):
        secho(f"nb {command}", bold=True)
        if subprocess.call([str(programs / "nb"), command], cwd=root, env=environment):
            echo(f"nb {command} has findings, above; the update itself is complete.")
