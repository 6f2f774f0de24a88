"""Command `nb commit-checks`: the checks of the pre-commit hook, in a single process."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from nb.exit_codes import ExitCode
from nb.project import NbError
from nb.terminal import echo, secho


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
