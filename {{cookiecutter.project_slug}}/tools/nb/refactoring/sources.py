"""Parsed code of notebooks and modules: places, definitions and runs of statements.

Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from nb.notebook.code import (
    Definition,
    Function,
    first_line_number,
    is_code_line,
    names_of,
)
from nb.notebook.content import NOTEBOOK_FOLDERS, Cell, notebooks_below, read_notebook
from nb.notebook.magics import mask
from nb.notebook.modules import SourcePackages, project_package
from nb.project import NbError, from_root, warn
from nb.wording import place_in_file

from .ast_hash import Shapes, Skeleton, is_docstring, parameters, shape
from .nbdev_cells import GENERATED, exported_module, is_exported

# Imports and definitions end a run: imports must repeat, definitions are compared as a whole.
BREAKS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class CodePlace:
    """The location of a code fragment in a notebook or module.

    Attributes:
        path: the file, relative to the project's root.
        cell: the code cell, from 1; 0 in a module.
        line: the first line, in the cell or the module.
        end: the last line.
        lines: the number of code lines; blank lines, comments and docstrings do not count.
        name: the name of the function or class; empty for a block.
        parameters: the names of a function's parameters.
        module: the dotted name of the importable module; empty for a notebook.
    """

    path: str
    cell: int
    line: int
    end: int
    lines: int
    name: str = ""
    parameters: tuple[str, ...] = ()
    module: str = ""

    def __str__(self) -> str:
        return place_in_file(self.path, self.cell, self.line)


class PlacedDefinition(NamedTuple):
    """A function or class: `function` or `class`, its shape (AST hash) and its location."""

    kind: str
    shape: str
    place: CodePlace


class Statement(NamedTuple):
    """A statement of a run.

    Attributes:
        line: the first line, decorators included.
        end: the last line.
        lines: the number of code lines.
        skeleton: the hash of the code, names apart.
    """

    line: int
    end: int
    lines: int
    skeleton: Skeleton


class StatementRun(NamedTuple):
    """A run of consecutive statements, without syntax trees: small enough to keep and to send.

    Attributes:
        path: the file, relative to the project's root.
        cell: the number of the cell; 0 in a module.
        name: the name of the enclosing function; empty at the top level.
        module: the dotted name of the importable module; empty for a notebook.
        statements: the statements.
    """

    path: str
    cell: int
    name: str
    module: str
    statements: tuple[Statement, ...]

    def place(self, start: int, end: int) -> CodePlace:
        """Return the location of the statements from index `start` to before `end`."""
        part = self.statements[start:end]
        lines = sum(statement.lines for statement in part)
        ends = (part[0].line, part[-1].end)
        return CodePlace(self.path, self.cell, *ends, lines, self.name, module=self.module)

    def shape(self, start: int, end: int) -> str:
        """Return the shape (AST hash) of the statements from index `start` to before `end`."""
        return shape(statement.skeleton for statement in self.statements[start:end])


@dataclass(frozen=True)
class Source:
    """The parsed code of a notebook or module.

    Attributes:
        path: relative to the project's root.
        cells: the code cells; a module counts as a single cell with number 0.
        module: the module's dotted name; for a notebook, of the module that nbdev exports.
    """

    path: str
    cells: tuple[Cell, ...]
    module: str = ""

    @cached_property
    def shapes(self) -> Shapes:
        """The AST hashes of this source's code."""
        return Shapes(names_of(self.cells))

    def definitions(self) -> Iterator[Definition]:
        """Yield the functions and classes of this source."""
        for found in self.shapes.names.definitions.values():
            yield from (one for one in found if not one.is_constant)

    def placed_definitions(self) -> Iterator[PlacedDefinition]:
        """Yield the functions and classes of this source with their shapes and locations."""
        for found in self.definitions():
            digest = self.shapes.of_definition(found)
            yield PlacedDefinition(found.kind, digest, self.place(found))

    def place(self, definition: Definition) -> CodePlace:
        """Return the location of a function or class."""
        node, cell = definition.node, definition.cell
        start, end = first_line_number(node), node.end_lineno or node.lineno
        counts = self._code_lines[cell]
        return CodePlace(
            path=self.path,
            cell=cell,
            line=start,
            end=end,
            lines=counts[end] - counts[start - 1],
            name=definition.name,
            parameters=tuple(parameters(node.args)) if isinstance(node, Function) else (),
            module=self._module_of(cell),
        )

    def _module_of(self, cell: int) -> str:
        """Return the module from which the code of a cell can be imported, if there is one."""
        if not cell or not self.module:
            return self.module
        exported = (is_exported(each) for each in self.cells if each.number == cell)
        return self.module if any(exported) else ""

    @cached_property
    def _code_lines(self) -> dict[int, list[int]]:
        """Prefix sums of code lines per cell, so that the length of any range is a subtraction."""
        return {cell.number: [0, *accumulate(_is_code(cell.source))] for cell in self.cells}

    def runs(self) -> Iterator[StatementRun]:
        """Yield runs of consecutive statements, in cells and in functions."""
        for cell in self.cells:
            masked = mask(cell.source)
            if masked is None or "parameters" in cell.tags:
                continue
            bodies: list[tuple[Sequence[ast.stmt], ast.AST, str]] = []
            if cell.number:
                bodies.append((masked.tree.body, masked.tree, ""))
            functions = (node for node in masked.tree.body if isinstance(node, Function))
            bodies += [(function.body, function, function.name) for function in functions]
            hidden = masked.hidden_lines()
            for body, scope, name in bodies:
                for part in _without_breaks(body, hidden):
                    yield StatementRun(
                        self.path,
                        cell.number,
                        name,
                        self._module_of(cell.number),
                        tuple(self._statements(part, cell.number, scope)),
                    )

    def _statements(
        self, nodes: Sequence[ast.stmt], cell: int, scope: ast.AST
    ) -> Iterator[Statement]:
        counts = self._code_lines[cell]
        skeletons = self.shapes.of_statements(nodes, scope)
        for node, skeleton in zip(nodes, skeletons, strict=True):
            line, end = first_line_number(node), node.end_lineno or node.lineno
            yield Statement(line, end, counts[end] - counts[line - 1], skeleton)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield statement lists: a module's body, and those of functions and classes, nested too."""
    body: list[ast.stmt] = getattr(node, "body", [])
    yield body
    for inner in body:
        if isinstance(inner, Function | ast.ClassDef):
            yield from _bodies(inner)


