"""Numbers in the metrics files of stages, JSON or YAML, by path and by dotted name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

from .reader import Stage


def read_metrics(root: Path, stages: Iterable[Stage]) -> dict[str, dict[str, float]]:
    """Return the numbers in each metrics file that is there, by path and dotted name."""
    paths = dict.fromkeys(path for stage in stages for path in stage.metrics)
    found = {path: _read(root / path) for path in paths}
    return {path: numbers for path, numbers in found.items() if numbers}


def _read(path: Path) -> dict[str, float]:
    try:
        return read_numbers(path.read_text(encoding="utf-8"), path.name)
    except (OSError, ValueError):
        return {}


def read_numbers(text: str, name: str) -> dict[str, float]:
    """Return the numbers in the text of a metrics file, by dotted name.

    Args:
        text: the content of the file.
        name: the file name, whose suffix tells JSON from YAML.
    """
    import yaml

    try:
        if Path(name).suffix == ".json":
            return _numbers(json.loads(text))
        return _numbers(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (ValueError, RecursionError, yaml.YAMLError):
        return {}


def _numbers(content: object, prefix: str = "") -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in content.items() if isinstance(content, dict) else ():
        if isinstance(value, dict):
            numbers |= _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, float) or _is_moderate(value):
            numbers[f"{prefix}{name}"] = value
    return numbers


def _is_moderate(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number that a float can hold: no other can be compared."""
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max
