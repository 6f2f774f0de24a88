"""Where what the cells print goes while they run, without secrets and credentials."""

from __future__ import annotations

from typing import IO, TextIO

from ..credentials import Mask, mask

# Characters of what a cell prints that are shown while it runs; the executed copy has the end, too.
SHOWN = 100_000


class LiveStream:
    """Passes on what the cells print, without credentials, and not without end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.begin()

    def begin(self) -> None:
        """Begin with a cell."""
        self.left = SHOWN

    def write(self, text: str) -> None:
        if self.left > 0:
            self.stream.write(mask(text[: self.left]))
            self.left -= len(text)
            if self.left <= 0:
                self.stream.write("\n[… more in the executed copy …]\n")

    def flush(self) -> None:
        self.stream.flush()


class MaskedFile:
    """A text file that never gets the values of secrets."""

    def __init__(self, file: IO[str], secrets: Mask) -> None:
        self._file = file
        self._secrets = secrets

    def write(self, text: str) -> None:
        """Write a text without the values."""
        self._file.write(self._secrets.text(text))

    def flush(self) -> None:
        """Write out what is buffered."""
        self._file.flush()
