"""Parsed notebooks: cells with place, AST and lines of IPython; language, and size in Git."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nb.notebook.content import (
    CellContent,
    Notebook,
    named_language,
    parse_notebook,
    read_notebook_json,
    source_text,
)
from nb.notebook.magics import Escape, foreign_cell, mask, plain_source
from nb.notebook.strip import RefusedError, strip_parsed
from nb.project import NbError

from .findings import Place
from .nodes import Nodes, SomeNode

# Names of Python in the metadata of notebooks; most files of Colab name no language.
PYTHONS = ("", "python", "python3", "ipython")


@dataclass(frozen=True)
class CheckedCell:
    """A cell.

    Attributes:
        number: the number of a code cell, from 1; of other cells, that of the code cell above.
        kind: code, markdown or raw.
        source: the text.
        tags: the tags.
    """

    number: int
    kind: str
    source: str
    tags: tuple[str, ...]

    @cached_property
    def _parsed(self) -> tuple[ast.Module | None, tuple[Escape, ...]]:
        return _parse(self.source) if self.kind == "code" else (ast.Module([], []), ())

    @property
    def tree(self) -> ast.Module | None:
        """The AST of the cell, lines as in the cell; None after a syntax error."""
        return self._parsed[0]

    @property
    def escapes(self) -> tuple[Escape, ...]:
        """The lines that Python does not read."""
        return self._parsed[1]

    @cached_property
    def _nodes(self) -> Nodes:
        return Nodes(self.tree)

    def nodes(self, *kinds: type[SomeNode]) -> list[SomeNode]:
        """Return the nodes of the AST that are of some types, outer nodes first."""
        return self._nodes.of(*kinds)

    def at(self, node: ast.AST) -> Place:
        """Return the place of a node of the AST."""
        line = getattr(node, "lineno", 1)
        return Place(self.number, line, getattr(node, "end_lineno", line) or line)


@dataclass(frozen=True)
class Document:
    """A notebook.

    Attributes:
        name: the path, relative to the root, with slashes.
        notebook: the model that the rest of the tooling reads.
        cells: all cells, in order.
        data: the file.
        content: the parsed JSON of the file.
        language: the language of the code, in lower case; empty if the file names none.
    """

    name: str
    notebook: Notebook
    cells: tuple[CheckedCell, ...]
    data: bytes
    content: object = None
    language: str = ""

    @property
    def is_python(self) -> bool:
        """Return whether the code is Python, as far as the file tells."""
        return self.language in PYTHONS

    @cached_property
    def code(self) -> tuple[CheckedCell, ...]:
        """The code cells."""
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @cached_property
    def bytes_in_git(self) -> tuple[int, list[int]]:
        """The size of the notebook in Git, and of the outputs of each code cell that Git keeps."""
        try:
            data = strip_parsed(self.content)
        except RefusedError:  # nb verify says so
            data = self.data
        cells = json.loads(data)["cells"]
        code = (cell for cell in cells if cell["cell_type"] == "code")
        return len(data), [len(json.dumps(cell.get("outputs") or [])) for cell in code]

    def nodes(self, *kinds: type[SomeNode]) -> Iterator[tuple[CheckedCell, SomeNode]]:
        """Yield the nodes of all cells that are of some types, each with its cell."""
        return ((cell, node) for cell in self.code for node in cell.nodes(*kinds))

    def escapes(self) -> Iterator[tuple[CheckedCell, Escape]]:
        """Yield the lines that Python does not read, each with its cell."""
        return ((cell, escape) for cell in self.code for escape in cell.escapes)


class UnreadableError(Exception):
    """A file that is no notebook; the message states the problem without the name."""


def read_document(name: str, path: Path) -> Document:
    """Read a notebook.

    Raises:
        UnreadableError: if the file is no notebook.
    """
    try:
        data, content = read_notebook_json(path)
        notebook = parse_notebook(path, content)
        cells, language = tuple(cells_of(content["cells"])), named_language(content["metadata"])
        return Document(name, notebook, cells, data, content, language.lower())
    except NbError as error:
        reason = str(error).removeprefix(f"{path}: ").replace(str(path), "it")
        raise UnreadableError(reason.rstrip(".")) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableError(f"it is no notebook: {type(error).__name__} {error}") from None


def cells_of(cells: Iterable[CellContent]) -> Iterator[CheckedCell]:
    """Yield the cells of the JSON of a notebook."""
    number = 0
    for cell in cells:
        number += cell["cell_type"] == "code"
        source = source_text(cell).replace("\r\n", "\n").rstrip()
        tags = tuple(cell["metadata"].get("tags", ()))
        yield CheckedCell(number, cell["cell_type"], source, tags)


def _parse(source: str) -> tuple[ast.Module | None, tuple[Escape, ...]]:
    if foreign := foreign_cell(source):
        return ast.Module([], []), (foreign,)
    masked = mask(source)  # remembers the tree for those who compare notebooks
    return (masked.tree, tuple(masked.escapes())) if masked else (None, ())


def syntax_error(source: str) -> tuple[int, str]:
    """Return the line and the reason why a cell cannot be parsed."""
    source = plain_source(source)
    try:
        ast.parse(source)
    except SyntaxError as error:
        line = source.split("\n")[(error.lineno or 1) - 1 :][:1]
        if line and not line[0].lstrip().startswith(("%", "!")):  # else IPython's, and no mistake
            return error.lineno or 1, error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return 1, str(error) or "nested too deeply"
    return 1, "invalid syntax"
