"""Private copies of the work tree for trial runs; named files are brought back, all or none.

Only `bring_to_project` writes to the project: the function refuses to replace a file that was
changed since the copy, and rolls all changes back on failure.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from nb.declaration.reader import FILE
from nb.locks import edit_lock
from nb.processes.signals import exit_when_terminated
from nb.programs import program_environment
from nb.project import NbError

from .copying import copy_entries, copy_file, project_entries, separate_from_git

# Modification time, size and inode of a file: each change or replacement alters at least one.
CopyState = tuple[int, int, int]


@dataclass(frozen=True)
class TrialCopy:
    """A private copy of the project.

    Attributes:
        origin: the project's root.
        root: the copy's root.
        states: the files of the project when they were copied, by their path from the root.
    """

    origin: Path
    root: Path
    states: Mapping[str, CopyState]

    def is_outdated(self, name: str) -> bool:
        """Return whether a file of the project was created, changed or removed since the copy."""
        path = self.origin / name
        if name not in self.states:  # a link to another folder of the project may be on the way
            real, origin = path.parent.resolve() / path.name, self.origin.resolve()
            name = real.relative_to(origin).as_posix() if real.is_relative_to(origin) else name
        return _state(path) != self.states.get(name)


def _state(path: Path) -> CopyState | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def trial_copy(root: Path) -> Iterator[TrialCopy]:
    """Copy the project's files, data included, to a temporary folder.

    Files share their blocks with the originals where the file system can do that. Links are made
    safe as `copying` says.

    Raises:
        NbError: if the copy does not fit on the disk.
    """
    with exit_when_terminated():
        folder = Path(mkdtemp(prefix="nb-copy-")).resolve()
        try:
            yield _filled(root, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _filled(root: Path, folder: Path) -> TrialCopy:
    """Copy the project's files to a folder below this folder."""
    copy = folder / root.name
    try:
        entries = list(project_entries(root))
        states = {p.relative_to(root).as_posix(): s for p in entries if (s := _state(p))}
        copy.mkdir()
        copy_entries(root, copy, entries)
    except OSError as error:
        raise NbError(f"the project cannot be copied to {folder}: {error.strerror}") from None
    separate_from_git(copy)
    return TrialCopy(root, copy, states)


def trial_environment(copy: Path) -> dict[str, str]:
    """Return environment variables that make programs import the package from the copy."""
    variables = program_environment()
    path = [str(copy / "src"), variables.get("PYTHONPATH", "")]
    return {**variables, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def bring_to_project(
    copy: TrialCopy, paths: Iterable[str], finish: Callable[[], None], used: Iterable[str] = ()
) -> None:
    """Bring files of the copy to the project and call `finish` there, all or nothing.

    Args:
        copy: the copy.
        paths: the files, relative to the root.
        finish: called afterwards, to edit `dvc.yaml` and to tell DVC; an exception rolls the
            project back.
        used: files on which the result depends.

    Raises:
        NbError: if somebody changed any of these files meanwhile.
    """
    chosen = list(paths)
    with edit_lock(copy.origin):
        for path in (*chosen, *used):
            if copy.is_outdated(path):
                raise NbError(
                    f"{path} was changed while this was at work, and stays as it is now; nothing "
                    "is changed here. Run it again."
                )
        with _put_back_on_error(copy, chosen):
            for path in chosen:
                copy_file(copy.root / path, copy.origin / path)
            finish()


def _ignore_file(path: str) -> str:
    """Return the path of the `.gitignore` to which DVC may add an output."""
    return (Path(path).parent / ".gitignore").as_posix()


@contextmanager
def _put_back_on_error(copy: TrialCopy, brought: Iterable[str]) -> Iterator[None]:
    """Restore files, and remove folders that were made, if the block raises anything."""
    root, brought = copy.origin, set(brought)
    backup = Path(mkdtemp(prefix="nb-backup-"))
    paths = sorted({*brought, *map(_ignore_file, brought), FILE})
    folders = {p for path in paths for p in (root / path).parents if p.is_relative_to(root)}
    missing = sorted((folder for folder in folders if not folder.exists()), reverse=True)
    try:
        for path in paths:
            if (root / path).exists():
                copy_file(root / path, backup / path)
        yield
    except BaseException:
        for path in paths:
            if path in brought and not _is_same(root / path, copy.root / path):
                continue  # keep a change that somebody else made since
            if (backup / path).exists():
                copy_file(backup / path, root / path)
            else:
                (root / path).unlink(missing_ok=True)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        shutil.rmtree(backup, ignore_errors=True)


def _is_same(path: Path, other: Path) -> bool:
    """Return whether a path is a file with the same content as another file."""
    return path.is_file() and filecmp.cmp(path, other, shallow=False)
