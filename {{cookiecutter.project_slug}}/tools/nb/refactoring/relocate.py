"""Source transformations that move functions, classes and constants from notebook to module.

Python is changed with libcst, which keeps comments, blank lines and quotes; a notebook's file is
changed by `cellfile`, which keeps all else. Nothing here writes a file.

    names = names_of_notebook(file)
    move = plan_relocation(names, ["clean"])                      definitions with dependencies
    add_to_module(text, move, "package.data", path)               the module's new text
    take_out(file, names, {"clean": "clean"}, "package.data")     the notebook file's new text
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb.notebook.code import (
    IPYTHON_NAMES,
    Definition,
    Import,
    Names,
    caller_access,
    changed_globals,
    names_of_module,
    needed_names,
    quoted_names,
)
from nb.notebook.file import CellFile, parse_cells
from nb.notebook.magics import Masked, mask
from nb.project import NbError, program

if TYPE_CHECKING:
    import libcst as cst

_WORD = re.compile(r"[^\W\d]\w*")
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
        module: the module's dotted name.
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
    pieces = [_formatted(source_of(d), path).strip("\n") for d in added]
    code = _appended(tree, pieces, [d.is_constant for d in added])
    for tidy in (_ruffed, _sorted_imports):
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


def source_of(definition: Definition) -> str:
    """Return a definition's code with the comments that stand right above it."""
    tree, lines = _parsed(definition.masked)
    start, end = _span(lines, definition.name)
    return definition.masked.unmask(_code(tree, lines[start:end])).strip("\n") + "\n"


def _parsed(masked: Masked) -> tuple[cst.Module, list[Any]]:
    """Return a source's libcst tree, and a flat list of the statements and comment lines."""
    import libcst as cst

    tree = cst.parse_module(masked.text)
    lines: list[Any] = list(tree.header)
    for statement in tree.body:
        lines += [*statement.leading_lines, statement.with_changes(leading_lines=())]
    return tree, [*lines, *tree.footer]


def _code(tree: cst.Module, lines: Sequence[Any]) -> str:
    """Return the code of lines and statements."""
    import libcst as cst

    body: list[Any] = []
    above: list[cst.EmptyLine] = []
    for line in lines:
        if isinstance(line, cst.EmptyLine):
            above.append(line)
        else:
            body.append(line.with_changes(leading_lines=above))
            above = []
    return tree.with_changes(header=(), body=body, footer=above).code


def _span(lines: Sequence[Any], name: str) -> tuple[int, int]:
    """Return the range of a definition's lines, comments right above included."""
    end = next(number for number, line in enumerate(lines) if _defines(line, name))
    start = end
    while start and (comment := getattr(lines[start - 1], "comment", None)):
        if comment.value.startswith("#|"):  # a directive of nbdev or Quarto, for the whole cell
            break
        start -= 1
    return start, end + 1


def _defines(line: Any, name: str) -> bool:
    import libcst as cst

    if isinstance(line, cst.FunctionDef | cst.ClassDef):
        return line.name.value == name
    if not isinstance(line, cst.SimpleStatementLine):
        return False
    (small, *_) = line.body
    targets = [one.target for one in small.targets] if isinstance(small, cst.Assign) else []
    targets += [small.target] if isinstance(small, cst.AnnAssign) else []
    return any(isinstance(target, cst.Name) and target.value == name for target in targets)


def take_out(file: CellFile, names: Names, taken: Mapping[str, str], module: str) -> str:
    """Return the text of a notebook's file with definitions replaced by imports.

    The import stands where the definition was; below the cell's first imports, where other code
    comes before it. Imports that nothing uses any more go. A cell that is left with nothing goes,
    unless it has tags.

    Args:
        file: the notebook.
        names: the bindings of the notebook.
        taken: by the name of a definition in the notebook, the name in the module. A name that
            the rest of the notebook does not use is not imported.
        module: the module's dotted name.
    """
    cells = {cell.number: _Cell(cell.source) for cell in file.cells}
    used_before = {name for cell in cells.values() for name in cell.used()}
    imports: dict[int, list[Import]] = {}
    for definition in (one for name in taken for one in names.definitions[name]):
        cells[definition.cell].cut(definition.name)
        other = taken[definition.name]
        alias = definition.name if definition.name != other else ""
        imports.setdefault(definition.cell, []).append(Import(module, other, alias))
    used = {name for cell in cells.values() for name in cell.used()}
    sources: dict[int, str | None] = {}
    for cell in file.cells:
        changed = cells[cell.number]
        changed.drop_imports({name for name in used_before - used if name in names.imports})
        changed.add_imports([one for one in imports.get(cell.number, []) if one.binds in used])
        if changed.is_changed:
            source = _tidied(cell.source, changed.source(), file.path)
            sources[cell.number] = source if source.strip() or cell.tags else None
    return file.edited(sources)


