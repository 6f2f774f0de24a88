"""Nodes of a syntax tree by type, in the order of `ast.walk`.

Rules ask for nodes of one or two types; a notebook has thousands of nodes.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import Any, TypeVar

SomeNode = TypeVar("SomeNode", bound=ast.AST)
# Fields with names, operators and marks such as `Load`, which no rule asks for.
_LEAVES = {
    *("arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "level", "module"),
    *("op", "ops", "simple", "type_comment"),
}


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """The fields of each type that may hold nodes."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        fields = () if kind is ast.Constant else kind._fields
        self[kind] = tuple(field for field in fields if field not in _LEAVES)
        return self[kind]


_FIELDS = _Fields()


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes directly below a node; operators and marks are left out."""
    found: list[ast.AST] = []
    for field in _FIELDS[type(node)]:
        value = getattr(node, field, None)
        if isinstance(value, list):
            found += [part for part in value if isinstance(part, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


class Nodes:
    """The nodes of a syntax tree, outer nodes first; operators and marks are left out."""

    def __init__(self, tree: ast.AST | None) -> None:
        self._all: list[ast.AST] = [tree] if tree else []
        self._places: defaultdict[type[ast.AST], list[int]] = defaultdict(list)
        for place, node in enumerate(self._all):  # grows
            self._places[type(node)].append(place)
            self._all += children(node)

    def of(self, *kinds: type[SomeNode]) -> list[SomeNode]:
        """Return the nodes of some types."""
        places = [place for kind in kinds for place in self._places.get(kind, ())]
        found: list[Any] = [self._all[place] for place in sorted(places)]
        return found
