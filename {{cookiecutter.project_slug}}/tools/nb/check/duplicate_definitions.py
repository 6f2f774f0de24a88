"""Duplicate definitions: functions and classes of notebooks that stand elsewhere, too.

Names are resolved only in notebooks and modules with a definition that shares an outline with
another: resolving names in all files would cost more than the rest of the rules.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nb.grouping import grouped
from nb.notebook.code import Function, first_line_number
from nb.notebook.content import Cell
from nb.notebook.magics import mask
from nb.notebook.modules import SourcePackages, project_package
from nb.refactoring.ast_hash import Outline, outline
from nb.refactoring.duplicates import DEFINITION_LINES, Duplicate, find_definitions
from nb.refactoring.sources import Source, notebook_source, read_modules

from .source import Document

DEFINITION = re.compile(r"^(async\s+def|def|class)\s", re.M)
WORD = re.compile(r"\w+")


def duplicates_of(
    documents: Iterable[Document], root: Path, files: SourcePackages
) -> dict[str, list[Duplicate]]:
    """Return the definitions that stand in several notebooks, or in a notebook and in `src/`.

    Args:
        documents: the notebooks to compare with each other and with `src/`.
        files: the modules under `src/`.

    Returns:
        By the names of the notebooks that have them.
    """
    package = project_package(root)
    found = [(document, outlines_of(document)) for document in documents]
    wanted = {each for _, outlines in found for each in outlines}
    modules = read_modules(root, files) if wanted else ()
    held = [(module, outlines) for module in modules if (outlines := _shared(module, wanted))]
    counts = Counter(each for _, outlines in (*found, *held) for each in outlines)
    repeated = {each for each, count in counts.items() if count > 1}
    sources = [module for module, _ in held]
    sources += [_source(document, package) for document, outlines in found if outlines & repeated]
    return grouped(
        (path, duplicate)
        for duplicate in find_definitions(sources)
        for path in {place.path for place in duplicate.places if place.cell}
    )


def outlines_of(document: Document) -> set[Outline]:
    """Return the outlines of the definitions in a notebook."""
    return _outlines(cell.tree for cell in document.code if DEFINITION.search(cell.source))


def _shared(module: Source, wanted: set[Outline]) -> set[Outline]:
    """Return the wanted outlines that a module has; most modules need not be parsed."""
    text = module.cells[0].source
    words = set(WORD.findall(text))
    if not any(each.words <= words for each in wanted):
        return set()
    masked = mask(text)
    return wanted & _outlines([masked.tree if masked else None])


def _outlines(trees: Iterable[ast.Module | None]) -> set[Outline]:
    """Return the outlines of definitions; none if code is nested too deeply to be compared."""
    try:
        return {
            outline(node)
            for tree in trees
            for node in (tree.body if tree else ())
            if isinstance(node, Function | ast.ClassDef)
            and (node.end_lineno or 0) - first_line_number(node) + 1 >= DEFINITION_LINES
        }
    except RecursionError:
        return set()


def _source(document: Document, package: str) -> Source:
    cells = tuple(Cell(cell.number, cell.source, cell.tags) for cell in document.code if cell.tree)
    return notebook_source(document.name, cells, package)
