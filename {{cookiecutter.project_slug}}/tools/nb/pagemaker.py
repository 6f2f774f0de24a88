"""Pages of executed copies, made beside the stages, in a fork of the runner. POSIX only."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class PageMaker:
    """Makes a page as a stage ends; what it could not make, the end of the run makes.

    Args:
        root: the project's root.
        leave: called first in the fork, to close what is the runner's own.
    """

    def __init__(self, root: Path, leave: Callable[[], None]) -> None:
        self.root = root
        self.leave = leave
        self.pid: int | None = None
        self.orders: list[int] = []

    def start(self) -> None:
        """Start the process, unless it was: it imports what pages need and waits for orders."""
        if self.pid is not None:
            return
        taken, given = os.pipe()
        os.set_blocking(given, False)
        self.pid = os.fork()
        if self.pid:
            os.close(taken)
            self.orders = [given]
            return
        with suppress(Exception):
            self.leave()
            os.close(given)
            self._work(taken)
        os._exit(0)

    def make(self, executed: str) -> None:
        """Order the page of an executed copy, if there is one."""
        if executed and (self.root / executed).is_file():
            for orders in self.orders:
                with suppress(BrokenPipeError, BlockingIOError):
                    os.write(orders, f"{executed}\n".encode())

    def wait(self) -> None:
        """Wait for the pages that were ordered."""
        while self.orders:
            os.close(self.orders.pop())
        if self.pid:
            os.waitpid(self.pid, 0)

    def _work(self, taken: int) -> None:
        from . import report

        with suppress(OSError):
            report.warm_up()
        with os.fdopen(taken, encoding="utf-8") as orders:
            for executed in orders:
                with suppress(Exception):
                    report.page(self.root, self.root / executed.rstrip("\n"))
