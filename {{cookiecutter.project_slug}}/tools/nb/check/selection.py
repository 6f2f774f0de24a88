"""Selection for a check: notebooks, all or those that named files concern, and `dvc.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nb.declaration.reader import FILE
from nb.notebook.content import NOTEBOOK_FOLDERS, find_notebook, notebooks_below
from nb.project import CONFIG, PRODUCTION, UsageError


def select_notebooks(root: Path, paths: Sequence[Path]) -> tuple[list[Path], bool]:
    """Return the notebooks to check, and whether `dvc.yaml` is checked, too.

    Args:
        paths: notebooks (or their names), folders and other files of the project; empty for all
            notebooks.

    Raises:
        NbError: if a path does not exist or is not in the project (exit code 2).
    """
    if not paths:
        return notebooks_below(root / NOTEBOOK_FOLDERS), True
    found: dict[Path, None] = {}
    with_pipeline = False
    for given in paths:
        path = (given if given.exists() else find_notebook(root, str(given))).resolve()
        if path != root and root not in path.parents:
            raise UsageError(f"{given} is not in this project.")
        if path.is_dir():
            found.update(dict.fromkeys(_inside(root, path)))
        elif path.suffix == ".ipynb":
            found[path] = None
        else:
            with_pipeline |= path == root / FILE
            found.update(dict.fromkeys(_concerned(root, path)))
    return list(found), with_pipeline


def _inside(root: Path, folder: Path) -> Iterator[Path]:
    """Yield the notebooks of a folder that a person names."""
    known = root / NOTEBOOK_FOLDERS
    if folder == known or folder in known.parents or known in folder.parents:
        # Executed copies in the root are notebooks, too, and not meant.
        yield from (each for each in notebooks_below(known) if folder in each.parents)
        return
    yield from (path for path in notebooks_below(folder) if path.is_file())


def _concerned(root: Path, path: Path) -> list[Path]:
    """Return the production notebooks that a change of another file may break."""
    notebooks = notebooks_below(root / PRODUCTION)
    if path.parent == root / CONFIG:
        return [notebook for notebook in notebooks if notebook.stem == path.stem]
    return notebooks
