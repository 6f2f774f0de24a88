"""Reader of notebooks, and the fingerprint of the code that a notebook runs.

Standard library only, fast to import.

The *fingerprint* of a notebook is a small text: the source and tags of its code cells, its kernel,
and a hash of every module of `src/` that it imports, directly or through other modules. The text
changes when the results may change, and stays when outputs, counts, Markdown or metadata do.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from nb.exit_codes import ExitCode
from nb.project import DEEPEST, PRODUCTION, NbError, read_regular

from .magics import foreign_cell, mask
from .strip import kernel_name

# The first line of a fingerprint, up to the kernel's name. From format 2 on, the number is between.
# DVC hashes the file: another first line makes every notebook of every project stale.
KERNEL_LINE = "# kernel "
CELL = "# %% code cell"
MODULE_LINE = "# module"
Parsed = TypeVar("Parsed")
IGNORED_FOLDERS = {"__pycache__", ".ipynb_checkpoints"}


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
    try:
        return parse(read_regular(path).decode("utf-8"))
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
    level: list[dict[str, Any] | list[Any]] = []
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
        for number, cell in enumerate(content["cells"], 1):
            _require_tags(path, number, cell["metadata"])
        numbered = enumerate(cells, 1)
        return Notebook(path, kernel, tuple(Cell(n, *_source_and_tags(c)) for n, c in numbered))
    except (KeyError, TypeError, AttributeError):
        raise NbError(f"{path} is not a notebook: its JSON is not what nbformat 4 holds.") from None


def _require_tags(path: Path, number: int, metadata: Mapping[str, Any]) -> None:
    tags = metadata.get("tags", [])
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise NbError(f"{path}: the tags of cell {number} are no list of texts.")


def source_text(cell: dict[str, Any]) -> str:
    """Return a cell's source: a string, or the list of its lines, in the file."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


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


def imported_names(source: str, package: str = "", is_package: bool = False) -> set[str] | None:
    """Return the absolute dotted names that a source may import; None if that cannot be told.

    Args:
        source: Python source.
        package: dotted name of the module that the source is, for its relative imports.
        is_package: whether that module is a package (`__init__.py`).
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, package, is_package)
            names.update([origin, *(f"{origin}.{alias.name}" for alias in node.names)])
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in ("__import__", "import_module"):
                return None
    return names


def _origin(node: ast.ImportFrom, package: str, is_package: bool) -> str:
    parts = package.split(".")
    kept = parts[: len(parts) - node.level + is_package] if node.level else []
    return ".".join([*kept, node.module] if node.module else kept)


class Sources:
    """Packages under `src/`: modules with their imports, and data files.

    Args:
        folder: the folder that holds the packages.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._imports: dict[str, set[str]] = {}
        self._hashes: dict[Path, str] = {}

    @cached_property
    def _files(self) -> list[Path]:
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return [path for path in files if not _ignored(path.relative_to(self.folder))]

    @cached_property
    def modules(self) -> dict[str, Path]:
        """The file of each module, by dotted name."""
        return {self._name(path): path for path in self._files if path.suffix == ".py"}

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.folder).with_suffix("").parts
        return ".".join(parts).removesuffix(".__init__")

    @cached_property
    def data_files(self) -> list[Path]:
        """The files of the packages that are not Python."""
        return [path for path in self._files if path.suffix != ".py"]

    def used_by(self, notebook: Notebook) -> set[str]:
        """Return the modules that a notebook imports, directly or through other modules.

        Where that cannot be told (an import by a name known only at run time, code that does not
        parse, a shell line that names the package) all modules count: wrong only towards running.
        """
        names: set[str] = set()
        packages = {name.split(".")[0] for name in self.modules}
        for cell in notebook.cells:
            source = python_source(cell.source)
            found = imported_names(source)
            hidden = set(cell.source.split("\n")) - set(source.split("\n"))
            if found is None or any(package in line for line in hidden for package in packages):
                return set(self.modules)
            names |= found
        return self.closure(names)

    def imported_by(self, notebook: Notebook) -> set[str]:
        """Return the dotted names that a notebook imports, directly or through the packages.

        Those that cannot be told are left out.
        """
        sources = (python_source(cell.source) for cell in notebook.cells)
        names = set().union(*(imported_names(source) or () for source in sources))
        return names.union(*(self._imports_of(module) for module in self.used_by(notebook)))

    def closure(self, names: Iterable[str]) -> set[str]:
        """Return the modules that importing some names imports, directly or through others."""
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            for module in _with_parents(waiting.pop()):
                if module in self.modules and module not in seen:
                    seen.add(module)
                    waiting.extend(self._imports_of(module))
        return seen

    def _imports_of(self, module: str) -> set[str]:
        if module not in self._imports:
            path = self.modules[module]
            source = path.read_text(encoding="utf-8", errors="replace")
            found = imported_names(source, module, path.name == "__init__.py")
            self._imports[module] = set(self.modules) if found is None else found
        return self._imports[module]

    def hash_of(self, path: Path) -> str:
        """Return a hash of a file's content, the same whatever its line endings."""
        if path not in self._hashes:
            content = path.read_bytes().replace(b"\r\n", b"\n")
            self._hashes[path] = hashlib.sha256(content).hexdigest()[:32]
        return self._hashes[path]


def _ignored(path: Path) -> bool:
    folders = path.parts[:-1]
    unwanted = any(part in IGNORED_FOLDERS or part.endswith(".egg-info") for part in folders)
    return unwanted or path.suffix in (".pyc", ".swp") or path.name.endswith("~")


def _with_parents(name: str) -> Iterator[str]:
    """Yield `a`, `a.b`, `a.b.c` for `a.b.c`: importing the last runs them all."""
    parts = name.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))


def fingerprint_text(notebook: Notebook, sources: Sources) -> str:
    """Return the fingerprint of a notebook: equal texts promise equal computations."""
    used = sources.used_by(notebook)
    files = [sources.modules[name] for name in sorted(used)] + (sources.data_files if used else [])
    return "".join(
        [
            f"{KERNEL_LINE}{notebook.kernel}\n",
            *(_cell_text(cell) for cell in notebook.cells if cell.source),
            *(
                f"{MODULE_LINE} {_relative(path, sources)} {sources.hash_of(path)}\n"
                for path in files
            ),
        ]
    )


def _cell_text(cell: Cell) -> str:
    tags = f" [{', '.join(cell.tags)}]" if cell.tags else ""
    # Indented, so that no line of source can look like a header.
    lines = "".join(f" {line}\n" for line in cell.source.split("\n"))
    return f"{CELL}{tags}\n{lines}"


def _relative(path: Path, sources: Sources) -> str:
    return path.relative_to(sources.folder.parent).as_posix()


def find_notebook(root: Path, name: str) -> Path:
    """Return the notebook of a path, or the production notebook of a name such as `20-features`.

    Raises:
        NbError: if there is none.
    """
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    notebooks = {path.stem: path for path in production_notebooks(root / PRODUCTION)}
    stem = path.name.removesuffix(".ipynb")
    if stem in notebooks and path.parent == Path():
        return notebooks[stem]
    close = get_close_matches(stem, notebooks, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(notebooks) or 'none'}."
    raise NbError(f"there is no notebook {name}; {hint}", ExitCode.USAGE)


def production_notebooks(folder: Path) -> list[Path]:
    """Return the notebooks below a folder, in order; hidden and checkpoint folders left out."""
    found = sorted(folder.rglob("*.ipynb"))
    return [path for path in found if "/." not in f"/{path.relative_to(folder).as_posix()}"]
