"""Streams for the printed text of running cells: bounded on the terminal, or to a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

# The limit of live text per cell, in characters; the executed copy also keeps the end.
LIVE_TEXT_LIMIT = 100_000


class LiveStream:
    """Stream that shows the text of each cell up to a limit."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.begin()

    def begin(self) -> None:
        """Reset the limit for a new cell."""
        self.left = LIVE_TEXT_LIMIT

    def write(self, text: str) -> None:
        """Write a text up to the rest of the limit."""
        if self.left > 0:
            self.stream.write(text[: self.left])
            self.left -= len(text)
            if self.left <= 0:
                self.stream.write("\n[… more in the executed copy …]\n")

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


class LogStream:
    """Stream that writes printed text to a log, a record per chunk.

    Args:
        log: writes a record.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self.write = log

    def flush(self) -> None:
        """Do nothing: a log is never behind."""
