"""Findings of rules: places in notebooks and in dvc.yaml, unless `# noqa` silences them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nb.wording import place_in_file

UNREADABLE = "NB001"
UNPARSED = "NB002"
COPIES = "NB203"
NOQA = re.compile(r"#\s*noqa\b(?::\s*(?P<codes>[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*))?", re.I)


@dataclass(frozen=True)
class Place:
    """Lines of a code cell.

    Attributes:
        cell: the number of the code cell, from 1; None outside of code cells.
        line: the first line, from 1; 0 for the file as a whole.
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
        cell: the number of the code cell, from 1; None outside of code cells.
        line: the line in the cell or the file, from 1; 0 for the file as a whole.
        code: of the rule.
        message: the problem and the remedy, on a single line.
    """

    path: str
    cell: int | None
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        place = place_in_file(self.path, self.cell, self.line)
        return f"{place}: {self.code} {self.message}"


# The place of a finding that concerns a notebook as a whole.
WHOLE_NOTEBOOK = Place(None, 0)


Found = Iterator[tuple[Place, str]]
# The scope of a rule: production notebooks, those compared with each other and with src/, all
# notebooks, or dvc.yaml.
IN_PRODUCTION, IN_COMPARISON, EVERY, IN_PIPELINE = "production", "compared", "every", "pipeline"


def is_silenced(lines: Sequence[str], place: Place, code: str) -> bool:
    """Return whether the first or last line of a place says `# noqa`, for all rules or this one."""
    for number in {place.line, place.end or place.line}:
        found = NOQA.search(lines[number - 1]) if number <= len(lines) else None
        if found and (not found["codes"] or code in re.split(r"[,\s]+", found["codes"].upper())):
            return True
    return False
