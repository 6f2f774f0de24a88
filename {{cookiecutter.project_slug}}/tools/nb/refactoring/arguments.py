"""Constants that functions of a notebook use, handed over as arguments.

Standard library only. A function that moves to a module takes its constants along; as an argument,
a constant stays in the notebook and can be a parameter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from nb.notebook.code import Definition, Names, names_of_notebook
from nb.notebook.file import CellFile, FileCell, parse_cells
from nb.notebook.magics import mask
from nb.notebook.source_edits import Edit, byte_offsets, byte_span, with_edits

from .ast_hash import parameters


@dataclass(frozen=True)
class _Change:
    """A function that gets arguments: the name of each by the constant."""

    function: str
    cell: int
    arguments: Mapping[str, str]


def with_arguments(file: CellFile, is_setting: Callable[[Definition], bool]) -> CellFile:
    """Return a notebook whose functions get settings as arguments.

    A function stays as it is if another function or a line of IPython uses it, or if it is handed
    on as a value: then not all calls are known.

    Args:
        is_setting: whether a run may want to change a constant.
    """
    names = names_of_notebook(file)
    settings = {
        name
        for name, found in names.definitions.items()
        if len(found) == 1 and found[0].is_constant and is_setting(found[0])
    }
    changes = [
        change
        for name in names.definitions
        if (change := _change(name, names, settings)) and _all_calls_are_known(name, file)
    ]
    sources = {cell.number: _changed(cell, changes) for cell in file.cells} if changes else {}
    return parse_cells(file.path, file.edited(sources)) if sources else file


def _change(name: str, names: Names, settings: set[str]) -> _Change | None:
    """Return the arguments that a function should get; None for none."""
    found = names.function(name)
    node = found.node if found else None
    if not found or not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return None
    if node.args.vararg or node.args.kwarg or node.args.kwonlyargs or found.has_magic:
        return None
    inner = list(ast.walk(node))
    used = {n.id for n in inner if isinstance(n, ast.Name)}
    own = {name for n in inner if isinstance(n, ast.arguments) for name in parameters(n)}
    own |= {n.id for n in inner if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    arguments = {constant: constant.lower() for constant in sorted((used & settings) - own)}
    taken = (used | own | {*names.imports}) - arguments.keys()
    is_clear = taken.isdisjoint(arguments.values()) and len({*arguments.values()}) == len(arguments)
    head = [n.id for n in ast.walk(node.args) if isinstance(n, ast.Name)]
    texts = _in_texts(inner)
    head += [n.id for n in inner if isinstance(n, ast.Name) and id(n) in texts]
    if not arguments or not is_clear or not arguments.keys().isdisjoint(head):
        return None  # a default in the head is computed before the call
    return _Change(name, found.cell, arguments)


def _in_texts(nodes: Iterable[ast.AST]) -> set[int]:
    """Return the nodes in f-strings, of which Python before 3.12 does not know the places."""
    joined = (node for node in nodes if isinstance(node, ast.JoinedStr))
    return {id(part) for node in joined for part in ast.walk(node)}


def _all_calls_are_known(name: str, file: CellFile) -> bool:
    """Return whether all uses of a function are calls outside functions, arguments in sight."""
    for cell in file.cells:
        masked = mask(cell.source)
        hidden = "\n".join(masked.hidden) if masked else cell.source
        if re.search(rf"\b{re.escape(name)}\b", hidden):
            return False
        nodes = list(ast.walk(masked.tree)) if masked else []
        scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        inside = {id(n) for s in nodes if isinstance(s, scopes) for n in ast.walk(s)}
        calls = {
            id(call.func)
            for call in nodes
            if isinstance(call, ast.Call)
            and not any(isinstance(argument, ast.Starred) for argument in call.args)
            and all(keyword.arg for keyword in call.keywords)
        }
        uses = {id(node) for node in nodes if isinstance(node, ast.Name) and node.id == name}
        if not uses <= calls - inside - _in_texts(nodes):
            return False
    return True


def _changed(cell: FileCell, changes: list[_Change]) -> str:
    masked = mask(cell.source)
    if masked is None:
        return cell.source
    offsets = byte_offsets(masked.text)
    by_name = {change.function: change for change in changes}
    definitions = {(change.function, change.cell) for change in changes}
    edits: list[Edit] = []
    for node in ast.walk(masked.tree):
        match node:
            case ast.FunctionDef(name=name) if (name, cell.number) in definitions:
                edits += _definition_edits(node, by_name[name], masked.text, offsets)
            case ast.Call(func=ast.Name(id=name)) if name in by_name:
                given = [f"{new}={old}" for old, new in by_name[name].arguments.items()]
                place = byte_span(node, offsets)[1] - 1
                edits.append((place, place, _added(given, masked.text, place)))
    return masked.unmask(with_edits(masked.text, edits))


def _definition_edits(
    node: ast.FunctionDef, change: _Change, text: str, offsets: list[int]
) -> Iterator[Edit]:
    """Yield the new head of a function, and the new names in the body."""
    content, head = text.encode(), offsets[node.lineno - 1] + node.col_offset
    parts = (part for part in ast.walk(node.args) if hasattr(part, "end_lineno"))
    end = max((_end_of(part, offsets) for part in parts), default=content.index(b"(", head))
    place = content.index(b")", end)
    words = [*(["*"] if node.args.defaults else []), *change.arguments.values()]
    yield place, place, _added(words, text, place)
    for inner in (n for statement in node.body for n in ast.walk(statement)):
        if isinstance(inner, ast.Name) and inner.id in change.arguments:
            yield *byte_span(inner, offsets), change.arguments[inner.id]


def _end_of(node: ast.AST, offsets: list[int]) -> int:
    """Return the end of a part of a head, in bytes."""
    assert isinstance(node, ast.expr | ast.arg)
    return offsets[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)


def _added(words: list[str], text: str, place: int) -> str:
    """Return further arguments, to be put before a closing bracket."""
    before = text.encode()[:place].decode().rstrip()
    return ("" if before.endswith(("(", ",")) else ", ") + ", ".join(words)
