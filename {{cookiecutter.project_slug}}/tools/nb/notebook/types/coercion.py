"""Values of a config file, coerced to the types of parameters or refused.

Nothing is guessed: `7` is no text and `"7"` no number. The exceptions lose nothing: a whole number
where a float is expected, a list for a tuple, text for a path or a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from .kinds import ANY, Kind, shown_value

DATE = re.compile(r"\d{4}-\d\d-\d\d")
# Fractions of a second as every supported Python reads them: milli- or microseconds.
DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{3}(\d{3})?)?)?(Z|[+-]\d\d:\d\d)?")
# A number to YAML 1.2, and so to DVC; text to YAML 1.1, and so to papermill.
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


class Mismatch(ValueError):
    """A value that does not fit its type.

    Args:
        place: the place in the parameter, `[2]` or `["a"]`; empty for the whole value.
        given: the value.
        expected: the expected type, in words.
        hint: a remedy, if any is known.
    """

    def __init__(self, place: str, given: object, expected: str, hint: str = "") -> None:
        hint = f"; {hint}" if hint else ""
        super().__init__(f"given {shown_value(given)}, expected {expected}{hint}")
        self.place = place


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
        if error.place != place:
            raise
        raise Mismatch(place, value, kind.expected, _hint(kind.inner[0].name, value)) from None


def _list(kind: Kind, value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise _mismatch(kind, value, place)
    inner = kind.inner[0] if kind.inner else ANY
    return [coerce(inner, each, f"{place}[{i}]") for i, each in enumerate(value)]


def _dict(kind: Kind, value: object, place: str) -> dict[object, object]:
    if not isinstance(value, dict):
        raise _mismatch(kind, value, place)
    inner = kind.inner[0] if kind.inner else ANY
    for key in value:
        if kind.inner and not isinstance(key, str):
            raise Mismatch(place, key, "str as a key", "quote it in YAML")
    return {key: coerce(inner, each, f"{place}[{shown_value(key)}]") for key, each in value.items()}


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
