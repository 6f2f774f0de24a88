"""Run one command and report what it and all that it started took: run as a program of its own.

    python measure.py REPORT LOG TIMEOUT COMMAND…

The report is JSON. CPU is user and system time of every process below this one, those that lost
their parent included: Linux hands them to this process. Memory is the sum of what the processes
have to themselves and their share of what they share (PSS; elsewhere, what is unique to them). The
system counts pages for that, milliseconds per process: it is sampled so that this takes a fiftieth
of a core at most, and ten times a second at most, or many small processes would be measured slower
than few.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

SAMPLES_PER_SECOND = 10
SHARE_OF_A_CORE = 0.02
GRACE = 2.0
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ended; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)


def memory(process: Any) -> int:
    """Return a process's share of the memory in bytes; 0 if it is gone."""
    try:
        info = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(info, "pss", info.uss))


class Sampler(threading.Thread):
    """Keeps the peak of the memory of all processes below this one."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.ended = threading.Event()

    def run(self) -> None:
        own = psutil.Process()
        pause = 1 / SAMPLES_PER_SECOND
        while not self.ended.wait(pause):
            before = time.thread_time()
            self.peak = max(self.peak, sum(map(memory, own.children(recursive=True))))
            used = time.thread_time() - before
            pause = max(1 / SAMPLES_PER_SECOND, used / SHARE_OF_A_CORE)


def end_rest() -> int:
    """End what is still there after the command, and return how many processes had to be killed."""
    _, alive = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=GRACE)
    alive = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return len(alive)


def measure(command: list[str], log: Path, timeout: float) -> dict[str, float | int | bool]:
    """Run a command and return its figures: seconds and bytes.

    Args:
        command: the words of the command.
        log: where its output goes.
        timeout: after so many seconds it is killed.
    """
    adopt_orphans()
    sampler = Sampler()
    sampler.start()
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        late = threading.Timer(timeout, process.kill)
        late.daemon = True
        late.start()
        try:
            code = process.wait()
            wall = time.perf_counter() - start
        finally:
            late.cancel()
            sampler.ended.set()
            left = end_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "code": code,
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": sampler.peak,
        "left": left,
        "late": wall >= timeout,
    }


def main() -> None:
    report, log, timeout, *command = sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    figures = measure(command, Path(log), float(timeout))
    Path(report).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
