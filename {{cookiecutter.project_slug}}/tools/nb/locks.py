"""Locks of files: held by a process, and freed by the system when the process ends.

Standard library only.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nb.project import UsageError

# The projects whose lock for edits this process holds.
_edited: set[Path] = set()
# Bytes that stand for a lock on Windows, where nobody can read them while they are locked.
LOCK_PLACE, LOCKED_BYTES = 1 << 30, 1 << 10
LOCK_PAUSE_SECONDS = 0.05
# Errors of a file system without locks, as some network homes and mounted folders are.
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def edit_lock(root: Path) -> Iterator[None]:
    """Wait until no other command edits a file that people edit, too, such as `dvc.yaml`.

    Whoever holds the lock reads the file, changes the text and writes the file. The system frees
    the lock of a process that ends, killed or not.
    """
    if root in _edited:  # by a command that holds the lock already
        yield
        return
    path = root / ".nb" / "edit.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        lock_file(file.fileno())
        _edited.add(root)
        try:
            yield
        finally:
            _edited.remove(root)


def lock_file(file: int, *, shared: bool = False, wait: bool = True) -> bool:
    """Lock an open file for this process, which the system undoes when the file is closed.

    Args:
        file: the file, open for writing.
        shared: others may share the lock.
        wait: wait until the lock is free.

    Returns:
        Whether the file is locked now.

    Raises:
        UsageError: if the file system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        while not _lock_bytes(file, shared):
            if not wait:
                return False
            time.sleep(LOCK_PAUSE_SECONDS)
        return True
    if sys.platform != "win32":
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise UsageError(
                f"no file can be locked here ({error.strerror}): move the project to a file system "
                "with locks, such as a local disk"
            ) from None
    return True


def require_locks(file: Path) -> None:
    """Refuse a file that cannot be locked, before SQLite waits for minutes for such a lock.

    Raises:
        UsageError: if the file system has no locks.
    """
    with file.open("rb") as opened:
        lock_file(opened.fileno(), shared=True, wait=False)


def _lock_bytes(file: int, shared: bool) -> bool:
    """Lock bytes beyond the end, as Windows can: to share is to lock one of many at random."""
    import random

    msvcrt = importlib.import_module("msvcrt")
    first, count = (random.randrange(LOCKED_BYTES), 1) if shared else (0, LOCKED_BYTES)
    with suppress(OSError):  # of a lock that this process does not hold yet
        os.lseek(file, LOCK_PLACE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, LOCKED_BYTES)
    os.lseek(file, LOCK_PLACE + first, os.SEEK_SET)
    try:
        msvcrt.locking(file, msvcrt.LK_NBLCK, count)
    except OSError:
        return False
    return True
