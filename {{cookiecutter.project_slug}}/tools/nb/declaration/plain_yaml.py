"""Fast writer of YAML for trees of plain names, paths, hashes and numbers, such as lock files."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator

# Scalars that YAML holds without quotes on one line: most names, paths, commands and hashes.
_PLAIN = re.compile(r"(?:\.{0,2}/)?\.?[A-Za-z_][\w./@%+=-]*(?: [\w./@%+=<>|&;$-]+)*", re.ASCII)
_HASH = re.compile(r"(?=.*[acdf])[0-9a-f]{32}(?:\.dir)?")
_NO_STRINGS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"}
_LONGEST_KEY, _WIDTH = 100, 80


def plain_yaml(tree: object) -> str | None:
    """Return the text that DVC writes for a tree; None for a tree with any but plain scalars.

    DVC's own writer, made for files with comments, takes 5 ms of CPU for the entry of a stage: as
    much as the rest of writing it.
    """
    seen: set[int] = set()
    try:
        return "".join(f"{line}\n" for line in _plain_lines(tree, "", seen))
    except ValueError:
        return None


def _plain_lines(tree: object, indent: str, seen: set[int]) -> Iterator[str]:
    """Yield the lines of a mapping.

    Raises:
        ValueError: if the mapping holds anything but plain scalars, or an object twice.
    """
    if not isinstance(tree, dict) or type(tree) not in (dict, OrderedDict) or not tree:
        raise ValueError(tree)
    _note(tree, seen)
    for key, value in tree.items():
        if isinstance(value, list) and value:
            _note(value, seen)
            yield f"{indent}{_plain_key(key)}:"
            for item in value:
                if isinstance(item, dict):
                    lines = _plain_lines(item, f"{indent}  ", seen)
                    yield f"{indent}- {next(lines).strip()}"
                    yield from lines
                else:
                    yield _plain_line(f"{indent}-", item)
        elif isinstance(value, dict):
            yield f"{indent}{_plain_key(key)}:"
            yield from _plain_lines(value, f"{indent}  ", seen)
        else:
            yield _plain_line(f"{indent}{_plain_key(key)}:", value)


def _note(tree: object, seen: set[int]) -> None:
    if id(tree) in seen:  # YAML would have a name for the first, and the name instead of the second
        raise ValueError(tree)
    seen.add(id(tree))


def _plain_key(key: object) -> str:
    if type(key) is not str or len(key) > _LONGEST_KEY:
        raise ValueError(key)
    return _plain_line("", key).strip()


def _plain_line(start: str, value: object) -> str:
    if type(value) is bool or type(value) is int:
        return f"{start} {str(value).lower()}"
    if type(value) is not str or value.lower() in _NO_STRINGS:
        raise ValueError(value)
    line = f"{start} {value}"
    if _HASH.fullmatch(value) or (
        _PLAIN.fullmatch(value) and (" " not in value or len(line) < _WIDTH)
    ):
        return line
    raise ValueError(value)
