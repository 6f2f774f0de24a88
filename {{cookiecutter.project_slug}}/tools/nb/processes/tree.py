"""Process trees: orphans adopted (Linux), whole trees killed, a signal sent to a single process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

PR_SET_CHILD_SUBREAPER = 36
# On Windows `os.kill` ends a process with any number but those of Ctrl-C and Ctrl-Break.
KILL_SIGNAL = getattr(signal, "SIGKILL", signal.SIGTERM)
# How long killed processes may take to disappear: writes to a slow disk come to an end first.
KILL_SECONDS = 3.0


def adopt_orphans(adopt: bool = True) -> None:
    """Make this process the parent of any descendant whose own parent ends, or not (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def end_descendants(spared: Iterable[int] = ()) -> None:
    """Kill every descendant of this process, except the given children and their descendants.

    Killing is repeated until nobody is left, because a process may start others meanwhile.
    """
    if not _has_children():
        return
    spared = set(spared)
    end = time.monotonic() + KILL_SECONDS
    while time.monotonic() < end:
        trees = [process_tree(child) for child in child_pids() if child not in spared]
        alive = [process for members in trees for process in members if not _is_dead(process)]
        if not alive:
            return
        for process in alive:
            send_signal(process.pid, KILL_SIGNAL)
        time.sleep(0.01)


def _has_children() -> bool:
    """Return whether this process has a child: cheaper than to look at all processes there are."""
    if sys.platform == "linux":
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
    return True


def reap_orphans() -> None:
    """Forget processes that have ended and were left to this process (`adopt_orphans`)."""
    if sys.platform == "linux":
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def end_tree(pid: int) -> None:
    """Kill a process and all descendants."""
    for process in process_tree(pid):
        send_signal(process.pid, KILL_SIGNAL)


def child_pids() -> list[int]:
    """Return the children of this process."""
    if not _has_children():
        return []
    import psutil

    return [child.pid for child in psutil.Process().children()]


def process_tree(pid: int) -> list[psutil.Process]:
    """Return the descendants of a process, then the process itself; nothing once it is gone."""
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    return []


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process, unless the process is gone or another user's."""
    with suppress(OSError):  # of several kinds on Windows
        os.kill(pid, number)


def interrupt_group() -> None:
    """Send Ctrl-C to the process group that this process leads; on Windows, Ctrl-Break."""
    if sys.platform == "win32":
        os.kill(os.getpid(), signal.CTRL_BREAK_EVENT)
    else:
        os.kill(0, signal.SIGINT)


def _is_dead(process: psutil.Process) -> bool:
    import psutil

    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True
