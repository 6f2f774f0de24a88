"""Commands that Git, DVC and the hooks call: checks of a commit, hooks, fingerprints, merges."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from nb.exit_codes import ExitCode
from nb.git import wiring
from nb.programs import program_environment, program_path
from nb.project import NbError, UsageError, one_line
from nb.surroundings import project_prefix
from nb.terminal import echo, secho
from nb.wording import enumerated

from . import note


def _unstripped(root: Path, files: Sequence[str]) -> list[str]:
    from nb.git.index import named_index_ids
    from nb.git.verify import verify_notebooks

    return verify_notebooks(root, named_index_ids(root, files))


def _broken_rules(root: Path, files: Sequence[str]) -> list[str]:
    from nb.check.formats import findings_text
    from nb.check.runner import check_paths

    found = check_paths(root, [Path(file) for file in files]).findings
    return findings_text(found, "text").splitlines() if found else []


def _credentials(root: Path, files: Sequence[str]) -> list[str]:
    from nb.git.credentials import find_credentials
    from nb.git.index import named_index_ids

    return find_credentials(root, named_index_ids(root, files))


class CommitCheck(NamedTuple):
    """Check of the files of a commit.

    Attributes:
        name: the name by which the variable SKIP leaves the check out.
        promise: the sentence that holds if nothing is found.
        files: the pattern of the files that the check reads.
        find: returns a line per finding.
    """

    name: str
    promise: str
    files: re.Pattern[str]
    find: Callable[[Path, Sequence[str]], list[str]]


COMMIT_CHECKS = (
    CommitCheck(
        "notebooks",
        "notebooks hold no outputs, no conflict and less than 1 MB",
        re.compile(r"\.ipynb$"),
        _unstripped,
    ),
    CommitCheck(
        "check",
        "rules for notebooks (nb check --explain CODE says why)",
        re.compile(r"^notebooks/.*\.ipynb$|^config/.*\.yaml$|^dvc\.yaml$|^src/.*\.py$"),
        _broken_rules,
    ),
    CommitCheck("credentials", "no credentials", re.compile(""), _credentials),
)


@click.command("commit-checks")
@click.argument("files", nargs=-1)
@click.pass_obj
def commit_checks_command(root: Path, files: tuple[str, ...]) -> None:
    """Check the files of a commit.

    FILES must hold no outputs of notebooks, break no rule and show no credentials; nothing is
    changed. SKIP, the variable of pre-commit, leaves out checks by name.

    \b
    Example:
      SKIP=check git commit
    """
    skipped = {name.strip() for name in os.environ.get("SKIP", "").split(",")}
    failed = False
    for check in COMMIT_CHECKS:
        chosen = [file for file in files if check.files.search(file)]
        if not chosen or check.name in skipped:
            continue
        try:
            lines = check.find(root, chosen)
        except NbError as error:  # the other checks have their say
            lines = str(error).splitlines()
        if lines:
            failed = True
            secho(f"{check.name}: {check.promise}", bold=True)
            echo("\n".join(f"  {line}" for line in lines))
    if failed:
        raise click.exceptions.Exit(ExitCode.FAILED)


@click.command("verify")
@click.argument("files", nargs=-1)
@click.pass_obj
def verify_command(root: Path, files: tuple[str, ...]) -> None:
    """Verify that staged notebooks hold no outputs and no conflict.

    FILES are looked at as they are staged; without any, every tracked notebook is. The commit hook
    and CI call this.

    \b
    Examples:
      nb verify
      nb verify notebooks/production/20-features.ipynb
    """
    _fail_with(_unstripped(root, files))


@click.command("credentials")
@click.argument("files", nargs=-1)
@click.pass_obj
def credentials_command(root: Path, files: tuple[str, ...]) -> None:
    """Look for credentials in files as they are staged.

    Notebooks and their kept outputs are included. Without FILES every tracked file is looked at. A
    line that ends with the comment `pragma: allowlist secret` is passed over.

    \b
    Examples:
      nb credentials
      nb credentials pyproject.toml config/30-train.yaml
    """
    _fail_with(_credentials(root, files))


def _fail_with(problems: list[str]) -> None:
    for problem in problems:
        echo(problem)
    if problems:
        raise click.exceptions.Exit(ExitCode.FAILED)


@click.command("hook", context_settings={"ignore_unknown_options": True})
@click.argument("kind", type=click.Choice(wiring.HOOKS))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def hook_command(root: Path, kind: str, arguments: tuple[str, ...]) -> None:
    """Run the checks of a Git hook.

    Outputs are set aside meanwhile: pre-commit resets unstaged changes.

    \b
    Example:
      nb hook pre-commit
    """
    from nb.git.kept_outputs import keep_outputs_in_repository
    from nb.git.subfolder.pre_commit import pre_commit_config

    if "PRE_COMMIT_RUNNING_LEGACY" in os.environ:
        # `pre-commit install` set this hook aside for its own, which runs the checks after it.
        note("pre-commit install replaced the hook; nb setup puts it back", err=True)
        return
    import subprocess  # late: the list of commands imports this module

    folder = wiring.hooks_folder(root)
    config = pre_commit_config(root, project_prefix(root))
    options = [f"--config={config}", f"--hook-type={kind}", f"--hook-dir={folder}"]
    command = [program_path("pre-commit"), "hook-impl", *options, "--", *arguments]
    with keep_outputs_in_repository(root):
        code = subprocess.call(command, cwd=root, env=program_environment())
    raise click.exceptions.Exit(code)


@click.command("unpushed")
@click.pass_obj
def unpushed_command(root: Path) -> None:
    """Name data and models that the storage does not have yet.

    The push hook calls this.

    \b
    Example:
      nb unpushed
    """
    from nb.pipeline.storage import unpushed_results

    names = unpushed_results(root)
    if names:
        hint = "make push sends them (git push --no-verify goes without)"
        raise NbError(f"not in the DVC storage yet: {enumerated(names, 5)}; {hint}")


@click.command("fingerprint")
@click.pass_obj
def fingerprint_command(root: Path) -> None:
    """Write the fingerprints of production notebooks to .nb.

    DVC runs this as the first stage of the pipeline (notebooks/dvc.yaml).

    \b
    Example:
      nb fingerprint
    """
    from nb.notebook import fingerprints

    for path in fingerprints.refresh(root):
        echo(path.as_posix())


@click.command("merge-lock")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
def merge_lock_command(base: Path, ours: Path, theirs: Path) -> None:
    """Merge three versions of dvc.lock into OURS, as a merge driver.

    \b
    Example:
      nb merge-lock base.lock ours.lock theirs.lock
    """
    from nb.git.merge_lock import merge_locks

    try:
        versions = [path.read_text(encoding="utf-8") for path in (base, ours, theirs)]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"a version of dvc.lock cannot be read: {one_line(error)}") from None
    ours.write_text(merge_locks(*versions), encoding="utf-8", newline="\n")
