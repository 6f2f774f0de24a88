"""Adopted code made fit for the commit hooks: formatted, and each finding left beside a `noqa`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nb.authoring.lint import mark_findings, ruff_findings, run_ruff

# Code that is no Python, in the words of two versions of ruff.
NO_PYTHON = (None, "invalid-syntax")


def tidy_code(root: Path, files: Sequence[str]) -> set[str]:
    """Format notebooks and modules; return those that are no Python for ruff.

    A finding that ruff cannot repair gets a comment beside the line, and no exception for a folder:
    new notebooks are still checked, and a notebook that is promoted later passes the hooks.

    Args:
        root: the root of a project.
        files: notebooks and modules, relative to the root.
    """
    base = root.resolve()
    broken = {
        Path(finding["filename"]).resolve().relative_to(base).as_posix()
        for finding in ruff_findings(root, files)
        if finding["code"] in NO_PYTHON
    }
    fine = [file for file in files if file not in broken]
    if not fine:
        return broken
    run_ruff(root, "check", "--fix", "--quiet", "--exit-zero", *fine)
    # Formatting may divide a line, which takes the comment away from the finding.
    for _ in range(2):
        run_ruff(root, "format", "--quiet", *fine)
        mark_findings(root, fine)
    return broken
