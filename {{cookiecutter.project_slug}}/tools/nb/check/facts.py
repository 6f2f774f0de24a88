"""Facts of a project for rules, on demand: settings, stages, parameters, modules, dependencies.

Each fact is read once, when a rule first asks.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nb.declaration.reader import Entry, read_entries
from nb.declaration.templates import PLACEHOLDER, as_glob
from nb.distributions import installed_distributions, modules_of, normalized
from nb.grouping import grouped
from nb.notebook.config import read_config
from nb.notebook.magics import parse_python
from nb.notebook.modules import SourcePackages, project_package
from nb.notebook.parameters import TAG, CellError, Parameter, read_parameters
from nb.project import CONFIG, pyproject_table, read_pyproject

from .call_order import bound_names
from .reads import SharedFiles
from .settings import CheckSettings, read_check_settings
from .source import CheckedCell, Document

if TYPE_CHECKING:
    from nb.refactoring.duplicates import Duplicate

# Modules that every kernel has.
ALWAYS_THERE = {"IPython", "__future__"}


@dataclass(frozen=True)
class ParametersCell:
    """The parsed parameters cell of a notebook.

    Attributes:
        cell: the cell; None if there is not exactly one.
        parameters: the declared parameters; empty if the cell cannot be read.
        problem: the reason why the cell cannot be read.
        line: the line of the problem.
    """

    cell: CheckedCell | None = None
    parameters: tuple[Parameter, ...] = ()
    problem: str = ""
    line: int = 1

    def line_of(self, name: str) -> int:
        """Return the line that gives a parameter its default; 1 if none does."""
        for node in self.cell.nodes(ast.Name) if self.cell else ():
            if node.id == name and isinstance(node.ctx, ast.Store):
                return node.lineno
        return 1


class Facts:
    """Facts of a project, read for rules on demand.

    Raises:
        NbError: where a file that is asked for cannot be read (exit code 2).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        # The definitions that stand elsewhere, too, by the names of the notebooks with them.
        self.duplicates: Mapping[str, list[Duplicate]] = {}
        # By notebook, the files that it reads, each with the problem that was found.
        self.answers: dict[str, dict[str, str]] = {}
        # Read when a rule first asks: the modules of declared distributions, None for those that
        # are not installed; and the installed distributions, by the modules that they provide.
        self.declared_modules: dict[str, list[str] | None] = {}
        self.providers: dict[str, list[str]] = {}
        self._parameters_cells: dict[str, ParametersCell] = {}
        self._configs: dict[Path, dict[str, object]] = {}
        self._names: dict[str, set[str] | None] = {}

    def __reduce__(self) -> tuple[type[Facts], tuple[Path]]:
        """Another process reads the facts by itself."""
        return Facts, (self.root,)

    @cached_property
    def project(self) -> dict[str, object]:
        """The content of `pyproject.toml`."""
        return read_pyproject(self.root)

    @cached_property
    def settings(self) -> CheckSettings:
        """The settings of the rules."""
        return read_check_settings(self.project)

    @cached_property
    def stages(self) -> list[Entry]:
        """The entries of `dvc.yaml`."""
        return read_entries(self.root)

    @cached_property
    def _by_notebook(self) -> dict[str, list[Entry]]:
        return grouped((name, stage) for stage in self.stages for name in stage.notebooks)

    @cached_property
    def _templated(self) -> list[Entry]:
        return [stage for stage in self.stages if any("${" in name for name in stage.notebooks)]

    def stages_of(self, document: Document) -> list[Entry]:
        """Return the entries of `dvc.yaml` that run a notebook."""
        plain = self._by_notebook.get(document.name, [])
        others = [stage for stage in self._templated if stage not in plain]
        return [*plain, *(stage for stage in others if stage.runs(document.name))]

    def is_there(self, path: str) -> bool:
        """Return whether a path of `dvc.yaml` exists, is made by a stage, or cannot be known."""
        if Path(path).is_absolute() or "$" in PLACEHOLDER.sub("", path):
            return True
        made = {output for stage in self.stages for output in stage.outputs}
        return bool(made & {path, *map(str, Path(path).parents)}) or any(
            self.root.glob(as_glob(path))
        )

    @cached_property
    def shared(self) -> SharedFiles:
        """The files that everybody with the repository has."""
        stages = self.stages
        return SharedFiles(self.root, {p for s in stages for p in (*s.outputs, *s.inputs)})

    def parameters_cell(self, document: Document) -> ParametersCell:
        """Return the parsed parameters cell of a notebook."""
        if document.name not in self._parameters_cells:
            self._parameters_cells[document.name] = _parameters_cell(document)
        return self._parameters_cells[document.name]

    def config(self, document: Document) -> tuple[str, dict[str, object]]:
        """Return the name and the values of a notebook's config file; none if there is no file.

        Raises:
            NbError: if the file cannot be read.
        """
        path = CONFIG / f"{document.notebook.path.stem}.yaml"
        if path not in self._configs:
            self._configs[path] = read_config(self.root / path)
        return path.as_posix(), self._configs[path]

    @cached_property
    def sources(self) -> SourcePackages:
        """The modules under `src/`."""
        return SourcePackages(self.root / "src")

    @cached_property
    def packages(self) -> set[str]:
        """The names by which the code under `src/` is imported."""
        folder = self.root / "src"
        entries = folder.iterdir() if folder.is_dir() else ()
        return {
            path.name.split(".")[0]
            for path in entries
            if (path.is_dir() and path.name.isidentifier()) or path.suffix in (".py", ".so", ".pyd")
        }

    @cached_property
    def package(self) -> str:
        """The name of the package under `src/`; nothing if there is none or several."""
        return project_package(self.root)

    def has_module(self, name: str) -> bool:
        """Return whether `src/` has a module or a folder of modules of this dotted name."""
        if name in self.sources.modules:
            return True
        path = self.root.joinpath("src", *name.split("."))
        return path.is_dir() or any(path.parent.glob(f"{path.name}.*"))

    def names_in(self, module: str) -> set[str] | None:
        """Return the names that a module of `src/` defines; None if that cannot be told."""
        if module not in self._names:
            self._names[module] = self._read_names(module)
        return self._names[module]

    def _read_names(self, module: str) -> set[str] | None:
        path = self.sources.modules.get(module)
        tree = parse_python(path.read_text(encoding="utf-8", errors="replace")) if path else None
        if tree is None or not path:
            return None
        names = bound_names(tree.body)
        nodes = list(ast.walk(tree))
        names |= {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        opaque = {"__getattr__", "globals", "setattr", "exec", "vars"}
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        if "*" in names or opaque & (names | used):
            return None
        return names | {"__file__", "__name__", "__doc__", "__path__", "__spec__", "__package__"}

    @cached_property
    def declared(self) -> list[str]:
        """The distributions that `pyproject.toml` declares, wherever it does, by their names."""
        lists = [pyproject_table(self.project, "project").get("dependencies")]
        lists += pyproject_table(self.project, "project", "optional-dependencies").values()
        lists += pyproject_table(self.project, "dependency-groups").values()
        return _distributions(entry for entries in lists for entry in _entries(entries))

    @cached_property
    def set_up(self) -> list[str]:
        """The declared distributions that `make setup` installs on every machine."""
        groups = pyproject_table(self.project, "dependency-groups")
        entries = _entries(pyproject_table(self.project, "project").get("dependencies"))
        wanted: list[object] = ["dev"]
        seen: set[object] = set()
        while wanted:
            name = wanted.pop()
            if name not in seen:
                seen.add(name)
                group = _entries(groups.get(str(name)))
                entries += group
                parts = (entry for entry in group if isinstance(entry, dict))
                wanted += [part.get("include-group", "") for part in parts]
        # An entry with a condition may be for other machines.
        return _distributions(entry for entry in entries if ";" not in str(entry))

    @cached_property
    def _installed(self) -> Iterator[tuple[str, list[str] | None]]:
        return ((name, self._modules_of(name)) for name in self.declared)

    def _modules_of(self, distribution: str) -> list[str] | None:
        if distribution not in self.declared_modules:
            found = modules_of(distribution)
            self.declared_modules[distribution] = None if found is None else sorted(found)
        return self.declared_modules[distribution]

    def read_installed(self) -> None:
        """Read the modules of all installed distributions."""
        for name in self.declared:
            self._modules_of(name)
        self.providers = self.providers or dict(installed_distributions())

    @cached_property
    def _modules(self) -> set[str]:
        same = {re.sub(r"[-.]", "_", name).lower() for name in self.declared}
        return same | set(sys.stdlib_module_names) | ALWAYS_THERE | self.packages

    _unknown_modules = False

    def is_declared(self, module: str) -> bool:
        """Return whether a top-level module is declared, of the standard library, or of `src/`.

        True also if that cannot be told, because a dependency that should be is not installed.
        """
        if module in self._modules or module.lower() in self._modules:
            return True
        # Installed distributions are read only if needed: for most modules the name is enough.
        for name, modules in self._installed:
            self._unknown_modules |= modules is None and name in self.set_up
            self._modules.update(modules or ())
            if module in self._modules:
                return True
        if not self._unknown_modules:
            return False
        self.read_installed()
        return module not in self.providers

    def distribution_of(self, module: str) -> str:
        """Return the installed distribution that surely provides a dotted module, or nothing."""
        self.read_installed()
        found = self.providers.get(module.split(".")[0], [])
        if len(found) > 1:  # a namespace, such as google.cloud
            path = f"{module.replace('.', '-').replace('_', '-').lower()}-"
            found = [name for name in found if path.startswith(f"{normalized(name)}-")]
        return max(found, key=len, default="")


def _parameters_cell(document: Document) -> ParametersCell:
    tagged = [cell for cell in document.code if TAG in cell.tags]
    if len(tagged) != 1:
        return ParametersCell()
    try:
        return ParametersCell(tagged[0], tuple(read_parameters(document.notebook)))
    except CellError as error:
        return ParametersCell(tagged[0], problem=error.reason, line=error.line)


def _entries(value: object) -> list[object]:
    return [*value] if isinstance(value, list) else []


def _distributions(entries: Iterable[object]) -> list[str]:
    """Return the names of the distributions that entries of `pyproject.toml` ask for."""
    names = (re.match(r"\s*([\w.-]+)", entry) for entry in entries if isinstance(entry, str))
    return list(dict.fromkeys(name[1] for name in names if name))
