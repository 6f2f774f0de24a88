"""Types of parameters: parsing of annotations, validation of values, and values as Python source.

Standard library only. Values are what a YAML file holds. Nothing is guessed: `7` is no text and
`"7"` no number. The exceptions lose nothing: a whole number where a float is expected, a list for
a tuple, text for a path or a date.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

PLAIN = ("int", "float", "bool", "str", "Path", "date", "datetime", "list", "dict", "tuple")
UNDERSTOOD = f"{', '.join(PLAIN)}, list[…], dict[str, …], tuple[…], Literal[…] and … | None"
DATE = re.compile(r"\d{4}-\d\d-\d\d")
# Fractions of a second as every supported Python reads them: milli- or microseconds.
DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{3}(\d{3})?)?)?(Z|[+-]\d\d:\d\d)?")
# A number to YAML 1.2, and so to DVC; text to YAML 1.1, and so to papermill.
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Kind:
    """A type.

    Attributes:
        name: one of `PLAIN`, or `Literal`, `optional`, `any`.
        text: the annotation in the notebook; `pathlib.Path` has the name `Path`.
        inner: the types of what it holds: one for a list, a dict and an optional, one for each
            place of a tuple; none if that may be anything.
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
        """What a value has to be, in words."""
        if self.name == "Literal":
            return f"one of {', '.join(map(shown_type, self.choices))}"
        if self.name == "optional":
            return f"{self.inner[0].expected} or null"
        return f"{self.text}{_EXAMPLES.get(self.name, '')}"


_EXAMPLES = {"date": " such as 2024-01-31", "datetime": " such as 2024-01-31T09:30:00"}
ANY = Kind("any", "a YAML value")


class Mismatch(ValueError):
    """A value that does not fit its type.

    Args:
        place: the place in the parameter, `[2]` or `["a"]`; empty for the whole value.
        given: the value.
        expected: the expected type, in words.
        hint: a remedy, if one is known.
    """

    def __init__(self, place: str, given: object, expected: str, hint: str = "") -> None:
        hint = f"; {hint}" if hint else ""
        super().__init__(f"given {shown_type(given)}, expected {expected}{hint}")
        self.place = place


def shown_type(value: object) -> str:
    """Write a value as YAML does, on one line and not too long."""
    bare = isinstance(value, date)
    text = str(value) if bare else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


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


def coerce(kind: Kind, value: object, place: str = "") -> object:
    """Return a value as its type has it: 1 as 1.0 for a float, text as a Path, a list as a tuple.

    Args:
        kind: the type.
        value: the value, as YAML gives it.
        place: the place in the parameter, for the message.

    Raises:
        Mismatch: if the value does not fit.
    """
    return _COERCIONS[kind.name](kind, value, place)


def _mismatch(kind: Kind, value: object, place: str) -> Mismatch:
    return Mismatch(place, value, kind.expected, _hint(kind.name, value))


def _hint(name: str, value: object) -> str:
    if name == "str" and isinstance(value, bool | int | float | date):
        return "quote it in YAML; on papermill's command line pass it with -r instead of -p"
    if name == "bool" and isinstance(value, str) and value.lower() in ("true", "false"):
        return f"write {value.lower()} without quotes in YAML, {value.title()} after -p"
    if name in ("int", "float") and isinstance(value, str) and re.fullmatch(r"[-+.\d]+", value):
        return "write it without quotes in YAML; pass it with -p instead of -r"
    if name == "int" and isinstance(value, float) and value.is_integer():
        return f"write {value:.0f}"
    return ""


def _exactly(kind: Kind, value: object, place: str) -> object:
    if type(value).__name__ != kind.name:
        raise _mismatch(kind, value, place)
    return value


def _float(kind: Kind, value: object, place: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, int | float | str) and (is_number or EXPONENT.fullmatch(str(value))):
        try:
            return float(value)
        except OverflowError:
            pass
    raise _mismatch(kind, value, place)


def _path(kind: Kind, value: object, place: str) -> Path:
    if isinstance(value, str | Path) and str(value):
        return Path(value)
    raise _mismatch(kind, value, place)


