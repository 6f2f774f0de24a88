"""Adopted code made fit for the commit hooks: formatted, and each finding left beside a `noqa`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nb.authoring.lint import mark_findings
from nb.project import program

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
    found = _findings(root, files)
    broken = {file for file, finding in found if finding["code"] in NO_PYTHON}
    fine = [file for file in files if file not in broken]
    _ruff(root, "check", "--fix", "--quiet", "--exit-zero", *fine)
    # Formatting may divide a line, which takes the comment away from the finding.
    for _ in range(2):
        _ruff(root, "format", "--quiet", *fine)
        mark_findings(root, fine)
    return broken


def _findings(root: Path, files: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    text = _ruff(root, "check", "--output-format", "json", *files)
    listed: list[dict[str, Any]] = json.loads(text or "[]")
    base = root.resolve()
    return [(Path(f["filename"]).resolve().relative_to(base).as_posix(), f) for f in listed]


def _ruff(root: Path, *arguments: str) -> str:
    if not any(word.endswith((".py", ".ipynb")) for word in arguments):
        return ""
    command = [program("ruff"), *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8").stdout
