"""Source transformations that move functions, classes and constants from notebook to module.

Python is changed with libcst, which keeps comments, blank lines and quotes; a notebook's file is
changed in place, which keeps all else. Nothing here writes a file.

    names = names_of_notebook(file)
    move = plan_relocation(names, ["clean"])                      definitions with dependencies
    add_to_module(text, move, "package.data", path)               the module's new text
    take_out(file, names, {"clean": "clean"}, "package.data")     the notebook file's new text
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nb.grouping import grouped
from nb.notebook.code import (
    IPYTHON_NAMES,
    Definition,
    Import,
    Names,
    caller_access,
    changed_globals,
    names_of_module,
    needed_names,
)
from nb.notebook.file import CellFile
from nb.project import NbError

from .cell_tree import CellTree, source_of
from .formatting import formatted, sorted_and_formatted, sorted_imports, tidied_like

if TYPE_CHECKING:
    import libcst as cst

NEW_MODULE = '"""Functions that notebooks share."""\n'


@dataclass(frozen=True)
class Move:
    """The definitions and imports that move to a module.

    Attributes:
        definitions: the definitions, in the order of the notebook.
        imports: the imports that the definitions depend on.
    """

    definitions: tuple[Definition, ...]
    imports: tuple[Import, ...]

    @property
    def names(self) -> list[str]:
        """The names of the moved definitions."""
        return [definition.name for definition in self.definitions]


def plan_relocation(names: Names, wanted: Iterable[str], where: str = "the notebook") -> Move:
    """Return the dependency closure of some definitions: further definitions and imports.

    Args:
        names: the bindings of the notebook.
        wanted: names of functions, classes or constants.
        where: the notebook's name in messages.

    Raises:
        NbError: if a definition cannot move; the message has the reason and the next step.
    """
    moved: dict[str, Definition] = {}
    imports: dict[str, Import] = {}
    waiting = [(name, "") for name in wanted]
    while waiting:
        name, user = waiting.pop()
        if name in moved or name in imports:
            continue
        if name in names.definitions and name not in names.variables:
            definition = _movable(names.definitions[name], where)
            moved[name] = definition
            needed = needed_names(definition.masked.unmask(definition.text))
            waiting.extend((other, name) for other in sorted(needed))
        elif user and name in names.imports:
            imports[name] = names.imports[name]
        elif user and name in IPYTHON_NAMES:
            imports[name] = Import(IPYTHON_NAMES[name], name)
        else:
            raise NbError(_missing(names, name, user, where))
    ordered = sorted(moved.values(), key=lambda d: (d.cell, d.node.lineno))
    return Move(tuple(ordered), tuple(imports[name] for name in sorted(imports)))


def _movable(found: Sequence[Definition], where: str) -> Definition:
    definition = found[-1]
    name = definition.name
    if len(found) > 1:
        cells = ", ".join(str(one.cell) for one in found)
        raise NbError(
            f"{where}: {name} is defined {len(found)} times (code cells {cells}); keep one"
        )
    if definition.has_magic:
        reason = "holds lines of IPython (% or !), which a module cannot"
        raise NbError(f"{where}: {name} (code cell {definition.cell}) {reason}; replace them first")
    reader = caller_access(definition.node)
    if reader:
        reason = f"calls {reader}, which sees the names of the notebook; hand the values over"
        raise NbError(f"{where}: {name} (code cell {definition.cell}) {reason}")
    changed = sorted(changed_globals(definition.text))
    if changed:
        reason = f"changes the notebook's variable {changed[0]}; return the value instead"
        raise NbError(f"{where}: {name} (code cell {definition.cell}) {reason}")
    return definition


def _missing(names: Names, name: str, user: str, where: str) -> str:
    if name in names.definitions:
        cells = f"defined in code cell {names.definitions[name][0].cell}"
        others = ", ".join(map(str, dict.fromkeys(names.variables[name])))
        return f"{where}: {name} is {cells} and a variable in code cell {others}; rename one"
    if not user:
        return f"{where}: there is no function, class or constant {name} at the top of a cell"
    if name in names.variables:
        cells = ", ".join(map(str, dict.fromkeys(names.variables[name])))
        made = f"which code cell {cells} assigns"
        return f"{where}: {user} uses {name}, {made}; make it an argument of {user}, then try again"
    return f"{where}: {user} uses {name}, which nothing in it defines; import or define it first"


def add_to_module(text: str, move: Move, module: str, path: Path) -> str:
    """Return a module's text with definitions at its end and the imports that they need.

    Args:
        text: the module's present text; empty for a new module.
        move: the definitions to add; those already there with the same code are skipped.
        path: the module's file, for messages and for the settings of ruff.

    Raises:
        NbError: if any of the names has another meaning in the module.
    """
    import libcst as cst
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor, ImportItem

    there = names_of_module(text)
    imports = [i for i in move.imports if not _has_import(there, i, module, path)]
    added = [d for d in move.definitions if not _has_definition(there, d, path)]
    tree = cst.parse_module(text or NEW_MODULE)
    if imports:
        items = [ImportItem(i.module, i.name or None, i.alias or None) for i in imports]
        context = CodemodContext()
        tree = AddImportsVisitor(context, items).transform_module(tree)
    pieces = [formatted(source_of(d), path).strip("\n") for d in added]
    code = _appended(tree, pieces, [d.is_constant for d in added])
    for tidy in (sorted_and_formatted, sorted_imports):
        if tidy(text, path) == text:
            return tidy(code, path)
    return code


def _has_import(there: Names, wanted: Import, module: str, path: Path) -> bool:
    if f"{wanted.module}.{wanted.name}" == f"{module}.{wanted.binds}":
        return True  # an import from the target module: the name is known there
    found = there.imports.get(wanted.binds)
    taken = wanted.binds in there.definitions or wanted.binds in there.variables
    if taken or (found and found.origin != wanted.origin):
        what = found.origin if found else "something else"
        reason = f"{wanted.binds} is {what} there and {wanted.origin} in the notebook"
        raise NbError(f"{path.name}: {reason}; choose another module with --to")
    return found is not None


def _has_definition(there: Names, wanted: Definition, path: Path) -> bool:
    found = there.definitions.get(wanted.name, [])
    if found and all(_plain(one) == _plain(wanted) for one in found):
        return True
    if found or wanted.name in there.imports or wanted.name in there.variables:
        hint = "rename one of them, or choose another module with --to"
        raise NbError(f"{path.name} has another {wanted.name}; {hint}")
    return False


def _plain(definition: Definition) -> str:
    return ast.dump(definition.node)


def _appended(tree: cst.Module, pieces: Sequence[str], constants: Sequence[bool]) -> str:
    """Return a module's code with pieces added before a final `if __name__ == "__main__"`."""
    end = len(tree.body)
    if end and "__name__" in tree.code_for_node(tree.body[-1]).partition(":")[0]:
        end -= 1
    main = tree.with_changes(header=(), body=tree.body[end:]).code.strip("\n")
    code = tree.with_changes(body=tree.body[:end], footer=()).code.rstrip("\n")
    after_constant = True
    for piece, constant in zip(pieces, constants, strict=True):
        code += ("\n\n" if constant and after_constant else "\n\n\n") + piece
        after_constant = constant
    return code + "\n" + (f"\n\n{main}\n" if main else "")


