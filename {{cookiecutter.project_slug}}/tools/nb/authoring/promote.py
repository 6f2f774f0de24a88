"""Promotion of an exploratory notebook to a production notebook with provably equal outputs.

All work is done in a private copy of the project. The changed files are brought back at the end,
as ordinary changes, or not at all.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from nb import pipeline
from nb.declaration.editor import add_stage
from nb.declaration.naming import ascii_slug, module_name, module_of_stage, production_name
from nb.declaration.reader import FILE, read_entries
from nb.execution.failures import failed_cell
from nb.exit_codes import ExitCode
from nb.git import text_view
from nb.git.wiring import git
from nb.notebook import fingerprints, yaml_file
from nb.notebook.code import names_of_notebook
from nb.notebook.content import read_notebook, source_text
from nb.notebook.file import CellFile, read_cells
from nb.notebook.magics import mask
from nb.notebook.parameters import TAG, read_parameters
from nb.notebook.strip import strip
from nb.project import CONFIG, EXECUTED, PRODUCTION, NbError, module, program, program_environment
from nb.refactoring import relocate
from nb.tracing import call_recorder, contract, footprint
from nb.workcopy import clean_copy
from nb.workcopy.copying import copy_file
from nb.workcopy.smoke import COPIED, SMALL

from . import compare, propose

FIGURES = (".png", ".jpg", ".jpeg", ".svg", ".pdf", ".tif", ".tiff")
MODELS = (".joblib", ".pkl", ".pickle", ".onnx", ".pt")
# A smaller input is copied whole: the smoke test gains nothing from cutting a sample.
SMALL_BYTES = 200_000
SAMPLE_ROWS = 200
_NAME_ERROR = re.compile(r"name '(\w+)' is not defined")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


@dataclass
class Choices:
    """The names for a promotion's notebook and module; given by the user or proposed.

    Attributes:
        name: of the production notebook, `50-first-look`.
        module: where functions go, `package.first_look`; empty to leave them in the notebook.
    """

    name: str = ""
    module: str = ""

    @property
    def stage(self) -> str:
        """The name of the stage: the notebook's name without the number."""
        return re.sub(r"^\d+-", "", self.name)

    @property
    def notebook(self) -> str:
        """The path of the production notebook, relative to the root."""
        return (PRODUCTION / f"{self.name}.ipynb").as_posix()


@dataclass(frozen=True)
class ProofRow:
    """An output in the proof: the method of comparison and the difference (empty: equal)."""

    output: str
    by: str
    difference: str


@dataclass
class Promotion:
    """The result of a promotion.

    Attributes:
        choices: the names.
        reads: the inputs in the contract.
        writes: the outputs, by their paths in the exploratory notebook.
        parameters: the names of the parameters.
        moved: the functions and classes that moved to the module.
        kept: by name of a definition left in the notebook, the reason.
        untested: by name of a function without a test, the reason.
        rows: the proof.
        files: the files that are new or changed, outputs left out.
        notes: open tasks, a line each.
        diff: the changes, as a unified diff.
    """

    choices: Choices
    reads: list[str] = field(default_factory=list)
    writes: dict[str, str] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    untested: dict[str, str] = field(default_factory=dict)
    rows: list[ProofRow] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    diff: str = ""

    @property
    def differs(self) -> bool:
        """Whether an output differs from the exploratory notebook's."""
        return any(row.difference for row in self.rows)


def proposal(root: Path, notebook: Path, name: str = "", module: str = "") -> Choices:
    """Return default names for the production notebook and the module.

    Raises:
        NbError: if the notebook is a production notebook already, or the name is taken or invalid.
    """
    relative = Path(os.path.relpath(notebook.resolve(), root))
    if relative.is_relative_to(PRODUCTION):
        raise NbError(f"{relative.as_posix()} is a production notebook already", ExitCode.USAGE)
    if relative.parts[0] == "..":
        raise NbError(
            f"{notebook} is outside the project; copy it to notebooks/exploratory", ExitCode.USAGE
        )
    without_number = re.sub(r"^\d+[-_]([a-z]{2,3}[-_])?", "", notebook.stem.lower())
    try:
        made = production_name(root, name or without_number, numbered=bool(name))
    except NbError as error:
        stage = ascii_slug(Choices(name or without_number).stage) or "sales"
        hint = f"name it with --as, such as --as {stage}-2"
        raise NbError(
            f"{str(error).partition(';')[0].rstrip('.')}; {hint}", ExitCode.USAGE
        ) from None
    chosen = module_name(root, module) if module else module_of_stage(root, made.stage)
    return Choices(made.stem, chosen)


