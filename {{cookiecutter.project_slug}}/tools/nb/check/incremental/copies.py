"""Copies of definitions: functions and classes of notebooks that stand elsewhere, too.

The definitions of a notebook are hashed with the names that they use there, without a look at
other files. So those of a notebook without a change are known, and comparing reads no notebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb.check.findings import COPIES, Place, is_silenced
from nb.check.source import Document
from nb.grouping import grouped
from nb.notebook.content import Cell
from nb.notebook.modules import SourcePackages
from nb.refactoring.duplicates import DEFINITION_LINES, Duplicate, find_definitions
from nb.refactoring.sources import (
    CodePlace,
    PlacedDefinition,
    Source,
    notebook_source,
    read_modules,
)

DEFINITION = re.compile(r"^(async\s+def|def|class)\s", re.M)
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class ComparedDefinition:
    """A function or class of a notebook or of `src/`.

    Attributes:
        kind: `function` or `class`.
        shape: the shape (AST hash).
        place: the location.
        words: words that the text of each copy holds.
        is_silenced: whether the line says that the copy is wanted.
    """

    kind: str
    shape: str
    place: CodePlace
    words: tuple[str, ...]
    is_silenced: bool = False


def definitions_in_notebook(document: Document, package: str) -> list[ComparedDefinition]:
    """Return the definitions of a notebook; none if code is nested too deeply to be compared.

    Args:
        package: the package that nbdev exports to.
    """
    if not any(DEFINITION.search(cell.source) for cell in document.code):
        return []
    cells = tuple(Cell(cell.number, cell.source, cell.tags) for cell in document.code if cell.tree)
    lines = {cell.number: cell.source.split("\n") for cell in document.code}
    return _definitions(notebook_source(document.name, cells, package), lines)


def definitions_in_modules(
    root: Path, files: SourcePackages, wanted: Iterable[ComparedDefinition]
) -> list[ComparedDefinition]:
    """Return the definitions in `src/` that are copies of wanted definitions.

    Most modules lack the words of all wanted definitions, and need not be parsed.
    """
    words_of_shapes = {each.shape: frozenset(each.words) for each in wanted}
    found: list[ComparedDefinition] = []
    for module in read_modules(root, files) if words_of_shapes else ():
        words = set(WORD.findall(module.cells[0].source))
        if any(each <= words for each in words_of_shapes.values()):
            found += (each for each in _definitions(module, {}) if each.shape in words_of_shapes)
    return found


def duplicates_of(definitions: Iterable[ComparedDefinition]) -> dict[str, list[Duplicate]]:
    """Return the definitions that stand in several notebooks, or in a notebook and in `src/`.

    Returns:
        By the names of the notebooks that have them.
    """
    placed = (PlacedDefinition(each.kind, each.shape, each.place) for each in definitions)
    return grouped(
        (path, duplicate)
        for duplicate in find_definitions(placed)
        for path in {place.path for place in duplicate.places if place.cell}
    )


def _definitions(source: Source, lines: dict[int, list[str]]) -> list[ComparedDefinition]:
    try:
        return list(_compared(source, lines))
    except RecursionError:
        return []


def _compared(source: Source, lines: dict[int, list[str]]) -> Iterator[ComparedDefinition]:
    for definition in source.definitions():
        place = source.place(definition)
        if place.lines >= DEFINITION_LINES:
            shape, words = source.shapes.with_words(definition)
            wanted = _is_wanted(lines.get(place.cell, ()), place)
            yield ComparedDefinition(definition.kind, shape, place, tuple(sorted(words)), wanted)


def _is_wanted(lines: Sequence[str], place: CodePlace) -> bool:
    return is_silenced(lines, Place(place.cell, place.line), COPIES)
