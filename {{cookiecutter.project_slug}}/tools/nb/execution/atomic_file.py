"""Atomic writes of papermill's executed copies to local files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from papermill.iorw import LocalHandler, papermill_io

from nb.project import write_whole

from .problems import NotWritten


def register_atomic_handler(target: str | None) -> None:
    """Make papermill write a local file atomically; make the folder.

    papermill chooses the last registered handler whose prefix matches the path.

    Raises:
        NotWritten: if the folder cannot be made or is read-only.
    """
    handler = papermill_io.get_handler(target)
    if target and type(handler) is LocalHandler:
        folder = handler.cwd(None)
        handler.cwd(folder)
        folder = Path(folder or Path.cwd())
        parent = (folder / target).parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            if not os.access(parent, os.W_OK):
                raise PermissionError(errno.EACCES, f"{parent} is read-only")
        except OSError as error:
            raise _not_written(target, error) from None
        papermill_io.register(target, AtomicHandler(folder))


class AtomicHandler(LocalHandler):
    """Atomic writer for papermill: the old file stays until the new content is complete.

    Args:
        folder: the base of relative paths.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def write(self, text: str, path: str) -> None:
        """Write a text.

        Raises:
            NotWritten: if the write fails, for example on a full disk.
        """
        target = (self.folder / path).resolve()
        try:
            if target.exists() and not target.is_file():  # /dev/stdout, a named pipe
                target.write_text(text, encoding="utf-8")
            else:
                write_whole(target, text)
        except OSError as error:
            raise _not_written(path, error) from None


def _not_written(path: object, error: OSError) -> NotWritten:
    problem = f"{path}: cannot be written: {error.strerror or error}"
    return NotWritten(f"{problem}; the copy of the last run is as it was")