def take_out(file: CellFile, names: Names, taken: Mapping[str, str], module: str) -> str:
    """Return the text of a notebook's file with definitions replaced by imports.

    The import stands where the definition was; below the cell's first imports, where other code
    comes before it. Imports that nothing uses any more go. A cell that is left with nothing goes,
    unless it has tags.

    Args:
        names: the bindings of the notebook.
        taken: by the name of a definition in the notebook, the name in the module. A name that
            the rest of the notebook does not use is not imported.
    """
    cells = {cell.number: CellTree(cell.source) for cell in file.cells}
    used_before = {name for cell in cells.values() for name in cell.used()}
    moved = [one for name in taken for one in names.definitions[name]]
    for one in moved:
        cells[one.cell].cut(one.name)
    aliases = {name: name if name != other else "" for name, other in taken.items()}
    imports = grouped((o.cell, Import(module, taken[o.name], aliases[o.name])) for o in moved)
    used = {name for cell in cells.values() for name in cell.used()}
    sources: dict[int, str | None] = {}
    for cell in file.cells:
        changed = cells[cell.number]
        changed.drop_imports({name for name in used_before - used if name in names.imports})
        changed.add_imports([one for one in imports.get(cell.number, []) if one.binds in used])
        if changed.is_changed:
            source = tidied_like(cell.source, changed.source(), file.path)
            sources[cell.number] = source if source.strip() or cell.tags else None
    return file.edited(sources)
