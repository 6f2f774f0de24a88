"""Edits of a notebook file in place: everything outside the edited cells keeps every byte.

Standard library only. A notebook that is parsed and written again may lose its indentation, the
order of its keys or the way its numbers are written. Here new text takes the place of single
values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .content import Cell, load_json, parse_notebook, read_notebook_text, source_text
from .magics import plain_source

BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class FileCell(Cell):
    """Code cell with its place in the file.

    The source keeps its line ends and trailing blanks; pasted prompts and the indentation of all
    lines are left out (`plain_source`).

    Attributes:
        span: begin and end of the source in the text of the file.
        whole: begin and end of the whole cell.
    """

    span: tuple[int, int]
    whole: tuple[int, int]


@dataclass(frozen=True)
class CellFile:
    """The text of a notebook file, with its code cells.

    Attributes:
        path: the file.
        text: the whole text, line ends unchanged.
        cells: the code cells, in order.
    """

    path: Path
    text: str
    cells: tuple[FileCell, ...]

    def edited(self, sources: Mapping[int, str | None]) -> str:
        """Return the file's text with new sources.

        Args:
            sources: by the number of a code cell. None removes the cell; a source that equals
                the text in the file changes nothing.
        """
        text = self.text
        for cell in reversed(self.cells):
            if cell.number not in sources:
                continue
            source, (start, end) = sources[cell.number], cell.span
            if source is None:
                text = _without(text, *cell.whole)
            elif source != source_text({"source": json.loads(text[start:end])}):
                text = text[:start] + self._written(source, text[start:end]) + text[end:]
        return text

    def _written(self, source: str, old: str) -> str:
        """Write a source as JSON in the form of the old source: a string, or a list of lines."""
        ascii_only = self.text.isascii() and "\\u" in self.text
        if old.startswith('"'):
            return json.dumps(source, ensure_ascii=ascii_only)
        lines = [json.dumps(line, ensure_ascii=ascii_only) for line in source_lines(source)]
        if not lines:
            return "[]"
        gap, closing = self._gaps(old)
        return "[" + gap + ("," + gap).join(lines) + closing + "]"

    def _gaps(self, old: str) -> tuple[str, str]:
        """Return the blanks before a line of a source and those before the closing bracket."""
        spans = [old, *(self.text[slice(*cell.span)] for cell in self.cells)]
        for candidate in spans:
            inside = candidate[1:-1]
            if candidate.startswith("[") and inside.strip(BLANKS):
                first = inside[: len(inside) - len(inside.lstrip(BLANKS))]
                return first, inside[len(inside.rstrip(BLANKS)) :]
        return ("\n    ", "\n   ") if "\n" in self.text else ("", "")


def _without(text: str, start: int, end: int) -> str:
    """Return a text without an element of an array, and without a comma beside it."""
    before, after = text[:start].rstrip(BLANKS), text[end:].lstrip(BLANKS)
    if before.endswith(","):
        return before[:-1] + text[end:]
    return text[:start] + after[1:].lstrip(BLANKS) if after[:1] == "," else before + after


def source_lines(source: str) -> list[str]:
    """Return a source as nbformat's list of lines: split at newlines, and at no other line end."""
    pieces = source.split("\n")
    return [f"{piece}\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def read_cells(path: Path) -> CellFile:
    """Read the file of a notebook of nbformat 4.

    Raises:
        NbError: if the file cannot be read, or is not such a notebook.
    """
    return read_notebook_text(path, lambda text: parse_cells(path, text))


def parse_cells(path: Path, text: str) -> CellFile:
    """Return the code cells of the text of a notebook file.

    Raises:
        ValueError: if the text is not JSON.
        NbError: if the JSON is not a notebook of nbformat 4.
    """
    parse_notebook(path, load_json(path, text))
    return CellFile(path, text, tuple(_code_cells(text)))


def _code_cells(text: str) -> Iterator[FileCell]:
    (cells,) = [start for key, start, _ in _members(text, _skip(text, 0)) if key == "cells"][-1:]
    number = 0
    for start in _elements(text, cells):
        content: dict[str, Any]
        content, end = _DECODER.raw_decode(text, start)
        if content["cell_type"] == "code":
            number += 1
            # JSON parsers take the last value of a repeated key.
            span = {key: (begin, end) for key, begin, end in _members(text, start)}["source"]
            tags = tuple(map(str, content["metadata"].get("tags", ())))
            source = plain_source(source_text(content))
            yield FileCell(number, source, tags, span, (start, end))


def _skip(text: str, position: int) -> int:
    while text[position] in BLANKS:
        position += 1
    return position


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Yield key, begin and end of the value of each member of the object at a position."""
    position = _skip(text, start + 1)
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        begin = _skip(text, _skip(text, position) + 1)  # past the colon
        _, end = _DECODER.raw_decode(text, begin)
        yield key, begin, end
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _elements(text: str, start: int) -> Iterator[int]:
    """Yield where each element of the array at a position begins."""
    position = _skip(text, start + 1)
    while text[position] != "]":
        yield position
        position = _skip(text, _DECODER.raw_decode(text, position)[1])
        if text[position] == ",":
            position = _skip(text, position + 1)


def dumped_like(content: object, like: str) -> str:
    """Return content as JSON, laid out as the text of another notebook file is."""
    old = json.loads(like)
    end = like[len(like.rstrip(BLANKS)) :]
    layouts: list[dict[str, Any]] = [
        {"indent": indent, "ensure_ascii": ascii_only, "separators": separators}
        for separators in (None, (",", ":"))
        for ascii_only in (False, True)
        for indent in (1, 2, 4, "\t", None)
    ]
    fitting = (one for one in layouts if json.dumps(old, **one) + end == like)
    return json.dumps(content, **next(fitting, layouts[0])) + end
