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
    """Return a request and the files that came along; empty if the other end is closed.

    If several requests wait, the last counts: it replaces those that nobody has begun to answer.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    content, files = b"", []
    while not content.endswith(b"\n"):
        part, received, _, _ = socket.recv_fds(connection, MOST_BYTES, MOST_FILES)
        files += received
        content += part
        if not part:
            return {}, files
    request: dict[str, Any] = json.loads(content.splitlines()[-1])
    return request, files
