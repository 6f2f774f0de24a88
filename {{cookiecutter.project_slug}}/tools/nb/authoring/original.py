"""Original run of a promotion: traced files and their new places, refusals, advice on failures."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nb.check.source import UnreadableError, read_document
from nb.git.command import git
from nb.notebook.code import names_of_notebook
from nb.notebook.file import CellFile, parse_cells, read_cells
from nb.notebook.magics import foreign_cell
from nb.notebook.modules import project_package
from nb.notebook.path_literals import FIGURES
from nb.project import NbError, UsageError
from nb.run.view import live_line
from nb.tracing import footprint
from nb.tracing.trace import Trace
from nb.workcopy import trial_copy
from nb.workcopy.copying import copy_file

from .lint import without_installs
from .path_rewriting import PathsFromRoot, rewrite_from_root
from .promotion import Choices, Workspace
from .propose import without_unreadable_tag
from .randomness import with_seed

MODELS = (".joblib", ".pkl", ".pickle", ".onnx", ".pt")
# Names and a module that a hosted service gives to notebooks.
HOSTED = {
    "dbutils": "Databricks",
    "displayHTML": "Databricks",
    "spark": "Databricks",
    "google.colab": "Colab",
}
# Words of an error, and the step that helps.
REMEDIES = {
    "pip install": "name the package in pyproject.toml, run make setup, and delete the line",
    "relative import": "import the module by its name alone; a notebook is in no package",
    "No such file": (
        "put a file that is read into data/raw (dvc add keeps it), or make the folder of a file "
        "that is written"
    ),
    "IProgress not found": (
        "import tqdm from tqdm.auto, or add ipywidgets to pyproject.toml and run make setup"
    ),
    **dict.fromkeys(
        ("Max retries exceeded", "urlopen error", "URLError"),
        "download the file into data/raw once (dvc add keeps it), and read it there",
    ),
    "StdinNotImplementedError": "give the answer to a variable that can be a parameter",
}
_MODULE_ERROR = re.compile(r"No module named '([\w.]+)'")
_NAME_ERROR = re.compile(r"name '(\w+)' is not defined")


@dataclass(frozen=True, kw_only=True)
class Original:
    """The exploratory notebook, and the contract that the run showed.

    Attributes:
        file: the notebook.
        reads: the inputs: by the path of the exploratory notebook, that of the stage.
        writes: the outputs: by the path of the exploratory notebook, that of the stage.
        modules: the modules beside the notebook: by present path, the path in the package.
        unseen: gaps of the trace.
        untagged: the reason why the parameters cell became an ordinary cell; else empty.
    """

    file: CellFile
    reads: Mapping[str, str]
    writes: Mapping[str, str]
    modules: Mapping[str, str]
    unseen: Sequence[str]
    untagged: str = ""


def run_original(space: Workspace, choices: Choices) -> Original:
    """Run the notebook from top to bottom, and set the outputs aside for the proof.

    The notebook is unchanged, but for the seed that a person asks for.

    Raises:
        NbError: if the notebook fails, or its files cannot be those of a stage.
    """
    root, copy, source = space.root, space.copy, space.source
    file = read_cells(root / source)
    if not file.cells:
        raise UsageError(f"{source.as_posix()} has no code cell to promote")
    _require_python(root, source)
    file, untagged = without_unreadable_tag(file)
    if choices.seed is not None:
        file = with_seed(file, choices.seed)
    done = run_in_copy(space, file, space.executed_original)
    if done.problem:
        raise NbError(_explained(done, file))
    if not without_installs(file)[0].cells:
        reason = "has no code cell to promote but lines that install packages"
        raise UsageError(f"{source.as_posix()} {reason}. Nothing was changed.")
    modules = helper_modules(copy, _helpers(file, done.trace))
    file = without_module_cells(file, modules)
    writes = [name for name in done.trace.writes if name not in modules]
    _require_promotable(writes, done.trace.reads, root)
    for name in writes:
        if (copy / name).exists():
            copy_file(copy / name, space.originals / name)
            (copy / name).unlink()
    inputs = [name for name in done.trace.reads if name not in writes and name not in modules]
    _require_named_style(inputs, file)
    return Original(
        file=file,
        reads={name: _input(root, name, source.parent) for name in inputs},
        writes=new_homes(root, writes, source.parent, choices),
        modules=modules,
        unseen=done.trace.unseen,
        untagged=untagged,
    )


def run_in_copy(space: Workspace, file: CellFile, executed: Path) -> footprint.Footprint:
    """Run the exploratory notebook in the copy; absolute paths lead into the copy, too."""
    source = space.copy / space.source
    paths = PathsFromRoot(space.root, (space.root / space.source).parent, target=str(space.copy))
    private = file.edited(rewrite_from_root(file, paths))
    source.write_text(private, encoding="utf-8", newline="")
    with live_line(source.stem) as heard:
        return footprint.run_traced(
            space.copy,
            source,
            executed,
            source.parent,
            environment=trial_copy.trial_environment(space.copy),
            forbidden=space.root,
            heard=heard,
            forks=space.forks,
        )


def _require_python(root: Path, source: Path) -> None:
    """Refuse a notebook of another language, which the project's kernel would run as Python."""
    try:
        document = read_document(source.as_posix(), root / source)
    except UnreadableError as error:
        raise NbError(f"{source.as_posix()}: {error}. Nothing was changed.") from None
    if not document.is_python:
        raise UsageError(
            f"{source.as_posix()} is in {document.language}, and stages run notebooks in Python; "
            "leave it where it is, or declare a stage with its own command in dvc.yaml. "
            "Nothing was changed."
        )


