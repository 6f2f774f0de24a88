"""Rules: their texts, the functions that look for breaches, and the list of all rules."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from nb.project import UsageError
from nb.wording import did_you_mean

from .facts import Facts
from .findings import EVERY, IN_COMPARISON, IN_PIPELINE, IN_PRODUCTION, Found
from .source import Document


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule.

    Attributes:
        code: `NB` and three digits.
        summary: the requirement, in a few words.
        why: the consequence of a breach.
        good: a notebook that passes, in the percent format; a line `=== path` begins another file.
        bad: a notebook that breaks the rule.
        scope: the files that the rule checks: production notebooks (each by itself, or compared
            with others), all notebooks, or `dvc.yaml`.
        find: yields the breaches; rules that compare, or check `dvc.yaml`, get no cells.
    """

    code: str
    summary: str
    why: str
    good: str
    bad: str
    scope: str
    find: Callable[[Document, Facts], Found]

    def explanation(self) -> str:
        """Return the full explanation of the rule, for a terminal."""
        parts = [f"{self.code}: {self.summary}", textwrap.fill(self.why, 88)]
        parts += [f"Passes:\n\n{_shown(self.good)}", f"Fails:\n\n{_shown(self.bad)}"]
        return "\n\n".join([*parts, _ADVICE[self.scope].format(code=self.code)])


_ADVICE = {
    IN_PRODUCTION: "Looks at production notebooks. Silenced on a line by `# noqa: {code}`.",
    IN_COMPARISON: "Looks at production notebooks. Silenced on a line by `# noqa: {code}`.",
    EVERY: "Looks at all notebooks. Silenced on a line by `# noqa: {code}`.",
    IN_PIPELINE: "Looks at dvc.yaml. Silenced on a line by `# noqa: {code}`.",
}


def _shown(example: str) -> str:
    return textwrap.indent(example.strip("\n"), "    ")


RULES: dict[str, Rule] = {}


def rule(
    code: str, summary: str, *, why: str, good: str, bad: str, scope: str = IN_PRODUCTION
) -> Callable[[Callable[[Document, Facts], Found]], Callable[[Document, Facts], Found]]:
    """Add the decorated function to the rules; the arguments are those of `Rule`."""

    def add(find: Callable[[Document, Facts], Found]) -> Callable[[Document, Facts], Found]:
        RULES[code] = Rule(
            code=code,
            summary=summary,
            why=" ".join(why.split()),
            good=good,
            bad=bad,
            scope=scope,
            find=find,
        )
        return find

    return add


def codes_with_prefixes(prefixes: tuple[str, ...], origin: str) -> set[str]:
    """Return the codes that begin with any of the prefixes, such as `NB1`; `ALL` stands for all.

    Args:
        prefixes: of codes.
        origin: where they are written, for the message.

    Raises:
        NbError: if no code begins with a given prefix.
    """
    found: set[str] = set()
    for prefix in prefixes:
        codes = {code for code in RULES if prefix == "ALL" or code.startswith(prefix.upper())}
        if not codes or not prefix:
            hint = did_you_mean(prefix.upper(), RULES, "all rules: nb check --rules")
            raise UsageError(f"{origin}: no rule {prefix or '(empty)'}; {hint}")
        found |= codes
    return found
