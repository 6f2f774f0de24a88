"""What ends a notebook before its last cell: signals, and too much time."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from nb.processes.tree import adopt_orphans, children, end_tree, send_signal

from .kernels import forks

# From the interrupt of a cell to the kill of its kernel.
KERNEL_GRACE_SECONDS = 5.0


class Limits:
    """What ends a kernel before its notebook ends: signals, and too much time.

    Args:
        seconds: how long the notebook may take; infinite, if it does not matter.
        is_active: signals and times are heeded here, else nbclient has to end cells.

    Attributes:
        signals: those that came; the alarm of a time is one of them.
        is_late: time was what ended the kernel.
        problem: whose time that would be, in words.
    """

    def __init__(self, seconds: float, is_active: bool) -> None:
        self.seconds = seconds
        self.is_active = is_active
        self.end = time.monotonic() + seconds
        self.signals: list[int] = []
        self.is_late = False
        self.problem = ""

    def begin(self, seconds: float = math.inf) -> None:
        """Give what runs from now on a time, which ends with that of the notebook, too."""
        if self.is_active and not self.signals:
            rest = max(self.end - time.monotonic(), 0.001)
            of_whom = ("cell", seconds) if seconds < rest else ("notebook", self.seconds)
            self.problem = "the {} took longer than {:g} s".format(*of_whom)
            left = min(seconds, rest)
            signal.setitimer(signal.ITIMER_REAL, 0 if math.isinf(left) else left)

    def heed(self, number: int, _frame: object) -> None:
        """Interrupt the cell after one signal, kill the kernel after two."""
        self.signals.append(number)
        if len(self.signals) == 1:
            self.is_late = number == signal.SIGALRM
            _signal_kernels(signal.SIGINT)
            signal.setitimer(signal.ITIMER_REAL, KERNEL_GRACE_SECONDS)
        else:
            _signal_kernels(signal.SIGKILL)

    def reason(self) -> tuple[str, str]:
        """Return name and message of the error that stands for what ended the kernel."""
        if self.is_late:
            return "TimeoutError", self.problem
        return "KeyboardInterrupt", signal.Signals(self.signals[0]).name


@contextmanager
def kernel_ends_with_signals(seconds: float = math.inf) -> Iterator[Limits]:
    """End the kernel, and all that it started, at the end of the block and when a signal comes.

    After SIGINT or SIGTERM the running cell fails with KeyboardInterrupt, so the executed copy says
    where it was; a kernel that goes on is killed after some seconds, at once after a second signal.
    The same happens when the time is over, that of a cell or that of the notebook.

    Args:
        seconds: how long the block may take.
    """
    if os.name == "nt" or threading.current_thread() is not threading.main_thread():
        yield Limits(seconds, is_active=False)
        return
    limits = Limits(seconds, is_active=True)
    heeded = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, limits.heed) for number in heeded}
    adopt_orphans()
    try:
        limits.begin()
        yield limits
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _signal_kernels(signal.SIGKILL)
        adopt_orphans(False)
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal_kernels(number: int) -> None:
    """Interrupt the kernels of this process; a kill reaches what they started, too."""
    for pid in [*children(), *(fork.pid for fork in forks if fork.poll() is None)]:
        if number == signal.SIGKILL:
            end_tree(pid)
        else:
            send_signal(pid, number)
