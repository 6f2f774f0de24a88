"""The runner's handle on the page maker, a process that makes pages while stages run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import NoReturn, Protocol

from nb.processes.start_method import SPAWN, start_method
from nb.runtime.fresh_process import start_fresh_process

# The job of the warm process that is a page maker.
PAGES = "pages"


class MakePages(Protocol):
    """The main function of the page maker, in a new fork, until the connection is closed."""

    def __call__(
        self, root: Path, connection: int, leave: Callable[[], None] | None = None
    ) -> NoReturn: ...


@dataclass(frozen=True, kw_only=True)
class RunPrograms:
    """The programs that a run starts and that know of rooms above this one.

    Attributes:
        make_pages: makes pages, in a fork of the runner.
        warm_process: the module that is the warm process.
    """

    make_pages: MakePages
    warm_process: str


class PageMaker:
    """The runner's handle on the page maker. Pages that are not ready then follow at the run's end.

    Args:
        fork: forks the page maker from the warm process, which has most of the imports, given the
            order and an end of the connection; returns None if the runner has to fork.
        leave: called first in a fork of this process, to close the runner's own files.
        work: makes the pages, in a fork of this process.
    """

    def __init__(
        self,
        root: Path,
        fork: Callable[[Mapping[str, object], list[int]], int | None],
        leave: Callable[[], None],
        work: MakePages,
    ) -> None:
        self.root = root
        self.fork = fork
        self.leave = leave
        self.work = work
        self.pid: int | None = None
        self.orders: socket.socket | None = None

    def start(self) -> None:
        """Start the page maker, unless started: the imports of pages take a while."""
        if self.pid is not None:
            return
        self.orders, theirs = socket.socketpair()
        self.orders.setblocking(False)
        if start_method() == SPAWN:
            self._spawn(theirs)
            return
        if sys.platform == "win32":
            raise NotImplementedError
        self.pid = self.fork({"root": str(self.root)}, [theirs.fileno()])
        if self.pid is None:
            self.pid = os.fork()
            if self.pid == 0:
                self.work(self.root, theirs.fileno(), self.leave)
        theirs.close()

    def _spawn(self, orders: socket.socket) -> None:
        process = start_fresh_process(
            "page maker",
            partial(self.work, self.root, 0),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = process.pid
        Thread(target=_pass_on, args=(orders, process), daemon=True).start()

    def make(self, executed: str) -> None:
        """Order the page of an executed copy, if there is one."""
        if self.orders and executed and (self.root / executed).is_file():
            with suppress(OSError):  # the page maker was killed, or is far behind
                self.orders.send(f"{executed}\n".encode())

    def wait(self) -> None:
        """Wait for the pages that were ordered."""
        if self.orders:
            with suppress(OSError):  # the page maker was killed
                self.orders.shutdown(socket.SHUT_WR)
                self.orders.setblocking(True)
                self.orders.recv(1)
        self.close()

    def close(self) -> None:
        """Close the connection: in the end, and in a fork of this process."""
        if self.orders:
            self.orders.close()


def _pass_on(orders: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Pass orders on to a fresh process, and close the connection once it has ended."""
    assert process.stdin
    with orders, process:
        with suppress(OSError), process.stdin as stdin:
            while content := orders.recv(65_536):
                stdin.write(content)
        process.wait()
