"""Limits of an execution: signals and timeouts that end the kernel of a notebook."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from nb.processes.signals import handle_signals
from nb.processes.tree import KILL_SIGNAL, adopt_orphans, child_pids, end_tree, send_signal

from .kernels import forks

# From the interrupt of a cell to the kill of the kernel.
KERNEL_GRACE_SECONDS = 5.0


class Limits:
    """State of the signals and timeouts of a notebook.

    Args:
        seconds: the timeout of the notebook, possibly infinite.
        is_active: signals and timeouts are handled here; otherwise nbclient ends late cells.

    Attributes:
        signals: the received signals, the alarm of a timeout included.
        is_late: a timeout ended the kernel.
        problem: the expired timeout, in words.
    """

    def __init__(self, seconds: float, is_active: bool) -> None:
        self.seconds = seconds
        self.is_active = is_active
        self.end = time.monotonic() + seconds
        self.signals: list[int] = []
        self.is_late = False
        self.problem = ""

    def start_timer(self, seconds: float = math.inf) -> None:
        """Start the timeout of a cell, limited by the rest of the notebook's timeout."""
        if sys.platform != "win32" and self.is_active and not self.signals:
            rest = max(self.end - time.monotonic(), 0.001)
            limited = ("cell", seconds) if seconds < rest else ("notebook", self.seconds)
            self.problem = "the {} took longer than {:g} s".format(*limited)
            left = min(seconds, rest)
            signal.setitimer(signal.ITIMER_REAL, 0 if math.isinf(left) else left)

    def handle(self, number: int, _frame: object) -> None:
        """Interrupt the cell after one signal, kill the kernel after two."""
        if sys.platform == "win32":
            raise NotImplementedError
        self.signals.append(number)
        if len(self.signals) == 1:
            self.is_late = number == signal.SIGALRM
            _signal_kernels(signal.SIGINT)
            signal.setitimer(signal.ITIMER_REAL, KERNEL_GRACE_SECONDS)
        else:
            _signal_kernels(KILL_SIGNAL)

    def error(self) -> tuple[str, str]:
        """Return the name and message of the error that reports the end of the kernel."""
        if self.is_late:
            return "TimeoutError", self.problem
        return "KeyboardInterrupt", signal.Signals(self.signals[0]).name


@contextmanager
def kernel_limits(seconds: float = math.inf) -> Iterator[Limits]:
    """End the kernel with all descendants at the end of the block, on a signal and on a timeout.

    After SIGINT or SIGTERM the running cell fails with KeyboardInterrupt, so the executed copy
    shows the place; a kernel that goes on is killed after some seconds, or at once by a second
    signal. A timeout of the cell or the notebook has the same effect.

    Args:
        seconds: the timeout of the block.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield Limits(seconds, is_active=False)
        return
    limits = Limits(seconds, is_active=True)
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    with handle_signals(limits.handle, handled):
        adopt_orphans()
        try:
            limits.start_timer()
            yield limits
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            _signal_kernels(KILL_SIGNAL)
            adopt_orphans(False)


def _signal_kernels(number: int) -> None:
    """Send a signal to the kernels of this process; SIGKILL also to their descendants."""
    for pid in [*child_pids(), *(fork.pid for fork in forks if fork.poll() is None)]:
        if number == KILL_SIGNAL:
            end_tree(pid)
        else:
            send_signal(pid, number)
