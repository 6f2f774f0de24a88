"""Executed copies: normalisation to deterministic bytes, and the failure that a copy shows.

Standard library only: `nb run` also reads executed copies.
"""

from __future__ import annotations

import html
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb.project import parse_json

# Tags of papermill: for the cell injected after the parameters cell; for the cells that mark an
# error, which papermill removes when the copy is run again.
INJECTED = "injected-parameters"
ERROR_MARK = "papermill-error-cell-tag"
LONGEST_ERROR = 200
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_WIDGETS = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True)
class Failure:
    """The failure of a notebook.

    Attributes:
        index: the index of the cell, from 0, as papermill counts.
        cell: the number of the code cell in the source notebook, from 1.
        output: the error output of the cell: `ename`, `evalue`, `traceback`.
    """

    index: int
    cell: int
    output: dict[str, Any]

    @property
    def error(self) -> str:
        """The error in one line, `NameError: …`."""
        return first_line_of(f"{self.output.get('ename')}: {self.output.get('evalue')}")


def find_failure(notebook: dict[str, Any]) -> Failure | None:
    """Return the failure in an executed copy: the error of the marked cell; None if none is marked.

    Errors in other cells were expected.
    """
    number = 0
    for index, cell in enumerate(notebook["cells"]):
        if cell.get("cell_type") != "code":
            continue
        metadata = cell.get("metadata", {})
        number += INJECTED not in metadata.get("tags", ())
        if metadata.get("papermill", {}).get("exception"):
            errors = [o for o in cell.get("outputs", ()) if o.get("output_type") == "error"]
            return Failure(index, max(number, 1), errors[-1]) if errors else None
    return None


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


def error_marks(failure: Failure) -> tuple[str, str]:
    """Return the marks for the top of a failed copy and for the place before the failing cell."""
    style = 'style="color:#c62828; font-size:1.2em"'
    cell = f'<a href="#papermill-error-cell">cell {failure.cell}</a>'
    return (
        f"<div {style}>The run failed in {cell}: {html.escape(failure.error)}</div>",
        f'<div id="papermill-error-cell" {style}>The run failed in this cell:</div>',
    )


def first_line_of(text: str) -> str:
    """Return the first line of a text, without colors, shortened to `LONGEST_ERROR`."""
    line = next(iter(without_colors(text[: 10 * LONGEST_ERROR]).strip().splitlines()), "").strip()
    return line if len(line) <= LONGEST_ERROR else f"{line[: LONGEST_ERROR - 1]}…"


def without_colors(text: str) -> str:
    """Return a text without the codes by which a terminal colors it."""
    return _ANSI.sub("", text)


def _without_process(text: str) -> str:
    """Replace process ids and memory addresses in a text.

    Warnings and reprs have them: `/tmp/ipykernel_7/1.py:2: UserWarning`, `<Line2D at 0x7f3ec766>`.
    """
    text = _CELL_PATH.sub("<cell>", text) if "ipykernel_" in text else text
    return _ADDRESS.sub(" at 0x…", text) if " at 0x" in text else text


_FOLDERS = {tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir())}
_CELL_PATH = re.compile(rf"(?:{'|'.join(map(re.escape, _FOLDERS))})[/\\]ipykernel_\d+[/\\]\d+\.py")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{8,16}\b")


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
