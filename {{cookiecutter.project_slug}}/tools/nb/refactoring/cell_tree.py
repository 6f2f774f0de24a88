"""Syntax trees of cells: definitions cut out, imports added and dropped, all else as it was.

libcst keeps comments, blank lines and quotes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from nb.notebook.code import Definition, Import, quoted_names
from nb.notebook.magics import Masked, mask

if TYPE_CHECKING:
    import libcst as cst

    Line = cst.SimpleStatementLine | cst.BaseCompoundStatement | cst.EmptyLine

IDENTIFIER = re.compile(r"[^\W\d]\w*")


def source_of(definition: Definition) -> str:
    """Return a definition's code with the comments that stand right above it."""
    tree, lines = _parsed(definition.masked)
    start, end = _span(lines, definition.name)
    return definition.masked.unmask(_code(tree, lines[start:end])).strip("\n") + "\n"


def _parsed(masked: Masked) -> tuple[cst.Module, list[Line]]:
    """Return a source's libcst tree, and a flat list of the statements and comment lines."""
    import libcst as cst

    tree = cst.parse_module(masked.text)
    lines: list[Line] = list(tree.header)
    for statement in tree.body:
        lines += [*statement.leading_lines, statement.with_changes(leading_lines=())]
    return tree, [*lines, *tree.footer]


def _code(tree: cst.Module, lines: Sequence[Line]) -> str:
    """Return the code of lines and statements."""
    import libcst as cst

    body: list[Line] = []
    above: list[cst.EmptyLine] = []
    for line in lines:
        if isinstance(line, cst.EmptyLine):
            above.append(line)
        else:
            body.append(line.with_changes(leading_lines=above))
            above = []
    return tree.with_changes(header=(), body=body, footer=above).code


def _span(lines: Sequence[Line], name: str) -> tuple[int, int]:
    """Return the range of a definition's lines, comments right above included."""
    end = next(number for number, line in enumerate(lines) if _defines(line, name))
    start = end
    while start and (comment := getattr(lines[start - 1], "comment", None)):
        if comment.value.startswith("#|"):  # a directive of nbdev or Quarto, for the whole cell
            break
        start -= 1
    return start, end + 1


def _defines(line: Line, name: str) -> bool:
    import libcst as cst

    if isinstance(line, cst.FunctionDef | cst.ClassDef):
        return line.name.value == name
    if not isinstance(line, cst.SimpleStatementLine):
        return False
    (small, *_) = line.body
    targets = [one.target for one in small.targets] if isinstance(small, cst.Assign) else []
    targets += [small.target] if isinstance(small, cst.AnnAssign) else []
    return any(isinstance(target, cst.Name) and target.value == name for target in targets)


class CellTree:
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
            return set(IDENTIFIER.findall(self.original))
        code = _code(self.tree, self.lines)
        words = IDENTIFIER.findall("\n".join(self.masked.hidden))
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
        kept = [_without(line, unneeded) for line in self.lines]
        self.is_changed |= any(new is not old for new, old in zip(kept, self.lines, strict=True))
        if self.place is not None:
            self.place -= kept[: self.place].count(None)
        self.lines = [line for line in kept if line is not None]

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


def _is_blank(line: Line) -> bool:
    import libcst as cst

    return isinstance(line, cst.EmptyLine) and line.comment is None


def _is_statement(line: Line) -> bool:
    import libcst as cst

    return not isinstance(line, cst.EmptyLine)


def _is_head(line: Line) -> bool:
    """Return whether a statement may stand above imports: another import, a magic, a docstring."""
    import libcst as cst

    if not isinstance(line, cst.SimpleStatementLine):
        return False
    first = line.body[0]
    is_text = isinstance(first, cst.Expr) and isinstance(first.value, cst.SimpleString)
    return is_text or isinstance(first, cst.Import | cst.ImportFrom | cst.Pass)


def _without(line: Line, unneeded: set[str]) -> Line | None:
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
