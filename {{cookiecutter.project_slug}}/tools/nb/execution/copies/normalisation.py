"""Normalisation of executed copies: equal runs of a notebook give equal bytes."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nb.project import parse_json

from .failure import INJECTED

_WIDGETS = "application/vnd.jupyter.widget-state+json"
_FOLDERS = {tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir())}
_CELL_PATH = re.compile(rf"(?:{'|'.join(map(re.escape, _FOLDERS))})[/\\]ipykernel_\d+[/\\]\d+\.py")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{8,16}\b")


def normalise(notebook: dict[str, Any], source_ids: set[str] | None) -> None:
    """Remove differences between equal runs from an executed notebook, in place.

    Of papermill's metadata the given parameters and the marks of a failure stay. The run record
    holds times and paths.

    Args:
        notebook: the notebook, of format 4.5 or later.
        source_ids: the cell ids in the source; all other ids are random. None if the source cannot
            be read again.
    """
    papermill = notebook["metadata"].get("papermill", {})
    kept = {"parameters": papermill.get("parameters", {})}
    if papermill.get("exception"):
        kept["exception"] = True
    notebook["metadata"]["papermill"] = kept
    for number, cell in enumerate(notebook["cells"]):
        metadata = cell["metadata"]
        failed = metadata.pop("papermill", {}).get("exception")
        if failed:
            metadata["papermill"] = {"exception": True}
        if not metadata.get("tags", True):
            del metadata["tags"]
        if INJECTED in metadata.get("tags", ()):
            cell["id"] = INJECTED
        elif source_ids is not None and cell.get("id") not in source_ids:
            cell["id"] = f"cell-{number}"
    _number_widgets(notebook)
    _edit_text(notebook, _without_process)


def read_ids(path: Path) -> set[str] | None:
    """Return the cell ids of a notebook file; None if the file cannot be read."""
    try:
        cells = parse_json(path.read_text(encoding="utf-8"))["cells"]
        return {cell["id"] for cell in cells if "id" in cell}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _without_process(text: str) -> str:
    """Replace process ids and memory addresses in a text.

    Warnings and reprs have them: `/tmp/ipykernel_7/1.py:2: UserWarning`, `<Line2D at 0x7f3ec766>`.
    """
    text = _CELL_PATH.sub("<cell>", text) if "ipykernel_" in text else text
    return _ADDRESS.sub(" at 0x…", text) if " at 0x" in text else text


def _edit_text(notebook: dict[str, Any], edit: Callable[[str], str]) -> None:
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            for key in {"text", "evalue"} & set(output):
                output[key] = edit(output[key])
            if "traceback" in output:
                output["traceback"] = [edit(line) for line in output["traceback"]]
            for kind, content in output.get("data", {}).items():
                if kind.startswith("text/") and isinstance(content, str):
                    output["data"][kind] = edit(content)


def _number_widgets(notebook: dict[str, Any]) -> None:
    """Replace the random ids of widgets by numbers, in the order of creation."""
    state = notebook["metadata"].get("widgets", {}).get(_WIDGETS, {}).get("state")
    if not state:
        return
    numbers = {model: f"widget-{number}" for number, model in enumerate(state)}
    pattern = re.compile("|".join(map(re.escape, numbers)))

    def renamed(node: object) -> object:
        if isinstance(node, str):
            return pattern.sub(lambda found: numbers[found[0]], node)
        if isinstance(node, dict):
            return type(node)({renamed(key): renamed(value) for key, value in node.items()})
        return [renamed(each) for each in node] if isinstance(node, list) else node

    notebook["metadata"]["widgets"] = renamed(notebook["metadata"]["widgets"])
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if "data" in output:
                output["data"] = renamed(output["data"])
