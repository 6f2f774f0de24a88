"""Verification of notebooks in Git's index: no outputs, no conflicts, none too large to review."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nb.notebook.content import source_text
from nb.notebook.strip import RefusedError, cell_label, load
from nb.wording import byte_size

from .attributes import filtered_notebooks
from .filter import clean
from .index import unmerged
from .objects import read_blobs

# Bytes of a notebook that a person may still review.
LARGEST = 1_000_000
CONFLICT_MARK = re.compile(r"^(<{7}|>{7})( |$)", re.M)


def verify_notebooks(root: Path, ids: Mapping[str, str]) -> list[str]:
    """Return a sentence for each notebook with outputs or a conflict, in another format, or huge.

    Args:
        ids: the files to look at, with their ids in the index; only notebooks are.
    """
    notebooks = {name: ids[name] for name in filtered_notebooks(root, ids)}
    conflicts = find_conflicts(root, notebooks)
    whole = {name: digest for name, digest in notebooks.items() if name not in conflicts}
    found = (_problem(name, content) for name, content in read_blobs(root, whole))
    return [*conflicts.values(), *(problem for problem in found if problem)]


def find_conflicts(root: Path, ids: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence for each notebook that is unmerged or holds a conflict, by name.

    Args:
        ids: the files to look at, with their ids in the index; only notebooks are.
    """
    notebooks = {name: ids[name] for name in filtered_notebooks(root, ids)}
    open_merges = unmerged(root)
    found = {
        name: f"{name} is unmerged: edit the marked cells, then git add it."
        if name in open_merges
        else _conflict(name, content)
        for name, content in read_blobs(root, notebooks)
    }
    return {name: sentence for name, sentence in found.items() if sentence}


def _conflict(name: str, content: bytes) -> str | None:
    try:
        cells = load(content)["cells"]
        marked = [n for n, cell in enumerate(cells) if CONFLICT_MARK.search(source_text(cell))]
    except (ValueError, KeyError, TypeError):  # the filter lets such files pass, outputs and all
        return f"{name} is not a notebook that can be read: finish its merge, or repair it."
    if marked:
        cell = cell_label(cells, marked[0])
        return f"{name}: {cell} holds a merge conflict: edit it, then git add it again."
    return None


def _problem(name: str, content: bytes) -> str | None:
    try:
        stored = clean(content, name)
    except RefusedError as error:
        return f"{name}: {error}"
    if stored != content:
        is_run = _results(content) != _results(stored)
        fault = "holds outputs" if is_run else "is written otherwise than the notebook filter does"
        return f"{name} {fault}: run `nb setup`, then `git add --renormalize {name}`."
    if len(content) > LARGEST:
        return f"{name} holds {byte_size(len(content))} besides outputs: keep data with DVC."
    return None


def _results(content: bytes) -> list[tuple[int, object]]:
    """Return the number of outputs and the execution count of each cell."""
    cells = load(content)["cells"]
    return [(len(cell.get("outputs") or ()), cell.get("execution_count")) for cell in cells]
