"""Values of parameters, written as Python source that needs no import of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from .kinds import ANY, Kind


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


def _codes(kind: Kind, values: Sequence[object]) -> list[str]:
    """Write the values that a list, dict or tuple holds."""
    if kind.name == "optional":
        return _codes(kind.inner[0], values)
    kinds = kind.inner or (ANY,)
    if len(kinds) != len(values):
        kinds = kinds[:1] * len(values)
    return [python_code(inner, each) for inner, each in zip(kinds, values, strict=True)]
