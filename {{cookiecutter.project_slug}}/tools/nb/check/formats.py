"""Findings as text, JSON or annotations of a pull request; the list of rules for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .findings import Finding
from .registry import RULES


def findings_text(findings: Sequence[Finding], style: str) -> str:
    """Write findings, each on a line; JSON is a single list.

    Args:
        style: text, json or github.
    """
    if style == "json":
        return json.dumps([vars(finding) for finding in findings], indent=2)
    lines = (_annotation(f) if style == "github" else str(f) for f in findings)
    return "\n".join(line.replace("\n", "\\n") for line in lines)  # of the name of a file


def _annotation(finding: Finding) -> str:
    """Write a finding as a command of GitHub's workflows.

    A notebook is shown as JSON there, so that a line of a cell means nothing to the page: the cell
    and the line go into the message.
    """
    where = f"code cell {finding.cell}, line {finding.line}: " if finding.cell else ""
    line = 1 if finding.cell else max(finding.line, 1)
    title = f"file={_escaped(finding.path)},line={line},title={finding.code}"
    return f"::error {title}::{_escaped(where + finding.message, message=True)}"


def _escaped(text: str, message: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text if message else text.replace(":", "%3A").replace(",", "%2C")


def rule_table() -> str:
    """Return the list of all rules for a terminal."""
    return "\n".join(f"{code}  {RULES[code].summary}" for code in sorted(RULES))
