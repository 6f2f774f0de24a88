"""Repairs and findings of ruff in the files of a promotion."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from nb.project import program, program_environment


def repair_code(root: Path, files: Sequence[str]) -> None:
    """Have ruff repair and format files, because the commit hooks would refuse them."""
    _run(root, ["check", "--fix", "--exit-zero", "--quiet", *files])
    _run(root, ["format", "--quiet", *files])


def ruff_findings(root: Path, files: Sequence[str]) -> list[str]:
    """Return the findings that ruff cannot repair, a line each: file, place, rule, message."""
    return _run(root, ["check", "--output-format=concise", "--quiet", *files]).splitlines()


def _run(root: Path, arguments: Sequence[str]) -> str:
    """Run ruff in a folder and return the printed output."""
    done = subprocess.run(
        [program("ruff"), *arguments, "--no-cache"],
        cwd=root,
        env=program_environment(),
        capture_output=True,
        text=True,
    )
    return done.stdout
