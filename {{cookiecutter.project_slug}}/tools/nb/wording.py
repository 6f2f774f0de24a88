"""Wording of messages: long texts cut short, numbers of things, durations, sizes, names alike.

Standard library only, from Python 3.8 on: the set-up uses this before anything is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite


def shortened(text: str, most: int = 60) -> str:
    """Return a text of at most so many characters; an ellipsis stands for the rest."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def value_text(value: object, most: int = 60) -> str:
    """Return the value of a parameter as in YAML, on one line and not too long."""
    is_plain = value is not None and not isinstance(value, (bool, list, tuple, dict))
    text = str(value) if is_plain else json.dumps(value, ensure_ascii=False, default=str)
    return shortened(text if text.isprintable() else json.dumps(value, default=str), most)


def enumerated(names: Iterable[str], most: int = 1) -> str:
    """Return the first names and the number of the others: `a, b and 3 more`."""
    known = list(names)
    rest = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + rest


def plural(number: int, thing: str) -> str:
    """Return `finding` for one, `findings` for any other number."""
    return thing if number == 1 else f"{thing}s"


def count(number: int, thing: str) -> str:
    """Return `1 finding`, `2 findings`."""
    return f"{number} {plural(number, thing)}"


def place_in_file(path: str, cell: int | None, line: int) -> str:
    """Return `a.ipynb, code cell 3, line 2` for a place in a notebook, else `a.py:2`.

    Args:
        path: the file.
        cell: the number of the code cell; None or 0 for a place outside of cells.
        line: the line in the cell or the file; 0 for the file as a whole.
    """
    if cell:
        return f"{path}, code cell {cell}, line {line}"
    return f"{path}:{line}" if line else path


def duration(seconds: float | None) -> str:
    """Return `0.4 s`, `12 s`, `3 min 5 s` or `2 h 10 min`; nothing for an unknown duration."""
    if seconds is None or not isfinite(seconds):
        return ""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def byte_size(size: float) -> str:
    """Return a number of bytes (or characters) in words, such as `10.5 MB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}" if unit != "B" else f"{size:.0f} B"
        size /= 1000
    return f"{size:.3g} GB"


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the question for the known name that is most like a name, or another hint."""
    from difflib import get_close_matches  # late: the Git filter and the help must start quickly

    nearest = get_close_matches(name, list(known), n=1)
    return f"did you mean {nearest[0]}?" if nearest else otherwise
