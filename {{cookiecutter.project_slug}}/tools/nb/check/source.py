"""A notebook as its cells: each with its place, its tree, and the lines that only IPython reads."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..cellcode import mask
from ..notebook import PYTHON_CELL_MAGICS, Notebook, source_text
from ..strip import RefusedError, strip
from .model import Place

# `!ls`, `%time f()`, `files = !ls`, `?name`, `name?`, and `pip install` without its sign.
ESCAPE = re.compile(
    r"""^(?P<indent>\s*)(?!\s)
    (?:(?P<target>[\w.,()*\[\]]+(?:\ +[\w.,()*\[\]]+)*)\s*=\s*(?P<assigned>!.*|%[A-Za-z_].*)
    |(?P<plain>!.*|%{1,2}[A-Za-z_].*|\?.*|(?:pip|conda|mamba)\ +install\ .*|[^#]*\?))$""",
    re.X,
)
NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Escape:
    """A line that IPython reads and Python does not, or a whole cell of another language.

    Attributes:
        line: its line in the cell, from 1.
        text: from its `!` or `%` on, with the lines that it continues on.
        body: the cell below a cell magic whose body is no Python.
        assigned: whether its result gets a name.
        nested: whether it is indented, below an `if` for example.
    """

    line: int
    text: str
    body: str = ""
    assigned: bool = False
    nested: bool = False

    @property
    def magic(self) -> str:
        """The name of the magic, without its signs; empty for a shell escape."""
        found = re.match(r"%{1,2}(\w+)", self.text)
        return found[1] if found else ""

    @property
    def names(self) -> set[str]:
        """All names in it: a magic may give a value to any of them."""
        return set(NAME.findall(f"{self.text}\n{self.body}")) if self.magic else set()


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        number: its place among all cells, from 1.
        kind: code, markdown or raw.
        source: its text.
        tags: its tags.
        content: the cell as the file has it.
    """

    number: int
    kind: str
    source: str
    tags: tuple[str, ...]
    content: dict[str, Any]

    @cached_property
    def _parsed(self) -> tuple[ast.Module | None, tuple[Escape, ...]]:
        return _parse(self.source) if self.kind == "code" else (ast.Module([], []), ())

    @property
    def tree(self) -> ast.Module | None:
        """The Python in it, lines as in the cell; None if it cannot be parsed."""
        return self._parsed[0]

    @property
    def escapes(self) -> tuple[Escape, ...]:
        """The lines that Python does not read."""
        return self._parsed[1]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of its tree, outer ones first; the marks `Load` and `Store` left out."""
        nodes = ast.walk(self.tree) if self.tree else ()
        return [node for node in nodes if not isinstance(node, ast.expr_context)]

    def at(self, node: ast.AST) -> Place:
        """Return where a node of its tree is."""
        line = getattr(node, "lineno", 1)
        return Place(self.number, line, getattr(node, "end_lineno", line) or line)


@dataclass(frozen=True)
class Document:
    """A notebook.

    Attributes:
        name: its path, relative to the root, with slashes.
        notebook: what the rest of the tooling reads of it.
        cells: all cells, in order.
        data: the file.
    """

    name: str
    notebook: Notebook
    cells: tuple[Cell, ...]
    data: bytes

    @cached_property
    def code(self) -> tuple[Cell, ...]:
        """The code cells."""
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @cached_property
    def stored(self) -> tuple[int, list[dict[str, Any]]]:
        """The size of what Git stores of it, and its cells with the outputs that Git keeps."""
        try:
            data = strip(self.data)
        except RefusedError:  # nb verify says so
            data = self.data
        return len(data), json.loads(data)["cells"]

    def nodes(self) -> Iterator[tuple[Cell, ast.AST]]:
        """Yield all nodes of all cells, each with its cell."""
        return ((cell, node) for cell in self.code for node in cell.nodes)

    def escapes(self) -> Iterator[tuple[Cell, Escape]]:
        """Yield the lines that Python does not read, each with its cell."""
        return ((cell, escape) for cell in self.code for escape in cell.escapes)


def cells_of(content: Any) -> tuple[Cell, ...]:
    """Return the cells of a notebook's JSON.

    Raises:
        KeyError, TypeError, AttributeError: if it is not a notebook.
    """
    return tuple(
        Cell(
            number,
            cell["cell_type"],
            source_text(cell).replace("\r\n", "\n").rstrip(),
            tuple(cell["metadata"].get("tags", ())),
            cell,
        )
        for number, cell in enumerate(content["cells"], 1)
    )


def _parse(source: str) -> tuple[ast.Module | None, tuple[Escape, ...]]:
    try:
        masked = mask(source)  # remembers the tree for those who compare notebooks
    except (RecursionError, MemoryError):
        return None, ()
    if masked and not masked.hidden:  # most cells; a string in them may look like a magic
        return masked.tree, ()
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    header = lines[first].strip()
    name = re.match(r"%%(\w+|!)", header)
    if name and name[1] not in PYTHON_CELL_MAGICS:
        body = "\n".join(lines[first + 1 :])
        return ast.Module([], []), (Escape(first + 1, header, body),)
    escapes: list[Escape] = []
    number = 0
    while number < len(lines):
        number += _take(lines, number, escapes)
    return parse_python("\n".join(lines)), tuple(escapes)


def _take(lines: list[str], number: int, escapes: list[Escape]) -> int:
    """Replace an escape by Python, in place; return how many lines it has, or 1."""
    found = ESCAPE.match(lines[number])
    if not found:
        return 1
    end = number + 1
    while lines[end - 1].endswith("\\") and end < len(lines):
        end += 1
    target, text = found["target"], found["assigned"] or found["plain"]
    whole = "\n".join([text, *lines[number + 1 : end]])
    nested = bool(found["indent"])
    escapes.append(Escape(number + 1, whole, assigned=bool(target), nested=nested))
    lines[number] = found["indent"] + (f"{target} = None" if target else "pass")
    lines[number + 1 : end] = [""] * (end - number - 1)
    return end - number


def parse_python(source: str) -> ast.Module | None:
    """Return the tree of Python source; None if it is none."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
