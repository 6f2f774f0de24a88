"""Commands for a clone: set-up, health, storage, Git with outputs kept, conflicts, CI, cleaning."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.exit_codes import ExitCode
from nb.git import wiring
from nb.terminal import echo, style
from nb.wording import byte_size, count

from . import note, print_json

if TYPE_CHECKING:
    from nb.check.health.diagnosis import Diagnosis

# Files that others can be made from.
LEFT_BY_RUNS = (
    "reports/site",
    ".nb/report",
    "reports/notebooks/*",
    ".nb/what-if/*",
    ".pytest_cache",
    ".ruff_cache",
)


@click.command("setup")
@click.pass_obj
def setup_command(root: Path) -> None:
    """Wire this clone: Git repository, notebook filter, diff, hooks.

    Safe to repeat. `make setup` makes the environment first and then calls this.

    \b
    Example:
      nb setup
    """
    from nb.notebook import fingerprints

    for change in wiring.wire(root) or ["nothing to do, the clone is wired"]:
        echo(f"setup: {change}")
    fingerprints.refresh(root)


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Make the repairs that are safe.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def doctor_command(root: Path, fix: bool, as_json: bool) -> None:
    """Check the health of this clone, or repair it with --fix.

    Exits with 1 if anything is wrong. Each line names a check; after a failed check, the next
    line is the command that repairs the clone.

    \b
    Examples:
      nb doctor
      nb doctor --fix
    """
    from nb.processes.garbage import no_collection

    with no_collection():  # most of the time goes into the imports of DVC
        from nb.check.doctor import examine, repair

        findings = list(examine(root))
    if fix:
        for command in repair(root, findings):
            echo(f"doctor: {command}", err=True)
        findings = list(examine(root))
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        _print_findings(findings)
    if any(finding.problem for finding in findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _print_findings(findings: list[Diagnosis]) -> None:
    for finding in findings:
        mark = style("✗", fg="red") if finding.problem else style("✓", fg="green")
        echo(f"{mark} {finding.name:17} {finding.problem or finding.detail}")
        if finding.problem and finding.repair:
            echo(f"  {'':17} → {finding.repair}")
    wrong = [finding for finding in findings if finding.problem]
    safe = sum(finding.is_safe for finding in wrong)
    hint = f"; `nb doctor --fix` repairs {safe}" if safe else ""
    echo(f"\n{len(wrong)} to repair{hint}." if wrong else "\nAll is well.")


@click.command("push")
@click.pass_obj
def push_command(root: Path) -> None:
    """Send results, executed copies and the run cache to the storage.

    Tracked data (dvc add) is sent, too. With the run cache others can take results instead of
    computing them: nb run --pull. With the executed copies and the records of their runs, a clone
    shows the same report. What is there already is not sent again, so after an interruption a
    second push sends the rest. Exits with 1 if files that dvc.lock names are neither here nor in
    the storage; the others are sent.

    \b
    Example:
      nb push
    """
    from nb.pipeline.storage import push_results
    from nb.run.executed_copies import push_copies

    count = push_results(root, note) + push_copies(root, note)
    echo(f"Sent {count} files." if count else "Everything is in the storage already.")


@click.command("pull")
@click.pass_obj
def pull_command(root: Path) -> None:
    """Fetch results and data that dvc.lock names from the storage.

    The run cache comes, too: results that anybody has computed and pushed are restored when inputs
    and parameters are the same. So do the executed copies, if they were pushed: nb report then
    shows the pages of the machine that ran.

    \b
    Example:
      nb pull
    """
    from nb.run.executed_copies import pull_results_and_copies

    count = pull_results_and_copies(root, note)
    echo(f"Fetched {count} files." if count else "Everything is here already.")


@click.command("sync", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def sync_command(root: Path, command: tuple[str, ...]) -> None:
    """Pull, and keep the outputs in your notebooks.

    COMMAND is any Git command that changes the work tree; `pull` if it is left out. Outputs are put
    back where the code is unchanged.

    \b
    Examples:
      nb sync
      nb sync checkout main
      nb sync rebase origin/main
    """
    from nb.git.kept_outputs import run_git

    kept = run_git(root, command or ["pull"])
    if kept.restored:
        note(f"kept the outputs of {', '.join(kept.restored)}")
    if kept.waiting:
        note(f"outputs of {', '.join(kept.waiting)} wait for it in .nb/outputs")
    if kept.later:
        note(f"outputs of edited cells wait for the edits: {', '.join(kept.later)}")
    if kept.dropped:
        note(f"dropped outputs of cells that were replaced: {', '.join(kept.dropped)}")


@click.command("resolve")
@click.pass_obj
def resolve_command(root: Path) -> None:
    """Resolve a conflict in dvc.lock, stage by stage.

    The merged file is added to the index. Where both sides changed a stage, ours is kept; `nb run`
    then runs the stages that are stale.

    \b
    Example:
      nb resolve
    """
    from nb.git.merge_lock import resolve_locks

    for name in resolve_locks(root):
        note(f"{name} is resolved; after the merge, run: nb run")


@click.command("workflows")
@click.pass_obj
def workflows_command(root: Path) -> None:
    """Copy the project's CI to the top of the repository.

    For a project in a folder of a repository: GitHub and GitLab read only the files at the top. The
    copies work in the folder, and start for changes there. Files that are there already stay.

    \b
    Example:
      nb workflows
    """
    from nb.git.subfolder.ci import write_workflows

    for name in write_workflows(root) or ["nothing to do: each has its file there"]:
        note(name)


@click.command("clean")
@click.option("-y", "--yes", is_flag=True, help="Remove variants of experiments, too; do not ask.")
@click.pass_obj
def clean_command(root: Path, yes: bool) -> None:
    """Remove executed copies, pages and caches; no data or models.

    Variants of experiments are results: a question comes first, and without a terminal they stay.

    \b
    Examples:
      nb clean
      nb clean --yes    variants of experiments, too
    """
    from nb.run.lock import while_idle

    removed = 0
    with while_idle(root):
        for pattern in LEFT_BY_RUNS:
            for path in root.glob(pattern):
                if path.name != ".gitignore":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    removed += 1
    echo(f"Removed {removed} files and folders." if removed else "Nothing to remove.")
    _clean_variants(root, yes)


def _clean_variants(root: Path, yes: bool) -> None:
    from nb.experiments import removal, store

    numbers = store.variant_numbers(root)
    if not numbers:
        return
    there = f"{count(len(numbers), 'variant')} of experiments"
    if yes or (_is_person_there() and click.confirm(f"Remove {there}, too?")):
        freed = removal.remove_variants(root, numbers)
        echo(f"Removed {there}, {byte_size(freed)}.")
    else:
        echo(f"Kept {there}: nb experiments remove --all")


def _is_person_there() -> bool:
    return sys.stdin.isatty()
