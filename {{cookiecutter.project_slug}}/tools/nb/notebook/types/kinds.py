"""Type of a parameter, read from the annotation or the default in the parameters cell."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from nb.wording import shortened

PLAIN = ("int", "float", "bool", "str", "Path", "date", "datetime", "list", "dict", "tuple")
UNDERSTOOD = f"{', '.join(PLAIN)}, list[…], dict[str, …], tuple[…], Literal[…] and … | None"
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Kind:
    """The type of a parameter.

    Attributes:
        name: a name of `PLAIN`, or `Literal`, `optional`, `any`.
        text: the annotation in the notebook; `pathlib.Path` has the name `Path`.
        inner: the types of the values inside: a single type for a list, a dict and an optional,
            a type for each place of a tuple; none if any value may be inside.
        choices: the values of a `Literal`.
        repeated: whether a tuple has any length.
    """

    name: str
    text: str
    inner: tuple[Kind, ...] = ()
    choices: tuple[object, ...] = ()
    repeated: bool = False

    @property
    def expected(self) -> str:
        """The expected value, in words."""
        if self.name == "Literal":
            return f"one of {', '.join(map(shown_value, self.choices))}"
        if self.name == "optional":
            return f"{self.inner[0].expected} or null"
        return f"{self.text}{_EXAMPLES.get(self.name, '')}"


_EXAMPLES = {"date": " such as 2024-01-31", "datetime": " such as 2024-01-31T09:30:00"}
ANY = Kind("any", "a YAML value")


def shown_value(value: object) -> str:
    """Return a value as YAML has it, on a line and not too long."""
    bare = isinstance(value, date)
    text = str(value) if bare else json.dumps(value, ensure_ascii=False, default=str)
    return shortened(text, LONGEST_SHOWN)


def kind_of(annotation: ast.expr) -> Kind:
    """Return the type that an annotation names.

    Raises:
        ValueError: if the annotation is not supported.
    """
    text = ast.unparse(annotation)
    match annotation:
        case ast.Name(id=name) if name in PLAIN:
            return Kind(name, text)
        case ast.Attribute(value=ast.Name(), attr="Path" | "date" | "datetime" as name):
            return Kind(name, text)
        case ast.BinOp(left=inner, op=ast.BitOr(), right=ast.Constant(value=None)):
            return Kind("optional", text, (kind_of(inner),))
        case ast.BinOp(left=ast.Constant(value=None), op=ast.BitOr(), right=inner):
            return Kind("optional", text, (kind_of(inner),))
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=content):
            return _generic(
                name, text, content.elts if isinstance(content, ast.Tuple) else [content]
            )
    raise ValueError(f"the type {text} is not understood; known are {UNDERSTOOD}")


def _generic(name: str, text: str, parts: list[ast.expr]) -> Kind:
    """Return the type `name[parts]`."""
    match name, parts:
        case "Literal", _:
            choices = tuple(literal(part) for part in parts)
            if all(isinstance(choice, str | int | None) for choice in choices):
                return Kind(name, text, choices=choices)
        case "Optional", [inner]:
            return Kind("optional", text, (kind_of(inner),))
        case "list", [inner]:
            return Kind(name, text, (kind_of(inner),))
        case "dict", [ast.Name(id="str"), inner]:
            return Kind(name, text, (kind_of(inner),))
        case "tuple", [inner, ast.Constant(value=value)] if value is ...:
            return Kind(name, text, (kind_of(inner),), repeated=True)
        case "tuple", _:
            return Kind(name, text, tuple(map(kind_of, parts)))
    raise ValueError(f"the type {text} is not understood; known are {UNDERSTOOD}")


def kind_of_default(node: ast.expr, value: object) -> Kind:
    """Return the type of a default that has no annotation.

    Raises:
        ValueError: if the default is None, which says nothing of the other values.
    """
    if value is None:
        raise ValueError("None alone does not say the type; annotate it, such as int | None")
    if isinstance(node, ast.Call):
        return kind_of(node.func)
    return Kind(type(value).__name__, type(value).__name__)


def literal(node: ast.expr) -> object:
    """Return the value of a literal: any value of YAML, a tuple, a path, a date.

    Raises:
        ValueError: if the value has to be computed, or has another type.
    """
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=parts):
            return [literal(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(literal(part) for part in parts)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            names = [literal(key) for key in keys if key]
            return dict(zip(names, map(literal, values), strict=True))
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(attr=name), args=parts, keywords=[]
        ) if name in _CONSTRUCTORS:
            return _CONSTRUCTORS[name](*map(literal, parts))
    raise ValueError(f"{ast.unparse(node)} is not a literal")


# Functions that a default may call, because the result is as plain as a literal.
_CONSTRUCTORS: dict[str, Callable[..., object]] = {
    "Path": Path,
    "date": date,
    "datetime": datetime,
    "float": float,
}
