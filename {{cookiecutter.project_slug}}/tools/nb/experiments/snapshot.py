"""Snapshots: the project as an experiment began, kept on disk, and copied for each variant.

Variants are copied from a snapshot, not from the project, which people edit meanwhile. Experiments
from an unchanged project share a snapshot.
"""

# Paths are text where files are copied: an experiment copies hundreds per variant.
# ruff: noqa: PTH103, PTH115, PTH211

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from nb import pipeline
from nb.declaration.reader import Stage, read_entries, read_stages
from nb.declaration.tasks import Task
from nb.notebook import fingerprints
from nb.notebook.config import set_value
from nb.pipeline import FINGERPRINT_STAGE
from nb.project import LOCK_FILES, write_whole
from nb.run.what_if import Setting, copy_with_settings
from nb.workcopy.copying import copy_file, is_protected

from .store import EXPERIMENTS, read_variants

SNAPSHOTS = EXPERIMENTS / "snapshots"
# Written last: a snapshot without this file is not whole.
HASH = Path(".nb/inputs.sha256")
TOOLING = "tools"
# Sharing the blocks of a smaller file takes longer than a copy.
LEAST_SHARED_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A copy of the project, and the plan of its pipeline.

    Attributes:
        root: the root of the copy.
        hash: the hash of all that results depend on, but for the settings of a variant.
        tasks: the stages in topological order, without those of the machinery.
        order: the names of all stages, as `dvc repro` runs them.
        inputs: the files that each stage reads, relative to the root.
        stages: the stages as `dvc.yaml` declares them.
    """

    root: Path
    hash: str
    tasks: list[Task]
    order: list[str]
    inputs: dict[str, frozenset[str]]
    stages: list[Stage]


def source_hash(root: Path) -> str:
    """Return a hash of all that results depend on: code, data, parameters.

    Raises:
        NbError: if the pipeline cannot be read.
    """
    fingerprints.refresh(root)
    return pipeline.inputs_hash(root)


def take_snapshot(root: Path) -> Snapshot:
    """Copy the project, unless a snapshot with the same inputs is there, and plan its pipeline.

    Raises:
        NbError: if the pipeline cannot be read.
    """
    snapshots = {known: path for path, known in _known(root)}
    found = source_hash(root) if snapshots else ""
    place = snapshots.get(found)
    if place is None:
        place, found = _copy_project(root)
    plan = _plan(place)
    inputs = {name: frozenset(c.inputs) for name, c in pipeline.contracts(place).items()}
    return Snapshot(
        root=place,
        hash=found,
        tasks=[task for task in plan.tasks if not task.hidden],
        order=plan.order,
        inputs=inputs,
        stages=read_stages(place),
    )


def _copy_project(root: Path) -> tuple[Path, str]:
    """Copy the project and return the copy with the hash of its inputs.

    The hash is that of the copy: somebody may have edited the project meanwhile.
    """
    (root / SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    copy = Path(mkdtemp(dir=root / SNAPSHOTS))
    try:
        copy_with_settings(root, copy)
        found = source_hash(copy)
        if _has_fingerprints(copy):
            pipeline.commit_fingerprints(copy)
        write_whole(copy / HASH, found)
    finally:
        if not (copy / HASH).exists():
            shutil.rmtree(copy, ignore_errors=True)
    return copy, found


def _has_fingerprints(copy: Path) -> bool:
    file, _, name = FINGERPRINT_STAGE.partition(":")
    return (copy / file).exists() and name in {entry.name for entry in read_entries(copy, file)}


def copy_snapshot(
    snapshot: Snapshot, copy: Path, settings: Sequence[Setting], base: Path | None = None
) -> None:
    """Make the copy of the project that a variant runs in, without asking DVC.

    A copy has as many folders above as the snapshot, so relative links and DVC's settings hold.

    Args:
        snapshot: the snapshot, with which copies share what no stage writes.
        copy: the copy to make.
        settings: the values of the variant.
        base: the folder to copy, itself a copy of the snapshot; by default, the snapshot.
    """
    base = base or snapshot.root
    names = (TOOLING, *LOCK_FILES)
    shared = {f"{base / name}": f"{snapshot.root / name}" for name in names}
    _copy_folder(str(base), str(copy), shared)
    for setting in settings:
        set_value(copy / setting.config, setting.name, setting.value)


def _copy_folder(folder: str, copy: str, shared: Mapping[str, str]) -> None:
    """Copy a folder, with links to what is shared, by path: no stage writes there.

    That is the tooling, most of a small project's files, and the lock file of the environment, most
    of the bytes.
    """
    os.makedirs(copy)
    for entry in os.scandir(folder):
        place = f"{copy}/{entry.name}"
        original = shared.get(entry.path, "")
        if original and entry.is_dir() and _link_folder(original, place):
            continue
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
        elif entry.is_dir():
            if not (entry.name == "tmp" and folder.endswith("/.dvc")):
                _copy_folder(entry.path, place, shared)
        elif original or _is_cached(entry):
            os.link(original or entry.path, place)
        elif entry.stat().st_size > LEAST_SHARED_BYTES:
            copy_file(Path(entry.path), Path(place))
        else:
            shutil.copy2(entry.path, place)


def _link_folder(folder: str, place: str) -> bool:
    """Make a link to a folder; false where nobody may, as for most people on Windows."""
    try:
        os.symlink(os.path.relpath(folder, Path(place).parent), place, target_is_directory=True)
    except OSError:
        return False
    return True


def _is_cached(entry: os.DirEntry[str]) -> bool:
    """Return whether a file is a hard link to an object in DVC's cache, and safe from writes."""
    return entry.stat().st_nlink > 1 and is_protected(entry.path)


def remove_unused_snapshots(root: Path) -> None:
    """Remove the snapshots of which no variant is left, and those of runs that were killed."""
    used = {record.source for record in read_variants(root)}
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
