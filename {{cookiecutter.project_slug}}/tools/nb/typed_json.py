"""Dataclasses read from JSON: each value is of the type that its field declares, or is refused."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from nb.project import parse_json

Fields = TypeVar("Fields")
# Larger counts, sizes and process ids cannot be passed to the system.
NUMBER_LIMIT = 2**63 - 1


def read_versioned(kind: type[Fields], text: str | bytes, schema: int) -> Fields | None:
    """Return the dataclass in a JSON text; None for another schema, or a text that is damaged."""
    try:
        content = parse_json(text)
        return read_fields(kind, content) if content["schema"] == schema else None
    except (ValueError, TypeError, KeyError):
        return None


def read_fields(kind: type[Fields], content: object) -> Fields:
    """Return a dataclass made of a JSON object; objects in fields become dataclasses, too.

    Raises:
        ValueError: if a field is missing, unknown, or of another type.
    """
    made: Fields = _object(content, kind)
    return made


def _object(content: object, kind: Any) -> Any:
    if not isinstance(content, Mapping):
        raise ValueError(f"{kind.__name__} is no object")
    hints = _hints(kind)
    if unknown := content.keys() - hints.keys():
        raise ValueError(f"{kind.__name__} has no field {min(unknown)}")
    values = {name: _typed(value, hints[name], name) for name, value in content.items()}
    try:
        return kind(**values)
    except TypeError as error:  # of a field that is missing
        raise ValueError(str(error)) from None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(value: Any, hint: Any, name: str) -> Any:
    """Return a value of JSON as one of a type; a field's name is for the error."""
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in inner:
            return None
        (hint,) = (each for each in inner if each is not NoneType)
        return _typed(value, hint, name)
    if isinstance(origin, type) and is_dataclass(origin):
        return _object(value, origin)
    if origin is list and isinstance(value, list):
        return [_typed(each, inner[0], name) for each in value]
    if origin is tuple and isinstance(value, list):
        hints = inner[:1] * len(value) if Ellipsis in inner else inner
        return tuple(_typed(each, hint, name) for each, hint in zip(value, hints, strict=True))
    if origin is dict and isinstance(value, dict):
        return {key: _typed(each, inner[1], name) for key, each in value.items()}
    if origin in (object, Any) or _is_plain(value, origin):
        return value
    raise ValueError(f"{name} is of another type")


def _is_plain(value: object, kind: type) -> bool:
    """Return whether a value is a text, a number in bounds or a truth value, as asked for."""
    if kind is str or kind is bool:
        return isinstance(value, kind)
    if isinstance(value, float):
        return kind is float  # a metric may be infinite, or not a number
    limit = sys.float_info.max if kind is float else NUMBER_LIMIT
    return isinstance(value, int) and abs(value) <= limit
