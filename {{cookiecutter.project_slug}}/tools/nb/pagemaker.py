"""Pages of executed copies, made beside the stages, in a process of their own. POSIX only."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

# What the warm process is asked with for a page maker.
ROOT = "pages_of"


class PageMaker:
    """Makes a page as a stage ends; what it could not make, the end of the run makes.

    Args:
        root: the project's root.
        fork: forks its process from the warm one, which has most of the imports, given the order
            and its end of the connection; returns None if there is none, and this process forks.
        leave: called first in a fork of this process, to close what is the runner's own.
    """

    def __init__(
        self,
        root: Path,
        fork: Callable[[Mapping[str, Any], list[int]], int | None],
        leave: Callable[[], None],
    ) -> None:
        self.root = root
        self.fork = fork
        self.leave = leave
        self.pid: int | None = None
        self.orders: socket.socket | None = None

    def start(self) -> None:
        """Start the process, unless it was: it imports what pages need and waits for orders."""
        if self.pid is not None:
            return
        self.orders, theirs = socket.socketpair()
        self.orders.setblocking(False)
        self.pid = self.fork({ROOT: str(self.root)}, [theirs.fileno()])
        if self.pid is None:
            self.pid = os.fork()
            if self.pid == 0:
                work(self.root, theirs.fileno(), self.leave)
        theirs.close()

    def make(self, executed: str) -> None:
        """Order the page of an executed copy, if there is one."""
        if self.orders and executed and (self.root / executed).is_file():
            with suppress(OSError):  # it was killed, or is far behind
                self.orders.send(f"{executed}\n".encode())

    def wait(self) -> None:
        """Wait for the pages that were ordered."""
        if self.orders:
            with suppress(OSError):  # it was killed
                self.orders.shutdown(socket.SHUT_WR)
                self.orders.setblocking(True)
                self.orders.recv(1)
        self.close()

    def close(self) -> None:
        """Close the connection: in the end, and in a fork of this process."""
        if self.orders:
            self.orders.close()


def work(root: Path, connection: int, leave: Callable[[], None] | None = None) -> NoReturn:
    """Be the page maker, in a new fork: make what is ordered until the runner orders no more.

    Args:
        root: the project's root.
        connection: where the orders come from.
        leave: called first, to close what is the runner's own.
    """
    try:
        if leave:
            leave()
        from . import report

        gc.disable()  # imports are done sooner
        with suppress(OSError):
            report.warm_up()
        gc.enable()
        with os.fdopen(connection, encoding="utf-8") as orders:
            for executed in orders:
                with suppress(Exception):
                    report.page(root, root / executed.rstrip("\n"))
    finally:
        os._exit(0)
