"""Plan of an adopted folder, before any write: new paths, imports, dependencies, files left out."""

from __future__ import annotations

import filecmp
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from nb.authoring.new import initials
from nb.declaration.naming import numbers_in
from nb.distributions import installed_distributions
from nb.git.command import git_list
from nb.git.credentials import find_in_file
from nb.grouping import grouped
from nb.notebook.modules import project_package
from nb.notebook.path_literals import rewrite_paths
from nb.project import NbError, UsageError
from nb.refactoring.import_rewriting import rewrite_imports
from nb.wording import byte_size

from . import dependencies
from .cleaning import AdoptedNotebook, read_any_notebook
from .new_places import HOME, data_homes, folder_homes, name_notebooks
from .rewriting import PathUse, Relocation, path_use, rewrite_links
from .source_folder import Contents, Origin, contents_of, is_own_file

# From here on a file is taken only if somebody says so.
LARGE_BYTES = 100_000_000
LFS_POINTER, LARGEST_POINTER = b"version https://git-lfs", 1000
Ask = Callable[[str], bool]


@dataclass
class AdoptionPlan:
    """The changes that an adoption makes, decided before anything is written.

    Attributes:
        origin: the adopted folder.
        contents: the files of the folder.
        notebooks: the cleaned notebooks by old path.
        names: the new path of each notebook.
        modules: the new path of each module that notebooks import.
        imports: the new dotted name by each name under which code imports a moved module.
        data: the new path of each data file.
        made: the data files that a notebook writes: brought along, but not versioned.
        uses: the paths that each Python notebook names.
        relocation: the rule for paths; `base` differs from notebook to notebook.
        requested: the dependencies.
        left: by file that stays behind, the reason.
    """

    origin: Origin
    contents: Contents
    notebooks: dict[str, AdoptedNotebook] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    uses: dict[str, PathUse] = field(default_factory=dict)
    relocation: Relocation = field(default_factory=lambda: Relocation({}))
    requested: dependencies.Requested = field(default_factory=dependencies.Requested)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def moves(self) -> dict[str, str]:
        """The new path of every file that is brought in."""
        return {**self.names, **self.modules, **self.data}

    def rewritten(self, name: str) -> AdoptedNotebook:
        """Return a notebook with paths and imports as they are at the new place."""
        notebook = self.notebooks[name]
        if not notebook.is_python:
            return notebook
        rule = replace(self.relocation, base=self.uses[name].base)

        def code(source: str) -> str:
            return rewrite_imports(rewrite_paths(source, rule.paths), self.imports)

        return notebook.with_sources(code, lambda text: rewrite_links(text, rule.new_path))

    def module_text(self, name: str) -> str:
        """Return the text of a module with imports of other moved modules rewritten."""
        return rewrite_imports(_text_of(self.origin.folder / name), self.imports)

    def leave(self, old: str, reason: str) -> None:
        """Take a file out of the plan."""
        self.left[old] = reason
        for moves in (self.names, self.modules, self.data):
            moves.pop(old, None)
        self.notebooks.pop(old, None)


def plan_adoption(root: Path, origin: Origin, ask: Ask) -> AdoptionPlan:
    """Decide on all that an adoption changes; write nothing.

    Args:
        origin: the adopted folder.
        ask: asked a question about large files; returns the answer.

    Raises:
        NbError: if there is no notebook to adopt (exit code 2).
    """
    plan = AdoptionPlan(origin, contents_of(origin))
    _take_notebooks(root, plan)
    _take_modules(root, plan)
    for name in plan.contents.others:
        plan.left[name] = "no notebook, no imported module, no data"
    _take_data(root, plan, ask)
    _find_requirements(root, plan)
    for name in plan.contents.secret:
        plan.left[name] = "looks like a secret; secrets belong into .env, which Git ignores"
    return plan


