"""NB4: imports of a notebook: no star, declared dependencies only, names that `src/` has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nb.check.findings import Found
from nb.check.hosted import hosted_branches
from nb.check.registry import rule
from nb.check.source import CheckedCell

if TYPE_CHECKING:
    from nb.check.facts import Facts
    from nb.check.source import Document


@rule(
    "NB401",
    "code of the project is imported by name",
    why="""After `from package.module import *` nobody sees where a name comes from, and a new
    function in the module may silently replace one of the notebook.""",
    good="# %%\nfrom example_package import paths",
    bad="# %%\nfrom example_package.paths import *",
)
def no_wildcard(document: Document, facts: Facts) -> Found:
    for cell, node in document.nodes(ast.ImportFrom):
        if any(alias.name == "*" for alias in node.names):
            package = (node.module or "").split(".")[0]
            if package in facts.packages:
                yield (
                    cell.at(node),
                    f"import the names that are used from {node.module} instead of *",
                )


@rule(
    "NB402",
    "what is imported is a declared dependency",
    why="""What happens to be installed here is missing on the next machine, or goes away with the
    package that brought it along. Looked at are the dependencies and all groups of
    `pyproject.toml`; an import in a `try` that expects it to fail, or below
    `if "google.colab" in sys.modules`, is optional.""",
    good="# %%\nimport pandas as pd",
    bad="# %%\nimport polars as pl",
)
def declared_dependencies(document: Document, facts: Facts) -> Found:
    told: set[str] = set()
    for cell, node, module in _imports(document):
        name = module.split(".")[0]
        if name in told or facts.is_declared(name):
            continue
        told.add(name)
        yield cell.at(node), _undeclared(module, document, facts)


def _undeclared(module: str, document: Document, facts: Facts) -> str:
    """Return the message for an import; a distribution is named only if it is surely the one."""
    name = module.split(".")[0]
    for folder in (document.notebook.path.parent, facts.root):
        file = folder / f"{name}.py"
        if file.is_file() or any((folder / name).glob("*.py")):
            place = file if file.is_file() else folder / name
            where = place.relative_to(facts.root).as_posix()
            return f"{name} is {where}, which other notebooks and tests lack; move it to src/"
    known = facts.distribution_of(module)
    wanted = f'"{known}"' if known else f"the package that provides {name}"
    advice = f"add {wanted} to the dependencies in pyproject.toml, then make setup"
    return f"{name} is no dependency of the project; {advice}"


def _imports(document: Document) -> Iterator[tuple[CheckedCell, ast.AST, str]]:
    """Yield each module that is imported and need not be optional."""
    hosted = list(hosted_branches(document))
    for cell in document.code:
        optional = {
            inner
            for node in cell.nodes(ast.Try)
            if any(map(_expects_failure, node.handlers))
            for inner in ast.walk(node)
        }
        optional.update(n for place, each in hosted if place is cell for n in ast.walk(each))
        for node in cell.nodes(ast.Import, ast.ImportFrom):
            if node in optional:
                continue
            if isinstance(node, ast.Import):
                yield from ((cell, node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield cell, node, node.module


def _expects_failure(handler: ast.ExceptHandler) -> bool:
    named = ast.unparse(handler.type) if handler.type else "ImportError"
    return any(name in named for name in ("ImportError", "ModuleNotFoundError", "Exception"))


@rule(
    "NB403",
    "modules and names imported from `src/` exist",
    why="""A function that was renamed or moved in `src/` breaks the notebooks that use it, hours
    into the pipeline. Also names that are looked up on an imported module are checked.""",
    good="# %%\nfrom example_package import paths\n\npaths.output('data/interim/table.csv')",
    bad="# %%\nfrom example_package import paths\n\npaths.outputs('data/interim/table.csv')",
)
def names_exist(document: Document, facts: Facts) -> Found:
    if not facts.packages:
        return
    modules: dict[str, str] = {}
    for cell, node, module in _imports(document):
        if module.split(".")[0] in facts.packages:
            for message in _missing(node, module, facts, modules):
                yield cell.at(node), message
    if modules:
        yield from _missing_attributes(document, facts, modules)


def _missing(node: ast.AST, module: str, facts: Facts, modules: dict[str, str]) -> Iterator[str]:
    """Yield the problems of an import; note which names then stand for which modules."""
    if not facts.has_module(module):
        yield f"there is no module {module} under src/"
        return
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name == module and (alias.asname or "." not in module):
                modules[alias.asname or module] = module
        return
    assert isinstance(node, ast.ImportFrom)
    for alias in node.names:
        submodule = f"{module}.{alias.name}"
        if facts.has_module(submodule):
            modules[alias.asname or alias.name] = submodule
            continue
        names = facts.names_in(module)
        if alias.name != "*" and names is not None and alias.name not in names:
            yield f"{module} has no {alias.name}"


def _missing_attributes(document: Document, facts: Facts, modules: dict[str, str]) -> Found:
    # A name that gets another value, and an attribute that is set, are the notebook's own.
    changed = {n.id for _, n in document.nodes(ast.Name) if not isinstance(n.ctx, ast.Load)}
    changed |= {n.arg for _, n in document.nodes(ast.arg)}
    own = {n.attr for _, n in document.nodes(ast.Attribute) if isinstance(n.ctx, ast.Store)}
    imported = {a.name for _, n in document.nodes(ast.Import) for a in n.names}
    told: set[tuple[str, str]] = set()
    for cell, node in document.nodes(ast.Attribute):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if (
                name in modules and name not in changed and attribute not in own
            ):
                module = modules[name]
                names = facts.names_in(module)
                whole = f"{module}.{attribute}"
                there = names is None or attribute in names or whole in imported
                if not there and (name, attribute) not in told:
                    told.add((name, attribute))
                    if not facts.has_module(whole):
                        yield cell.at(node), f"{module} has no {attribute}"