def rename_keywords(file: CellFile, name: str, renamed: Mapping[str, str], where: str) -> CellFile:
    """Return a notebook with renamed keyword arguments in the calls of a function.

    Args:
        file: the notebook.
        name: the name of the function.
        renamed: the new name of a parameter, by the old name.
        where: the notebook's name in messages.

    Raises:
        NbError: if the function is handed on, or called in a way that hides the names.
    """
    import libcst as cst

    sources: dict[int, str | None] = {}
    for cell in file.cells:
        masked = mask(cell.source)
        words = _WORD.findall("\n".join(masked.hidden) if masked else cell.source)
        if not masked or name in words:
            hidden = name in words
        else:
            calls = _calls(name, renamed)
            tree = cst.parse_module(masked.text)
            sources[cell.number] = masked.unmask(tree.visit(calls).code)
            uses = [n for n in ast.walk(masked.tree) if isinstance(n, ast.Name) and n.id == name]
            hidden = calls.hidden or len(uses) != calls.count
        if hidden:
            reason = (
                f"its parameters are called otherwise, and code cell {cell.number} may name them"
            )
            raise NbError(f"{where}: {name} stays: {reason}; rename {', '.join(renamed)} first")
    return parse_cells(file.path, file.edited(sources))


def _calls(name: str, renamed: Mapping[str, str]) -> Any:
    """Return a libcst transformer that renames keywords in a function's calls and counts these."""
    import libcst as cst

    class Calls(cst.CSTTransformer):
        count = 0
        hidden = False

        def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
            function = updated_node.func
            if not isinstance(function, cst.Name) or function.value != name:
                return updated_node
            self.count += 1
            self.hidden |= any(one.star == "**" for one in updated_node.args)
            return updated_node.with_changes(args=[_renamed(one) for one in updated_node.args])

    def _renamed(argument: cst.Arg) -> cst.Arg:
        new = renamed.get(argument.keyword.value) if argument.keyword else None
        return argument.with_changes(keyword=cst.Name(new)) if new else argument

    return Calls()


class _Cell:
    """The editable syntax tree of a cell.

    Args:
        source: the cell's source in the notebook.
    """

    def __init__(self, source: str) -> None:
        self.original = source
        self.masked = mask(source) or Masked("")
        self.is_python = mask(source) is not None
        self.tree, self.lines = _parsed(self.masked)
        self.place: int | None = None  # where the first definition was
        self.is_changed = False

    def source(self) -> str:
        """Return the changed source of the cell."""
        code = self.masked.unmask(_code(self.tree, self.lines))
        return code if self.original[:1] == "\n" else code.lstrip("\n")

    def used(self) -> set[str]:
        """Return the names used by the code; in lines that are not Python, every word counts."""
        if not self.is_python:
            return set(_WORD.findall(self.original))
        code = _code(self.tree, self.lines)
        words = _WORD.findall("\n".join(self.masked.hidden))
        nodes = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))
        loaded = {node.id for node in nodes if isinstance(node.ctx, ast.Load)}
        return {*words, *loaded, *quoted_names(code)}

    def cut(self, name: str) -> None:
        """Remove a definition, with the comments right above."""
        start, end = _span(self.lines, name)
        while start and _is_blank(self.lines[start - 1]):
            start -= 1
        del self.lines[start:end]
        if not any(map(_is_statement, self.lines[:start])):
            while start < len(self.lines) and _is_blank(self.lines[start]):
                del self.lines[start]
        self.place = start if self.place is None else min(self.place, start)
        self.is_changed = True

    def drop_imports(self, unneeded: set[str]) -> None:
        """Remove the imports of unneeded names."""
        for number, line in enumerate(self.lines):
            kept = _without(line, unneeded) if unneeded else line
            if kept is not line:
                self.is_changed = True
                self.lines[number] = kept
        before = self.lines[: self.place or 0]
        self.place = None if self.place is None else self.place - before.count(None)
        self.lines = [line for line in self.lines if line is not None]

    def add_imports(self, imports: Sequence[Import]) -> None:
        """Write imports in place of the first definition, or below the first imports."""
        import libcst as cst

        if not imports:
            return
        assert self.place is not None
        written = [cst.parse_statement(line) for line in _import_lines(imports)]
        statements = [n for n, line in enumerate(self.lines) if _is_statement(line)]
        first = [*takewhile(lambda n: _is_head(self.lines[n]), statements)]
        if any(n < self.place for n in statements[len(first) :]):
            self.place = first[-1] + 1 if first else 0
        above, below = self.lines[: self.place], self.lines[self.place :]
        gap = cst.EmptyLine(indent=False)
        if above and not _is_blank(above[-1]):
            above.append(gap)
        if below and not _is_blank(below[0]):
            below.insert(0, gap)
        self.lines = [*above, *written, *below]


