"""Packages under `src/`: names, modules with imports and hashes, and the modules of a notebook.

Standard library only, fast to import.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path

from .content import Notebook, python_source
from .magics import parse_python

IGNORED_FOLDERS = {"__pycache__", ".ipynb_checkpoints"}


# Cells of the notebooks of a run: fingerprint, warm imports and their order ask for the same.
@lru_cache(maxsize=10_000)
def imported_names(
    source: str, package: str = "", is_package: bool = False
) -> frozenset[str] | None:
    """Return the absolute dotted names that a source may import; None if that cannot be told.

    Args:
        source: Python source.
        package: dotted name of the module that the source is, for its relative imports.
        is_package: whether that module is a package (`__init__.py`).
    """
    tree = parse_python(source)
    if tree is None:
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
    return frozenset(names)


def _origin(node: ast.ImportFrom, package: str, is_package: bool) -> str:
    parts = package.split(".")
    kept = parts[: len(parts) - node.level + is_package] if node.level else []
    return ".".join([*kept, node.module] if node.module else kept)


def project_package(root: Path) -> str:
    """Return the name of the package under `src/`; empty if there is none, or several."""
    found = [path.parent.name for path in (root / "src").glob("*/__init__.py")]
    return found[0] if len(found) == 1 else ""


def package_with_paths(root: Path) -> str:
    """Return the package under `src/` that defines the project's paths; empty if none does."""
    found = sorted((root / "src").glob("*/paths.py"))
    return found[0].parent.name if found else ""


class SourcePackages:
    """Packages under `src/`: modules with their imports, and data files.

    Args:
        folder: the folder that holds the packages.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._imports: dict[str, frozenset[str]] = {}
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
        names = set[str]().union(*(imported_names(source) or () for source in sources))
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

    def _imports_of(self, module: str) -> frozenset[str]:
        if module not in self._imports:
            path = self.modules[module]
            source = path.read_text(encoding="utf-8", errors="replace")
            found = imported_names(source, module, path.name == "__init__.py")
            self._imports[module] = frozenset(self.modules) if found is None else found
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
