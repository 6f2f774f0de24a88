"""Cache of results by the content of notebooks: `nb check` reads changed notebooks only.

A finding depends on its notebook and on more: settings, dvc.yaml, config files, modules (also
those beside notebooks), installed packages, and the rules themselves. The hash of all of these is
the key of the whole cache. Two facts may change for a single notebook: files that are read
(NB305), which are asked for again, and definitions that stand in other notebooks, too (NB203):
no such finding is in the cache, but all definitions are, and are compared anew each time.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import nb
from nb.check.reads import SharedFiles
from nb.pipeline.loaded import changed_since, signature_of
from nb.project import CONFIG, write_whole
from nb.typed_json import read_versioned

from .copies import ComparedDefinition
from .single import NotebookCheck

CACHE = Path(".nb/check.json")
CACHE_SCHEMA = 2
TOOLS_PACKAGE = Path(nb.__file__).parent
# Rooms of the tooling that decide about findings.
ROOMS = ("check", "declaration", "notebook", "refactoring", "secrets", "git", "pipeline")


@dataclass(frozen=True)
class CheckCache:
    """The content of the cache.

    Attributes:
        key: the hash of everything, except notebooks, on which findings depend.
        notebooks: the results by the names of the notebooks.
        modules: the definitions in `src/` that are copies of definitions in these notebooks.
        declared_modules: the modules of declared distributions, None without an installation.
        providers: the installed distributions, by the modules that they provide.
        began: the time before the notebooks were read, by the clock of the file system, in ns.
        signatures: what changes with each notebook file, as of that time.
    """

    key: str
    notebooks: dict[str, NotebookCheck] = field(default_factory=dict)
    modules: tuple[ComparedDefinition, ...] = ()
    declared_modules: dict[str, list[str] | None] = field(default_factory=dict)
    providers: dict[str, list[str]] = field(default_factory=dict)
    began: int = 0
    signatures: dict[str, str] = field(default_factory=dict)
    schema: int = CACHE_SCHEMA

    def is_untouched(self, name: str, path: Path, signature: str) -> bool:
        """Return whether nobody has touched a notebook since its result came here.

        Args:
            name: the name of the notebook.
            path: the file.
            signature: what changes with the file.
        """
        known = self.signatures.get(name)
        return known == signature and not changed_since(path, self.began)


def signature_text(path: Path) -> str:
    """Return what changes with a file, in a form that the cache can hold."""
    return " ".join(map(str, signature_of(path) or ()))


def context_key(root: Path, codes: Iterable[str], folders: Iterable[Path]) -> str:
    """Return the hash of everything, except notebooks, on which findings depend.

    Args:
        codes: the codes of the chosen rules.
        folders: the folders of the notebooks.
    """
    files = [root / "pyproject.toml", root / "dvc.yaml"]
    files += sorted(root.glob(f"{CONFIG}/*"))
    files += sorted(p for p in (root / "src").rglob("*") if "__pycache__" not in p.parts)
    files += (path for room in ROOMS for path in sorted((TOOLS_PACKAGE / room).rglob("*.py")))
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


def read_cache(root: Path, key: str) -> CheckCache:
    """Return the cache of the same key; an empty cache if there is none."""
    try:
        found = read_versioned(CheckCache, (root / CACHE).read_bytes(), CACHE_SCHEMA)
    except (OSError, RecursionError):
        found = None
    return found if found and found.key == key else CheckCache(key)


def write_cache(root: Path, content: CheckCache) -> None:
    """Write the cache as a whole; a disk that cannot be written to is no reason to fail."""
    try:
        # Another check may write at the same time.
        draft = (root / CACHE).with_name(f".check-{os.getpid()}.draft")
        write_whole(root / CACHE, json.dumps(content, default=vars), draft)
    except OSError:
        return


def still_valid(
    known: Mapping[str, NotebookCheck],
    digests: Mapping[str, str],
    folders: Mapping[str, Path],
    shared: SharedFiles,
) -> dict[str, NotebookCheck]:
    """Return the results that a new check of the notebooks would give.

    Args:
        known: the results in the cache.
        digests: the hashes of the notebooks of now.
        folders: the folders of the notebooks of now.
        shared: the files that everybody has.
    """
    return {
        name: each
        for name, each in known.items()
        if digests.get(name) == each.digest
        and all(
            shared.problem(path, folders[name]) == answer for path, answer in each.answers.items()
        )
    }
