"""Where what the cells print goes while they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

# Characters of what a cell prints that are shown while it runs; the executed copy has the end, too.
SHOWN = 100_000


class LiveStream:
    """Passes on what the cells print, and not without end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.begin()

    def begin(self) -> None:
        """Begin with a cell."""
        self.left = SHOWN

    def write(self, text: str) -> None:
        """Write a text, or the part of it that may still be shown."""
        if self.left > 0:
            self.stream.write(text[: self.left])
            self.left -= len(text)
            if self.left <= 0:
                self.stream.write("\n[… more in the executed copy …]\n")

    def flush(self) -> None:
        """Write out what is buffered."""
        self.stream.flush()


class LogStream:
    """Writes what the cells print to a log, a record for all the lines that come at once.

    Args:
        log: writes a record.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self.write = log

    def flush(self) -> None:
        """Do nothing: a log is never behind."""
