"""The proof of a promotion: the stage runs, and its outputs equal those of the original."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nb import pipeline
from nb.execution.failures import failed_cell
from nb.notebook import fingerprints
from nb.programs import program_path
from nb.project import NbError
from nb.tracing import call_recorder, contract
from nb.workcopy import clean_copy

from . import compare
from .promotion import Choices, ProofRow, Workspace

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
# Lines that %time and %timeit print.
_SECONDS = re.compile(
    r"^(?:CPU times: |Wall time: |The slowest run took |.* per loop \(mean ± ).*\n?", re.M
)


def prove(space: Workspace, writes: Mapping[str, str], choices: Choices) -> list[ProofRow]:
    """Run the new stage with DVC and compare its outputs with the original notebook's.

    Args:
        space: the folders.
        writes: the outputs: by the path of the exploratory notebook, that of the stage.
        choices: the names.

    Raises:
        NbError: if the stage fails.
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
    same = _shown(space.executed_original) == _shown(space.executed(choices))
    return [ProofRow("what it shows", "text and pixels", "" if same else "other text or figures")]


def _run_stage(space: Workspace, choices: Choices) -> None:
    fingerprints.refresh(space.copy)
    space.calls.mkdir()
    variables = clean_copy.copy_environment(space.copy)
    if os.name == "posix":
        contracts = pipeline.contracts(space.copy)
        variables |= contract.prepare_verification(space.copy, contracts, os.environ)
        if choices.module:
            variables |= {
                call_recorder.MODULE: choices.module,
                call_recorder.FOLDER: str(space.calls),
            }
    command = [program_path("dvc"), "repro", "--single-item", choices.stage]
    done = subprocess.run(command, cwd=space.copy, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise NbError(_cause(space.executed(choices), done.stdout + done.stderr))


def _cause(executed: Path, output: str) -> str:
    """Return the cause of a failed stage in one line."""
    failed = failed_cell(executed, 0) if executed.exists() else None
    if failed:
        return f"the production notebook does not run: code cell {failed[1]}: {failed[0]}"
    lines = [line for line in output.splitlines() if line.strip()]
    broken = [line for line in lines if line.startswith("ContractError")]
    said = broken[0].partition(": ")[2] if broken else lines[-1] if lines else "DVC failed"
    return f"the production notebook does not run as a stage: {said}"


def _shown(executed: Path) -> list[object]:
    """Return the cell outputs of an executed copy, without parts that change from run to run."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    return [
        shown for cell in cells for output in cell.get("outputs", ()) for shown in _output(output)
    ]


def _output(output: Mapping[str, Any]) -> Iterator[object]:
    if output["output_type"] == "stream":
        if output["name"] == "stdout":
            yield _stable("".join(output["text"]))
        return
    data = output.get("data", {})
    for kind in ("text/plain", "image/png"):
        if kind in data:
            yield _stable("".join(data[kind]))


def _stable(text: str) -> str:
    """Return a text without addresses in memory and without measured times."""
    return _SECONDS.sub("", _ADDRESS.sub("0x", text))
