"""Handles of the runner: on workers of any kind, on forked workers, and on a stage at work."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from io import RawIOBase
from typing import cast

from nb.declaration.tasks import Task
from nb.execution.failures import oom_kills
from nb.processes.messages import line

from .lines import Lines
from .worker import Answer, Order

# The exit code, negative for a signal, and the CPU seconds of a process that ended.
End = tuple[int, float | None]


class Worker(ABC):
    """The runner's handle on a worker.

    Attributes:
        pid: the process, which leads a process group and a session.
        is_warm: the worker is a fork of the warm process.
        counted: the CPU seconds until the end of the last stage.
    """

    pid: int
    is_warm = False
    counted = 0.0

    @abstractmethod
    def begin(self, order: Order) -> RawIOBase:
        """Order a stage; return the output of the stage, readable without waiting.

        Raises:
            OSError: if the worker is gone.
        """

    @abstractmethod
    def end_stage(self, how: str) -> None:
        """Have the stage interrupted or killed; of no effect once the worker ended."""

    @abstractmethod
    def answer(self) -> Answer | None:
        """Return the answer to the last order; None if there is none yet."""

    @abstractmethod
    def ended(self) -> End | None:
        """Return how the process ended; None while it runs.

        Raises:
            ChildProcessError: if the worker is no child of this process, or not any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the runner's end of the connection; a worker without a stage ends then."""


class ForkedWorker(Worker):
    """The handle on a worker that was forked from this process or from the warm process.

    Args:
        connection: the runner's end of the connection.
        is_warm: the worker is a fork of the warm process.

    Attributes:
        is_watched: the loop of the runner watches the connection.
    """

    def __init__(self, pid: int, connection: socket.socket, *, is_warm: bool) -> None:
        self.pid = pid
        self.connection = connection
        self.is_warm = is_warm
        self.is_watched = True
        self._content = b""

    def begin(self, order: Order) -> RawIOBase:
        """Order a stage; return the output of the stage, readable without waiting.

        Raises:
            OSError: if the worker is gone.
        """
        if sys.platform == "win32":
            raise NotImplementedError  # workers are spawned there
        ours, theirs = os.pipe()
        try:
            socket.send_fds(self.connection, [line(vars(order))], [theirs])
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)
        return cast("RawIOBase", os.fdopen(ours, "rb", buffering=0))

    def end_stage(self, how: str) -> None:
        """Have the stage interrupted or killed; of no effect once the worker ended."""
        with suppress(OSError):
            self.connection.sendall(line({"end": how}))

    def listen(self) -> bool:
        """Note the worker's words so far; return whether there may be more."""
        if sys.platform == "win32":
            raise NotImplementedError
        try:
            while content := self.connection.recv(65_536, socket.MSG_DONTWAIT):
                self._content += content
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def answer(self) -> Answer | None:
        """Return the answer to the last order; None if there is none yet."""
        self.listen()
        content, end, rest = self._content.partition(b"\n")
        if not end:
            return None
        self._content = rest
        return Answer.read(json.loads(content))

    def ended(self) -> End | None:
        """Return how the process ended; None while it runs.

        Raises:
            ChildProcessError: if the worker is no child of this process, or not any more.
        """
        if sys.platform == "win32":
            raise NotImplementedError
        found, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not found:
            return None
        return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime

    def close(self) -> None:
        """Close the runner's end of the connection; a worker without a stage ends then."""
        self.connection.close()


@dataclass(kw_only=True)
class StageAtWork:
    """A stage at work in a worker.

    Attributes:
        task: the stage.
        worker: the worker.
        output: the output of the stage, readable without waiting.
        began: the start, on the monotonic clock.
        started: the same in seconds since the epoch, to compare with times of files.
        oom_kills: how often the system had killed for lack of memory by then.
        lines: the lines of the output.
        tail: the last lines of the output.
        is_heard: the end of the output was not read yet.
        ordered_ends: the orders to interrupt or to kill.
        interrupted: the time of the interrupt, on the monotonic clock.
        timed_out: the interrupt came because the stage ran too long.
    """

    task: Task
    worker: Worker
    output: RawIOBase
    began: float = field(default_factory=time.monotonic)
    started: float = field(default_factory=time.time)
    oom_kills: int = field(default_factory=oom_kills)
    lines: Lines = field(default_factory=Lines)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    is_heard: bool = True
    ordered_ends: set[str] = field(default_factory=set)
    interrupted: float | None = None
    timed_out: bool = False

    def end(self, how: str) -> None:
        """Have the stage interrupted or killed; of no effect the second time, or after the end."""
        if how not in self.ordered_ends:
            self.ordered_ends.add(how)
            self.worker.end_stage(how)