def _import_lines(imports: Sequence[Import]) -> list[str]:
    """Return import lines for names from a module, in the order of isort."""
    module = imports[0].module
    plain = [one.name for one in imports if not one.alias]
    plain.sort(key=lambda name: (not name.isupper(), not name[:1].isupper(), name))
    lines = [f"from {module} import {', '.join(plain)}"] if plain else []
    aliased = sorted((one.name, one.alias) for one in imports if one.alias)
    return lines + [f"from {module} import {name} as {alias}" for name, alias in aliased]


def _is_blank(line: Any) -> bool:
    return not _is_statement(line) and line.comment is None


def _is_statement(line: Any) -> bool:
    import libcst as cst

    return not isinstance(line, cst.EmptyLine)


def _is_head(line: Any) -> bool:
    """Whether a statement may stand above imports: another import, a magic, a docstring."""
    import libcst as cst

    if not isinstance(line, cst.SimpleStatementLine):
        return False
    first = line.body[0]
    is_text = isinstance(first, cst.Expr) and isinstance(first.value, cst.SimpleString)
    return is_text or isinstance(first, cst.Import | cst.ImportFrom | cst.Pass)


def _without(line: Any, unneeded: set[str]) -> Any:
    """Return an import line without unneeded names; None if nothing is left."""
    import libcst as cst

    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return line
    (small,) = line.body
    if not isinstance(small, cst.Import | cst.ImportFrom) or isinstance(
        small.names, cst.ImportStar
    ):
        return line
    kept = [alias for alias in small.names if _binds(alias) not in unneeded]
    if len(kept) == len(small.names):
        return line
    if not kept:
        return None
    # The last name keeps the old trailing comma: outside brackets a comma would be an error.
    kept[-1] = kept[-1].with_changes(comma=small.names[-1].comma)
    return line.with_changes(body=[small.with_changes(names=kept)])


def _binds(alias: cst.ImportAlias) -> str:
    bound = alias.evaluated_alias or alias.evaluated_name
    return bound.partition(".")[0]


def _tidied(before: str, after: str, path: Path) -> str:
    """Return a cell's source sorted and formatted by ruff, if the old source was so already."""
    old, new = mask(before), mask(after)
    if old is None or new is None or _ruffed(old.text + "\n", path) != old.text + "\n":
        return after
    return new.unmask(_ruffed(new.text + "\n", path).rstrip("\n"))


def _ruffed(text: str, path: Path) -> str:
    return _formatted(_sorted_imports(text, path), path)


def _formatted(text: str, path: Path) -> str:
    return _ruff(["format"], text, path)


def _sorted_imports(text: str, path: Path) -> str:
    return _ruff(["check", "--select=I", "--fix", "--exit-zero", "--quiet"], text, path)


def _ruff(command: list[str], text: str, path: Path) -> str:
    """Return ruff's output for a source; the source itself if ruff is missing or fails."""
    ruff = shutil.which(program("ruff"))
    if not ruff or not text.strip():
        return text
    name = str(path.with_suffix(".py"))  # ruff finds the project's settings from this path
    done = subprocess.run(
        [ruff, *command, "--no-cache", "--stdin-filename", name, "-"],
        input=text.encode(),
        capture_output=True,
    )
    return done.stdout.decode() if done.returncode == 0 else text
