"""Hashes of normalized syntax trees (ASTs): renamed copies of code get the same hash, the shape.

Standard library only. Local variables, parameters and functions are numbered in the order in which
they appear. Comments, docstrings and annotations are left out of the hash; constants, attributes
and imported names are part of the hash.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TypeGuard

from nb.notebook.code import Definition, Function, Names, imports_of

BUILTINS = frozenset(dir(builtins))
# AST fields without effect at run time: copies that differ only there are still copies.
WITHOUT_EFFECT = {"annotation", "returns", "type_comment", "type_params", "ctx", "kind"}
# The AST field of each node type that holds a bound name.
BINDING = {
    ast.arg: "arg",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.FunctionDef: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
}


@dataclass(frozen=True)
class Skeleton:
    """The hash of a code fragment with freely chosen names blanked, and those names.

    Attributes:
        digest: the hash of the code with a blank for each such name.
        names: those names, in order, repetitions included.
    """

    digest: str
    names: tuple[str, ...]


def shape(skeletons: Iterable[Skeleton]) -> str:
    """Return the shape (hash) of consecutive code fragments, with names numbered across them."""
    numbers: dict[str, int] = {}
    parts: list[str] = []
    for skeleton in skeletons:
        parts.append(skeleton.digest)
        parts += [str(numbers.setdefault(name, len(numbers))) for name in skeleton.names]
    return _digest(" ".join(parts))


@cache
def _with_effect(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in fields if key not in WITHOUT_EFFECT)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


class Shapes:
    """The AST hashes (shapes) of a notebook's or module's code.

    Args:
        names: the bindings at the top level of the notebook or module.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self._meanings: dict[str, str] = {}
        self._bound_names: dict[ast.AST, set[str]] = {}

    def of_definition(self, definition: Definition) -> str:
        """Return the shape (AST hash) of a function, class or constant."""
        return self.with_words(definition)[0]

    def with_words(self, definition: Definition) -> tuple[str, frozenset[str]]:
        """Return the shape of a definition, and words that the text of each copy holds.

        Words are attributes, keywords and short texts.
        """
        writer = self._writer(definition.node, self._bound(definition.node), free=False)
        texts = (token[5:-1] for token in writer.tokens if token.startswith("str:"))
        return shape([writer.skeleton()]), frozenset(filter(str.isidentifier, texts))

    def of_statements(self, body: Sequence[ast.stmt], scope: ast.AST) -> list[Skeleton]:
        """Return the skeleton of each of the statements in a cell, or in the body of a function.

        Args:
            body: the statements.
            scope: the function; or the cell's module, whose variables the notebook chose freely.
        """
        bound = self._bound(scope) if isinstance(scope, Function) else set()
        return [self._writer(statement, bound, free=True).skeleton() for statement in body]

    def _bound(self, node: ast.AST) -> set[str]:
        if node not in self._bound_names:
            self._bound_names[node] = set(_bound_names(node))
        return self._bound_names[node]

    def _writer(self, node: ast.AST, bound: set[str], *, free: bool) -> _Writer:
        writer = _Writer(self, bound, free=free)
        writer.write(node)
        return writer

    def meaning(self, name: str) -> str:
        """Return the hash or origin of a top-level binding; empty for a variable."""
        if name not in self._meanings:
            self._meanings[name] = (
                "itself"  # a placeholder, so that a recursive function does not recurse here
            )
            self._meanings[name] = self._meaning(name)
        return self._meanings[name]

    def _meaning(self, name: str) -> str:
        if name in self.names.variables:
            return ""
        if name in self.names.definitions:
            return self.of_definition(self.names.definitions[name][-1])
        if name in self.names.imports:
            return self.names.imports[name].origin
        return f"builtin {name}" if name in BUILTINS else ""


class _Writer:
    """A serializer of syntax trees to normalized tokens.

    Args:
        shapes: the lookup for top-level bindings.
        bound: the names that the code binds itself.
        free: whether names without a known binding count as freely chosen, too.
    """

    def __init__(self, shapes: Shapes, bound: set[str], *, free: bool) -> None:
        self.shapes = shapes
        self.bound = bound
        self.free = free
        self.tokens: list[str] = []
        self.names: list[str] = []
        self.imported: dict[str, str] = {}
        self.fixed: set[str] = set()  # the members of a class: others use them by their names

    def skeleton(self) -> Skeleton:
        return Skeleton(_digest(" ".join(self.tokens)), tuple(self.names))

    def write(self, node: object) -> None:
        if isinstance(node, ast.AST):
            self._write_tree(node)
        elif isinstance(node, list):
            self.tokens.append("[")
            for item in node:
                if not is_docstring(item):
                    self.write(item)
            self.tokens.append("]")
        else:
            self.tokens.append(f"{type(node).__name__}:{node!r}")

    def _write_tree(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self._name(node.id)
            return
        if isinstance(node, ast.stmt):
            node = self._begin_statement(node)
        kind = type(node)
        self.tokens.append(kind.__name__)
        named = BINDING.get(kind, "")
        for key in _with_effect(kind._fields):
            value = getattr(node, key, None)
            if key == named and value is not None:
                self._name(value)
            elif kind in (ast.Global, ast.Nonlocal):
                for name in value or ():
                    self._name(name)
            else:
                self.write(value)

    def _begin_statement(self, node: ast.stmt) -> ast.stmt:
        """Note the names that a statement fixes; return the statement in its plainest form."""
        if isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Name) and node.target.id in self.fixed:
                self.tokens.append(ast.dump(node.annotation))  # a field of a dataclass, say
            return ast.Assign([node.target], node.value or ast.Constant(...))
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imported.update({found.binds: found.origin for found in imports_of(node)})
        elif isinstance(node, ast.ClassDef):
            self.fixed |= {name for statement in node.body for name in _members(statement)}
        return node

    def _name(self, name: str) -> None:
        known = self.imported.get(name) or ("" if name in self.bound else self.shapes.meaning(name))
        if name in self.fixed:
            self.tokens.append(f"member {name}")
        elif known:
            self.tokens.append(known)
        elif self.free or name in self.bound:
            self.tokens.append("_")
            self.names.append(name)
        else:
            self.tokens.append(f"variable {name}")


def is_docstring(node: object) -> TypeGuard[ast.Expr]:
    """Return whether a node is a docstring: a statement that is only a string constant."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _bound_names(node: ast.AST) -> Iterator[str]:
    """Yield the names bound by a definition, including the definition's own and nested names."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            if not isinstance(inner.ctx, ast.Load):
                yield inner.id
        elif type(inner) in BINDING and (name := getattr(inner, BINDING[type(inner)])):
            yield name


def _members(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, Function):
        yield statement.name
        yield from parameters(statement.args)
    elif isinstance(statement, ast.ClassDef):
        yield statement.name
    else:
        nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        yield from (node.id for node in nodes if isinstance(node.ctx, ast.Store))


def parameters(given: ast.arguments) -> list[str]:
    """Return the parameter names of a function, in order."""
    starred = [given.vararg, *given.kwonlyargs, given.kwarg]
    return [one.arg for one in (*given.posonlyargs, *given.args, *starred) if one]
