"""Kernels as forks: a forked papermill asks the fork server of the stage for each kernel."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping

from .messages import line
from .tree import KILL_SIGNAL

KERNEL = "kernel"
# The channel to the fork server, in a forked papermill.
_channel: socket.socket | None = None


def connect(channel: socket.socket) -> None:
    """Have `fork_kernel` ask through a channel."""
    global _channel
    _channel = channel


class Fork:
    """A process that a fork server forked: the part of `subprocess.Popen` that clients use.

    Args:
        connection: the connection of the request; closing it ends the process.
    """

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection = connection
        self.pid = pid
        self.returncode: int | None = None
        connection.setblocking(False)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the process runs."""
        if self.returncode is None:
            try:
                answer = self.connection.recv(100)
            except BlockingIOError:
                return None
            except ConnectionError:
                answer = b""
            # Without an answer the server is gone, and all forks end with the server.
            self.returncode = json.loads(answer)["exit"] if answer else -KILL_SIGNAL
            self.connection.close()
        return self.returncode

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        while (code := self.poll()) is None:
            select.select([self.connection], [], [])
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(KILL_SIGNAL)


def fork_kernel(
    arguments: list[str], folder: str, environment: Mapping[str, str], files: list[int]
) -> Fork | str:
    """Ask the fork server of this process for a kernel.

    Args:
        arguments: those of `python -m ipykernel_launcher`.
        folder: the working directory of the kernel.
        environment: the environment variables of the kernel.
        files: the standard streams of the kernel.

    Returns:
        The process; or why there is none.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    if _channel is None:
        return "this papermill was not forked"
    connection, other = socket.socketpair()
    request = {
        "kind": KERNEL,
        "arguments": arguments,
        "folder": folder,
        "environment": dict(environment),
        "python": sys.executable,
    }
    try:
        socket.send_fds(_channel, [line(request)], [*files, other.fileno()])
        other.close()
        with connection.makefile("rb", buffering=0) as answers:
            answer = json.loads(answers.readline() or "{}")
    except OSError as error:
        return str(error)
    if "pid" not in answer:
        connection.close()
        return str(answer.get("refused", "the fork server has ended"))
    return Fork(connection, answer["pid"])
