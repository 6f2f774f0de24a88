"""Cache of findings by the content of notebooks: `nb check` reads changed notebooks only.

A finding depends on its notebook and on more: settings, dvc.yaml, config files, modules (also
those beside notebooks), installed packages, and the rules themselves. The hash of all of these is
the key of the whole cache. Two facts may change for a single notebook: files that are read
(NB305), which are asked for again, and definitions that stand in other notebooks, too (NB203).
Notebooks that share a definition with a changed notebook are therefore checked again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeGuard

from nb.project import CONFIG, parse_json, write_whole

from .findings import Finding
from .reads import SharedFiles

CACHE = Path(".nb/check.json")
CACHE_SCHEMA = 1
# Rooms of the tooling that decide about findings.
ROOMS = ("check", "declaration", "notebook", "refactoring", "secrets", "git", "pipeline")


@dataclass(frozen=True)
class CachedCheck:
    """A notebook that was checked.

    Attributes:
        digest: the hash of the file.
        findings: the findings in the notebook.
        outlines: hashes of the definitions, equal in copies.
        answers: the files that the notebook reads, each with the problem that was found.
    """

    digest: str
    findings: tuple[Finding, ...]
    outlines: tuple[str, ...]
    answers: Mapping[str, str]


def digest_of(data: bytes) -> str:
    """Return the hash by which the cache knows a content."""
    return sha256(data).hexdigest()[:32]


def context_key(root: Path, codes: Iterable[str], folders: Iterable[Path]) -> str:
    """Return the hash of everything, except notebooks, on which findings depend.

    Args:
        codes: the codes of the chosen rules.
        folders: the folders of the notebooks.
    """
    tools = Path(__file__).parent.parent
    files = [root / "pyproject.toml", root / "dvc.yaml"]
    files += sorted(root.glob(f"{CONFIG}/*"))
    files += sorted(p for p in (root / "src").rglob("*") if "__pycache__" not in p.parts)
    files += (path for room in ROOMS for path in sorted((tools / room).rglob("*.py")))
    whole = sha256(repr((sys.version, sorted(codes))).encode())
    for path in files:
        # Of other files in src/, the name counts: a module may be compiled.
        known = path.is_file() and path.suffix in (".py", ".yaml", ".yml", ".toml")
        whole.update(f"\0{path}\0".encode("utf-8", "surrogatepass"))
        whole.update(path.read_bytes() if known else b"")
    for folder in sorted({Path(entry).resolve() for entry in sys.path} - {root}):
        # An installation changes the time of the folder.
        whole.update(repr((str(folder), folder.is_dir() and folder.stat().st_mtime_ns)).encode())
    for folder in sorted({root, *folders}):
        # A module beside a notebook is no package to install.
        found = {*folder.glob("*.py"), *(path.parent for path in folder.glob("*/*.py"))}
        whole.update(repr((str(folder), sorted(path.name for path in found))).encode())
    return whole.hexdigest()[:32]


def read_cache(root: Path, key: str) -> dict[str, CachedCheck]:
    """Return the notebooks that were checked under the same key; none if there is no such cache."""
    try:
        content = parse_json((root / CACHE).read_bytes())
        if content["schema"] != CACHE_SCHEMA or content["key"] != key:
            return {}
        return {
            name: CachedCheck(
                entry["digest"],
                tuple(map(partial(_finding, name), entry["findings"])),
                tuple(entry["outlines"]),
                dict(entry["answers"]),
            )
            for name, entry in content["notebooks"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # absent, cut short, or of another version


def _finding(name: str, row: object) -> Finding:
    if _is_row(row):
        cell, line, code, message = row
        return Finding(name, cell, line, code, message)
    raise ValueError("no finding")


def _is_row(row: object) -> TypeGuard[tuple[int | None, int, str, str]]:
    match row:
        case [int() | None, int(), str(), str()]:
            return True
    return False


def write_cache(root: Path, key: str, checked: Mapping[str, CachedCheck]) -> None:
    """Write the cache as a whole; a disk that cannot be written to is no reason to fail."""
    notebooks = {
        name: asdict(each)
        | {"findings": [(f.cell, f.line, f.code, f.message) for f in each.findings]}
        for name, each in checked.items()
    }
    content = {"schema": CACHE_SCHEMA, "key": key, "notebooks": notebooks}
    try:
        # Another check may write at the same time.
        draft = (root / CACHE).with_name(f".check-{os.getpid()}.draft")
        write_whole(root / CACHE, json.dumps(content), draft)
    except OSError:
        return


def still_valid(
    known: Mapping[str, CachedCheck],
    digests: Mapping[str, str],
    folders: Mapping[str, Path],
    shared: SharedFiles,
) -> dict[str, CachedCheck]:
    """Return the checked notebooks whose findings are those of a new check.

    Args:
        known: the cache.
        digests: the hashes of the notebooks of now.
        folders: the folders of the notebooks of now.
        shared: the files that everybody has.
    """

    def holds(name: str, each: CachedCheck) -> bool:
        return digests.get(name) == each.digest and all(
            shared.problem(path, folders[name]) == answer for path, answer in each.answers.items()
        )

    same = {name: each for name, each in known.items() if holds(name, each)}
    # Definitions of notebooks that changed, came or went, as they were.
    touched = {o for name, each in known.items() if name not in same for o in each.outlines}
    return unaffected(same, touched)


def unaffected(same: dict[str, CachedCheck], touched: set[str]) -> dict[str, CachedCheck]:
    """Return the notebooks that share no touched definition, directly or through others."""
    while touched:
        hit = {name for name, each in same.items() if touched.intersection(each.outlines)}
        touched = {o for name in hit for o in same[name].outlines} if hit else set()
        same = {name: each for name, each in same.items() if name not in hit}
    return same
