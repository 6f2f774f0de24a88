"""Failure of a notebook, read from the executed copy, and the HTML that marks the cell there.

Standard library only: `nb run` also reads executed copies.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb.project import parse_json
from nb.wording import shortened

# Tags of papermill: for the cell injected after the parameters cell; for the cells that mark an
# error, which papermill removes when the copy is run again.
INJECTED = "injected-parameters"
ERROR_MARK = "papermill-error-cell-tag"
LONGEST_ERROR = 200
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


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
        words = (str(self.output.get(key) or "").strip() for key in ("ename", "evalue"))
        return first_line_of(": ".join(filter(None, words)))


def find_failure(notebook: dict[str, Any]) -> Failure | None:
    """Return the failure in an executed copy: the error of the marked cell; None without a mark.

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
            return Failure(index, max(number, 1), errors[-1] if errors else _printed_error(cell))
    return None


def _printed_error(cell: dict[str, Any]) -> dict[str, Any]:
    """Return the error that a cell only printed, as IPython does for an unknown magic."""
    outputs = cell.get("outputs", ())
    printed = ["".join(one["text"]) for one in outputs if one.get("name") == "stderr"]
    line = "".join(printed).strip().rpartition("\n")[2] or "it failed without a message"
    name, _, text = line.partition(": ")
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [line]}


def read_failure(path: Path) -> Failure | None:
    """Return the failure in the file of an executed copy; None without failure or readable file."""
    try:
        return find_failure(parse_json(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def error_marks(failure: Failure) -> tuple[str, str]:
    """Return the marks for the top of a failed copy and for the place before the failing cell."""
    style = 'style="color:#c62828; font-size:1.2em"'
    cell = f'<a href="#papermill-error-cell">code cell {failure.cell}</a>'
    return (
        f"<div {style}>The run failed in {cell}: {html.escape(failure.error)}</div>",
        f'<div id="papermill-error-cell" {style}>The run failed in this cell:</div>',
    )


def first_line_of(text: str) -> str:
    """Return the first line of a text, without colors, shortened to `LONGEST_ERROR`."""
    lines = without_colors(text[: 10 * LONGEST_ERROR]).strip().splitlines()
    return shortened(next(iter(lines), "").strip(), LONGEST_ERROR)


def without_colors(text: str) -> str:
    """Return a text without the codes by which a terminal colors it."""
    return _ANSI.sub("", text)
