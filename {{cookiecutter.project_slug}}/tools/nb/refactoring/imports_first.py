"""Imports of a notebook gathered in the first code cell, as a module has them.

Standard library only.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator

from nb.notebook.code import imports_of, is_code_line, names_of_notebook
from nb.notebook.file import CellFile, FileCell, parse_cells
from nb.notebook.magics import mask
from nb.notebook.new_cell import with_cell

# Code on which later imports depend: these stay below.
_PREPARES_IMPORTS = re.compile(
    r"\bsys\.path\b|\benviron\b|\bchdir\(|\.use\(|\bset_start_method\b|\bimportlib\b|"
    r"[!%] *(pip|conda|mamba|uv|cd)\b"
)


def with_imports_first(file: CellFile) -> CellFile:
    """Return a notebook whose imports are in the first code cell.

    An import stays in place if the bound name has another meaning elsewhere, if code above, such as
    `sys.path.append`, prepares imports, or if another statement is on the same line.
    """
    code_cells = [cell for cell in file.cells if cell.source.strip()]
    if not code_cells:
        return file
    first = code_cells[0]
    has_home = is_only_imports(first.source) and not first.tags
    moved: list[str] = []
    sources: dict[int, str | None] = {}
    for cell, lines in _movable(file):
        if has_home and cell is first:
            continue
        rows = cell.source.split("\n")
        if is_only_imports(cell.source) and len(lines) == sum(map(is_code_line, rows)):
            lines = set(range(len(rows)))  # comments come along
        taken = [rows[number] for number in sorted(lines)]
        moved.append("\n".join(taken).strip("\n"))
        left = "\n".join(row for n, row in enumerate(rows) if n not in lines).strip("\n")
        sources[cell.number] = left if left.strip() or cell.tags else None
    if not moved:
        return file
    if has_home:
        sources[first.number] = "\n".join([first.source.rstrip("\n"), *moved])
        return parse_cells(file.path, file.edited(sources))
    cells = json.loads(file.text)["cells"]
    place = next(n for n, cell in enumerate(cells) if cell["cell_type"] == "code")
    return with_cell(parse_cells(file.path, file.edited(sources)), place, "\n".join(moved))


def is_only_imports(source: str) -> bool:
    """Return whether a cell is only imports and lines of IPython, with a statement at least."""
    body = _statements(source)
    return bool(body) and all(isinstance(n, ast.Import | ast.ImportFrom | ast.Pass) for n in body)


def _movable(file: CellFile) -> Iterator[tuple[FileCell, set[int]]]:
    """Yield cells with the numbers of their lines, from 0, that hold imports to be moved."""
    names = names_of_notebook(file)
    origins: dict[str, set[str]] = defaultdict(set)
    for node in (n for cell in file.cells for n in _statements(cell.source)):
        for one in imports_of(node):
            origins[one.binds].add(one.origin)
    fixed = {*names.variables, *names.definitions}
    fixed |= {name for name, meanings in origins.items() if len(meanings) > 1}
    for cell in file.cells:
        body, rows = _statements(cell.source), cell.source.split("\n")
        staying = (node for node in body if not _may_move(node, fixed))
        kept = {line for node in staying for line in _lines(node)}
        found: set[int] = set()
        for node in body:
            lines = _lines(node)
            if _PREPARES_IMPORTS.search("\n".join(rows[line] for line in lines)):
                if found:
                    yield cell, found
                return
            if kept.isdisjoint(lines):
                found.update(lines)
        if found:
            yield cell, found


def _may_move(node: ast.stmt, fixed: set[str]) -> bool:
    found = imports_of(node)
    return bool(found) and all(one.name != "*" and one.binds not in fixed for one in found)


def _statements(source: str) -> list[ast.stmt]:
    """Return the statements of a cell; none of a cell with a cell magic."""
    masked = mask(source)
    return masked.tree.body if masked and not source.lstrip().startswith("%%") else []


def _lines(node: ast.stmt) -> range:
    return range(node.lineno - 1, node.end_lineno or node.lineno)
