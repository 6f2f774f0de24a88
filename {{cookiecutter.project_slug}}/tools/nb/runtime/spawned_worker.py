"""Workers in fresh processes, on systems and by choice where workers are not forked.

Slower than a fork by the imports of DVC. Orders, output and outcome travel through the standard
streams, and threads wait for these: Windows cannot wait for several pipes at once.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from io import RawIOBase
from threading import Thread
from typing import cast

from nb.declaration.tasks import Outcome, Task
from nb.execution.failures import oom_kills

from .fresh_process import start_fresh_process
from .worker import Order, Reproduce, Worker, read_result, work

# How long output may take to come through after the end of the worker: processes that no system
# call finds may keep the pipe open.
DRAIN_SECONDS = 1.0


@dataclass(kw_only=True)
class SpawnedWorker(Worker):
    """The runner's end of a worker in a fresh process.

    Attributes:
        process: the process.
        pump: the end of the output into which a thread writes.
        wake: called in another thread after the end of the process.
        content: the outcome as it was written, after the end of the process.
        has_ended: the process has ended, and its output has come through.
        threads: the thread of the output, and the thread that waits for the end.
    """

    process: subprocess.Popen[bytes]
    pump: socket.socket
    wake: Callable[[], None]
    content: bytes = b""
    has_ended: bool = False
    threads: list[Thread] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        task: Task,
        order: Order,
        reproduce: Reproduce,
        wake: Callable[[], None],
        lock: int | None = None,
    ) -> SpawnedWorker:
        """Start a worker for a stage.

        Args:
            task: the stage.
            order: the order.
            reproduce: brings the stage up to date, in the worker; can be pickled.
            wake: called in another thread after the end of the worker.
            lock: an open file that the worker keeps open.
        """
        began, started = time.monotonic(), time.time()
        process = start_fresh_process(
            partial(_be_worker, order, reproduce),
            environment=order.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            kept=[] if lock is None else [lock],
        )
        assert process.stdin and process.stderr
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        made = cls(
            task=task,
            pid=process.pid,
            control=process.stdin.fileno(),
            output=cast("RawIOBase", ours.makefile("rb", buffering=0)),
            result=process.stderr.fileno(),
            began=began,
            started=started,
            oom_kills=oom_kills(),
            process=process,
            pump=theirs,
            wake=wake,
        )
        ours.close()  # closed in earnest with the file made of it
        made.threads = [Thread(target=each, daemon=True) for each in (made._pump, made._wait)]
        for thread in made.threads:
            thread.start()
        return made

    def close(self) -> None:
        """Close the runner's ends of the pipes, but for those that the threads close."""
        self.output.close()
        self.pump.close()
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.close()

    def ended(self) -> tuple[int, float | None] | None:
        """Return the exit code and the CPU seconds; None while the process runs."""
        if not self.has_ended:
            return None
        cpu_seconds = json.loads(self.content)["cpu_seconds"] if self.content else None
        return self.process.wait(), cpu_seconds

    def outcome(self) -> tuple[Outcome | None, int | None]:
        """Return the stage's outcome and peak memory in bytes, once the worker ended."""
        return read_result(self.content)

    def _pump(self) -> None:
        """Pass the output on to a socket, which the loop of the runner can watch."""
        assert self.process.stdout
        with self.process.stdout as output, suppress(OSError):  # the runner closed the socket
            while content := os.read(output.fileno(), 65_536):
                self.pump.sendall(content)

    def _wait(self) -> None:
        """Read the outcome, and wait for the end of the process and of the output."""
        assert self.process.stderr
        with self.process.stderr as result:
            self.content = result.read()
        self.process.wait()
        self.threads[0].join(DRAIN_SECONDS)
        self.has_ended = True
        self.wake()


def _be_worker(order: Order, reproduce: Reproduce) -> None:
    """Be the worker, in a fresh process with the pipes as standard streams."""
    work(order, [os.dup(stream) for stream in range(3)], reproduce)
