"""Runner of the rules: findings of the chosen rules, cached in a check of all notebooks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from nb.declaration.reader import FILE
from nb.notebook.content import Notebook
from nb.processes.garbage import no_collection
from nb.project import PRODUCTION, PYPROJECT, read_regular

from . import cache, rules
from .duplicate_definitions import outlines_of
from .facts import Facts
from .findings import EVERY, IN_PIPELINE, IN_PRODUCTION, UNREADABLE, Finding, Place, is_silenced
from .registry import RULES, Rule, codes_with_prefixes
from .selection import select_notebooks
from .settings import CheckSettings
from .source import Document, UnreadableError, read_document

# Folders whose notebooks are free: only rules that protect other people hold there.
FREE = ("notebooks/exploratory/", "reports/")
# The beginning of the codes of rules about the stage of a notebook.
CONTRACT = "NB1"

__all__ = ["CheckResult", "check_paths", "rules"]


@dataclass(frozen=True)
class CheckResult:
    """The checked files and the findings, in order of the files.

    Attributes:
        notebooks: the number of checked notebooks.
        findings: the findings.
        skipped: the notebooks in other languages than Python, with the language.
    """

    notebooks: int
    findings: list[Finding]
    skipped: dict[str, str] = field(default_factory=dict)


Documents = dict[str, Document | UnreadableError]
FindingsOf = dict[str, list[Finding]]


def _require_known(settings: CheckSettings) -> None:
    """Raise an NbError if a setting names no rule."""
    for codes in (settings.select, settings.ignore, *(v for _, v in settings.per_file_ignores)):
        codes_with_prefixes(codes, PYPROJECT)


def check_paths(
    root: Path,
    paths: Sequence[Path] = (),
    select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
) -> CheckResult:
    """Findings of the rules in notebooks and in `dvc.yaml`.

    Args:
        paths: notebooks, folders, and other files of the project, whose change may break any
            production notebook; without any, all notebooks and `dvc.yaml`.
        select: beginnings of codes that take the place of those in `pyproject.toml`.
        ignore: beginnings of codes to leave out besides those in `pyproject.toml`.

    Raises:
        NbError: if a path does not exist, a code is unknown, or a file of the project that rules
            ask for cannot be read (exit code 2).
    """
    facts = Facts(root)
    settings = facts.settings
    _require_known(settings)
    codes = codes_with_prefixes(select or settings.select, "--select" if select else "select")
    codes -= codes_with_prefixes(ignore, "--ignore") | codes_with_prefixes(
        settings.ignore, "ignore"
    )
    chosen = [RULES[code] for code in sorted(codes)]
    notebooks, with_pipeline = select_notebooks(root, paths)
    findings = list(_check_pipeline(facts, chosen)) if with_pipeline else []
    named = {path.relative_to(root).as_posix(): path for path in notebooks}
    with warnings.catch_warnings(), no_collection():  # syntax trees have no cycles, and are many
        warnings.simplefilter("ignore")  # of Python about the code that is parsed: ruff says it
        if paths:  # what is compared with each other depends on the choice
            checked, skipped = _check_documents(facts, chosen, _read_all(named))
        else:
            checked, skipped = _check_changed(facts, chosen, named)
    findings += (finding for name in named if name in checked for finding in checked[name])
    return CheckResult(len(checked), findings, skipped)


def _check_documents(
    facts: Facts, chosen: Sequence[Rule], documents: Documents
) -> tuple[FindingsOf, dict[str, str]]:
    """Return the findings by notebook, and the languages of those that are left out."""
    skipped = {
        name: document.language
        for name, document in documents.items()
        if isinstance(document, Document) and not document.is_python
    }
    facts.documents = [
        document
        for name, document in documents.items()
        if isinstance(document, Document) and _is_production(name) and name not in skipped
    ]
    checked = {
        name: _check_notebook(facts, name, document, chosen)
        for name, document in documents.items()
        if name not in skipped
    }
    return checked, skipped


def _check_changed(
    facts: Facts, chosen: Sequence[Rule], named: dict[str, Path]
) -> tuple[FindingsOf, dict[str, str]]:
    """Check all notebooks, and take the findings of those without a change from the cache."""
    digests = {name: _digest(path) for name, path in named.items()}
    folders = {name: path.parent for name, path in named.items()}
    key = cache.context_key(facts.root, [each.code for each in chosen], folders.values())
    same = cache.still_valid(cache.read_cache(facts.root, key), digests, folders, facts.shared)
    documents = _read_all({n: path for n, path in named.items() if n not in same})
    outlines = {
        name: tuple(sorted(each.digest for each in outlines_of(document)))
        for name, document in documents.items()
        if isinstance(document, Document) and document.is_python
    }
    kept = cache.unaffected(same, {each for row in outlines.values() for each in row})
    again = {name: path for name, path in named.items() if name in same and name not in kept}
    documents |= _read_all(again)
    outlines |= {name: same[name].outlines for name in again}
    checked, skipped = _check_documents(facts, chosen, documents)
    if documents or len(kept) < len(named):
        cache.write_cache(
            facts.root,
            key,
            kept
            | {
                name: cache.CachedCheck(digests[name], tuple(found), outlines[name], answers)
                for name, found in checked.items()
                if name in outlines and UNREADABLE not in {f.code for f in found}
                for answers in [facts.answers.get(name, {})]
            },
        )
    return checked | {name: list(each.findings) for name, each in kept.items()}, skipped


def _digest(path: Path) -> str:
    try:
        return cache.digest_of(read_regular(path))
    except OSError:
        return ""


def _read_all(named: dict[str, Path]) -> Documents:
    documents: Documents = {}
    for name, path in named.items():
        try:
            documents[name] = read_document(name, path)
        except UnreadableError as error:
            documents[name] = error
    return documents


def _check_pipeline(facts: Facts, chosen: Iterable[Rule]) -> Iterator[Finding]:
    document = Document(FILE, Notebook(facts.root / FILE, "", ()), (), b"")
    lines: list[str] = []
    for each in chosen:
        if each.scope == IN_PIPELINE:
            for place, message in each.find(document, facts):
                lines = lines or (facts.root / FILE).read_text("utf-8").splitlines()
                if not is_silenced(lines, place, each.code):
                    yield Finding(FILE, None, place.line, each.code, message)


def _is_production(name: str) -> bool:
    return name.startswith(f"{PRODUCTION.as_posix()}/")


def _check_notebook(
    facts: Facts, name: str, document: Document | UnreadableError, chosen: Iterable[Rule]
) -> list[Finding]:
    ignored = {
        code
        for pattern, prefixes in facts.settings.per_file_ignores
        if fnmatchcase(name, pattern)
        for code in codes_with_prefixes(prefixes, "per-file-ignores")
    }
    looking = [each for each in chosen if each.code not in ignored]
    codes = {each.code for each in looking}
    scopes = {EVERY} if name.startswith(FREE) else {EVERY, IN_PRODUCTION}
    if not _is_production(name):  # a notebook that a person names: it has no stage yet
        looking = [each for each in looking if not each.code.startswith(CONTRACT)]
    try:
        if isinstance(document, UnreadableError):
            raise document
        return sorted(
            (
                Finding(name, place.cell, place.line, each.code, message)
                for each in looking
                if each.scope in scopes
                for place, message in each.find(document, facts)
                if not _is_silenced_in(document, place, each.code)
            ),
            key=lambda finding: (finding.cell or 0, finding.line, finding.code),
        )
    except UnreadableError as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply"
    return [Finding(name, None, 0, UNREADABLE, problem)] if UNREADABLE in codes else []


def _is_silenced_in(document: Document, place: Place, code: str) -> bool:
    """Return whether a line of the place is marked; for the notebook as a whole, the first line."""
    cells = document.code[place.cell - 1 :] if place.cell else document.cells
    return bool(cells) and is_silenced(cells[0].source.split("\n"), place, code)