def _is_code(source: str) -> Iterator[bool]:
    masked = mask(source)
    texts: set[int] = set()
    for body in _bodies(masked.tree) if masked else ():
        for node in filter(is_docstring, body):
            texts.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for number, line in enumerate(source.split("\n"), 1):
        yield number not in texts and is_code_line(line)


def _without_breaks(body: Sequence[ast.stmt], hidden: set[int]) -> Iterator[list[ast.stmt]]:
    """Split statements at those outside any block: imports, definitions, lines of IPython."""
    part: list[ast.stmt] = []
    for node in body:
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        is_break = isinstance(node, BREAKS) or not hidden.isdisjoint(lines)
        if is_break or is_docstring(node):
            yield part
            part = []
        else:
            part.append(node)
    yield part


def read_sources(root: Path) -> list[Source]:
    """Return the parsed modules below `src/`, then all parsed notebooks.

    Modules that nbdev wrote are left out: their notebooks are the originals. An unreadable notebook
    is skipped with a line on standard error.
    """
    sources = list(read_modules(root, SourcePackages(root / "src")))
    package = project_package(root)
    for path in notebooks_below(root / NOTEBOOK_FOLDERS):
        try:
            sources.append(read_source(path, root, package))
        except NbError as error:
            warn_left_out(error, root)
    return sources


def read_source(path: Path, root: Path, package: str) -> Source:
    """Return the parsed code of a notebook file.

    Args:
        package: the package that nbdev exports to.

    Raises:
        NbError: if the notebook cannot be read.
    """
    return notebook_source(_relative(path, root), read_notebook(path).cells, package)


def warn_left_out(error: NbError, root: Path) -> None:
    """Say on standard error that a notebook is left out, and why."""
    warn(f"{from_root(str(error), root).rstrip('.')}. It is left out.")


def read_modules(root: Path, files: SourcePackages) -> Iterator[Source]:
    """Yield the parsed modules below `src/`, except those that nbdev wrote."""
    for name, path in files.modules.items():
        text = path.read_text(encoding="utf-8", errors="replace")
        if not text.startswith(GENERATED):
            yield Source(_relative(path, root), (Cell(0, text, ()),), name)


def notebook_source(path: str, cells: tuple[Cell, ...], package: str) -> Source:
    """Return the parsed code of a notebook.

    Args:
        path: the notebook, relative to the project's root.
        cells: the code cells.
        package: the package that nbdev exports to.
    """
    module = exported_module(cells)
    return Source(path, cells, f"{package}.{module}" if module else "")


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
