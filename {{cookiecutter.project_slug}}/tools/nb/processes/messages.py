"""Messages between the processes of a run: lines of JSON, with open files passed along."""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

MOST_BYTES = 1 << 20
MOST_FILES = 4


def line(content: object) -> bytes:
    """Return a message of the protocol."""
    return json.dumps(content).encode() + b"\n"


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a request and the files that came along; empty if the other end is closed."""
    requests, files = receive_waiting(connection)
    if not requests:
        return {}, files
    (request,) = requests  # who asks waits for the answer
    return request, files


def receive_waiting(connection: socket.socket) -> tuple[list[dict[str, Any]], list[int]]:
    """Return all requests that wait, and the files that came along; none if the end is closed."""
    if sys.platform == "win32":
        raise NotImplementedError
    content, files = b"", []
    while not content.endswith(b"\n"):
        part, received, _, _ = socket.recv_fds(connection, MOST_BYTES, MOST_FILES)
        files += received
        content += part
        if not part:
            return [], files
    return [json.loads(text) for text in content.splitlines()], files
