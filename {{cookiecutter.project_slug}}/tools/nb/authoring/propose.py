"""Parameters proposed for a production notebook: the constants of an exploratory notebook."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nb.notebook.code import Definition, Names, needed_names
from nb.notebook.content import Cell, Notebook, parse_notebook
from nb.notebook.file import CellFile, parse_cells
from nb.notebook.magics import mask
from nb.notebook.new_cell import notebook_text
from nb.notebook.parameters import TAG, CellError, read_parameters
from nb.notebook.types.coercion import coerce
from nb.notebook.types.kinds import kind_of_default, literal
from nb.notebook.yaml_file import dump
from nb.project import NbError

_CHANGING = {"append", "extend", "insert", "update", "pop", "remove", "sort", "add", "clear"}
_CHANGING |= {"setdefault", "discard", "reverse", "popitem"}
# Methods that take names of columns or texts of a figure, and keywords that do so anywhere.
_TAKING_NAMES = {"drop", "filter", "groupby", "pivot", "pivot_table", "set_index", "sort_values"}
_TAKING_NAMES |= {"legend", "set_title", "set_xlabel", "set_xticklabels", "set_ylabel"}
_TAKING_NAMES |= {"set_yticklabels", "suptitle", "title", "xlabel", "ylabel"}
_NAMING_KEYWORDS = {"by", "columns", "hue", "on", "left_on", "right_on", "subset", "usecols"}
_NAMING_KEYWORDS |= {"id_vars", "index_col", "names", "parse_dates", "value_vars", "vars", "x_vars"}
_NAMING_KEYWORDS |= {"y_vars", "x", "y", "label", "labels", "title", "xlabel", "ylabel"}
# Longer values are texts and tables: characters and spaces of a text, items of a list.
LONGEST_CHOICE, MOST_WORDS, LONGEST_LIST = 60, 3, 10


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
    value: object
    comment: str


def proposed_parameters(file: CellFile, names: Names) -> list[Proposed]:
    """Return top-level constants that can become parameters.

    Those are assigned once, to a literal, changed nowhere, and used by no function or class: a
    constant that a function uses moves with that function to the module. Names of columns, texts
    of figures, tables of values and longer texts stay in the code: a run with others would be
    another notebook.
    """
    used = {
        needed
        for definitions in names.definitions.values()
        for one in definitions
        if not one.is_constant
        for needed in needed_names(one.masked.text if one.has_magic else one.text)
    }
    fixed = used | set(_changed_names(file))
    naming = set(_naming_names(file))
    found: list[Proposed] = []
    for name, definitions in names.definitions.items():
        one = definitions[0]
        fits = len(definitions) == 1 and one.is_constant and name not in fixed
        proposed = _proposed(name, one) if fits and not name.startswith("_") else None
        if proposed and not (name in naming and _holds_text(proposed.value)):
            found.append(proposed)
    return sorted(found, key=lambda one: (one.cell, one.lines))


def without_unreadable_tag(file: CellFile) -> tuple[CellFile, str]:
    """Return a notebook whose parameters cell is an ordinary cell if no run could read that cell.

    papermill takes any code there. The constants of an ordinary cell become parameters.

    Returns:
        the notebook, and the reason; empty if the notebook stays as it is.
    """
    content = json.loads(file.text)
    try:
        read_parameters(parse_notebook(file.path, content))
    except CellError as error:
        for cell in content["cells"]:
            if TAG in (tags := cell["metadata"].get("tags", [])):
                tags.remove(TAG)
        return parse_cells(file.path, notebook_text(content)), error.reason
    return file, ""


def is_parameter(constant: Definition) -> bool:
    """Return whether a constant is a setting that a run may change."""
    return _proposed(constant.name, constant) is not None


def _proposed(name: str, definition: Definition) -> Proposed | None:
    node = definition.node
    assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value and node.end_lineno
    try:
        value = literal(node.value)
        kind = kind_of_default(node.value, value)
    except ValueError:
        return None
    if value in (None, [], {}, ()) or not _is_setting(value):
        return None
    lines = definition.masked.text.split("\n")
    first = node.lineno - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    above = [line.lstrip("# ").strip() for line in lines[first : node.lineno - 1]]
    _, _, beside = lines[node.end_lineno - 1].encode()[node.end_col_offset :].partition(b"#")
    comment = " ".join(filter(None, [*above, beside.decode().strip()]))
    code = f"{name}: {kind.text} = {ast.get_source_segment(definition.masked.text, node.value)}"
    if not _is_readable(code):
        return None
    return Proposed(name, definition.cell, (first, node.end_lineno), code, value, comment)


def _is_setting(value: object) -> bool:
    """Return whether a value is a number, a choice, a date, a path, or a short list of those."""
    if isinstance(value, str):
        return len(value) <= LONGEST_CHOICE and "\n" not in value and value.count(" ") < MOST_WORDS
    if isinstance(value, list | tuple):
        nested = any(isinstance(item, list | tuple | dict) for item in value)
        return len(value) <= LONGEST_LIST and not nested and all(map(_is_setting, value))
    return not isinstance(value, dict)


def _is_readable(code: str) -> bool:
    """Return whether an assignment may stand in a parameters cell, and the value in a config."""
    cell = Notebook(Path("proposed.ipynb"), "", (Cell(1, code, (TAG,)),))
    try:
        (parameter,) = read_parameters(cell)
        coerce(parameter.kind, parameter.default)
    except (ValueError, NbError):
        return False
    return True


def _naming_names(file: CellFile) -> Iterator[str]:
    """Yield names that select parts of a table, as in `table[TARGET]`, or are shown in a figure."""
    for cell in file.cells:
        masked = mask(cell.source)
        for node in ast.walk(masked.tree) if masked else ():
            match node:
                case ast.Subscript(slice=key):
                    yield from _selecting(key)
                case ast.Call(func=ast.Attribute(attr=method)) if method in _TAKING_NAMES:
                    for argument in (*node.args, *(one.value for one in node.keywords)):
                        yield from _selecting(argument)
                case ast.keyword(arg=name, value=value) if name in _NAMING_KEYWORDS:
                    yield from _selecting(value)


def _selecting(node: ast.expr) -> Iterator[str]:
    """Yield the names that a key consists of: alone, in a list, or in a sum of lists."""
    match node:
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            yield name
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from _selecting(part)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _selecting(left)
            yield from _selecting(right)


def _holds_text(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list | tuple) and any(map(_holds_text, value))
    )


def _changed_names(file: CellFile) -> Iterator[str]:
    """Yield names mutated in place, by item assignment or method, or declared `global`."""
    for cell in file.cells:
        masked = mask(cell.source)
        for node in ast.walk(masked.tree) if masked else ():
            match node:
                case ast.Attribute(value=ast.Name(id=changed), attr=name) if name in _CHANGING:
                    yield changed
                case ast.Subscript(value=ast.Name(id=changed), ctx=ast.Store() | ast.Del()):
                    yield changed
                case ast.Global(names=names):
                    yield from names


def without_constants(source: str, proposed: Iterable[Proposed]) -> str:
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
    if len(lines) == 1:  # IPython would take a single line `env: str = "a"` for the magic %env
        return f"# Parameters\n\n{lines[0]}"
    return "\n".join(lines) or "# It takes no parameters."


def config_text(values: Mapping[str, tuple[object, str]]) -> str:
    """Return a config file's YAML text: a comment and a value for each name."""
    return "".join(
        (f"# {comment}\n" if comment else "")
        + f"{dump(name, flow=True)}: {dump(value, flow=True)}\n"
        for name, (value, comment) in values.items()
    )
