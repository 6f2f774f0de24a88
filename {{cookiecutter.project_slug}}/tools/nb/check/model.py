"""What a rule and a finding are, and the list of all rules."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nb.project import NbError

if TYPE_CHECKING:
    from .facts import Facts
    from .source import Document

UNREADABLE = "NB001"


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
        message: what is wrong and what to do, in one line.
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
# What a rule looks at: production notebooks, all notebooks, or dvc.yaml.
PRODUCTION, EVERY, PIPELINE = "production", "every", "pipeline"


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        code: `NB` and three digits.
        summary: what has to hold, in a few words.
        why: what goes wrong otherwise.
        good: a notebook that passes, in the percent format; a line `=== path` begins another file.
        bad: one that does not.
        scope: what it looks at: production notebooks, all notebooks, or `dvc.yaml`.
        find: yields what breaks it; the notebook is None for a rule on `dvc.yaml`.
    """

    code: str
    summary: str
    why: str
    good: str
    bad: str
    scope: str
    find: Callable[[Document, Facts], Found]

    def explanation(self) -> str:
        """Return all there is to say of it, for a terminal."""
        parts = [f"{self.code}: {self.summary}", textwrap.fill(self.why, 88)]
        parts += [f"Passes:\n\n{_shown(self.good)}", f"Fails:\n\n{_shown(self.bad)}"]
        return "\n\n".join([*parts, _ADVICE[self.scope].format(code=self.code)])


_ADVICE = {
    PRODUCTION: "Looks at production notebooks. Silenced on a line by `# noqa: {code}`.",
    EVERY: "Looks at all notebooks. Silenced on a line by `# noqa: {code}`.",
    PIPELINE: "Looks at dvc.yaml. Silenced on a line by `# noqa: {code}`.",
}


def _shown(example: str) -> str:
    return textwrap.indent(example.strip("\n"), "    ")


RULES: dict[str, Rule] = {}


def rule(
    code: str, summary: str, *, why: str, good: str, bad: str, scope: str = PRODUCTION
) -> Callable[[Callable[[Document, Facts], Found]], Callable[[Document, Facts], Found]]:
    """Add the decorated function to the rules; the arguments are those of `Rule`."""

    def add(find: Callable[[Document, Facts], Found]) -> Callable[[Document, Facts], Found]:
        RULES[code] = Rule(code, summary, " ".join(why.split()), good, bad, scope, find)
        return find

    return add


def rules_of(prefixes: tuple[str, ...], origin: str) -> set[str]:
    """Return the codes that begin with one of the prefixes, such as `NB1`; `ALL` stands for all.

    Args:
        prefixes: of codes.
        origin: where they are written, for the message.

    Raises:
        NbError: if no code begins with one of them.
    """
    found: set[str] = set()
    for prefix in prefixes:
        codes = {code for code in RULES if prefix == "ALL" or code.startswith(prefix.upper())}
        if not codes or not prefix:
            raise NbError(
                f"{origin}: no rule {prefix or '(empty)'}; all rules: nb check --rules", 2
            )
        found |= codes
    return found
