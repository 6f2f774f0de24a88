"""Keyword arguments renamed in the calls of a function."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nb.notebook.file import CellFile, parse_cells
from nb.notebook.magics import mask
from nb.project import NbError

from .cell_tree import IDENTIFIER

if TYPE_CHECKING:
    import libcst as cst


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
        words = IDENTIFIER.findall("\n".join(masked.hidden) if masked else cell.source)
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
