"""Notebooks from elsewhere as nbformat 4.5: foreign metadata is removed, outputs are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb.notebook.content import load_json, named_language, source_text
from nb.notebook.file import source_lines
from nb.notebook.new_cell import KERNELSPEC, notebook_text
from nb.project import NbError, read_regular

# Metadata of editors and hosts, which say nothing of the notebook.
FOREIGN_METADATA = {
    *("accelerator", "celltoolbar", "colab", "dataExplorerConfig", "gpuClass", "interpreter"),
    *("kaggle", "nteract", "signature", "toc", "toc-autonumbering", "varInspector", "vscode"),
    *("widgets", "application/vnd.databricks.v1+notebook", "papermill", "anaconda-cloud"),
}
FOREIGN_CELL_METADATA = {
    *("_cell_guid", "_uuid", "application/vnd.databricks.v1+cell", "colab", "colab_type", "id"),
    *("executionInfo", "outputId", "vscode", "trusted", "ExecuteTime", "execution", "pycharm"),
    *("papermill", "collapsed", "scrolled"),
}


@dataclass(frozen=True)
class AdoptedNotebook:
    """A notebook in nbformat 4.5, whatever the file held.

    Attributes:
        content: the JSON.
        language: the language of the kernel, in lower case.
        notes: the changes of form, a phrase each.
    """

    content: dict[str, Any]
    language: str
    notes: tuple[str, ...] = ()

    @property
    def is_python(self) -> bool:
        """Return whether the kernel runs Python."""
        return self.language == "python"

    def sources(self) -> list[str]:
        """Return the sources of the code cells."""
        cells = self.content["cells"]
        return [source_text(cell) for cell in cells if cell["cell_type"] == "code"]

    def without_outputs(self) -> AdoptedNotebook:
        """Return the notebook as Git will see it."""
        cells = [{**c, "outputs": []} if "outputs" in c else c for c in self.content["cells"]]
        return AdoptedNotebook({**self.content, "cells": cells}, self.language, self.notes)

    def with_sources(
        self, code: Callable[[str], str], markdown: Callable[[str], str]
    ) -> AdoptedNotebook:
        """Return the notebook with the texts of the cells replaced; outputs stay."""
        change = {"code": code, "markdown": markdown}
        cells = [
            {**cell, "source": source_lines(change[cell["cell_type"]](source_text(cell)))}
            if cell["cell_type"] in change
            else cell
            for cell in self.content["cells"]
        ]
        return AdoptedNotebook({**self.content, "cells": cells}, self.language, self.notes)

    def text(self) -> str:
        """Return the file's text, laid out as Git stores notebooks."""
        return notebook_text(self.content)


def read_any_notebook(path: Path) -> AdoptedNotebook:
    """Read a notebook of nbformat 2, 3 or 4 and clean the form; code and outputs stay.

    Raises:
        NbError: if the file is no notebook.
    """
    try:
        content = load_json(path, read_regular(path).decode("utf-8-sig"))
        version = content["nbformat"]
        notes = [] if version == 4 else [f"converted from nbformat {version}"]
        content = _converted(content)
        language = _language(content["metadata"])
        dropped = _clean(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NbError) as error:
        raise NbError(f"{path}: no notebook that can be read ({error})") from None
    if dropped:
        notes.append("metadata of another editor removed")
    if language == "python":
        content["metadata"]["kernelspec"] = KERNELSPEC
    return AdoptedNotebook(content, language, tuple(notes))


def _converted(content: dict[str, object]) -> dict[str, Any]:
    from nbformat import convert, from_dict, writes

    if content["nbformat"] != 4:
        # nbformat carries no types for these functions.
        content = json.loads(writes(convert(from_dict(content), 4)))
    return content


def _language(metadata: Mapping[str, Any]) -> str:
    named = named_language(metadata) or metadata.get("language")
    if not named:
        name = str(metadata.get("kernelspec", {}).get("name", "python3")).lower()
        known = {"ir": "r", "julia": "julia", "scala": "scala", "spark": "scala", "bash": "bash"}
        named = next((known[key] for key in known if name.startswith(key)), "python")
    named = str(named).lower()
    return "python" if named in ("python", "ipython", "python2", "python3") else named


def _clean(content: dict[str, Any]) -> bool:
    """Remove foreign metadata in place, and give cells ids; return whether any was foreign."""
    foreign = bool(FOREIGN_METADATA & content["metadata"].keys())
    content["metadata"] = _without(content["metadata"], FOREIGN_METADATA)
    content["nbformat"], content["nbformat_minor"] = 4, 5
    taken: set[str] = set()
    for number, cell in enumerate(content["cells"]):
        foreign |= bool({"colab", "_uuid", "vscode"} & cell["metadata"].keys())
        cell["metadata"] = _without(cell["metadata"], FOREIGN_CELL_METADATA)
        name = cell.get("id")
        if not isinstance(name, str) or not name or name in taken:
            name = next(_free_ids(number, taken))
        cell["id"] = name
        taken.add(name)
        if cell["cell_type"] == "code":
            cell.setdefault("execution_count", None)
            cell.setdefault("outputs", [])
    return foreign


def _free_ids(number: int, taken: set[str]) -> Iterator[str]:
    names = (f"cell-{number}" + "x" * count for count in range(len(taken) + 1))
    return (name for name in names if name not in taken)


def _without(metadata: Mapping[str, object], keys: set[str]) -> dict[str, object]:
    return {key: value for key, value in metadata.items() if key not in keys}
