"""Lock of a project: a single run, or many tasks, at work; leftovers of killed runs are removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from nb.execution.kernel_folder import remove_dead_folders
from nb.locks import lock_file
from nb.processes import fork_server
from nb.project import NbError

from .past_runs import close_dead_records
from .view import View

RUN_LOCK = Path(".nb/run.lock")


@contextmanager
def exclusive_lock(root: Path, view: View) -> Iterator[int]:
    """Wait until nobody else runs stages in this project; yield the locked file.

    Workers inherit the lock: after `kill -9` of a runner the last worker to end frees the lock.
    """
    with _lock(root) as file:
        _wait_for(file, view, exclusive=True)
        yield file.fileno()


@contextmanager
def while_idle(root: Path) -> Iterator[None]:
    """Keep runs from starting while the block removes files that runs need.

    Raises:
        NbError: if a run is at work.
    """
    with _lock(root) as file:
        if not lock_file(file.fileno(), wait=False):
            raise NbError("a run is at work and needs these files; try again when it has ended")
        yield


def is_locked(root: Path) -> bool:
    """Return whether a run is at work in this project."""
    try:
        with (root / RUN_LOCK).open("r+b") as file:
            return not lock_file(file.fileno(), shared=True, wait=False)
    except OSError:  # none has run yet, or the file is somebody else's
        return False


@contextmanager
def shared_lock(root: Path, view: View) -> Iterator[int]:
    """Wait until no `nb run` is at work in this project; others may run single stages meanwhile.

    The first task removes leftovers of killed runs.
    """
    with _lock(root) as file:
        if lock_file(file.fileno(), wait=False):
            remove_leftovers(root)
        _wait_for(file, view, exclusive=False)
        yield file.fileno()


def remove_leftovers(root: Path) -> None:
    """Remove records, sockets and kernels' files of killed runs; only when nobody is at work."""
    close_dead_records(root)
    remove_dead_folders()
    fork_server.remove_dead_sockets(root)


def _lock(root: Path) -> TextIO:
    path = root / RUN_LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+", encoding="utf-8", errors="replace")


def _wait_for(file: TextIO, view: View, *, exclusive: bool) -> None:
    if not lock_file(file.fileno(), shared=not exclusive, wait=False):
        file.seek(0)
        view.note(f"waiting for another nb run, process {file.read().strip()}")
        lock_file(file.fileno(), shared=not exclusive)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