def _date(kind: Kind, value: object, place: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:  # the 31st of February
            pass
    raise _mismatch(kind, value, place)


def _datetime(kind: Kind, value: object, place: str) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and DATETIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            pass
    raise _mismatch(kind, value, place)


def _literal(kind: Kind, value: object, place: str) -> object:
    # By type, too: True equals 1.
    if not any(type(value) is type(choice) and value == choice for choice in kind.choices):
        raise _mismatch(kind, value, place)
    return value


def _optional(kind: Kind, value: object, place: str) -> object:
    if value is None:
        return None
    try:
        return coerce(kind.inner[0], value, place)
    except Mismatch as error:
        raise (error if error.place != place else _mismatch_or_null(kind, value, place)) from None


def _mismatch_or_null(kind: Kind, value: object, place: str) -> Mismatch:
    return Mismatch(place, value, kind.expected, _hint(kind.inner[0].name, value))


def _list(kind: Kind, value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise _mismatch(kind, value, place)
    inner = kind.inner[0] if kind.inner else ANY
    return [coerce(inner, each, f"{place}[{i}]") for i, each in enumerate(value)]


def _dict(kind: Kind, value: object, place: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _mismatch(kind, value, place)
    inner = kind.inner[0] if kind.inner else ANY
    for key in value:
        if kind.inner and not isinstance(key, str):
            raise Mismatch(place, key, "str as a key", "quote it in YAML")
    return {key: coerce(inner, each, f"{place}[{shown_type(key)}]") for key, each in value.items()}


def _tuple(kind: Kind, value: object, place: str) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise _mismatch(kind, value, place)
    kinds = kind.inner or (ANY,)
    if kind.repeated or not kind.inner:
        kinds *= len(value)
    elif len(kinds) != len(value):
        raise Mismatch(place, value, f"{kind.text}, a list of {len(kinds)}")
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(coerce(inner, each, f"{place}[{i}]") for i, (inner, each) in pairs)


def _any(kind: Kind, value: object, place: str) -> object:
    if isinstance(value, list):
        return _list(kind, value, place)
    if isinstance(value, dict):
        return _dict(kind, value, place)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise _mismatch(kind, value, place)


_COERCIONS: dict[str, Callable[[Kind, object, str], object]] = {
    "int": _exactly,
    "bool": _exactly,
    "str": _exactly,
    "float": _float,
    "Path": _path,
    "date": _date,
    "datetime": _datetime,
    "list": _list,
    "dict": _dict,
    "tuple": _tuple,
    "Literal": _literal,
    "optional": _optional,
    "any": _any,
}


def python_code(kind: Kind, value: object) -> str:
    """Write a value that fits its type as Python.

    Paths and dates are made by the name that the annotation uses, `dt.date.fromisoformat(…)` for
    `dt.date`: that name is known to the notebook, and nothing has to be imported.
    """
    match value:
        case float() if not math.isfinite(value):
            return f'float("{value}")'
        case date() | Path():
            maker = _inmost(kind)
            if isinstance(value, Path):
                return f"{maker}({value.as_posix()!r})"
            return f"{maker}.fromisoformat({value.isoformat()!r})"
        case list():
            return f"[{', '.join(_codes(kind, value))}]"
        case tuple():
            return f"({', '.join(_codes(kind, value))}{',' if len(value) == 1 else ''})"
        case dict():
            codes = _codes(kind, list(value.values()))
            return f"{{{', '.join(f'{k!r}: {v}' for k, v in zip(value, codes, strict=True))}}}"
    return repr(value)


def _inmost(kind: Kind) -> str:
    return kind.inner[0].text if kind.name == "optional" else kind.text


def _codes(kind: Kind, values: list[object] | tuple[object, ...]) -> list[str]:
    """Write the values that a list, dict or tuple holds."""
    if kind.name == "optional":
        return _codes(kind.inner[0], values)
    kinds = kind.inner or (ANY,)
    if len(kinds) != len(values):
        kinds = kinds[:1] * len(values)
    return [python_code(inner, each) for inner, each in zip(kinds, values, strict=True)]