def _helpers(file: CellFile, trace: Trace) -> Iterable[str]:
    """Return the modules beside notebooks that were imported, those made by the notebook, too."""
    imports = names_of_notebook(file).imports.values()
    imported = {one.origin.partition(".")[0] for one in imports}
    made = [name for name in trace.writes if PurePosixPath(name).stem in imported]
    found = dict.fromkeys([*trace.reads, *made])
    return [name for name in found if name.startswith("notebooks/") and name.endswith(".py")]


def helper_modules(root: Path, found: Iterable[str]) -> dict[str, str]:
    """Return the path in the package for each module that is imported from beside notebooks.

    Raises:
        NbError: if the package has another module of the same name.
    """
    package = project_package(root)
    homes: dict[str, str] = {}
    for name in found:
        new = f"src/{package}/{PurePosixPath(*PurePosixPath(name).parts[2:]).as_posix()}"
        there = root / new
        is_other = there.exists() and there.read_bytes() != (root / name).read_bytes()
        if not package or is_other:
            reason = f"which is not {new}" if package else "and src/ holds no single package"
            advice = "move it into the package under src/ and import it from there"
            raise NbError(f"it imports {name}, {reason}; {advice}. Nothing was changed.")
        homes[name] = new
    return homes


def without_module_cells(file: CellFile, modules: Iterable[str]) -> CellFile:
    """Return a notebook without the cells of `%%writefile` that make modules of the package."""
    names = {PurePosixPath(name).name for name in modules}
    cells = [cell.number for cell in file.cells if _written_file(cell.source) in names]
    return parse_cells(file.path, file.edited(dict.fromkeys(cells))) if cells else file


def _written_file(source: str) -> str:
    """Return the name of the file that a cell of `%%writefile` makes; empty for other cells."""
    magic = foreign_cell(source)
    words = magic.text.split() if magic and magic.magic in ("file", "writefile") else [""]
    return PurePosixPath(words[-1].strip("\"'")).name


def _input(root: Path, name: str, folder: Path) -> str:
    """Return an input's path; an input beside the notebook is copied to `data/raw`."""
    path = PurePosixPath(name)
    if path.parts[0] != "notebooks":
        return name
    new = f"data/raw/{_below(path, folder)}"
    if (root / new).exists() or (root / f"{new}.dvc").exists():
        raise NbError(f"it reads {name}, and {new} exists; rename one, or read {new}")
    return new


def _below(path: PurePosixPath, folder: Path) -> str:
    """Return a path relative to the notebook's folder; of a file elsewhere, the name."""
    base = folder.as_posix()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def new_homes(root: Path, writes: Sequence[str], folder: Path, choices: Choices) -> dict[str, str]:
    """Return the path of each output; files written beside the notebook move, by their suffixes.

    The files of a folder beside the notebook stay together.

    Args:
        root: the project's root.
        writes: the outputs, by their paths in the exploratory notebook.
        folder: the notebook's folder, relative to the root.
        choices: the names.
    """
    below = {name: _below(PurePosixPath(name), folder) for name in writes}
    kinds: dict[str, set[str]] = defaultdict(set)
    for name, path in below.items():
        kinds[path.partition("/")[0]].add(_home_of_kind(name))
    homes: dict[str, str] = {}
    for name, path in below.items():
        kind = kinds[path.partition("/")[0]]
        home = next(iter(kind)) if len(kind) == 1 else "data/processed"
        free = path if not (root / home / path).exists() else f"{choices.stage}-{path}"
        homes[name] = f"{home}/{free}" if name.startswith("notebooks/") else name
    return homes


