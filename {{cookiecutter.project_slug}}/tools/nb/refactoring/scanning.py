"""Scans for clone detection, one for each module and notebook; in processes if there are many."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nb.notebook.content import NOTEBOOK_FOLDERS, notebooks_below
from nb.notebook.modules import SourcePackages, project_package
from nb.programs import cores
from nb.project import NbError
from nb.runtime.process_pool import map_in_processes

from .sources import (
    PlacedDefinition,
    Source,
    StatementRun,
    read_modules,
    read_source,
    warn_left_out,
)

# Fewer notebooks are scanned before other processes would have started.
PARALLEL_FROM = 100
# Notebooks that a process takes at once.
CHUNK = 10


class Scan(NamedTuple):
    """The definitions and runs of a notebook or module, without its syntax trees."""

    definitions: list[PlacedDefinition]
    runs: list[StatementRun]


def scan_project(root: Path) -> list[Scan]:
    """Return the scans of the modules below `src/`, then those of all notebooks.

    A file that cannot be read or compared is left out with a line on standard error.
    """
    found = [_scan(source) for source in read_modules(root, SourcePackages(root / "src"))]
    found += _scan_notebooks(root, notebooks_below(root / NOTEBOOK_FOLDERS))
    for each in found:
        if isinstance(each, NbError):
            warn_left_out(each, root)
    return [each for each in found if isinstance(each, Scan)]


def _scan(source: Source) -> Scan | NbError:
    try:
        return Scan(list(source.placed_definitions()), list(source.runs()))
    except RecursionError:
        return NbError(f"{source.path} holds code that is nested too deeply to be compared.")


def _scan_notebooks(root: Path, paths: Iterable[Path]) -> list[Scan | NbError]:
    chosen = list(paths)
    processes = min(cores(), len(chosen) // CHUNK) if len(chosen) >= PARALLEL_FROM else 1
    scan = partial(_scan_notebook, root, project_package(root))
    return map_in_processes(scan, chosen, processes, CHUNK)


def _scan_notebook(root: Path, package: str, path: Path) -> Scan | NbError:
    try:
        return _scan(read_source(path, root, package))
    except NbError as error:
        return error