def _take_notebooks(root: Path, plan: AdoptionPlan) -> None:
    for name in plan.contents.notebooks:
        try:
            notebook = read_any_notebook(plan.origin.folder / name)
        except NbError as error:
            plan.left[name] = str(error).partition(": ")[2]
            continue
        # Outputs stay in the work tree; the rest alone goes into Git.
        found = find_in_file(name, notebook.without_outputs().text().encode("utf-8", "replace"))
        if found:
            place = found[0].removeprefix(f"{name}, ")
            plan.left[name] = f"holds a credential ({place}); read it from the environment instead"
            continue
        plan.notebooks[name] = notebook
        if notebook.is_python:
            folder = PurePosixPath(name).parent.as_posix()
            plan.uses[name] = path_use(folder, notebook.sources())
    if not plan.notebooks:
        reasons = "".join(f"; {name} {reason}" for name, reason in list(plan.left.items())[:3])
        raise UsageError(f"{plan.origin.label} has no notebook to adopt{reasons}")
    first = max(numbers_in(root / HOME), default=0) + 1
    plan.names = name_notebooks(plan.notebooks, initials(root), first)


def _take_modules(root: Path, plan: AdoptionPlan) -> None:
    """Take the modules that notebooks import, directly or through other modules."""
    by_name: dict[str, str] = {}
    for module in sorted(plan.contents.modules, key=lambda m: (m.count("/"), m)):
        for name in import_names(module):
            by_name.setdefault(name, module)
    waiting = [s for n in plan.uses for s in plan.notebooks[n].sources()]
    taken: set[str] = set()
    while waiting:
        source = waiting.pop()
        for name in dependencies.all_imports(source):
            for module in _files_of(name, by_name, plan.contents.modules):
                if module not in taken:
                    taken.add(module)
                    waiting.append(_text_of(plan.origin.folder / module))
    package = project_package(root)
    if taken and not package:
        raise UsageError("src/ holds no single package for the modules beside the notebooks.")
    top = f"src/{package}"
    clash = any((root / top / _as_package(module)).exists() for module in taken)
    if clash:
        top = f"{top}/{_as_package(plan.origin.label.lower())}"
    plan.modules = {module: f"{top}/{_as_package(module)}" for module in sorted(taken)}
    for module in plan.contents.modules:
        if module not in taken:
            plan.left[module] = "a script or module that no notebook imports"
    _rename_imports(plan, by_name)


def import_names(module: str) -> list[str]:
    """Return the dotted names by which code may import a file: from the top, or from beside it."""
    path = PurePosixPath(module)
    parts = list(path.with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    if not all(part.isidentifier() for part in parts[-1:]):
        return []
    names = (parts[start:] for start in range(len(parts)))
    return [".".join(name) for name in names if all(part.isidentifier() for part in name)]


def _rename_imports(plan: AdoptionPlan, by_name: Mapping[str, str]) -> None:
    """Note the new dotted name of each name under which code imports a moved module."""
    for name, module in by_name.items():
        if module in plan.modules:
            plan.imports[name] = _dotted(plan.modules[module])
            parts = name.split(".")
            for count in range(1, len(parts)):  # folders without an __init__.py
                folder = ".".join(parts[:count])
                rest = "." + ".".join(parts[count:])
                plan.imports.setdefault(folder, plan.imports[name].removesuffix(rest))


def _as_package(path: str) -> str:
    """Return a path whose folders can be imported: `my-lib/a.py` becomes `my_lib/a.py`."""
    *folders, last = path.split("/")
    fitting = [re.sub(r"\W|^(?=\d)", "_", folder) for folder in folders]
    return "/".join([*fitting, last if last.endswith(".py") else re.sub(r"\W|^(?=\d)", "_", last)])


def _files_of(name: str, by_name: Mapping[str, str], modules: Iterable[str]) -> list[str]:
    """Return the files that an import of a dotted name reads: packages on the way included."""
    parts = name.split(".")
    tops = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    found = [by_name[top] for top in tops if top in by_name]
    for module in list(found):
        if module.endswith("/__init__.py"):
            folder = module.removesuffix("__init__.py")
            found += [other for other in modules if other.startswith(folder)]
    return found


def _dotted(path: str) -> str:
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="replace")


