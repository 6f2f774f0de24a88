"""Handles on workers in fresh processes, on systems and by choice where workers are not forked.

Slower than a fork by the imports of DVC. Orders, output and answers travel through the standard
streams, and threads wait for these: Windows cannot wait for several pipes at once.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import RawIOBase
from threading import Event, Thread
from typing import cast

from nb.processes.messages import line

from .channels import ANSWER, StreamChannel
from .fresh_process import start_fresh_process
from .handles import End, Worker
from .worker import Answer, Order, Reproduce, work

# How long output may take to come through after the end of the worker: processes that no system
# call finds may keep the pipe open.
DRAIN_SECONDS = 1.0


class SpawnedWorker(Worker):
    """The handle on a worker in a fresh process.

    Args:
        reproduce: brings a stage up to date, in the worker; can be pickled.
        wake: called in another thread after an answer and after the end of the worker.
        lock: an open file that the worker keeps open.
    """

    def __init__(
        self, reproduce: Reproduce, wake: Callable[[], None], lock: int | None = None
    ) -> None:
        mark = f"<{secrets.token_hex(16)}>".encode()
        self.process = start_fresh_process(
            "worker of stages",
            partial(_be_worker, mark, reproduce),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            kept=[] if lock is None else [lock],
        )
        self.pid = self.process.pid
        self._mark = mark
        self._wake = wake
        self._answers: deque[Answer] = deque()
        self._has_ended = False
        self._is_drained = Event()
        self._output: socket.socket | None = None
        self._threads = [Thread(target=each, daemon=True) for each in (self._pump, self._wait)]
        for thread in self._threads:
            thread.start()

    def begin(self, order: Order) -> RawIOBase:
        """Order a stage; return the output of the stage, readable without waiting.

        Raises:
            OSError: if the worker is gone.
        """
        assert self.process.stdin
        self._close_output()
        ours, self._output = socket.socketpair()
        ours.setblocking(False)
        self._is_drained.clear()
        with ours:  # closed in earnest with the file made of it
            output = cast("RawIOBase", ours.makefile("rb", buffering=0))
        try:
            self.process.stdin.write(line(vars(order)))
        except OSError:
            output.close()
            raise
        return output

    def end_stage(self, how: str) -> None:
        """Have the stage interrupted or killed; of no effect once the worker ended."""
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.write(line({"end": how}))

    def answer(self) -> Answer | None:
        """Return the answer to the last order; None if there is none yet."""
        return self._answers.popleft() if self._answers else None

    def ended(self) -> End | None:
        """Return the exit code; None while the process runs, or its output is on the way."""
        return (self.process.wait(), None) if self._has_ended else None

    def close(self) -> None:
        """Close the runner's end of the connection; a worker without a stage ends then."""
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.close()
        self._close_output()

    def _pump(self) -> None:
        """Pass the output on to a socket for each stage, which the loop of the runner can watch."""
        assert self.process.stdout
        rest = b""
        with self.process.stdout as output:
            while content := os.read(output.fileno(), 65_536):
                text, mark, after = (rest + content).partition(self._mark)
                # The beginning of a mark waits for the rest.
                kept = 0 if mark else _overlap(text, self._mark)
                rest = after or text[len(text) - kept :]
                self._send(text[: len(text) - kept])
                if mark:
                    self._is_drained.set()
        self._send(rest)
        self._is_drained.set()

    def _wait(self) -> None:
        """Note answers, and wait for the end of the process and of the output."""
        assert self.process.stderr
        with open(self.process.stderr.fileno(), "rb", closefd=False) as words:
            for said in words:  # Python may have something to say as well
                before, mark, content = said.partition(ANSWER)
                self._send(before)
                if mark:
                    self._is_drained.wait(DRAIN_SECONDS)
                    self._answers.append(Answer.read(json.loads(content)))
                    self._wake()
        self.process.stderr.close()
        self.process.wait()
        self._threads[0].join(DRAIN_SECONDS)
        self._has_ended = True
        self._wake()

    def _send(self, content: bytes) -> None:
        if self._output and content:
            with suppress(OSError):  # nobody reads
                self._output.sendall(content)

    def _close_output(self) -> None:
        if self._output:
            self._output.close()


def _overlap(text: bytes, mark: bytes) -> int:
    """Return how many bytes at the end of a text are the beginning of a mark."""
    sizes = range(min(len(text), len(mark) - 1), 0, -1)
    return next((size for size in sizes if text.endswith(mark[:size])), 0)


def _be_worker(mark: bytes, reproduce: Reproduce) -> None:
    """Be the worker, in a fresh process with the pipes as standard streams."""
    work(StreamChannel(mark), reproduce)
