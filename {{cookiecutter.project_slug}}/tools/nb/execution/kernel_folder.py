"""Folder of a kernel's sockets and connection file; those of killed processes are removed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from nb.locks import lock_file
from nb.project import NbError

# Short: the path of a socket is limited to about a hundred characters.
KERNEL_PREFIX = "nb-kernel-"
KERNEL_LOCK = "lock"


class KernelFolder:
    """Folder in the temporary folder that lives as long as this process, or shorter.

    The process holds a lock in the folder. The system frees the lock of a killed process, and the
    next kernel of the same person removes the folder.

    Attributes:
        path: the folder.
    """

    def __init__(self) -> None:
        remove_dead_folders()
        self._folder = tempfile.TemporaryDirectory(prefix=KERNEL_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        self._lock = (self.path / KERNEL_LOCK).open("w", encoding="utf-8")
        with suppress(NbError):  # a file system without locks: nobody will call the folder dead
            lock_file(self._lock.fileno())
            self._lock.write(f"{os.getpid()}\n")
            self._lock.flush()


def remove_dead_folders() -> None:
    """Remove the folders of this person's processes that were killed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{KERNEL_PREFIX}*/{KERNEL_LOCK}"):
        if _is_dead(lock):
            shutil.rmtree(lock.parent, ignore_errors=True)


def _is_dead(lock: Path) -> bool:
    """Return whether the process that made a lock has ended; an empty file is not locked yet."""
    try:
        status = lock.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != _own_id():
            return False
        with lock.open("r+b") as file:
            return lock_file(file.fileno(), wait=False) and bool(file.read(1))
    except (OSError, NbError):
        return False


def _own_id() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0  # of every file on Windows
