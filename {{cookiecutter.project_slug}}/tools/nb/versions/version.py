"""A version of the project: the work tree, a commit, a variant of an experiment, or a run."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from nb.declaration.metrics import read_metrics
from nb.declaration.reader import read_lock, read_stages
from nb.experiments import store
from nb.git.command import commit_hash, git
from nb.project import UsageError
from nb.run.record import RUNS, RunRecord, read_record
from nb.surroundings import find_repository

WORK_TREE = "."
# Larger files of a commit are no code, no metrics and no parameters.
LARGEST_FILE = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of the project.

    Attributes:
        name: the version as the user named it.
        title: the version in words.
        folder: the files of the project; None for a run, of which there is the record only.
        is_complete: the folder also holds the artifacts, as far as they were computed.
        metrics: the numbers of each metrics file.
        parameters: the values of each stage, by name.
        lock: the entries of `dvc.lock`.
    """

    name: str
    title: str
    folder: Path | None = None
    is_complete: bool = False
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    lock: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@contextmanager
def open_version(root: Path, name: str) -> Iterator[Version]:
    """Open a version of the project; the files of a commit are unpacked for the block.

    Args:
        name: `.` for the work tree, the number of a variant, the id of a run, or a commit.

    Raises:
        NbError: if there is no such version (exit code 2).
    """
    if name == WORK_TREE:
        yield _of_folder(name, "the work tree", root, is_complete=True)
    elif name.isdecimal() and store.variant_folder(root, int(name)).is_dir():
        copy = store.variant_copy(root, store.find_variant(root, int(name)).number)
        yield _of_folder(name, f"variant {name}", copy, is_complete=True)
    elif record := _record(root, name):
        parameters = {stage.name: stage.parameters for stage in record.stages}
        yield Version(name=name, title=f"run {name}", metrics=record.metrics, parameters=parameters)
    else:
        commit = _commit(root, name)
        with TemporaryDirectory(prefix="nb-version-") as folder:
            _unpack(root, commit, Path(folder))
            title = name if commit.startswith(name) else f"{name} ({commit[:7]})"
            yield _of_folder(name, title, Path(folder))


def _of_folder(name: str, title: str, folder: Path, *, is_complete: bool = False) -> Version:
    stages = read_stages(folder)
    return Version(
        name=name,
        title=title,
        folder=folder,
        is_complete=is_complete,
        metrics=read_metrics(folder, stages),
        parameters={stage.name: stage.parameters for stage in stages},
        lock=read_lock(folder),
    )


def _record(root: Path, name: str) -> RunRecord | None:
    """Return the record of a run; None if there is none of that id."""
    if name != Path(name).name:
        return None
    try:
        return read_record((root / RUNS / f"{name}.json").read_bytes())
    except OSError:
        return None


def _commit(root: Path, name: str) -> str:
    """Return the hash of a commit.

    Raises:
        NbError: if there is no such commit (exit code 2).
    """
    found = commit_hash(root, name) if find_repository(root) else ""
    if not found:
        kinds = "commit, run or variant"
        raise UsageError(
            f"there is no {kinds} {name}; git log, reports/runs and nb experiments list them"
        )
    return found


def _unpack(root: Path, commit: str, folder: Path) -> None:
    """Write the regular files of a commit to a folder, those of the tooling left out."""
    archive = folder / ".archive"
    git(root, "archive", "--format=tar", f"--output={archive}", commit)
    with tarfile.open(archive) as content:
        for member in content:
            path = PurePosixPath(member.name)
            is_inside = not path.is_absolute() and ".." not in path.parts
            is_wanted = member.isfile() and member.size <= LARGEST_FILE
            if is_inside and is_wanted and path.parts[0] != "tools":
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                file = content.extractfile(member)
                target.write_bytes(file.read() if file else b"")
    archive.unlink()
