"""Writer of the production notebook of a promotion, with module, parameter file and folders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nb.git.command import git
from nb.notebook.code import (
    names_in_texts,
    names_of_module,
    names_of_notebook,
    needed_names,
    trees_of,
)
from nb.notebook.content import load_json, parse_notebook, source_text
from nb.notebook.file import CellFile, parse_cells
from nb.notebook.magics import mask, without_timing
from nb.notebook.modules import package_with_paths
from nb.notebook.new_cell import with_cell
from nb.notebook.parameters import TAG, Parameter, read_parameters
from nb.notebook.strip import strip
from nb.project import CONFIG, NbError
from nb.refactoring import relocate
from nb.refactoring.arguments import with_arguments
from nb.refactoring.import_rewriting import imports_for_runs, rewrite_imports
from nb.refactoring.imports_first import is_only_imports, with_imports_first
from nb.workcopy.copying import copy_file

from . import lint, propose
from .original import Original
from .path_rewriting import PathsFromRoot, rewrite_from_root, write_through_outputs
from .promotion import Choices, Workspace


@dataclass(frozen=True, kw_only=True)
class Production:
    """The production notebook, written into the copy.

    Attributes:
        choices: the names; without a module, if no function moved.
        title: the heading.
        parameters: the names of the parameters.
        has_config: whether there is a parameter file.
        moved: the functions and classes that moved to the module.
        kept: by name of a definition left in the notebook, the reason.
        files: the files that are new or changed.
        findings: the findings of ruff that no program repairs, a line each.
    """

    choices: Choices
    title: str
    parameters: Sequence[str]
    has_config: bool
    moved: Sequence[str]
    kept: Mapping[str, str]
    files: Sequence[str]
    findings: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A notebook whose functions moved, and the module that they moved to.

    Attributes:
        file: the notebook.
        module: the dotted name; empty if nothing moved.
        code: the new text of the module.
        names: the functions and classes.
        kept: by name of a definition left in the notebook, the reason.
    """

    file: CellFile
    module: str = ""
    code: str = ""
    names: Sequence[str] = ()
    kept: Mapping[str, str]


def write_production(space: Workspace, original: Original, choices: Choices) -> Production:
    """Write the production notebook, the module and the parameter file into the copy."""
    target = space.copy / choices.notebook
    used = {**original.reads, **original.writes}
    for old, new in original.reads.items():
        if old != new:
            copy_file(space.copy / old, space.copy / new)
    paths = PathsFromRoot(space.root, (space.root / space.source).parent, used=used)
    rewritten = original.file.edited(rewrite_from_root(original.file, paths))
    file = parse_cells(target, strip(rewritten.encode()).decode())
    files = _bring_modules(space, original.modules)
    renamed = _import_names(original.modules.values())
    run = _names_of_runs(space, file, original.modules.values())
    sources = {
        cell.number: imports_for_runs(rewrite_imports(without_timing(cell.source), renamed), run)
        for cell in file.cells
    }
    file, left_out = lint.without_installs(parse_cells(target, file.edited(sources)))
    file = with_imports_first(with_arguments(file, propose.is_parameter))
    file = with_parameters(file)
    parameters = read_parameters(parse_notebook(target, load_json(target, file.text)))
    moved = _without_functions(space, file, choices)
    choices = replace(choices, module=moved.module)
    file = _with_folders(space.root, moved.file, original.writes.values())
    file = lint.with_imports_of_texts(_with_title(file, choices))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(file.text, encoding="utf-8", newline="")
    files.append(choices.notebook)
    if moved.module:
        path = _module_path(moved.module)
        (space.copy / path).write_text(moved.code, encoding="utf-8")
        files.append(path.as_posix())
    findings = [*left_out, *lint.repair_code(space.copy, files)]
    config = _config(parameters)
    if config:
        path = CONFIG / f"{choices.name}.yaml"
        (space.copy / path).parent.mkdir(exist_ok=True)
        (space.copy / path).write_text(config, encoding="utf-8")
        files.append(path.as_posix())
    return Production(
        choices=choices,
        title=_title_of(file),
        parameters=[parameter.name for parameter in parameters],
        has_config=bool(config),
        moved=moved.names,
        kept=moved.kept,
        files=files,
        findings=findings,
    )


