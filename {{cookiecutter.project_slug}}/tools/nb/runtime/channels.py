"""Channels: the ends that workers have of their connections to the runner.

Messages are lines of JSON. A worker that was forked has a socket, which passes open files along; a
fresh process has its standard streams, the only channels that every system can pass on.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any, Protocol, cast

from nb.processes.messages import MOST_BYTES, line

# Stands before an answer on standard error, where Python may have something to say as well.
ANSWER = b"\0"


class RunnerChannel(Protocol):
    """An end of the connection between the runner and a worker."""

    # Files that the processes of a stage must not keep open.
    files: tuple[int, ...]

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; return None if the runner is gone."""

    def take_output(self) -> None:
        """Make the output of the stage just ordered the standard output and error."""

    def answer(self, content: Mapping[str, Any]) -> None:
        """Answer an order, after all output of the stage."""


class SocketChannel:
    """The channel of a worker that was forked.

    Args:
        connection: the worker's end of the connection.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.files: tuple[int, ...] = (connection.fileno(),)
        self._content = b""
        self._outputs: list[int] = []

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; return None if the runner is gone."""
        if sys.platform == "win32":
            raise NotImplementedError
        while b"\n" not in self._content:
            part, files, _, _ = socket.recv_fds(self.connection, MOST_BYTES, 1)
            self._outputs += files
            self._content += part
            if not part:
                return None
        message, _, self._content = self._content.partition(b"\n")
        return cast("dict[str, Any]", json.loads(message))

    def take_output(self) -> None:
        """Make the output of the stage just ordered the standard output and error."""
        output = self._outputs.pop(0)
        for target in (1, 2):
            os.dup2(output, target)
        os.close(output)

    def answer(self, content: Mapping[str, Any]) -> None:
        """Answer an order, after all output of the stage."""
        self.connection.sendall(line(content))


class StreamChannel:
    """The channel of a worker in a fresh process, whose standard streams are pipes to the runner.

    Args:
        mark: written after the output of each stage.
    """

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        control, self._answers = os.dup(0), os.dup(2)
        self.files: tuple[int, ...] = (control, self._answers)
        self._orders = os.fdopen(control, "rb")
        os.dup2(1, 2)

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; return None if the runner is gone."""
        message = self._orders.readline()
        return cast("dict[str, Any]", json.loads(message)) if message else None

    def take_output(self) -> None:
        """Leave standard output and error as they are."""

    def answer(self, content: Mapping[str, Any]) -> None:
        """Answer an order, after all output of the stage."""
        _write_all(1, self._mark)
        _write_all(self._answers, ANSWER + line(content))


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
