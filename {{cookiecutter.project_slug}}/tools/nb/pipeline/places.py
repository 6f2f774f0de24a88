"""Validation of output paths: DVC removes each output before its stage runs, wherever the path is.

DVC also refuses some paths, but only after the removal and a whole run.
"""
# Paths are text here: thousands of outputs are looked at.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from nb.project import UsageError
from nb.surroundings import find_repository

from .loaded import tracked_paths
from .protocols import DvcStage, Output
from .repository import open_project

# Folders that hold more than results: DVC would remove them with all their files.
PROTECTED = (
    ".venv", "config", "notebooks", "notebooks/exploratory", "notebooks/production", "src",
    "tests", "tools", "tools/nb",
)  # fmt: skip
FOREIGN = (".dvc", ".git")
ADVICE = "nothing was run or removed; name a path for results, such as data/processed/table.csv"


def misplaced(
    root: Path, path: str, real_path: Callable[[str | Path], str] = os.path.realpath
) -> str:
    """Return the reason that forbids an output at a path; empty if an output may be there.

    Args:
        path: absolute, or relative to the root.
        real_path: `os.path.realpath`, or the same from memory.
    """
    project = real_path(root)
    folder, name = os.path.split(os.path.normpath(os.path.join(project, path)))
    # A link, such as that to an object of DVC's cache, is removed without its target.
    place = Path(real_path(folder), name)
    if place in (Path(project), *Path(project).parents):
        return "which holds the project"
    if not place.is_relative_to(project):
        return f"which is outside the project, at {place.as_posix()}"
    inside = place.relative_to(project).as_posix()
    if inside.partition("/")[0] in FOREIGN:
        return f"which is in {inside.partition('/')[0]}"
    if inside in PROTECTED:
        return "which holds more than results"
    return ""


def require_places(root: Path, stages: Iterable[DvcStage]) -> None:
    """Refuse stages with an output in a place that holds more than results.

    Args:
        stages: stages as DVC loads them.

    Raises:
        NbError: if there is such an output (exit code 2).
    """
    real_path = cache(os.path.realpath)
    for stage in stages:
        for out in stage.outs:
            is_here = out.protocol == "local"
            why = misplaced(root, out.fs_path, real_path) if is_here else _unstored(out)
            if why:
                what = f"stage {stage.addressing} declares the output {out.def_path}, {why}"
                raise UsageError(f"{stage.relpath}: {what}; {ADVICE}")


def _unstored(out: Output) -> str:
    """Return the reason that forbids an output at an address; empty if nothing does."""
    return "which DVC cannot store without cache: false" if out.use_cache else ""


def require_untracked(root: Path, stages: Iterable[DvcStage]) -> None:
    """Refuse stages with cached outputs that Git tracks: DVC would fail after the run.

    Args:
        stages: the stages that are to run, as DVC loads them.

    Raises:
        NbError: if there is such an output (exit code 2).
    """
    outs = [(stage, out) for stage in stages if stage.cmd for out in stage.outs if out.use_cache]
    if not outs or not find_repository(root):
        return
    tracked = tracked_paths(root)
    for stage, out in outs:
        if os.path.relpath(out.fs_path, root) in tracked:
            what = f"stage {stage.addressing} declares the output {out.def_path}, which Git tracks"
            quoted = shlex.quote(os.path.relpath(out.fs_path, root))
            repair = f"nothing was run or removed; git rm -r --cached {quoted}, or add cache: false"
            raise UsageError(f"{stage.relpath}: {what} and DVC would not store; {repair}")


def check_places(root: Path) -> None:
    """Refuse a pipeline with misplaced outputs.

    Raises:
        NbError: as `require_places` does, or if the pipeline cannot be read.
    """
    with open_project(root) as repo:
        require_places(root, repo.index.stages)