def _home_of_kind(name: str) -> str:
    """Return the folder for outputs of a kind."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in FIGURES:
        return "reports/figures"
    if suffix in MODELS:
        return "models"
    return "reports/metrics" if suffix == ".json" else "data/processed"


def _require_named_style(inputs: Iterable[str], file: CellFile) -> None:
    """Refuse settings that matplotlib finds in the folder of the notebook, which no stage runs in.

    Raises:
        NbError: with the call that names the file.
    """
    found = [name for name in inputs if PurePosixPath(name).name == "matplotlibrc"]
    if found and not any("matplotlibrc" in cell.source for cell in file.cells):
        call = 'plt.style.use("matplotlibrc")'
        reason = "which matplotlib finds in the folder of the notebook only"
        raise NbError(f"it reads {found[0]}, {reason}: begin with {call}. Nothing was changed.")


def _explained(done: footprint.Footprint, file: CellFile) -> str:
    """Return an error message with the failing cell and a likely cause."""
    problem = done.problem.rstrip(".")
    module, found = _MODULE_ERROR.search(problem), _NAME_ERROR.search(problem)
    if module and done.cell is not None:
        return f"{problem}; {_missing_module(module[1], file)}. Nothing was changed."
    step = next((step for words, step in REMEDIES.items() if words in problem), "")
    if done.cell is not None and "raises-exception" in file.cells[done.cell - 1].tags:
        step = "catch the exception with try: a run fails also where the tag raises-exception is"
    if step:
        return f"{problem}; {step}. Nothing was changed."
    if not found or done.cell is None:
        return f"{problem}. Nothing was changed."
    missing = found[1]
    names = names_of_notebook(file)
    cells = [one.cell for one in names.definitions.get(missing, [])]
    cells += names.variables.get(missing, [])
    cells += [
        c.number for c in file.cells if missing in names.imports and _imports(c.source, missing)
    ]
    later = [cell for cell in cells if cell > done.cell]
    if later:
        reason = (
            f"code cell {later[0]} further down defines {missing}: it was probably run before "
            f"code cell {done.cell}; move it up"
        )
    elif cells:
        reason = f"code cell {cells[0]} defines {missing}, but not always; look at its conditions"
    elif missing in HOSTED:
        reason = f"only {HOSTED[missing]} gives {missing} to notebooks; write that part without"
    else:
        reason = (
            f"no cell defines {missing}: the cell that did was probably deleted or changed after "
            "it was run; write it again"
        )
    return f"{problem}; {reason}. Nothing was changed."


def _missing_module(module: str, file: CellFile) -> str:
    """Return the next step for a module that the environment lacks."""
    hosted = [name for name in HOSTED if "." in name and name.startswith(module)]
    if hosted and any(hosted[0] in cell.source for cell in file.cells):
        return f"only {HOSTED[hosted[0]]} has {hosted[0]}; write that part without"
    return (
        f"the environment has no module {module}: add the package to pyproject.toml and run "
        "make setup, or put the module beside the notebook"
    )


def _imports(source: str, name: str) -> bool:
    return bool(re.search(rf"^\s*(from|import)\b.*\b{name}\b", source, re.M))


def _require_promotable(writes: Sequence[str], reads: Sequence[str], root: Path) -> None:
    for name in writes:
        if name.startswith(("src/", "tests/", "config/")) or name.endswith(".ipynb"):
            raise NbError(f"it writes {name}, which is source; a stage must not change sources")
        tracked = git(root, "ls-files", "--", name, check=False).strip()
        if tracked and not name.startswith("reports/metrics/"):
            raise NbError(
                f"it writes {name}, which Git tracks; an output is DVC's: git rm --cached {name}"
            )
        if not root.joinpath(name).exists() or name not in reads:
            continue
        raise NbError(f"it changes its own input {name}; a stage must write to another file")
