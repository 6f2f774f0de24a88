"""Reader of notebooks (nbformat 4): the kernel and the code cells; search for notebooks by name.

Standard library only, fast to import.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from nb.project import DEEPEST, PRODUCTION, NbError, UsageError, read_regular
from nb.wording import did_you_mean, enumerated

from .magics import foreign_cell, mask
from .strip import cell_label, kernel_name

Parsed = TypeVar("Parsed")
# The notebooks that people write, of all kinds.
NOTEBOOK_FOLDERS = PRODUCTION.parent


@dataclass(frozen=True)
class Cell:
    """Code cell of a notebook.

    Attributes:
        number: position among the code cells, from 1, as messages name the cell.
        source: the text.
        tags: the tags.
    """

    number: int
    source: str
    tags: tuple[str, ...]


class CellMetadata(TypedDict, total=False):
    """The metadata of a cell, as far as readers look at them."""

    tags: list[str]


class CellContent(TypedDict):
    """A cell in the JSON of a notebook."""

    cell_type: str
    source: str | list[str]
    metadata: CellMetadata


@dataclass(frozen=True)
class Notebook:
    """Notebook without outputs and metadata: its kernel's name and its code cells, in order."""

    path: Path
    kernel: str
    cells: tuple[Cell, ...]


def read_notebook(path: Path) -> Notebook:
    """Read a notebook of nbformat 4.

    Raises:
        NbError: if the file cannot be read or is not such a notebook.
    """
    return read_notebook_text(path, lambda text: parse_notebook(path, load_json(path, text)))


def read_notebook_text(path: Path, parse: Callable[[str], Parsed]) -> Parsed:
    """Parse the text of a notebook file, line endings unchanged.

    Raises:
        NbError: if the file cannot be read, or `parse` raises `ValueError`: no JSON.
    """
    return _read(path, lambda data: parse(data.decode("utf-8")))


def read_notebook_json(path: Path) -> tuple[bytes, Any]:
    """Return the content of a notebook file, and the JSON in it.

    Raises:
        NbError: if the file cannot be read, or is no JSON.
    """
    return _read(path, lambda data: (data, load_json(path, data.decode("utf-8"))))


def _read(path: Path, parse: Callable[[bytes], Parsed]) -> Parsed:
    try:
        return parse(read_regular(path))
    except OSError as error:
        raise NbError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        hint = "is a merge conflict left in it?"
        raise NbError(f"{path} is not valid JSON ({error}); {hint}") from None


def load_json(path: Path, text: str) -> Any:
    """Parse the JSON of a notebook file.

    Raises:
        ValueError: if the text is not JSON.
        NbError: if the JSON is nested too deeply: a visitor would end in a `RecursionError`.
    """
    content = None
    level: list[Iterable[object]] = []
    with suppress(RecursionError):
        content = json.loads(text)
        level = [[content]]
    for _ in range(DEEPEST + 1 if level else 0):
        held = (node.values() if isinstance(node, dict) else node for node in level)
        level = [part for parts in held for part in parts if isinstance(part, dict | list)]
        if not level:
            return content
    raise NbError(f"{path} is nested more than {DEEPEST} levels deep.")


def parse_notebook(path: Path, content: dict[str, Any]) -> Notebook:
    """Return kernel and code cells of a notebook's JSON.

    Args:
        path: the file, for messages.
        content: the parsed JSON.

    Raises:
        NbError: if the content is not a notebook of nbformat 4.
    """
    try:
        if content["nbformat"] != 4:
            version = content["nbformat"]
            raise NbError(f"{path} is of nbformat {version}; save it from Jupyter to convert it.")
        cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
        kernel = kernel_name(content["metadata"].get("kernelspec", {}).get("name", ""))
        for index, cell in enumerate(content["cells"]):
            if not _has_tags(cell["metadata"]):
                label = cell_label(content["cells"], index)
                raise NbError(f"{path}: the tags of {label} are no list of texts.")
        numbered = enumerate(cells, 1)
        return Notebook(path, kernel, tuple(Cell(n, *_source_and_tags(c)) for n, c in numbered))
    except (KeyError, TypeError, AttributeError):
        raise NbError(f"{path} is not a notebook: its JSON is not what nbformat 4 holds.") from None


def _has_tags(metadata: Mapping[str, object]) -> bool:
    """Return whether the metadata of a cell name no tags, or a list of texts."""
    tags = metadata.get("tags", [])
    return isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)


def named_language(metadata: Mapping[str, object]) -> str:
    """Return the language that the metadata of a notebook name; empty if they name none."""
    for key, name in (("kernelspec", "language"), ("language_info", "name")):
        part = metadata.get(key)
        found = part.get(name) if isinstance(part, Mapping) else None
        if isinstance(found, str) and found:
            return found
    return ""


def source_text(cell: Mapping[str, object]) -> str:
    """Return a cell's source: a string, or the list of its lines, in the file."""
    source = cell["source"]
    if isinstance(source, str):
        return source
    if isinstance(source, list):
        return "".join(source)
    raise TypeError("the source of a cell is neither text nor lines")


def _source_and_tags(cell: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    text = source_text(cell).replace("\r\n", "\n").rstrip()
    return text, tuple(cell["metadata"].get("tags", ()))


def python_source(source: str) -> str:
    """Return a cell's source with the lines that only IPython reads replaced by Python.

    The source of another language becomes empty; a source that is still not Python stays unchanged.
    """
    masked = mask(source)
    if masked:
        return masked.text
    return "" if foreign_cell(source) else source


def find_notebook(root: Path, name: str, folder: Path = PRODUCTION) -> Path:
    """Return the notebook of a path, with or without the suffix, or of a name like `20-features`.

    Args:
        folder: the folder of the project whose notebook is meant if others have the same name.

    Raises:
        NbError: if there is none, or nothing tells which notebook is meant (exit code 2).
    """
    for path in (Path(name), Path(f"{name}.ipynb")):
        if path.suffix == ".ipynb" and path.is_file():
            return path
    known = [path.relative_to(root) for path in notebooks_below(root / NOTEBOOK_FOLDERS)]
    named = [path for path in known if name in (path.name, path.stem)]
    found = [path for path in named if path.is_relative_to(folder)] or named
    if len(found) == 1:
        return root / found[0]
    if found:
        raise UsageError(f"several notebooks are called {name}: {', '.join(map(str, found))}")
    names = [path.stem for path in known if path.is_relative_to(folder)]
    wanted = Path(name).name.removesuffix(".ipynb")
    otherwise = f"there are {enumerated(names, 20) or 'none'}."
    hint = did_you_mean(name, [path.as_posix() for path in known]) or did_you_mean(
        wanted, [path.stem for path in known], otherwise
    )
    raise UsageError(f"there is no notebook {name}; {hint}")


def notebooks_below(folder: Path) -> list[Path]:
    """Return the notebooks below a folder, in order; hidden folders are left out."""
    found = sorted(folder.rglob("*.ipynb"))
    return [path for path in found if "/." not in f"/{path.relative_to(folder).as_posix()}"]