def promote_notebook(
    root: Path,
    notebook: Path,
    choices: Choices,
    *,
    tell: Callable[[str], None],
    agree: Callable[[Promotion], bool],
    keep: bool = False,
) -> Promotion:
    """Promote an exploratory notebook to a production notebook with stage, module and tests.

    Args:
        root: the project's root.
        notebook: the exploratory notebook.
        choices: names; `proposal` gives them.
        tell: called with a line about each step.
        agree: called after the proof; returns whether to change the project.
        keep: change the project also if an output differs.

    Raises:
        NbError: if the notebook fails, or the result breaks a rule for production notebooks. The
            project is unchanged then.
    """
    relative = Path(os.path.relpath(notebook.resolve(), root))
    with clean_copy.clean_copy(root) as copy:
        work = _Work(root, copy.root, relative, choices, tell)
        work.run_original()
        work.build()
        work.prove()
        found = work.found
        found.diff = work.diff()
        if (keep or not found.differs) and agree(found):
            outputs = [new for new in found.writes.values() if (copy.root / new).exists()]
            brought = [name for name in [*found.files, *outputs] if name != FILE]
            sources = [name for name in copy.states if name.startswith("src/")]
            clean_copy.apply(copy, brought, work.finish, [*found.reads, *sources])
        return found


