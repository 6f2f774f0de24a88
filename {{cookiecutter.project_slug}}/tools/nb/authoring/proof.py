"""Proof of a promotion: the stage keeps its contract; output files, or shown outputs, are equal."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

from nb.declaration.reader import read_entries
from nb.notebook import fingerprints
from nb.notebook.content import source_text
from nb.notebook.file import read_cells
from nb.pipeline import Contract
from nb.project import NbError
from nb.refactoring.imports_first import is_only_imports
from nb.run.view import live_line
from nb.tracing import call_recorder, contract, footprint
from nb.wording import shortened
from nb.workcopy import trial_copy

from . import compare
from .lint import take_out_installs
from .original import Original, run_in_copy
from .promotion import Choices, ProofRow, Workspace

_FROM_ROOT = (
    "production notebooks run in the project's root: read and write by paths that the notebook "
    "spells out, and change no folder"
)
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
# The time of printing in the summary of a model by statsmodels, linearmodels or arch.
_CLOCK = re.compile(r"^((?:Date|Time): +)(?:\w{3}, [\w ]{11}|\d\d:\d\d:\d\d)(?= |$)", re.M)
# Lines that %time, %timeit and %%writefile print.
_OF_MAGICS = re.compile(
    r"^(?:CPU times: |Wall time: |Compiler *: |Parser *: |Compiler time: |The slowest run took |"
    r"(?:Writing|Overwriting|Appending to) \S+$|.* per loop \(mean ± ).*\n?",
    re.M,
)


def prove(space: Workspace, writes: Mapping[str, str], choices: Choices) -> list[ProofRow]:
    """Run the notebook as the new stage does, and compare its outputs with the original notebook's.

    Args:
        space: the folders.
        writes: the outputs: by the path of the exploratory notebook, that of the stage.
        choices: the names.

    Raises:
        NbError: if the notebook fails, or uses files that the stage does not declare.
    """
    _run_stage(space, choices)
    rows = [
        ProofRow(
            new,
            compare.comparison_method(Path(new)),
            compare.difference(original, space.copy / new),
        )
        for old, new in writes.items()
        if (original := space.originals / old).exists()
    ]
    if rows:
        return rows
    old, new = shown_lines(space.executed_original), shown_lines(space.executed(choices))
    # Paths relative to the notebook's folder became those relative to the root.
    upwards = f"{Path(os.path.relpath('.', space.source.parent)).as_posix()}/"
    old = [(cell, line.replace(upwards, "")) for cell, line in old]
    if choices.module:  # classes that moved are printed with another module
        new = [(cell, line.replace(f"{choices.module}.", "__main__.")) for cell, line in new]
    return [ProofRow("what it shows", "text and pixels", first_difference(old, new))]


def difference_when_repeated(space: Workspace, original: Original) -> str:
    """Run the exploratory notebook once more; return the first difference between the two runs.

    A notebook that gives other results in each run cannot be proven, whatever a promotion does.
    """
    done = run_in_copy(space, original.file, space.repeated_original)
    if done.problem:
        return done.problem
    if original.writes:
        found = {
            name: compare.difference(space.originals / name, space.copy / name)
            for name in original.writes
            if (space.originals / name).exists()
        }
        return next((f"{name}: {text}" for name, text in found.items() if text), "")
    return first_difference(
        shown_lines(space.executed_original), shown_lines(space.repeated_original)
    )


def _run_stage(space: Workspace, choices: Choices) -> None:
    """Run the notebook as the command of the stage does, traced, and verify the contract.

    DVC would add no proof, and two seconds to import.
    """
    fingerprints.refresh(space.copy)
    space.calls.mkdir()
    variables = trial_copy.trial_environment(space.copy)
    if choices.module:
        variables |= {
            call_recorder.MODULE: choices.module,
            call_recorder.FOLDER: str(space.calls),
        }
    (stage,) = [entry for entry in read_entries(space.copy) if entry.name == choices.stage]
    (call,) = stage.papermill
    with live_line(choices.stage) as heard:
        done = footprint.run_traced(
            space.copy,
            space.copy / call.notebook,
            space.executed(choices),
            space.copy,
            [word for file in call.files for word in ("-f", file)],
            environment=variables,
            forbidden=space.root,
            heard=heard,
            forks=space.forks,
        )
    if done.problem:
        cells = read_cells(space.copy / call.notebook).cells
        # The executed copy may have a cell of parameters more.
        near = cells[max((done.cell or 0) - 2, 0) : done.cell or 0]
        reason = cause_in_production(done.problem, "\n".join(cell.source for cell in near))
        raise NbError(f"the production notebook does not run: {reason}. Nothing was changed.")
    declared = Contract(inputs=(*stage.inputs, *call.files), outputs=tuple(stage.outputs))
    for line in contract.violations(stage.name, declared, done.trace, stage.command, space.copy):
        used = line.partition(", which")[0]
        raise NbError(f"only the production notebook {used}; {_FROM_ROOT}. Nothing was changed.")


def cause_in_production(problem: str, source: str) -> str:
    """Return the problem of a cell that ran in the exploratory notebook, with the likely cause."""
    problem = problem.rstrip(".")
    if re.search(r"\b(?:In|Out)\[|\b_i*\d+\b", source):
        return f"{problem}; numbers of cells change: give the result of the other cell a name"
    if "No such file" in problem or "%cd" in source or "chdir" in source:
        return f"{problem}; {_FROM_ROOT}"
    if "No module named" in problem:
        return f"{problem}; move the module into the package under src/, and import it from there"
    return problem


def shown_lines(executed: Path) -> list[tuple[int, str]]:
    """Return the lines that the code cells of an executed copy show, each with the cell's number.

    A figure counts as a line.

    Left out are parts that change from run to run, which are all that `%time STATEMENT` may show
    (the production notebook has the statement alone), and cells that install packages, which show
    the words of the installer.
    """
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    code_cells = (cell for cell in cells if cell["cell_type"] == "code")
    return [
        (number, line)
        for number, cell in enumerate(code_cells, 1)
        if not _installs(cell)
        for output in cell["outputs"]
        for text in _texts(output)
        for line in stable_text(text).splitlines()
    ]


def _installs(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell installs packages, and does nothing else that shows something."""
    left, lines = take_out_installs(source_text(cell))
    return bool(lines) and (not left or is_only_imports(left))


def _texts(output: Mapping[str, Any]) -> Iterator[str]:
    if output["output_type"] == "stream":
        if output["name"] == "stdout":
            yield "".join(output["text"])
        return
    data = output.get("data", {})
    if "text/plain" in data:
        yield "".join(data["text/plain"])
    if "image/png" in data:
        image = "".join(data["image/png"])
        yield f"a figure with the hash {sha256(image.encode()).hexdigest()[:8]}"


def first_difference(before: Iterable[tuple[int, str]], after: Iterable[tuple[int, str]]) -> str:
    """Return in words the first line that differs, with the cell; empty for equal lines.

    The numbers of cells may differ. The cell that is named is of the first notebook, and the last
    that showed anything if that notebook shows less.
    """
    last = 0
    for old, new in zip_longest(before, after, fillvalue=(0, "")):
        last = old[0] or last
        if old[1] != new[1]:
            was, now = (repr(shortened(line)) if line else "nothing" for _, line in (old, new))
            place = f" in code cell {last}" if last else ""
            return f"{was} became {now}{place}"
    return ""


def stable_text(text: str) -> str:
    """Return a text without addresses in memory, measured times and the time of a summary."""
    return _CLOCK.sub(r"\1", _OF_MAGICS.sub("", _ADDRESS.sub("0x", text)))
