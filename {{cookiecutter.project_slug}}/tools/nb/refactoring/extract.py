"""Extraction of functions and classes from notebooks to `src/`, with imports in place of copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from nb.declaration.naming import module_name
from nb.git.text_view import readable_diff
from nb.locks import edit_lock
from nb.notebook.code import Definition, names_of_module, names_of_notebook
from nb.notebook.file import parse_cells, read_cells
from nb.notebook.modules import SourcePackages
from nb.project import NbError, UsageError, write_whole
from nb.wording import did_you_mean

from . import relocate, rerun
from .ast_hash import Shapes
from .keywords import rename_keywords
from .nbdev_cells import write_module
from .sources import CodePlace, Source, read_sources


@dataclass
class Extraction:
    """The planned file changes of an extraction.

    Attributes:
        name: the name of the extracted function or class.
        module: the dotted name of the target module.
        changes: the new text of each file, by its path.
        left: the copies that stay, with the reason.
        exporting: the notebook from which nbdev writes the module, if any.
        before: the content of each file when the change was planned; None for a new file.
    """

    name: str
    module: str
    changes: dict[Path, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    exporting: Path | None = None
    before: dict[Path, bytes | None] = field(default_factory=dict)

    def diff(self, root: Path) -> str:
        """Return the changes as a unified diff; notebooks as text."""
        return "".join(
            readable_diff(path.relative_to(root).as_posix(), rerun.content_or_none(path), new)
            for path, new in self.contents().items()
        )

    def generated(self, root: Path) -> list[Path]:
        """Return the files that nbdev writes in addition to the planned changes."""
        package = root / "src" / self.module.partition(".")[0]
        names = ("_modidx.py", *self.module.split(".")[1:])
        return [package / f"{n.removesuffix('.py')}.py" for n in names] if self.exporting else []

    def write(self, root: Path) -> None:
        """Write the changed files; nbdev writes a module that is exported from a notebook.

        Raises:
            NbError: if somebody changed any of the files since the change was planned.
        """
        with edit_lock(root):
            for path in self.changes:
                if rerun.content_or_none(path) != self.before[path]:
                    name = path.relative_to(root).as_posix()
                    raise NbError(f"{name} was changed meanwhile and stays as it is; run it again")
            if self.exporting:
                write_module(self.exporting, root / "src" / self.module.partition(".")[0])
            for path, content in self.contents().items():
                write_whole(path, content)

    def contents(self) -> dict[Path, bytes]:
        """Return the new content of each changed file."""
        return {path: new.encode("utf-8", "surrogatepass") for path, new in self.changes.items()}


def prepare_extraction(root: Path, name: str, to: str = "", origin: str = "") -> Extraction:
    """Plan the file changes of an extraction, without writing a file.

    Args:
        name: the name of a function or class at the top level of a notebook.
        to: the module, `data` or `package.data`. By default the module that has the definition
            already, else `shared`.
        origin: the notebook with the right definition, if definitions differ.

    Raises:
        NbError: if the definition is missing, ambiguous or cannot move.
    """
    sources = read_sources(root)
    copies = _copies(sources, name, origin)
    first = copies[0]
    module = first.place.module or module_name(root, to)
    if first.place.module and to and module_name(root, to) != module:
        raise UsageError(f"{name} is in {module} already; leave --to out")
    found = Extraction(name, module)
    target = _module_file(root, module)
    if first.place.cell and first.place.module:
        found.exporting = root / first.place.path
        text = "".join(cell.source + "\n\n\n" for cell in first.source.cells)
    elif first.place.module:
        target = root / first.place.path
        text = target.read_text(encoding="utf-8")
    else:
        text = _with_definition(root, first, module, target, found)
    there = Shapes(names_of_module(text))
    for copy in copies:
        if copy.place.module:
            continue
        try:
            found.changes[root / copy.place.path] = _replaced(
                root, copy, first, module, there, found.changes
            )
        except NbError as error:
            if copy is first:
                raise
            found.left.append(str(error))
    if not any(path.suffix == ".ipynb" for path in found.changes) and not found.left:
        raise NbError(f"{name} is in {module} already, and no notebook has a copy of it")
    found.before = {path: rerun.content_or_none(path) for path in found.changes}
    return found


def carry_out(
    root: Path,
    extraction: Extraction,
    *,
    run: bool,
    keep: bool,
    show: Callable[[Sequence[rerun.OutputComparison]], None],
) -> None:
    """Write the changes, run the stages of the notebooks that changed, and compare their outputs.

    Args:
        extraction: the planned changes.
        run: whether to run the stages.
        keep: leave the changes in place even if a stage fails or outputs differ.
        show: called with the comparison.

    Raises:
        NbError: if a stage is stale before, fails, or gives other outputs; unless `keep`, all
            files are restored then.
    """
    notebooks = [path.relative_to(root) for path in extraction.changes if path.suffix == ".ipynb"]
    stages = rerun.stages_of_notebooks(root, notebooks) if run else []
    if stages:
        rerun.require_fresh(root, stages)
    before = rerun.output_hashes(root, stages)
    written = {**dict.fromkeys(extraction.generated(root)), **extraction.contents()}
    with nullcontext() if keep else rerun.rolled_back_on_error(root, written, stages):
        extraction.write(root)
        if not stages:
            return
        rerun.run_stages(root, stages)
        compared = rerun.compare_outputs(before, rerun.output_hashes(root, stages))
        show(compared)
        if any(one.verdict != rerun.SAME for one in compared):
            end = "the changes are kept" if keep else "all is as it was (--keep keeps the changes)"
            raise NbError(f"the outputs differ; {end}")


@dataclass(frozen=True)
class _Copy:
    """A copy of a definition, with the source that holds that copy."""

    source: Source
    definition: Definition
    place: CodePlace
    shape: str


def _copies(sources: Iterable[Source], name: str, origin: str) -> list[_Copy]:
    """Return all copies of a definition, importable copies first."""
    every = [
        _Copy(source, found, source.place(found), source.shapes.of_definition(found))
        for source in sources
        for found in source.definitions()
    ]
    named = [copy for copy in every if copy.definition.name == name]
    chosen = [c for c in named if not origin or c.place.path.endswith(origin)]
    in_notebooks = [copy for copy in chosen if copy.place.cell] or chosen
    shapes = {copy.shape for copy in in_notebooks}
    if not shapes:
        where = f" in {origin}" if origin else ""
        hint = did_you_mean(name, {c.definition.name for c in every})
        problem = f"there is no function or class {name} at the top of a cell{where}"
        raise UsageError(f"{problem}; {hint}" if hint else problem)
    if len(shapes) > 1:
        places = ", ".join(str(copy.place) for copy in in_notebooks)
        raise UsageError(f"{name} differs between {places}; name one notebook with --from")
    same = [copy for copy in every if copy.shape in shapes]
    return sorted(same, key=lambda c: (not c.place.module, c not in in_notebooks))


def _module_file(root: Path, module: str) -> Path:
    folder = root / "src" / Path(*module.split("."))
    if folder.is_dir():
        raise UsageError(f"{module} is a package; name a module in it: --to {module}.name")
    if not (folder.parent / "__init__.py").exists():
        where = folder.parent.relative_to(root).as_posix()
        raise UsageError(f"{where} is no package; make an empty {where}/__init__.py first")
    return folder.with_suffix(".py")


def _with_definition(root: Path, first: _Copy, module: str, target: Path, found: Extraction) -> str:
    """Plan and return the module's new text, with the definition and its dependencies."""
    file = read_cells(root / first.place.path)
    where = first.place.path
    move = relocate.plan_relocation(names_of_notebook(file), [first.definition.name], where)
    needed = SourcePackages(root / "src").closure(
        f"{one.module}.{one.name}" for one in move.imports
    )
    if module in needed:
        reason = f"{first.definition.name} needs a module that imports {module}"
        raise NbError(f"{where}: {reason}; choose another one with --to")
    old = target.read_bytes().decode("utf-8") if target.exists() else ""
    text = relocate.add_to_module(old, move, module, target)
    found.changes[target] = text
    return text


def _replaced(
    root: Path, copy: _Copy, first: _Copy, module: str, there: Shapes, changes: Mapping[Path, str]
) -> str:
    """Return the notebook file's text with a copy replaced by an import."""
    path = root / copy.place.path
    file = parse_cells(path, changes[path]) if path in changes else read_cells(path)
    names = names_of_notebook(file)
    if copy.definition.name not in names.definitions:
        return file.text  # already removed together with another copy in the same notebook
    move = relocate.plan_relocation(names, [copy.definition.name], copy.place.path)
    mine = Shapes(names)
    taken = {copy.definition.name: first.definition.name}
    known = {there.of_definition(d): d for found in there.names.definitions.values() for d in found}
    for definition in move.definitions:
        other = known.get(mine.of_definition(definition))
        if other and (not definition.is_constant or other.name == definition.name):
            taken.setdefault(definition.name, other.name)
    keywords = {
        old: new
        for old, new in zip(copy.place.parameters, first.place.parameters, strict=False)
        if old != new
    }
    if keywords:
        file = rename_keywords(file, copy.definition.name, keywords, copy.place.path)
    return relocate.take_out(file, names, taken, module)
