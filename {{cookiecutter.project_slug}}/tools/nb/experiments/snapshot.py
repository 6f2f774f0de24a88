"""Snapshots: the project as it was when an experiment began.

Variants are copied from a snapshot, not from the project, which people edit meanwhile. Experiments
from an unchanged project have one snapshot in common.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from nb import pipeline
from nb.declaration.reader import Stage, read_stages
from nb.declaration.tasks import Task
from nb.notebook import fingerprints
from nb.project import write_whole
from nb.run.what_if import copy_with_settings, source_files

from .store import EXPERIMENTS, VariantRecord

SNAPSHOTS = EXPERIMENTS / "snapshots"
# Written last: a snapshot without this file is not whole.
HASH = Path(".nb/inputs.sha256")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A copy of the project, and the plan of its pipeline.

    Attributes:
        root: the root of the copy.
        hash: the hash of all that results depend on, but for the settings of a variant.
        files: the files of the project, relative to the root.
        tasks: the stages in topological order, without those of the machinery.
        order: the names of all stages, as `dvc repro` runs them.
        inputs: the files that each stage reads, relative to the root.
        stages: the stages as `dvc.yaml` declares them.
    """

    root: Path
    hash: str
    files: list[Path]
    tasks: list[Task]
    order: list[str]
    inputs: dict[str, frozenset[str]]
    stages: list[Stage]


def take_snapshot(root: Path) -> Snapshot:
    """Copy the project, unless a snapshot with the same inputs is there, and plan its pipeline.

    Raises:
        NbError: if the pipeline cannot be read.
    """
    (root / SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    copy = Path(mkdtemp(dir=root / SNAPSHOTS))
    try:
        files = source_files(root)
        copy_with_settings(root, copy, files)
        fingerprints.refresh(copy)
        found = pipeline.inputs_hash(copy)
        place = next((path for path, known in _known(root) if known == found), copy)
        if place is copy:
            write_whole(copy / HASH, found)
    finally:
        if not (copy / HASH).exists():
            shutil.rmtree(copy, ignore_errors=True)
    plan = _plan(place)
    inputs = {name: frozenset(c.inputs) for name, c in pipeline.contracts(place).items()}
    return Snapshot(
        root=place,
        hash=found,
        files=files,
        tasks=[task for task in plan.tasks if not task.hidden],
        order=plan.order,
        inputs=inputs,
        stages=read_stages(place),
    )


def remove_unused(root: Path, records: Sequence[VariantRecord]) -> None:
    """Remove the snapshots of which no variant is left, and those of runs that were killed."""
    used = {record.source for record in records}
    kept = {path for path, known in _known(root) if known in used}
    for path in (root / SNAPSHOTS).glob("*"):
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _known(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the snapshots that are whole, with their hashes."""
    for path in (root / SNAPSHOTS).glob(f"*/{HASH}"):
        yield path.parents[len(HASH.parts) - 1], path.read_text(encoding="utf-8")


def _plan(place: Path) -> pipeline.Plan:
    before = Path.cwd()
    os.chdir(place)  # DVC names stages relative to the working directory
    try:
        return pipeline.plan(place, (), force=False, downstream=False, tell=lambda line: None)
    finally:
        os.chdir(before)