def _take_data(root: Path, plan: AdoptionPlan, ask: Ask) -> None:
    folder = plan.origin.folder
    every = (*plan.contents.data, *plan.contents.others)
    known = Relocation({name: name for name in every}, _parents(every))
    written: set[str] = set()
    joined: set[str] = set()
    named: set[str] = set()
    for use in plan.uses.values():
        rule = replace(known, base=use.base)
        means = {text: rule.candidates(text) for text in use.named if _is_path_like(text)}
        for text, candidates in means.items():
            there = next((c for c in candidates if c in known.moved), "")
            if there:
                named.add(there)
            joined.update(c for c in candidates[:1] if c in known.folders and not there)
            if text in use.written and candidates and PurePosixPath(text).suffix:
                written.add(there or candidates[0])
    # Settings that a notebook reads, for example, but no link that leads out of the folder.
    files = set(plan.contents.data) | {name for name in named if is_own_file(folder, name)}
    if plan.origin.only:
        files &= named | {f for f in files for j in joined if f.startswith(f"{j}/")}
    for name in sorted(files):
        plan.left.pop(name, None)
        size = (folder / name).stat().st_size
        if size >= LARGE_BYTES and not ask(f"{name} has {byte_size(size)}. Keep it with DVC?"):
            files.discard(name)
            plan.left[name] = byte_size(size)
        elif size < LARGEST_POINTER and (folder / name).read_bytes().startswith(LFS_POINTER):
            files.discard(name)
            plan.left[name] = "a pointer of Git LFS; git lfs pull there, then adopt it again"
        elif size < 1_000_000 and (found := find_in_file(name, (folder / name).read_bytes())):
            files.discard(name)
            plan.left[name] = f"holds a credential ({found[0].removeprefix(f'{name}:')})"
    taken = git_list(root, "ls-files", "-z", "--cached", "--others")
    homes = data_homes(files, written, joined, _in_use(root, folder, taken, files))
    plan.data = {name: homes[name] for name in sorted(files)}
    plan.made = written & files
    others = frozenset(taken) if plan.origin.inside is not None else frozenset()
    moved = {**homes, **plan.names, **plan.modules}
    plan.relocation = Relocation(
        moved, folder_homes(homes), inside=plan.origin.inside, others=others
    )


def _in_use(root: Path, folder: Path, names: Iterable[str], files: set[str]) -> set[str]:
    """Return the files of the project whose names are not free.

    A file with the content of an adopted file is left from an adoption that was taken back.
    """
    by_size = grouped(((folder / name).stat().st_size, folder / name) for name in files)

    def is_left(path: Path) -> bool:
        same = by_size.get(path.stat().st_size, []) if path.is_file() else []
        return any(filecmp.cmp(path, other, shallow=False) for other in same)

    ours = {name.removesuffix(".dvc") for name in names if name.startswith(("data/", "reports/"))}
    tracked = {name.removesuffix(".dvc") for name in names if name.endswith(".dvc")}
    return {name for name in ours if name in tracked or not is_left(root / name)}


def _is_path_like(text: str) -> bool:
    return bool(text.strip()) and len(text) < 400 and "\n" not in text and "://" not in text


def _parents(files: Iterable[str]) -> dict[str, str]:
    return {p.as_posix(): p.as_posix() for f in files for p in PurePosixPath(f).parents}


def _find_requirements(root: Path, plan: AdoptionPlan) -> None:
    folder = plan.origin.folder
    entries: list[str] = []
    if plan.origin.inside is None or plan.contents.requirements:
        for name in plan.contents.requirements if not plan.origin.only else ():
            entries += dependencies.declared_requirements(folder / name)
    own = {name.split(".")[0] for name in plan.imports} | {project_package(root)}
    texts = {name: plan.notebooks[name].sources() for name in plan.uses}
    for sources in texts.values():
        entries += dependencies.installed_by_cells(sources)
    texts |= {name: [_text_of(folder / name)] for name in plan.modules}
    imports = grouped(
        (imported, name)
        for name, sources in texts.items()
        for imported in dependencies.imports_in(sources)
        if imported.split(".")[0] not in own
    )
    known = dependencies.known_distributions(root) if imports or entries else {}
    installed = installed_distributions()
    plan.requested = dependencies.resolve(entries, imports, known, installed)
