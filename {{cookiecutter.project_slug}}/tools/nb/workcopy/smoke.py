"""Smoke test of the whole pipeline: runs on small inputs, in a copy of the project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from nb.declaration.reader import undeclared_notebooks
from nb.notebook.config import read_config
from nb.notebook.yaml_file import dump
from nb.programs import program_environment, program_path
from nb.project import EXECUTED

from .copying import copy_entries, project_entries, separate_from_git

__all__ = ["copy_project", "run_pipeline", "undeclared_notebooks"]

SMALL = Path("tests/smoke")
COPIED = (".dvcignore", "config", "dvc.yaml", "notebooks", "pyproject.toml", "src", "tools")


def copy_project(root: Path, target: Path) -> None:
    """Copy the project's sources to an empty folder and lay `tests/smoke` over them.

    That folder mirrors the project. A YAML file there overrides single values of the mirrored file;
    any other file (a small sample of the data, say) replaces the mirrored file.
    """
    for source in (root / name for name in COPIED if (root / name).exists()):
        inner = project_entries(source) if source.is_dir() else ()
        copy_entries(source, target / source.name, [source, *inner])
    (target / EXECUTED).mkdir(parents=True)
    separate_from_git(target)
    for small in sorted(path for path in (root / SMALL).rglob("*") if path.is_file()):
        _lay_over(small, target / small.relative_to(root / SMALL))


def _lay_over(small: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if small.suffix not in (".yaml", ".yml") or not target.exists():
        shutil.copy2(small, target)
        return
    values = read_config(target) | read_config(small)
    target.write_text(dump(values), encoding="utf-8")


def run_pipeline(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the pipeline in a copy of the project; return the exit code and the whole output.

    `nb run`, because `dvc repro` takes four times the CPU: it imports a stage's libraries anew.
    """
    return subprocess.run(
        [program_path("nb"), "run"],
        cwd=folder,
        env=program_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
