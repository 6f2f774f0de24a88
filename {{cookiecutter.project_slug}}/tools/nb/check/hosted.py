"""Branches for hosted notebooks alone, such as those of Colab, below a test for their modules."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from .source import CheckedCell, Document


def hosted_branches(document: Document) -> Iterator[tuple[CheckedCell, ast.stmt]]:
    """Yield the statements below a test such as `if "google.colab" in sys.modules`."""
    flags = {
        target.id
        for _, node in document.nodes(ast.Assign)
        if _asks_for_modules(node.value, ())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for cell, condition in document.nodes(ast.If):
        if _asks_for_modules(condition.test, flags):
            yield from ((cell, each) for each in condition.body)


def _asks_for_modules(test: ast.expr, flags: Collection[str]) -> bool:
    """Return whether a test asks which modules a service such as Colab has imported.

    Args:
        flags: the names that hold the answer.
    """
    nodes = list(ast.walk(test))
    if any(isinstance(node, ast.NotIn | ast.Not) for node in nodes):
        return False
    return any(
        (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.modules")
        or (isinstance(node, ast.Name) and node.id in flags)
        for node in nodes
    )
