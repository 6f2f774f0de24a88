"""Pages of executed copies, made beside the stages that run, in forks of the runner. POSIX only."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class PageMaker:
    """Makes a page as a stage ends; what it could not make, the end of the run makes.

    Args:
        root: the project's root.
        leave: called first in a fork, to close what is the runner's own.
    """

    def __init__(self, root: Path, leave: Callable[[], None]) -> None:
        self.root = root
        self.leave = leave
        self.is_warm = False
        self.forks: set[int] = set()

    def warm_up(self) -> None:
        """Import and compile, the first time, what pages need: forks share it."""
        from . import report

        if not self.is_warm:
            self.is_warm = True
            with suppress(OSError):
                report.warm_up()

    def make(self, executed: str) -> None:
        """Begin the page of an executed copy, if there is one."""
        copy = self.root / executed
        if not executed or not copy.is_file():
            return
        self._reap(os.WNOHANG)
        pid = os.fork()
        if pid:
            self.forks.add(pid)
            return
        with suppress(Exception):
            from . import report

            self.leave()
            report.page(self.root, copy)
        os._exit(0)

    def wait(self) -> None:
        """Wait for the pages that were begun."""
        self._reap(0)

    def _reap(self, flags: int) -> None:
        for pid in list(self.forks):
            if os.waitpid(pid, flags)[0]:
                self.forks.remove(pid)
