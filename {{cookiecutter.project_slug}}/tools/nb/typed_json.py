"""Dataclasses read from JSON: a value of another type than the field declares is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from nb.project import parse_json

Fields = TypeVar("Fields")
# Returns a value of JSON in the type of a field, or refuses the value. The name is for the error.
Reader = Callable[[Any, str], Any]
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
    readers = _field_readers(kind)
    if unknown := content.keys() - readers.keys():
        raise ValueError(f"{kind.__name__} has no field {min(unknown)}")
    values = {name: readers[name](value, name) for name, value in content.items()}
    try:
        return kind(**values)
    except TypeError as error:  # of a field that is missing
        raise ValueError(str(error)) from None


@cache
def _field_readers(kind: Any) -> dict[str, Reader]:
    return {name: _reader(hint) for name, hint in get_type_hints(kind).items()}


@cache
def _reader(hint: Any) -> Reader:
    """Return the function that reads values of a type.

    Kept for all values: looking into a type takes longer than reading a value, and a run reads
    records of hundreds of stages.
    """
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin in (object, Any):
        return lambda value, _: value
    if origin in (Union, UnionType):
        (some,) = (_reader(each) for each in inner if each is not NoneType)
        return lambda value, name: None if value is None else some(value, name)
    if is_dataclass(origin):
        return lambda value, _: _object(value, origin)
    if origin in (dict, list, tuple):
        return _container_reader(origin, inner)
    return lambda value, name: value if _is_plain(value, origin) else _refuse(name)


def _container_reader(kind: Any, inner: Sequence[Any]) -> Reader:
    parts = [_reader(each) for each in inner if each is not Ellipsis]
    (*_, each) = parts

    def read(value: Any, name: str) -> Any:
        if kind is dict and isinstance(value, dict):
            return {key: each(part, name) for key, part in value.items()}
        if kind is dict or not isinstance(value, list):
            _refuse(name)
        if kind is list or Ellipsis in inner:
            return kind(each(part, name) for part in value)
        return tuple(part(one, name) for part, one in zip(parts, value, strict=True))

    return read


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is of another type")


def _is_plain(value: object, kind: type) -> bool:
    """Return whether a value is a text, a number in bounds or a truth value, as asked for."""
    if kind is str or kind is bool:
        return isinstance(value, kind)
    if isinstance(value, float):
        return kind is float  # a metric may be infinite, or not a number
    limit = sys.float_info.max if kind is float else NUMBER_LIMIT
    return isinstance(value, int) and abs(value) <= limit
