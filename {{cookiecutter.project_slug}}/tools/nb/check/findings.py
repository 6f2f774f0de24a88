"""Findings of rules: places in notebooks and in dvc.yaml, unless `# noqa` silences them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

UNREADABLE = "NB001"
UNPARSED = "NB002"
NOQA = re.compile(r"#\s*noqa\b(?::\s*(?P<codes>[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*))?", re.I)


@dataclass(frozen=True)
class Place:
    """Lines of a cell.

    Attributes:
        cell: the number of the cell among all cells, from 1; None in a file that is no notebook.
        line: the first line, from 1.
        end: the last line; 0 stands for the first.
    """

    cell: int | None
    line: int = 1
    end: int = 0


@dataclass(frozen=True)
class Finding:
    """A place that breaks a rule.

    Attributes:
        path: the file, relative to the root, with slashes.
        cell: the number of the cell among all cells, from 1; None in a file that is no notebook.
        line: the line in the cell, from 1.
        code: of the rule.
        message: the problem and the remedy, on a single line.
    """

    path: str
    cell: int | None
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        cell = "" if self.cell is None else f"{self.cell}:"
        return f"{self.path}:{cell}{self.line}: {self.code} {self.message}"


Found = Iterator[tuple[Place, str]]
# The scope of a rule: production notebooks, all notebooks, or dvc.yaml.
PRODUCTION, EVERY, PIPELINE = "production", "every", "pipeline"


def is_silenced(lines: Sequence[str], place: Place, code: str) -> bool:
    """Return whether the first or last line of a place says `# noqa`, for all rules or this one."""
    for number in {place.line, place.end or place.line}:
        found = NOQA.search(lines[number - 1]) if number <= len(lines) else None
        if found and (not found["codes"] or code in re.split(r"[,\s]+", found["codes"].upper())):
            return True
    return False
