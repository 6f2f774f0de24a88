"""New cells and new notebook files, in the normalized form that Git stores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .file import CellFile, parse_cells, source_lines

KERNELSPEC = {"display_name": "python3", "language": "python", "name": "python3"}


def new_cell(
    source: str, *, kind: str = "code", name: str = "", tags: Sequence[str] = ()
) -> dict[str, object]:
    """Return a cell without outputs.

    Args:
        kind: `code` or `markdown`.
        name: the id; empty for a notebook before nbformat 4.5, which has none.
        tags: the tags.
    """
    cell: dict[str, object] = {"cell_type": kind, "metadata": {"tags": list(tags)} if tags else {}}
    cell |= {"id": name} if name else {}
    cell["source"] = source_lines(source)
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell


def with_cell(
    file: CellFile, place: int, source: str, *, kind: str = "code", tags: Sequence[str] = ()
) -> CellFile:
    """Return a notebook with a new cell at a place among all cells."""
    content = json.loads(file.text)
    name = unused_id(content, source)
    content["cells"].insert(place, new_cell(source, kind=kind, name=name, tags=tags))
    return parse_cells(file.path, notebook_text(content))


def unused_id(content: Mapping[str, Any], source: str) -> str:
    """Return an id for a new cell, from its first words; empty where cells have no ids."""
    if content.get("nbformat_minor", 0) < 5:
        return ""
    taken = {cell.get("id") for cell in content["cells"]}
    words = re.sub(r"[^a-z0-9]+", "-", source.lower())[:16].strip("-") or "cell"
    number = next(n for n in range(len(taken) + 1) if f"{words}-{n}" not in taken)
    return f"{words}-{number}"


def notebook_text(content: Mapping[str, object]) -> str:
    """Return the text of a notebook file."""
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def new_notebook_text(cells: Iterable[Mapping[str, object]]) -> str:
    """Return the text of the file of a new notebook."""
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    content = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return notebook_text(content)
