"""Check of a single notebook: the findings, and the facts with which others are compared."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

from nb.check import rules
from nb.check.facts import Facts
from nb.check.findings import COPIES, EVERY, IN_PRODUCTION, UNREADABLE, Finding, Place, is_silenced
from nb.check.registry import RULES, Rule, codes_with_prefixes
from nb.check.source import Document, UnreadableError, read_document
from nb.project import PRODUCTION

from .copies import ComparedDefinition, definitions_in_notebook

# Folders whose notebooks are free: only rules that protect other people hold there.
FREE = ("notebooks/exploratory/", "reports/")
# The beginning of the codes of rules about the stage of a notebook.
CONTRACT = "NB1"

__all__ = ["NotebookCheck", "check_notebook", "digest_of", "rules"]


@dataclass(frozen=True)
class NotebookCheck:
    """The result for a notebook, without a look at other notebooks.

    Attributes:
        digest: the hash of the file; empty if no rule could read the notebook.
        findings: the findings in the notebook.
        definitions: the functions and classes, to be compared with others.
        answers: the files that the notebook reads, each with the problem that was found.
        language: the language of a notebook that is left out; empty for Python.
    """

    digest: str
    findings: tuple[Finding, ...] = ()
    definitions: tuple[ComparedDefinition, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)
    language: str = ""


def digest_of(data: bytes) -> str:
    """Return the hash by which a content is known."""
    return sha256(data).hexdigest()[:32]


def check_notebook(facts: Facts, codes: Collection[str], item: tuple[str, Path]) -> NotebookCheck:
    """Check a notebook.

    Args:
        facts: the facts of the project.
        codes: the codes of the chosen rules.
        item: the name, from the root, and the file.
    """
    name, path = item
    chosen = _rules_for(name, facts, codes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python about the code that is parsed: ruff says it
        try:
            document = read_document(name, path)
            if not document.is_python:
                return NotebookCheck(digest_of(document.data), language=document.language)
            return NotebookCheck(
                digest_of(document.data),
                tuple(_findings(facts, document, chosen)),
                tuple(_definitions(facts, document, codes)),
                facts.answers.get(name, {}),
            )
        except UnreadableError as error:
            problem = str(error)
        except RecursionError:
            problem = "it is nested too deeply"
    found = Finding(name, None, 0, UNREADABLE, problem)
    return NotebookCheck("", (found,) if any(r.code == UNREADABLE for r in chosen) else ())


def _rules_for(name: str, facts: Facts, codes: Collection[str]) -> list[Rule]:
    """Return the chosen rules that hold for a notebook."""
    left_out = ignored_for(name, facts)
    scopes = {EVERY} if name.startswith(FREE) else {EVERY, IN_PRODUCTION}
    chosen = (RULES[code] for code in sorted(codes) if code not in left_out)
    # A notebook elsewhere, which a person names, has no stage yet.
    return [
        each
        for each in chosen
        if each.scope in scopes and (is_production(name) or not each.code.startswith(CONTRACT))
    ]


def ignored_for(name: str, facts: Facts) -> set[str]:
    """Return the codes that the settings leave out for a notebook."""
    return {
        code
        for pattern, prefixes in facts.settings.per_file_ignores
        if fnmatchcase(name, pattern)
        for code in codes_with_prefixes(prefixes, "per-file-ignores")
    }


def is_production(name: str) -> bool:
    """Return whether a notebook is in the folder of production notebooks."""
    return name.startswith(f"{PRODUCTION.as_posix()}/")


def _findings(facts: Facts, document: Document, chosen: Iterable[Rule]) -> list[Finding]:
    return sorted(
        (
            Finding(document.name, place.cell, place.line, each.code, message)
            for each in chosen
            for place, message in each.find(document, facts)
            if not _is_silenced_in(document, place, each.code)
        ),
        key=in_order,
    )


def in_order(finding: Finding) -> tuple[int, int, str]:
    """Return the key by which the findings of a notebook are sorted."""
    return finding.cell or 0, finding.line, finding.code


def _definitions(
    facts: Facts, document: Document, codes: Collection[str]
) -> list[ComparedDefinition]:
    if COPIES in codes and is_production(document.name):
        return definitions_in_notebook(document, facts.package)
    return []


def _is_silenced_in(document: Document, place: Place, code: str) -> bool:
    """Return whether a line of the place is marked; for the notebook as a whole, the first line."""
    cells = document.code[place.cell - 1 :] if place.cell else document.cells
    return bool(cells) and is_silenced(cells[0].source.split("\n"), place, code)
