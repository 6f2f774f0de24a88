"""Notebooks as text: printed in a terminal, or edited as a jupytext script and merged back."""

from __future__ import annotations

import importlib
import json
import re
import uuid
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from nb.git.text_view import text_view
from nb.notebook.content import source_text
from nb.notebook.file import dumped_like, read_cells, source_lines
from nb.project import NbError

if TYPE_CHECKING:
    from nbformat import NotebookNode

FORMAT = "py:percent"
_HEADER = re.compile(r"^(?=# %%)", re.M)


def notebook_as_text(path: Path, *, color: bool) -> str:
    """Return a notebook's cells as text, without outputs.

    Args:
        color: highlight the text for a terminal, if Pygments is installed.

    Raises:
        NbError: if the notebook cannot be read.
    """
    shown = text_view(read_cells(path).text.encode()).decode()
    return _highlighted(shown) if color else shown


def _highlighted(shown: str) -> str:
    try:
        from pygments import highlight
        from pygments.formatters import TerminalFormatter
        from pygments.lexers import MarkdownLexer, PythonLexer, TextLexer
    except ImportError:
        return shown
    lexers = {"": PythonLexer, "markdown": MarkdownLexer}
    parts: list[str] = []
    for part in _HEADER.split(shown):
        header, newline, body = part.partition("\n")
        kind = header.partition("[")[2].partition("]")[0] if header.startswith("# %% [") else ""
        lexer = lexers.get(kind, TextLexer)(stripnl=False)
        parts += [highlight(header + newline, PythonLexer(), TerminalFormatter())]
        parts += [highlight(body, lexer, TerminalFormatter())] if body else []
    return "".join(parts)


def notebook_as_script(path: Path) -> str:
    """Return a notebook as a script, as jupytext writes it.

    Raises:
        NbError: if the notebook cannot be read, or jupytext is not installed.
    """
    jupytext = _jupytext()
    return str(jupytext.writes(_parsed(jupytext, read_cells(path).text), fmt=FORMAT))


def merge_script(old: str, edited: str) -> str:
    """Return a notebook file's JSON text with the cells of an edited script merged in.

    Cells are matched as `jupytext --update` does. Unchanged cells keep id and outputs; changed
    cells keep the id and lose the outputs, which no longer belong to the code.

    Args:
        old: the text of the file.
        edited: the script.
    """
    from jupytext.combine import combine_inputs_with_outputs

    jupytext = _jupytext()
    content = json.loads(old)
    notebook = _parsed(jupytext, old)
    for number, cell in enumerate(notebook.cells):
        cell["origin"] = number  # jupytext copies unknown keys, so the number survives
    unedited = jupytext.reads(jupytext.writes(_parsed(jupytext, old), fmt=FORMAT), fmt=FORMAT)
    before, after = (
        combine_inputs_with_outputs(script, notebook, fmt=FORMAT).cells
        for script in (unedited, jupytext.reads(edited, fmt=FORMAT))
    )
    # A script cannot hold, say, blank lines at a cell's end: their loss is no change.
    known = {cell["origin"]: cell for cell in before if "origin" in cell}
    as_list = not any(isinstance(cell["source"], str) for cell in content["cells"])
    has_ids = (content["nbformat"], content.get("nbformat_minor", 0)) >= (4, 5)
    content["cells"] = [
        _merged(content["cells"], cell, known, as_list=as_list)
        if "origin" in cell
        else _new(cell, as_list=as_list, has_id=has_ids)
        for cell in after
    ]
    return dumped_like(content, old)


def _merged(
    cells: list[dict[str, object]],
    cell: NotebookNode,
    known: dict[int, NotebookNode],
    *,
    as_list: bool,
) -> dict[str, object]:
    """Return a cell of the notebook with the edited source and metadata merged in."""
    old = cells[cell["origin"]]
    unedited = known.get(cell["origin"])
    merged = dict(old)
    is_known = unedited is not None and cell.source == unedited.source
    if not is_known and cell.source != source_text(old):
        merged["source"] = source_lines(cell.source) if as_list else cell.source
        merged |= {"execution_count": None, "outputs": []} if "outputs" in old else {}
    if unedited is None or cell.metadata != unedited.metadata:
        merged["metadata"] = dict(cell.metadata)
    return merged


def _new(cell: NotebookNode, *, as_list: bool, has_id: bool) -> dict[str, object]:
    made: dict[str, object] = {"cell_type": cell.cell_type}
    made |= {"execution_count": None} if cell.cell_type == "code" else {}
    made |= {"id": uuid.uuid4().hex[:8]} if has_id else {}
    made |= {"metadata": dict(cell.metadata)}
    made |= {"outputs": []} if cell.cell_type == "code" else {}
    return made | {"source": source_lines(cell.source) if as_list else cell.source}


def _parsed(jupytext: ModuleType, content: str) -> NotebookNode:
    notebook: NotebookNode = jupytext.reads(content, fmt="ipynb")
    return notebook


def _jupytext() -> ModuleType:
    try:
        return importlib.import_module("jupytext")
    except ImportError:
        hint = 'add { include-group = "editor" } to the group dev in pyproject.toml'
        raise NbError(f"nb edit needs jupytext; {hint}, then run: make setup") from None