def _import_names(modules: Iterable[str]) -> dict[str, str]:
    """Return the new dotted name of modules and their folders by the name beside the notebook."""
    names: dict[str, str] = {}
    for module in modules:
        package, *parts = Path(module).with_suffix("").parts[1:]
        parts = [part for part in parts if part != "__init__"]
        for count in range(1, len(parts) + 1):
            names[".".join(parts[:count])] = ".".join([package, *parts[:count]])
    return names


def _names_of_runs(
    space: Workspace, file: CellFile, modules: Iterable[str]
) -> dict[str, tuple[str, list[str]]]:
    """Return by the name of a module's file the dotted name, and the names that a notebook uses."""
    masked = filter(None, (mask(cell.source) for cell in file.cells))
    used = set[str]().union(*(needed_names(one.text) for one in masked))
    found: dict[str, tuple[str, list[str]]] = {}
    for path in map(Path, modules):
        names = names_of_module((space.copy / path).read_text(encoding="utf-8-sig"))
        known = {*names.definitions, *names.variables, *names.imports}
        dotted = ".".join(path.with_suffix("").parts[1:])
        found[path.name] = dotted, sorted(used & known)
    return found


def _bring_modules(space: Workspace, modules: Mapping[str, str]) -> list[str]:
    """Copy modules from beside the notebook into the package; return the new files."""
    names = _import_names(modules.values())
    brought: list[str] = []
    for old, new in modules.items():
        path = space.copy / new
        if not path.exists():
            text = (space.copy / old).read_text(encoding="utf-8-sig")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rewrite_imports(text, names), encoding="utf-8")
            brought.append(new)
    return brought


def with_parameters(file: CellFile) -> CellFile:
    """Return a notebook with a parameters cell, made of the notebook's constants if missing."""
    if any(TAG in cell.tags for cell in file.cells):
        return file
    proposed = propose.proposed_parameters(file, names_of_notebook(file))
    after_imports = is_only_imports(file.cells[0].source)
    if not after_imports:  # a type such as Path would not be known yet
        proposed = [
            one
            for one in proposed
            if re.search(r": (int|float|str|bool|list|dict|tuple) ", one.code)
        ]
    sources: dict[int, str | None] = {}
    for cell in file.cells:
        mine = [one for one in proposed if one.cell == cell.number]
        if mine:
            left = propose.without_constants(cell.source, mine)
            sources[cell.number] = left if left or cell.tags else None
    file = parse_cells(file.path, file.edited(sources))
    cells = json.loads(file.text)["cells"]
    place = next((n for n, cell in enumerate(cells) if cell["cell_type"] == "code"), len(cells))
    place += after_imports and sources.get(1, "") is not None
    return with_cell(file, place, propose.proposed_cell(proposed), tags=[TAG])


def _config(parameters: Sequence[Parameter]) -> str:
    """Return the text of the parameter file; empty without parameters that a file may hold."""
    values = {p.name: (p.default, p.help) for p in parameters if not p.required and not p.secret}
    return propose.config_text(values)


def _module_path(module: str) -> Path:
    return Path("src", *module.split(".")).with_suffix(".py")


def _without_functions(space: Workspace, file: CellFile, choices: Choices) -> Moved:
    """Move functions and classes to the module, where possible, and import them from there."""
    if not choices.module:
        return Moved(file=file, kept={})
    names = names_of_notebook(file)
    bound = {*names.definitions, *names.imports, *names.variables}
    in_texts = set[str]().union(*map(names_in_texts, trees_of(file)))
    movable: list[str] = []
    kept: dict[str, str] = {}
    for name, found in names.definitions.items():
        if found[0].is_constant:
            continue
        try:
            closure = relocate.plan_relocation(names, [name], "it").definitions
        except NbError as error:
            kept[name] = str(error).removeprefix("it: ")
            continue
        named = {text for one in closure for text in names_in_texts(one.node)} & bound
        if named or in_texts.intersection(one.name for one in closure):
            kept[name] = "a text names it, or it holds a text with names, such as a formula"
        else:
            movable.append(name)
    if not movable:
        return Moved(file=file, kept=kept)
    move = relocate.plan_relocation(names, movable, space.source.name)
    path = space.copy / _module_path(choices.module)
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    code = relocate.add_to_module(old, move, choices.module, path)
    if not old:
        title = f'"""Functions of the notebook {choices.name}."""\n'
        code = code.replace(relocate.NEW_MODULE, title, 1)
    taken = {name: name for name in move.names}
    return Moved(
        file=parse_cells(file.path, relocate.take_out(file, names, taken, choices.module)),
        module=choices.module,
        code=code,
        names=[one.name for one in move.definitions if not one.is_constant],
        kept=kept,
    )


