"""Clone detection in notebooks and `src/`: duplicated functions, classes, runs of statements.

Standard library only. Code is compared by AST hashes (`ast_hash`), because pairwise comparison
would grow with the square of the code; hashing grows linearly.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from nb.notebook.code import Definition, Function, first_line, names_of, project_package
from nb.notebook.content import Cell, Sources, production_notebooks, read_notebook
from nb.notebook.magics import mask
from nb.project import NbError, from_root, warn

from .ast_hash import Shapes, Skeleton, is_docstring, parameters, shape
from .nbdev_cells import GENERATED, exported_module, is_exported

NOTEBOOKS = Path("notebooks")
# The least number of code lines; shorter duplicates are not worth a shared function.
DEFINITION_LINES = 3
BLOCK_LINES = 5
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
        return f"{self.path}:{self.cell}:{self.line}" if self.cell else f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Duplicate:
    """A duplicate: equal code in several places.

    Attributes:
        kind: `function`, `class` or `block`.
        places: modules first, then notebooks, each in the order of their paths.
    """

    kind: str
    places: tuple[CodePlace, ...]

    @property
    def name(self) -> str:
        """The name of the first copy; empty for a block."""
        return self.places[0].name

    @property
    def saved(self) -> int:
        """The number of lines saved if a single copy stays."""
        lines = [place.lines for place in self.places]
        return sum(lines) - max(lines)

    @property
    def module(self) -> str:
        """The module that has the code already; empty if none has."""
        return self.places[0].module

    def as_json(self) -> dict[str, Any]:
        """Return the duplicate as a JSON object."""
        shown = ("path", "cell", "line", "end", "lines", "name", "module")
        places = [{key: getattr(place, key) for key in shown} for place in self.places]
        return {
            "kind": self.kind,
            "name": self.name,
            "saved": self.saved,
            "repair": self.repair,
            "places": places,
        }

    @property
    def repair(self) -> str:
        """The repair: a command, or the import that replaces the copies."""
        if self.kind != "block":
            return f"nb extract {next(place.name for place in self.places if place.cell)}"
        if self.module:
            return f"from {self.module} import {self.name}"
        return "make it a function in one of them, then: nb extract NAME"


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

    def place(self, cell: int, nodes: Sequence[ast.stmt], name: str = "") -> CodePlace:
        """Return the location of consecutive statements."""
        first, last = nodes[0], nodes[-1]
        start, end = first_line(first), last.end_lineno or last.lineno
        counts = self._code_lines[cell]
        one = first if len(nodes) == 1 and isinstance(first, Function) else None
        return CodePlace(
            path=self.path,
            cell=cell,
            line=start,
            end=end,
            lines=counts[end] - counts[start - 1],
            name=name,
            parameters=tuple(parameters(one)) if one and one.name == name else (),
            module=self.module if not cell or self._is_exported(cell) else "",
        )

    def _is_exported(self, cell: int) -> bool:
        return any(is_exported(one) for one in self.cells if one.number == cell)

    @cached_property
    def _code_lines(self) -> dict[int, list[int]]:
        """Prefix sums of code lines per cell, so that the length of any range is a subtraction."""
        return {cell.number: [0, *accumulate(_is_code(cell.source))] for cell in self.cells}

    def runs(self) -> Iterator[Run]:
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
                    skeletons = self.shapes.of_statements(part, scope)
                    yield Run(self, cell.number, name, part, skeletons)


@dataclass(frozen=True)
class Run:
    """A run of consecutive statements.

    Attributes:
        source: the notebook or module.
        cell: the number of the cell.
        name: the name of the enclosing function; empty at the top level.
        nodes: the statements.
        skeletons: the skeleton of each statement.
    """

    source: Source
    cell: int
    name: str
    nodes: Sequence[ast.stmt]
    skeletons: Sequence[Skeleton]

    def lines(self, number: int) -> int:
        """Return the number of code lines of a statement."""
        return self.source.place(self.cell, [self.nodes[number]]).lines


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
        yield number not in texts and bool(line.strip()) and not line.lstrip().startswith("#")


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


def find_duplicates(root: Path, block_lines: int = BLOCK_LINES) -> list[Duplicate]:
    """Return the duplicates among notebooks, or between a notebook and `src/`.

    Args:
        root: the project's root.
        block_lines: lines of code from which a run of statements counts.

    Returns:
        Most lines saved first.
    """
    sources = read_sources(root)
    definitions = find_definitions(sources)
    blocks = _Blocks(sources, block_lines).find(definitions)
    return sorted([*definitions, *blocks], key=lambda found: (-found.saved, str(found.places[0])))


def read_sources(root: Path) -> list[Source]:
    """Return the parsed modules below `src/`, then all parsed notebooks.

    Modules that nbdev wrote are left out: their notebooks are the originals. An unreadable notebook
    is skipped with a line on standard error.
    """
    sources = list(read_modules(root, Sources(root / "src")))
    package = project_package(root)
    for path in production_notebooks(root / NOTEBOOKS):
        try:
            cells = read_notebook(path).cells
        except NbError as error:
            warn(f"{from_root(str(error), root)} It is left out.")
            continue
        sources.append(notebook_source(_relative(path, root), cells, package))
    return sources


def read_modules(root: Path, files: Sources) -> Iterator[Source]:
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


def find_definitions(sources: Iterable[Source]) -> list[Duplicate]:
    """Return duplicated functions and classes among notebooks, or between a notebook and `src/`."""
    groups: dict[str, list[CodePlace]] = {}
    for source in sources:
        for found in source.definitions():
            place = source.place(found.cell, [found.node], found.name)
            if place.lines >= DEFINITION_LINES:
                key = f"{found.kind} {source.shapes.of_definition(found)}"
                groups.setdefault(key, []).append(place)
    return [
        Duplicate(key.partition(" ")[0], in_order(places))
        for key, places in groups.items()
        if _is_shared(places)
    ]


def in_order(places: Iterable[CodePlace]) -> tuple[CodePlace, ...]:
    """Return places in the order of a finding: importable modules first."""
    return tuple(sorted(places, key=lambda p: (not p.module, p.path, p.cell, p.line)))


def _is_shared(places: Sequence[CodePlace]) -> bool:
    return any(place.cell for place in places) and len({place.path for place in places}) > 1


# A part of a run: the run, the index of the first statement, and the index after the last.
Part = tuple[Run, int, int]


class _Blocks:
    """The search for duplicated runs of statements (blocks).

    Args:
        sources: the notebooks and modules to search.
        lines: the least number of code lines of a block.
    """

    def __init__(self, sources: Iterable[Source], lines: int) -> None:
        self.lines = lines
        self.runs = [run for source in sources for run in source.runs()]
        # Findings by file and cell, so that coverage is checked only within the same cell.
        self.found: dict[tuple[str, int], list[Duplicate]] = {}

    def find(self, known: Iterable[Duplicate]) -> list[Duplicate]:
        """Return duplicated blocks, except those within findings that are known already."""
        for duplicate in known:
            self._note(duplicate)
        groups: dict[str, list[Part]] = {}
        for run in self.runs:
            for part in self._smallest(run):
                groups.setdefault(_shape(part), []).append(part)
        blocks: list[Duplicate] = []
        for group in groups.values():
            for parts in self._grown(group):
                block = Duplicate("block", in_order(map(_place, parts)))
                if not self._is_covered(block):
                    self._note(block)
                    blocks.append(block)
        return blocks

    def _smallest(self, run: Run) -> Iterator[Part]:
        """Yield, from each statement of a run, the shortest part that has enough lines."""
        counts = [run.lines(number) for number in range(len(run.nodes))]
        end, lines = 0, 0
        for start, count in enumerate(counts):
            while lines < self.lines and end < len(counts):
                lines += counts[end]
                end += 1
            if lines < self.lines:
                return
            yield run, start, end
            lines -= count

    def _grown(self, group: Sequence[Part]) -> Iterator[list[Part]]:
        """Yield groups of equal parts, extended statement by statement while shapes stay equal."""
        parts = _apart(group)
        if not _is_shared([_place(part) for part in parts]):
            return
        longer: dict[str, list[Part]] = {}
        for run, start, end in parts:
            if end < len(run.nodes):
                part = (run, start, end + 1)
                longer.setdefault(_shape(part), []).append(part)
        if not any(len(_apart(others)) == len(parts) for others in longer.values()):
            yield parts
        for others in longer.values():
            yield from self._grown(others)

    def _note(self, duplicate: Duplicate) -> None:
        for place in duplicate.places:
            self.found.setdefault((place.path, place.cell), []).append(duplicate)

    def _is_covered(self, block: Duplicate) -> bool:
        first = block.places[0]
        return any(
            all(any(_holds(outer, place) for outer in other.places) for place in block.places)
            for other in self.found.get((first.path, first.cell), [])
        )


def _holds(outer: CodePlace, inner: CodePlace) -> bool:
    same = (outer.path, outer.cell) == (inner.path, inner.cell)
    return same and outer.line <= inner.line and inner.end <= outer.end


def _shape(part: Part) -> str:
    run, start, end = part
    return shape(run.skeletons[start:end])


def _place(part: Part) -> CodePlace:
    run, start, end = part
    return run.source.place(run.cell, run.nodes[start:end], run.name)


def _apart(group: Sequence[Part]) -> list[Part]:
    """Return the parts of a group without overlaps, which arise from a line repeated many times."""
    kept: list[Part] = []
    for part in group:
        if not kept or kept[-1][0] is not part[0] or kept[-1][2] <= part[1]:
            kept.append(part)
    return kept
