"""Keyword arguments renamed in the calls of a function."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nb.notebook.file import CellFile, parse_cells
from nb.notebook.magics import mask
from nb.project import NbError

from .cell_tree import IDENTIFIER

if TYPE_CHECKING:
    import libcst as cst


def rename_keywords(file: CellFile, name: str, renamed: Mapping[str, str], where: str) -> CellFile:
    """Return a notebook with renamed keyword arguments in the calls of a function.

    Args:
        name: the name of the function.
        renamed: the new name of a parameter, by the old name.
        where: the notebook's name in messages.

    Raises:
        NbError: if the function is handed on, or called in a way that hides the names.
    """
    sources: dict[int, str | None] = {}
    for cell in file.cells:
        masked = mask(cell.source)
        words = IDENTIFIER.findall("\n".join(masked.hidden) if masked else cell.source)
        if not masked or name in words:
            hidden = name in words
        else:
            code, count, hidden = _renamed(masked.text, name, renamed)
            sources[cell.number] = masked.unmask(code)
            uses = [n for n in ast.walk(masked.tree) if isinstance(n, ast.Name) and n.id == name]
            hidden = hidden or len(uses) != count
        if hidden:
            reason = (
                f"its parameters are called otherwise, and code cell {cell.number} may name them"
            )
            raise NbError(f"{where}: {name} stays: {reason}; rename {', '.join(renamed)} first")
    return parse_cells(file.path, file.edited(sources))


def _renamed(source: str, name: str, renamed: Mapping[str, str]) -> tuple[str, int, bool]:
    """Return a source with keywords renamed in the calls of a function.

    Returns:
        The source, the number of calls, and whether any call takes keywords from a dict (`**`).
    """
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
            return updated_node.with_changes(args=[with_new_name(one) for one in updated_node.args])

    def with_new_name(argument: cst.Arg) -> cst.Arg:
        new = renamed.get(argument.keyword.value) if argument.keyword else None
        return argument.with_changes(keyword=cst.Name(new)) if new else argument

    calls = Calls()
    return cst.parse_module(source).visit(calls).code, calls.count, calls.hidden
