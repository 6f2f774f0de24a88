"""File events of Linux (inotify): the files below a folder that any process opens.

Events tell that a file was opened and whether for writing, not by whom. They need no rights.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

IN_CLOSE_WRITE, IN_CLOSE_NOWRITE, IN_CREATE, IN_MOVED_TO = 0x8, 0x10, 0x100, 0x80
IN_Q_OVERFLOW, IN_ISDIR = 0x4000, 0x40000000
IN_ONLYDIR = 0x01000000
MASK = IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR
HEADER = struct.Struct("iIII")


def inotify_is_available() -> bool:
    """Return whether this system has file events."""
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "inotify_init1")


class Watch:
    """Watch of a folder: collects the files that are opened while the block runs.

    Args:
        folder: the folder.
        entered: whether a folder, relative to `folder`, is to be watched.

    Attributes:
        opened: the files in the order in which they were closed, and whether they could be written.
        lost: the reason why files may be missing; empty if none is.
    """

    def __init__(self, folder: Path, entered: Callable[[Path], bool]) -> None:
        self.folder = folder
        self.entered = entered
        self.opened: list[tuple[Path, bool]] = []
        self.lost = ""
        self._folders: dict[int, Path] = {}

    def __enter__(self) -> Watch:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = 0
        if sys.platform != "win32":
            flags = os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = self._libc.inotify_init1(flags)
        if self._fd < 0:
            self.lost = "the system gave no file events"
            return self
        self._stop = os.pipe()
        self._add(self.folder)
        self._thread = Thread(target=self._collect, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._stop[1])
            self._thread.join()
            os.close(self._stop[0])
            os.close(self._fd)

    def _add(self, folder: Path) -> None:
        """Watch a folder and those in it."""
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), MASK)
        if number < 0:
            self.lost = self.lost or f"{folder.name} could not be watched: {self._problem()}"
            return
        self._folders[number] = folder
        try:
            inner = [Path(e.path) for e in os.scandir(folder) if e.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for path in inner:
            if self.entered(path.relative_to(self.folder)):
                self._add(path)

    @staticmethod
    def _problem() -> str:
        return os.strerror(ctypes.get_errno())

    def _collect(self) -> None:
        while True:
            ready = select.select([self._fd, self._stop[0]], [], [])[0]
            if self._fd in ready:
                self._read()
            elif ready:
                return

    def _read(self) -> None:
        content = os.read(self._fd, 65_536)
        at = 0
        while at < len(content):
            number, mask, _, length = HEADER.unpack_from(content, at)
            name = content[at + HEADER.size :][:length].rstrip(b"\0")
            at += HEADER.size + length
            if mask & IN_Q_OVERFLOW:
                self.lost = "there were more file events than the system keeps"
            elif number in self._folders:
                self._note(self._folders[number] / os.fsdecode(name), mask)

    def _note(self, path: Path, mask: int) -> None:
        if mask & IN_ISDIR:
            if mask & (IN_CREATE | IN_MOVED_TO) and self.entered(path.relative_to(self.folder)):
                self._add(path)
        elif mask & (IN_CLOSE_WRITE | IN_CLOSE_NOWRITE):
            self.opened.append((path, bool(mask & IN_CLOSE_WRITE)))
