"""Outputs of cells, deterministic and bounded, for the executed copy.

A kernel sends printed text in chunks that depend on timing. Chunks between two other outputs are
joined into a single output per stream, standard output first, so that equal results give equal
copies; endless output takes a bounded amount of memory. nbclient's
`coalesce_streams` joins chunks only after the cell, across other outputs, with all text in memory.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

# Limits in characters. Of a longer text (a stream between two other outputs, an error message) the
# first and the last half of the limit are kept; of the outputs of a cell, those up to the limit.
TEXT_LIMIT = 200_000
CELL_LIMIT = 50_000_000


class BoundedText:
    """A growing text that keeps the beginning and the end within `TEXT_LIMIT`."""

    def __init__(self, text: str = "") -> None:
        self._head = ""
        self._left_out = 0
        self._parts = [text]
        self._size = len(text)

    def add(self, text: str) -> None:
        """Append a text."""
        self._parts.append(text)
        self._size += len(text)
        if self._size > 2 * TEXT_LIMIT:
            self._compact()

    def __str__(self) -> str:
        self._compact()
        if not self._left_out:
            return self._head + self._parts[0]
        # Lines stay whole: half a secret would not be recognised.
        start = self._parts[0].find("\n", 0, TEXT_LIMIT // 20) + 1 or 1
        left_out = f"\n[… {self._left_out + start:,} characters left out …]\n"
        return self._head + left_out + self._parts[0][start:]

    def _compact(self) -> None:
        half = TEXT_LIMIT // 2
        text = without_overwritten("".join(self._parts))
        if not self._head and len(text) > TEXT_LIMIT:
            end = text.rfind("\n", half - TEXT_LIMIT // 20, half) + 1 or half
            self._head, text = text[:end], text[end:]
        if self._head and len(text) > half + 1:
            self._left_out += len(text) - half - 1
            text = text[-half - 1 :]
        self._parts, self._size = [text], len(text)


def without_overwritten(text: str, *, is_whole: bool = False) -> str:
    """Return a text without the parts that a terminal overwrites after `\\r` (progress bars).

    Args:
        is_whole: no further text follows, which would overwrite the last line after a final `\\r`.
    """
    if "\r" not in text:
        return text
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return "\n".join(lines) + "\r" * (text.endswith("\r") and not is_whole)


class CellOutputs:
    """The outputs of the running cell, with open streams."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Reset for a new cell, or after the cell cleared the outputs."""
        self._streams: dict[str, tuple[NotebookNode, BoundedText]] = {}
        self._size = 0
        self._note: NotebookNode | None = None
        self._left_out = 0

    def add(self, outputs: list[NotebookNode], *, is_referred_to: bool) -> None:
        """Process the output that was appended to the list.

        Args:
            outputs: the outputs of the cell, the new output last.
            is_referred_to: the output must stay in place, because updates may come.
        """
        output = outputs[-1]
        if output.output_type == "stream":
            outputs.pop()
            self._add_text(outputs, output)
            return
        self.settle()
        if output.output_type == "error":
            output.evalue = str(BoundedText(output.evalue))
            output.traceback = [str(BoundedText(line)) for line in output.traceback]
            return
        size = sum(map(_size, output.get("data", {}).values()))
        if self._size + size <= CELL_LIMIT:
            self._size += size
            return
        self._left_out += 1
        if is_referred_to:
            output.data = type(output)({"text/plain": "[… an output left out …]"})
        else:
            outputs.pop()
            self._write_note(outputs, output)

    def settle(self) -> None:
        """Close the open streams: later text starts a new output."""
        for output, text in self._streams.values():
            output.text = str(text)
            self._size += len(output.text)
        self._streams.clear()

    def _add_text(self, outputs: list[NotebookNode], chunk: NotebookNode) -> None:
        if chunk.name not in self._streams:
            if self._size > CELL_LIMIT:
                return
            output = type(chunk)(output_type="stream", name=chunk.name, text="")
            before = chunk.name == "stdout" and "stderr" in self._streams
            outputs.insert(len(outputs) - before, output)
            self._streams[chunk.name] = output, BoundedText()
        self._streams[chunk.name][1].add(chunk.text)

    def _write_note(self, outputs: list[NotebookNode], like: NotebookNode) -> None:
        text = f"[… outputs left out: {self._left_out:,} …]"
        if self._note is None:
            self._note = type(like)(output_type="display_data", metadata={}, data={})
            outputs.append(self._note)
        self._note.data = type(like)({"text/plain": text})


def _size(content: object) -> int:
    return len(content) if isinstance(content, str) else len(json.dumps(content, default=str))