def _missing_folders(root: Path, outputs: Iterable[str]) -> list[str]:
    """Return the folders of outputs that a fresh clone lacks."""
    folders = {Path(name).parent.as_posix() for name in outputs} - {"."}
    return sorted(
        folder for folder in folders if not git(root, "ls-files", "--", folder, check=False).strip()
    )


def _with_folders(root: Path, file: CellFile, outputs: Iterable[str]) -> CellFile:
    """Have a notebook make the folders of its outputs that a fresh clone lacks."""
    missing = _missing_folders(root, outputs)
    needing = [name for name in outputs if Path(name).parent.as_posix() in missing]
    package = package_with_paths(root)
    names = names_of_notebook(file)
    bound = {*names.imports, *names.definitions, *names.variables}
    if package and "paths" not in bound:
        sources = write_through_outputs(file, needing)
        texts = "\n".join(sources.values())
        served = [name for name in needing if _is_served(name, texts)]
        missing = _missing_folders(root, [name for name in needing if name not in served])
        if served:
            file = parse_cells(file.path, file.edited(sources))
            file = _with_import(file, f"from {package} import paths")
    missing = [folder for folder in missing if not _is_made(file, folder)]
    if not missing:
        return file
    made = "\n".join(f'Path("{name}").mkdir(parents=True, exist_ok=True)' for name in missing)
    return _with_first_cell(
        file,
        "from pathlib import Path\n\n"
        f"# Folders of outputs: a fresh clone has none of them.\n{made}",
    )


def _is_served(output: str, source: str) -> bool:
    """Return whether a source takes an output, with or without the suffix, from `paths.output`."""
    given = re.findall(r"paths\.output\([rRuU]?['\"]([^'\"]+)", source)
    return any(output == path or output.startswith(f"{path}.") for path in given)


def _is_made(file: CellFile, folder: str) -> bool:
    """Return whether a notebook makes a folder, by a call with the path as a literal."""
    made = re.compile(
        rf"makedirs\(['\"]{re.escape(folder)}/?['\"]|"
        rf"Path\(['\"]{re.escape(folder)}/?['\"]\)\.mkdir\("
    )
    return any(made.search(cell.source) for cell in file.cells)


def _with_import(file: CellFile, line: str) -> CellFile:
    """Add an import to the cell of imports that a notebook begins with, or in a new cell."""
    first = file.cells[0]
    if is_only_imports(first.source) and not first.tags:
        return parse_cells(file.path, file.edited({1: f"{first.source}\n{line}"}))
    return _with_first_cell(file, line)


def _with_first_cell(file: CellFile, source: str) -> CellFile:
    """Insert a code cell below the parameters cell."""
    cells = json.loads(file.text)["cells"]
    tagged = [n for n, cell in enumerate(cells) if TAG in cell["metadata"].get("tags", ())]
    code_cells = [n for n, cell in enumerate(cells) if cell["cell_type"] == "code"]
    place = tagged[0] + 1 if tagged else code_cells[0]
    return with_cell(file, place, source)


def _with_title(file: CellFile, choices: Choices) -> CellFile:
    """Add a title where a notebook has none."""
    if _title_of(file):
        return file
    return with_cell(file, 0, f"# {choices.stage.replace('-', ' ').capitalize()}", kind="markdown")


def _title_of(file: CellFile) -> str:
    """Return the heading at the start of a notebook; empty without a heading."""
    for cell in json.loads(file.text)["cells"]:
        if cell["cell_type"] == "markdown":
            found = re.search(r"^#+ +(.+)$", source_text(cell), re.M)
            if found:
                return plain_text(found[1])
    return ""


def plain_text(markdown: str) -> str:
    """Return a line of Markdown as plain text: links as their words, no emphasis, no tags."""
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"<[^>]+>|[`*]|(?<!\w)_+|_+(?!\w)|\s#+\s*$", "", text)
    return " ".join(text.split())