def _record(root: Path, choices: Choices) -> None:
    """Have DVC record the output hashes of the new stage in `dvc.lock`.

    Raises:
        NbError: if DVC refuses.
    """
    fingerprints.refresh(root)
    command = [program("dvc"), "commit", "--force", "--quiet"]
    done = subprocess.run(
        [*command, pipeline.FINGERPRINT_STAGE, choices.stage],
        cwd=root,
        env=program_environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NbError(f"DVC: {' '.join(done.stderr.split())}")


class _Work:
    """The steps of a promotion, carried out in a private copy of the project."""

    def __init__(
        self, root: Path, copy: Path, source: Path, choices: Choices, tell: Callable[[str], None]
    ) -> None:
        self.root = root
        self.copy = copy
        self.source = source
        self.choices = choices
        self.tell = tell
        self.found = Promotion(choices)
        self.stash = copy.parent / "originals"
        self.calls = copy.parent / "calls"
        self.executed = copy.parent / "original.ipynb"
        self.has_parameters = False
        self.file = CellFile(root / source, "", ())

    # -- step 1: the original run, traced ---------------------------------------------------

    def run_original(self) -> None:
        """Run the unchanged notebook from top to bottom and set its outputs aside for the proof."""
        self.tell(f"running {self.source.as_posix()} from top to bottom, in a copy of the project")
        file = self.file = read_cells(self.root / self.source)
        if not file.cells:
            raise NbError(f"{self.source.as_posix()} has no code cell to promote", ExitCode.USAGE)
        folder = (self.root / self.source).parent
        paths = propose.Paths(self.root, folder, target=str(self.copy))
        private = file.edited(propose.with_paths(file, paths))
        (self.copy / self.source).write_text(private, encoding="utf-8", newline="")
        done = footprint.run_traced(
            self.copy,
            self.copy / self.source,
            self.executed,
            (self.copy / self.source).parent,
            environment=clean_copy.copy_environment(self.copy),
            forbidden=self.root,
        )
        if done.problem:
            raise NbError(_explained(done, file, self.source.as_posix()))
        _require_promotable(done.trace.writes, done.trace.reads, self.root)
        self.found.notes += [f"the contract may lack {unseen}" for unseen in done.trace.unseen]
        self.found.reads = [name for name in done.trace.reads if name not in done.trace.writes]
        self.found.writes = {name: self._home(name) for name in done.trace.writes}
        for name in done.trace.writes:
            if (self.copy / name).exists():
                copy_file(self.copy / name, self.stash / name)
                (self.copy / name).unlink()

    def _home(self, name: str) -> str:
        """Return an output's path; a file written beside the notebook moves, by its suffix."""
        path = PurePosixPath(name)
        if path.parts[0] != "notebooks":
            return name
        suffix = path.suffix.lower()
        folder = "data/processed"
        if suffix in FIGURES:
            folder = "reports/figures"
        elif suffix in MODELS:
            folder = "models"
        elif suffix == ".json":
            folder = "reports/metrics"
        taken = (self.root / folder / path.name).exists()
        return f"{folder}/{self.choices.stage}-{path.name}" if taken else f"{folder}/{path.name}"

    # -- steps 2 to 4: the new notebook, its module and its stage ------------------------------

    def build(self) -> None:
        """Write the production notebook with module, config file and stage."""
        self.target = self.copy / self.choices.notebook
        self.target.parent.mkdir(parents=True, exist_ok=True)
        used = {**{name: name for name in self.found.reads}, **self.found.writes}
        paths = propose.Paths(self.root, (self.root / self.source).parent, used=used)
        self._write(self.file.edited(propose.with_paths(self.file, paths)))
        self._write(strip(self.target.read_bytes()).decode("utf-8"))
        config = self._take_parameters()
        self._move_functions()
        self._complete()
        self._tidy()
        if config:
            path = CONFIG / f"{self.choices.name}.yaml"
            (self.copy / path).parent.mkdir(exist_ok=True)
            (self.copy / path).write_text(config, encoding="utf-8")
            self.found.files.append(path.as_posix())
        self.has_parameters = bool(config)
        self._declare(self.copy)
        self.found.files += [self.choices.notebook, FILE]
        self._sample_inputs()

    def _write(self, content: str) -> CellFile:
        self.target.write_bytes(content.encode("utf-8"))
        return read_cells(self.target)

    def _take_parameters(self) -> str:
        """Write the parameters cell, if it is missing; return the text of the config file."""
        file = read_cells(self.target)
        if not any(TAG in cell.tags for cell in file.cells):
            proposed = propose.proposed_parameters(file, names_of_notebook(file))
            file = self._add_parameters(file, proposed)
        declared = read_parameters(read_notebook(self.target))
        given = [p for p in declared if not p.required and not p.secret]
        self.found.parameters = [parameter.name for parameter in declared]
        values = {p.name: (p.default, p.help) for p in given}
        return propose.config(values, partial(yaml_file.dump, flow=True))

    def _add_parameters(self, file: CellFile, proposed: Sequence[propose.Proposed]) -> CellFile:
        first = file.cells[0]
        after_imports = _only_imports(first.source)
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
                left = propose.without(cell.source, mine)
                sources[cell.number] = left if left or cell.tags else None
        content = json.loads(file.edited(sources))
        cells = content["cells"]
        place = next((n for n, cell in enumerate(cells) if cell["cell_type"] == "code"), len(cells))
        place += after_imports and 1 not in {n for n, s in sources.items() if s is None}
        cells.insert(place, _cell(content, propose.proposed_cell(proposed), [TAG]))
        return self._write(_dumped(content))

    def _move_functions(self) -> None:
        """Move functions and classes to the module, where possible, and import them from there."""
        file = read_cells(self.target)
        names = names_of_notebook(file)
        wanted = [n for n, found in names.definitions.items() if not found[0].is_constant]
        movable: list[str] = []
        for name in wanted if self.choices.module else []:
            try:
                relocate.plan_relocation(names, [name], "it")
                movable.append(name)
            except NbError as error:
                self.found.kept[name] = str(error).removeprefix("it: ")
        if not movable:
            self.choices.module = ""
            return
        move = relocate.plan_relocation(names, movable, self.source.name)
        path = Path("src", *self.choices.module.split(".")).with_suffix(".py")
        old = (self.copy / path).read_text(encoding="utf-8") if (self.copy / path).exists() else ""
        code = relocate.add_to_module(old, move, self.choices.module, self.copy / path)
        if not old:
            code = code.replace(
                relocate.NEW_MODULE, f'"""Functions of the notebook {self.choices.name}."""\n', 1
            )
        (self.copy / path).write_text(code, encoding="utf-8")
        taken = {name: name for name in move.names}
        self._write(relocate.take_out(file, names, taken, self.choices.module))
        self.found.moved = [one.name for one in move.definitions if not one.is_constant]
        self.found.files.append(path.as_posix())

    def _complete(self) -> None:
        """Add a title, and code that makes the output folders, where the notebook lacks them."""
        content = json.loads(self.target.read_text(encoding="utf-8"))
        cells = content["cells"]
        folders = sorted(
            {f for name in self.found.writes.values() if (f := self._made_folder(name))}
        )
        if folders:
            listed = ", ".join(f'"{folder}"' for folder in folders)
            comma = "," if len(folders) == 1 else ""
            code = (
                "from pathlib import Path\n\n"
                "# The folders of what this notebook writes: a fresh clone has none of them.\n"
                f"for folder in ({listed}{comma}):\n"
                "    Path(folder).mkdir(parents=True, exist_ok=True)"
            )
            tagged = [n for n, c in enumerate(cells) if TAG in c["metadata"].get("tags", ())]
            code_cells = [n for n, c in enumerate(cells) if c["cell_type"] == "code"]
            cells.insert(tagged[0] + 1 if tagged else code_cells[0], _cell(content, code))
        if not _title(content):
            words = self.choices.stage.replace("-", " ").capitalize()
            cells.insert(0, _cell(content, f"# {words}", kind="markdown"))
        self._write(_dumped(content))

    def _made_folder(self, name: str) -> str:
        folder = Path(name).parent.as_posix()
        tracked = git(self.root, "ls-files", "--", folder, check=False) if folder != "." else "."
        return "" if tracked.strip() else folder

    def _tidy(self) -> None:
        """Have ruff repair and format new files, because the commit hooks would refuse them."""
        files = [str(self.target), *(str(self.copy / name) for name in self.found.files)]
        run_ruff(self.copy, ["check", "--fix", "--exit-zero", "--quiet", *files])
        run_ruff(self.copy, ["format", "--quiet", *files])

    def _declare(self, root: Path) -> None:
        """Declare the stage in the `dvc.yaml` of the copy or of the project."""
        outputs = list(self.found.writes.values())
        owners = {out: s.name for s in read_entries(root) for out in s.outputs}
        for out in outputs:
            if out in owners:
                reason = f"which is the output of the stage {owners[out]}"
                raise NbError(f"{self.source.name} writes {out}, {reason}; write to another file")
        metrics = [o for o in outputs if o.startswith("reports/metrics/") and o.endswith(".json")]
        plots = [out for out in outputs if Path(out).suffix.lower() in FIGURES]
        title = _title(json.loads(self.target.read_text(encoding="utf-8")))
        add_stage(
            root,
            self.choices.stage,
            Path(self.choices.notebook),
            desc=title,
            deps=self.found.reads,
            params=self.has_parameters,
            outs=[out for out in outputs if out not in (*metrics, *plots)],
            metrics=metrics,
            plots=plots,
        )

    def _sample_inputs(self) -> None:
        """Give the smoke test samples of inputs that no stage makes."""
        made = {out for stage in read_entries(self.root) for out in stage.outputs}
        for name in self.found.reads:
            if name in made or PurePosixPath(name).parts[0] in COPIED:
                continue
            sample = SMALL / name
            if not (self.root / sample).exists():
                if write_sample(self.root / name, self.copy / sample):
                    self.found.files.append(sample.as_posix())
                else:
                    self.found.notes.append(
                        f"the smoke test (make test) needs a small {sample.as_posix()}: {name} is "
                        "too large to be one"
                    )
            if not git(self.root, "ls-files", "--", name, f"{name}.dvc", check=False).strip():
                advice = f"dvc add {shlex.quote(name)}"
                self.found.notes.append(
                    f"{name} is in no version control, so no other clone has it: {advice}"
                )

    # -- step 5: the proof ---------------------------------------------------------------------

    def prove(self) -> None:
        """Run the new stage with DVC and compare its outputs with the original notebook's."""
        self.tell(f"running {self.choices.notebook} as the stage {self.choices.stage}")
        self._run_stage()
        for old, new in self.found.writes.items():
            if (self.stash / old).exists():
                said = compare.difference(self.stash / old, self.copy / new)
                self.found.rows.append(ProofRow(new, compare.how(Path(new)), said))
        if not self.found.rows:
            executed = self.copy / EXECUTED / f"{self.choices.name}.ipynb"
            said = "" if _shown(self.executed) == _shown(executed) else "other text or figures"
            self.found.rows.append(ProofRow("what it shows", "text and pixels", said))
        if self.choices.module and not self.found.differs:
            self._write_tests()
        self._check()

    def _check(self) -> None:
        """Note findings of the production rules that ruff cannot repair."""
        from nb.check.runner import check_paths

        for one in check_paths(self.copy, (self.target,), (), ()).findings:
            place = f"{self.choices.notebook}:{one.cell}:{one.line}"
            self.found.notes.append(f"{place}: {one.code} {one.message}")
        remaining = run_ruff(
            self.copy, ["check", "--output-format=concise", "--quiet", *self._code()]
        )
        if remaining:
            count = len(remaining.splitlines())
            self.found.notes.append(f"ruff has {count} findings that it cannot repair: make lint")

    def _code(self) -> list[str]:
        return [name for name in self.found.files if name.endswith((".py", ".ipynb"))]

    def _run_stage(self) -> None:
        fingerprints.refresh(self.copy)
        self.calls.mkdir()
        variables = clean_copy.copy_environment(self.copy)
        if os.name == "posix":
            contracts = pipeline.contracts(self.copy)
            variables |= contract.prepare_verification(self.copy, contracts, os.environ)
            if self.choices.module:
                variables |= {
                    call_recorder.MODULE: self.choices.module,
                    call_recorder.FOLDER: str(self.calls),
                }
        command = [program("dvc"), "repro", "--single-item", self.choices.stage]
        done = subprocess.run(command, cwd=self.copy, env=variables, capture_output=True, text=True)
        if done.returncode:
            raise NbError(self._why(done.stdout + done.stderr))

    def _why(self, output: str) -> str:
        executed = self.copy / EXECUTED / f"{self.choices.name}.ipynb"
        failed = failed_cell(executed, 0) if executed.exists() else None
        if failed:
            return f"the production notebook does not run: code cell {failed[1]}: {failed[0]}"
        lines = [line for line in output.splitlines() if line.strip()]
        broken = [line for line in lines if line.startswith("ContractError")]
        said = broken[0].partition(": ")[2] if broken else lines[-1] if lines else "DVC failed"
        return f"the production notebook does not run as a stage: {said}"

    def _write_tests(self) -> None:
        """Write unit tests with expected values from the recorded calls, and run them."""
        command = [*module("nb.authoring.recorded_calls"), self.choices.module, str(self.calls)]
        variables = {**clean_copy.copy_environment(self.copy), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*command, self.source.as_posix()],
            cwd=self.copy,
            env=variables,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            self.found.untested = dict.fromkeys(self.found.moved, "the module cannot be imported")
            return
        written = json.loads(done.stdout.splitlines()[-1])
        moved = set(self.found.moved)
        self.found.untested = {n: why for n, why in written["untested"].items() if n in moved}
        if not written["text"]:
            return
        stem = self.choices.module.rpartition(".")[2]
        path = Path("tests") / f"test_{stem}.py"
        if (self.root / path).exists():
            path = Path("tests") / f"test_{stem}_{self.choices.stage.replace('-', '_')}.py"
        (self.copy / path).write_text(written["text"], encoding="utf-8")
        run_ruff(self.copy, ["check", "--fix", "--exit-zero", "--quiet", str(self.copy / path)])
        run_ruff(self.copy, ["format", "--quiet", str(self.copy / path)])
        check = [program("pytest"), "-q", "-p", "no:cacheprovider", path.as_posix()]
        passed = subprocess.run(check, cwd=self.copy, env=variables, capture_output=True)
        if passed.returncode:
            self.found.untested = dict.fromkeys(self.found.moved, "the test written did not pass")
        else:
            self.found.files.append(path.as_posix())

    # -- step 6: the project -------------------------------------------------------------------

    def finish(self) -> None:
        """Declare the stage in the project's current `dvc.yaml`; have DVC record the results."""
        self._declare(self.root)
        names = [self.choices.stage, pipeline.FINGERPRINT_STAGE]
        with pipeline.lines_put_back_on_error(self.root, names):
            _record(self.root, self.choices)

    def diff(self) -> str:
        """Return the project's changes as a unified diff, notebooks as text."""
        return "".join(
            line
            for name in sorted(self.found.files)
            for line in difflib.unified_diff(
                _lines(self.root / name), _lines(self.copy / name), f"a/{name}", f"b/{name}"
            )
        )


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        content = text_view.text(content)
    return [f"{line}\n" for line in content.decode("utf-8", "replace").splitlines()]


def run_ruff(root: Path, arguments: Sequence[str]) -> str:
    """Run ruff in a folder and return the printed output; empty without ruff."""
    environment = program_environment()
    command = [program("ruff"), *arguments, "--no-cache"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    return done.stdout


def _explained(done: footprint.Footprint, file: CellFile, name: str) -> str:
    """Return an error message with the failing cell and a likely cause."""
    found = _NAME_ERROR.search(done.problem)
    if not found or done.cell is None:
        return f"{done.problem}. Nothing was changed."
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
            f"code cell {later[0]} further down defines {missing}: it was probably run before cell "
            f"{done.cell}; move it up"
        )
    elif cells:
        reason = f"{missing} is defined in cell {cells[0]}, but not always; look at its conditions"
    else:
        reason = (
            f"no cell defines {missing}: the cell that did was probably deleted or changed after "
            "it was run; write it again"
        )
    return f"{done.problem}; {reason}. Nothing was changed."


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


def write_sample(source: Path, target: Path) -> bool:
    """Write a small sample of an input for the smoke test; return whether that was possible."""
    if source.stat().st_size <= SMALL_BYTES:
        copy_file(source, target)
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in (".csv", ".tsv"):
        with source.open("rb") as file:
            target.write_bytes(
                b"".join(line for line, _ in zip(file, range(SAMPLE_ROWS), strict=False))
            )
        return True
    if source.suffix == ".parquet":
        import pandas as pd

        pd.read_parquet(source).head(SAMPLE_ROWS).to_parquet(target)
        return target.stat().st_size <= SMALL_BYTES
    return False


def _only_imports(source: str) -> bool:
    masked = mask(source)
    if masked is None:
        return False
    body = ast.parse(masked.text).body
    return bool(body) and all(isinstance(n, ast.Import | ast.ImportFrom | ast.Pass) for n in body)


def _cell(
    content: Mapping[str, Any], source: str, tags: Sequence[str] = (), kind: str = "code"
) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source.splitlines(keepends=True),
    }
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    if content.get("nbformat_minor", 0) >= 5:
        taken = {cell.get("id") for cell in content["cells"]}
        words = ascii_slug(source)[:16].strip("-") or "cell"
        cell["id"] = next(i for n in range(1000) if (i := f"{words}-{n}") not in taken)
    return cell


def _dumped(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _title(content: Mapping[str, Any]) -> str:
    """Return the heading at the start of a notebook; empty without a heading."""
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            found = re.search(r"^#+ +(.+)$", source_text(cell), re.M)
            if found:
                return found[1].strip().strip("*")
    return ""


def _shown(executed: Path) -> list[Any]:
    """Return the cell outputs of an executed copy, without parts that change from run to run."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    return [
        shown for cell in cells for output in cell.get("outputs", ()) for shown in _output(output)
    ]


def _output(output: Mapping[str, Any]) -> Iterator[Any]:
    if output["output_type"] == "stream":
        if output["name"] == "stdout":
            yield _ADDRESS.sub("0x", "".join(output["text"]))
        return
    data = output.get("data", {})
    for kind in ("text/plain", "image/png"):
        if kind in data:
            yield _ADDRESS.sub("0x", "".join(data[kind]))
