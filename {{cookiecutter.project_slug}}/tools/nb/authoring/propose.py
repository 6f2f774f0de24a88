"""Parameters proposed for a production notebook: the constants of an exploratory notebook."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nb.notebook.code import Names, needed_names
from nb.notebook.file import CellFile
from nb.notebook.magics import mask
from nb.notebook.types import kind_of_default, literal

_CHANGING = {"append", "extend", "insert", "update", "pop", "remove", "sort", "add", "clear"}
_CHANGING |= {"setdefault", "discard", "reverse", "popitem"}


@dataclass(frozen=True)
class Proposed:
    """A parameter proposed from a constant of the notebook.

    Attributes:
        name: the constant's name.
        cell: the code cell with the assignment.
        lines: first and last line in that cell, comments right above included.
        code: the annotated assignment.
        value: the value in the form of a config file.
        comment: the notebook's comment on the constant.
    """

    name: str
    cell: int
    lines: tuple[int, int]
    code: str
    value: Any
    comment: str


def proposed_parameters(file: CellFile, names: Names) -> list[Proposed]:
    """Return top-level constants that can become parameters.

    Those are assigned once, to a literal, changed nowhere, and used by no function or class: a
    constant that a function uses moves with that function to the module.
    """
    used = {
        needed
        for definitions in names.definitions.values()
        for one in definitions
        if not one.is_constant
        for needed in needed_names(one.masked.text if one.has_magic else one.text)
    }
    fixed = used | set(_changed_names(file))
    found: list[Proposed] = []
    for name, definitions in names.definitions.items():
        one = definitions[0]
        fits = len(definitions) == 1 and one.is_constant and name not in fixed
        if fits and not name.startswith("_") and (proposed := _proposed(name, one)):
            found.append(proposed)
    return sorted(found, key=lambda one: (one.cell, one.lines))


def _proposed(name: str, definition: Any) -> Proposed | None:
    node = definition.node
    try:
        value = literal(node.value)
        kind = kind_of_default(node.value, value)
    except ValueError:
        return None
    if value in (None, [], {}, ()) or (isinstance(value, str) and "\n" in value):
        return None
    lines = definition.masked.text.split("\n")
    first = node.lineno - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    above = [line.lstrip("# ").strip() for line in lines[first : node.lineno - 1]]
    _, _, beside = lines[node.end_lineno - 1].encode()[node.end_col_offset :].partition(b"#")
    comment = " ".join(filter(None, [*above, beside.decode().strip()]))
    code = f"{name}: {kind.text} = {ast.get_source_segment(definition.masked.text, node.value)}"
    return Proposed(name, definition.cell, (first, node.end_lineno), code, value, comment)


def _changed_names(file: CellFile) -> Iterator[str]:
    """Yield names mutated in place, by item assignment or method, or declared `global`."""
    for cell in file.cells:
        masked = mask(cell.source)
        for node in ast.walk(ast.parse(masked.text)) if masked else ():
            match node:
                case ast.Attribute(value=changed, attr=name) if name in _CHANGING:
                    yield from _names(changed)
                case ast.Subscript(value=changed, ctx=ast.Store() | ast.Del()):
                    yield from _names(changed)
                case ast.Global(names=names):
                    yield from names


def _names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id


def without(source: str, proposed: Iterable[Proposed]) -> str:
    """Return a cell's source without the constants that became parameters."""
    lines: list[str | None] = list(source.split("\n"))
    for one in proposed:
        for number in range(*one.lines):
            lines[number] = None
    kept = "\n".join(line for line in lines if line is not None)
    return re.sub(r"\n{3,}", "\n\n", kept).strip("\n")


def proposed_cell(proposed: Iterable[Proposed]) -> str:
    """Return the source of the parameters cell, which exists even without parameters."""
    lines = [
        line
        for one in proposed
        for line in [*([f"# {one.comment}"] if one.comment else []), one.code]
    ]
    return "\n".join(lines) or "# It takes no parameters."


def config(values: Mapping[str, tuple[Any, str]], written: Callable[[Any], str]) -> str:
    """Return a config file's YAML text: a comment and a value for each name."""
    return "".join(
        (f"# {comment}\n" if comment else "") + f"{written(name)}: {written(value)}\n"
        for name, (value, comment) in values.items()
    )
