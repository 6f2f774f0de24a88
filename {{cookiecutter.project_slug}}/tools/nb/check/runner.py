"""Runner of the rules: findings of the chosen rules, cached in a check of all notebooks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from nb.declaration.reader import FILE
from nb.notebook.content import Notebook
from nb.processes.garbage import no_collection
from nb.programs import cores
from nb.project import PYPROJECT, read_regular
from nb.runtime.process_pool import map_in_processes
from nb.uptodate import file_system_time

from .facts import Facts
from .findings import IN_COMPARISON, IN_PIPELINE, Finding, is_silenced
from .incremental import cache
from .incremental.copies import ComparedDefinition, definitions_in_modules, duplicates_of
from .incremental.single import (
    NotebookCheck,
    check_notebook,
    digest_of,
    ignored_for,
    in_order,
)
from .registry import RULES, codes_with_prefixes
from .selection import select_notebooks
from .settings import CheckSettings
from .source import Document

# Fewer notebooks are checked before other processes would have started.
FEWEST_IN_PARALLEL = 60
# Notebooks that a process takes at once.
NOTEBOOKS_AT_ONCE = 5


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
    notebooks, with_pipeline = select_notebooks(root, paths)
    findings = list(_check_pipeline(facts, codes)) if with_pipeline else []
    named = {path.relative_to(root).as_posix(): path for path in notebooks}
    with no_collection():  # syntax trees have no cycles, and are many
        if paths:  # what is compared with each other depends on the choice
            checked = _check_all(facts, codes, named)
            modules = tuple(_copies_in_modules(facts, checked.values()))
        else:
            checked, modules = _check_changed(facts, codes, named)
    definitions = [each for name in named for each in checked[name].definitions]
    facts.duplicates = duplicates_of([*modules, *definitions])
    for name in named:
        copied = _compare(facts, name, checked[name], codes)
        findings += sorted([*checked[name].findings, *copied], key=in_order)
    skipped = {name: checked[name].language for name in named if checked[name].language}
    return CheckResult(len(named) - len(skipped), findings, skipped)


def _check_all(
    facts: Facts, codes: set[str], named: Mapping[str, Path]
) -> dict[str, NotebookCheck]:
    """Check notebooks, in several processes where there are many."""
    processes = (
        min(cores(), len(named) // NOTEBOOKS_AT_ONCE) if len(named) >= FEWEST_IN_PARALLEL else 1
    )
    if processes > 1:
        facts.read_installed()  # once: forked processes inherit it, and the cache keeps it
    check = partial(check_notebook, facts, codes)
    results = map_in_processes(check, [*named.items()], processes, NOTEBOOKS_AT_ONCE)
    return dict(zip(named, results, strict=True))


def _check_changed(
    facts: Facts, codes: set[str], named: Mapping[str, Path]
) -> tuple[dict[str, NotebookCheck], tuple[ComparedDefinition, ...]]:
    """Check all notebooks, and take the results of those without a change from the cache.

    Returns:
        The results, and the definitions in `src/` that are copies of theirs.
    """
    folders = {name: path.parent for name, path in named.items()}
    key = cache.context_key(facts.root, codes, folders.values())
    known = cache.read_cache(facts.root, key)
    began = _time_of(facts.root)
    signatures = {name: cache.signature_text(path) for name, path in named.items()}
    untouched = {n for n, path in named.items() if known.is_untouched(n, path, signatures[n])}
    digests = {
        name: known.notebooks[name].digest if name in untouched else _digest(named[name])
        for name in named.keys() & known.notebooks.keys()
    }
    same = cache.still_valid(known.notebooks, digests, folders, facts.shared)
    facts.declared_modules, facts.providers = known.declared_modules, known.providers
    checked = _check_all(facts, codes, {n: path for n, path in named.items() if n not in same})
    shapes = {each.shape for one in known.notebooks.values() for each in one.definitions}
    shapes |= {each.shape for each in known.modules}
    modules = (*known.modules, *_copies_in_modules(facts, checked.values(), shapes))
    if checked or untouched != known.notebooks.keys():
        kept = {name: each for name, each in (same | checked).items() if each.digest}
        found = cache.CheckCache(
            key,
            kept,
            modules,
            facts.declared_modules,
            facts.providers,
            began,
            {name: signatures[name] for name in kept},
        )
        cache.write_cache(facts.root, found)
    return same | checked, modules


def _time_of(root: Path) -> int:
    """Return the time by the clock of the file system; 0 where nothing can be written."""
    try:
        return file_system_time(root)
    except OSError:
        return 0


def _copies_in_modules(
    facts: Facts, checked: Iterable[NotebookCheck], known: Collection[str] = ()
) -> list[ComparedDefinition]:
    """Return the definitions in `src/` that are copies of those in notebooks.

    Args:
        known: the shapes that were looked for before.
    """
    new = [d for each in checked for d in each.definitions if d.shape not in known]
    return definitions_in_modules(facts.root, facts.sources, new) if new else []


def _compare(facts: Facts, name: str, checked: NotebookCheck, codes: set[str]) -> Iterator[Finding]:
    """Yield the findings of the rules that compare a notebook with others."""
    if name not in facts.duplicates:
        return
    silenced = {(d.place.cell, d.place.line) for d in checked.definitions if d.is_silenced}
    document = _document_without_cells(facts, name)
    for code in codes - ignored_for(name, facts):
        if RULES[code].scope == IN_COMPARISON:
            for place, message in RULES[code].find(document, facts):
                if (place.cell, place.line) not in silenced:
                    yield Finding(name, place.cell, place.line, code, message)


def _digest(path: Path) -> str:
    try:
        return digest_of(read_regular(path))
    except OSError:
        return ""


def _document_without_cells(facts: Facts, name: str) -> Document:
    return Document(name, Notebook(facts.root / name, "", ()), (), b"")


def _check_pipeline(facts: Facts, codes: Iterable[str]) -> Iterator[Finding]:
    document = _document_without_cells(facts, FILE)
    lines: list[str] = []
    for code in sorted(codes):
        if RULES[code].scope == IN_PIPELINE:
            for place, message in RULES[code].find(document, facts):
                lines = lines or (facts.root / FILE).read_text("utf-8").splitlines()
                if not is_silenced(lines, place, code):
                    yield Finding(FILE, None, place.line, code, message)
