"""Files that mask secrets as text is written, piece by piece."""

from __future__ import annotations

import re
from typing import Protocol

from .mask import Mask

_KEY_LINE = re.compile(r"\s*[A-Za-z0-9+/]{24,}={0,2}\r?\n")
# Pieces of a line are held until the line is whole; longer lines are written in parts.
_LONGEST_HELD = 1_000_000
_LONGEST_REMEMBERED = 1_000


class Writable(Protocol):
    """Text file that can be written to and flushed."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Write out buffered text."""


class MaskedFile:
    """Text file whose text is masked, also where a secret comes in pieces.

    The beginning of a line is kept back until the line has ended, and of a private key until the
    key has ended. `finish` writes the rest. The last lines are remembered: a secret may
    continue on the next line.

    Args:
        file: the file to write to.
        mask: removes secrets.
    """

    def __init__(self, file: Writable, mask: Mask) -> None:
        self.file = file
        self._mask = mask
        self._held: list[str] = []
        self._size = 0
        self._last = ""

    def write(self, text: str) -> None:
        """Take in a text, and write the lines that are whole now."""
        self._held.append(text)
        self._size += len(text)
        if "\n" in text or "\r" in text or self._size > _LONGEST_HELD:
            held = "".join(self._held)
            end = max(held.rfind("\n"), held.rfind("\r")) + 1
            end = len(held) if self._size > _LONGEST_HELD else _before_key(held, end)
            self._let_go(held, end)

    def flush(self) -> None:
        """Write out buffered text, but for the text that is kept back."""
        self.file.flush()

    def finish(self) -> None:
        """Write the text that was kept back: no more text comes."""
        held = "".join(self._held)
        self._let_go(held, len(held))
        self.file.flush()

    def _let_go(self, held: str, end: int) -> None:
        self._held, self._size = [held[end:]], len(held) - end
        if end:
            text = self._last + held[:end]
            self.file.write(self._mask.text(text, len(self._last)))
            self._last = "".join(text[-_LONGEST_REMEMBERED:].splitlines(keepends=True)[-3:])


def _before_key(text: str, end: int) -> int:
    """Return where a text that ends at a place ends without the private key that begins in it."""
    # Lines that look like a key's: the line END may come after them.
    while end:
        start = text.rfind("\n", 0, end - 1) + 1
        if not _KEY_LINE.fullmatch(text, start, end):
            break
        end = start
    begin = text.rfind("-BEGIN ", 0, end)
    if begin < 0 or text.find("-END ", begin, end) >= 0:
        return end
    return text.rfind("\n", 0, begin) + 1
