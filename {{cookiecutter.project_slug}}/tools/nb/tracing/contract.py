"""Verification of contracts: a shell for the commands of stages that finds undeclared files.

With `nb run --verify`, DVC runs this module as the shell, which traces the command. A command that
reads an undeclared input, or writes an undeclared output, ends with the exit code 3, so DVC records
no result.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nb.declaration.papermill_command import papermill_commands
from nb.execution.failures import CONTRACT_ERROR
from nb.exit_codes import ExitCode, as_exit_code
from nb.notebook.fingerprints import MODULE_LINE
from nb.pipeline import Contract
from nb.programs import module_command
from nb.project import FINGERPRINTS, NbError, parse_json

from . import trace

VERIFY = Path(".nb/verify")
SHELL = VERIFY / "shell"
CONTRACTS = VERIFY / "contracts.json"
REPORTS = VERIFY / "reports"
# Version of the contracts and of the reports, which live for a single run.
VERIFY_SCHEMA = 1


def prepare_verification(
    root: Path, contracts: Mapping[str, Contract], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables with which DVC runs the commands of stages under verification.

    Args:
        contracts: the contract of each stage.
        environment: the variables that name the shell that DVC would use.
    """
    folder = root / VERIFY
    (root / REPORTS).mkdir(parents=True, exist_ok=True)
    for old in (root / REPORTS).iterdir():
        old.unlink()
    texts = {name: asdict(contract) for name, contract in contracts.items()}
    written = {"schema": VERIFY_SCHEMA, "stages": texts}
    (root / CONTRACTS).write_text(json.dumps(written), encoding="utf-8")
    shell = folder / SHELL.name
    run = shlex.join([*module_command("nb.tracing.contract"), str(root)])
    shell.write_text(f'#!/bin/sh\nexec {run} "$@"\n', encoding="utf-8")
    shell.chmod(0o755)
    return {"SHELL": str(shell), "NB_VERIFY_SHELL": environment.get("SHELL") or "/bin/sh"}


def verified_stages(root: Path) -> list[str]:
    """Return the names of the stages whose commands ran since `prepare_verification`."""
    reports = (root / REPORTS).glob("*.json")
    return sorted({_read(root, path.relative_to(root))["stage"] for path in reports})


def _read(root: Path, path: Path) -> dict[str, Any]:
    """Read the contracts or a report.

    Raises:
        NbError: if another version of the tooling wrote the file, or the file was cut.
    """
    try:
        content = parse_json((root / path).read_text(encoding="utf-8"))
        if content["schema"] == VERIFY_SCHEMA:
            return dict(content)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise NbError(f"{path.as_posix()} is not of this version of nb; start nb run --verify again.")


def violations(
    stage: str, contract: Contract, traced: trace.Trace, command: str, root: Path
) -> Iterator[str]:
    """Yield a line for each file that a stage uses and does not declare.

    Args:
        contract: the declared files.
        traced: the trace of the command.
    """
    stands_for = _standing_for(contract, command, root)
    declared = (*contract.inputs, *contract.outputs)
    for access in traced.accesses:
        path = access.path
        if access.writes and not _covers(contract.outputs, path):
            yield f"writes {path}, which {stage} does not declare; add to its outs in dvc.yaml: \
- {path}"
        elif access.reads and path not in stands_for and not _covers(declared, path):
            yield f"reads {path}, which {stage} does not declare; add to its deps in dvc.yaml: \
- {path}"


def _covers(declared: Iterable[str], path: str) -> bool:
    return any(path == name or path.startswith(f"{name.rstrip('/')}/") for name in declared)


def _standing_for(contract: Contract, command: str, root: Path) -> set[str]:
    """Return the notebook and the modules whose fingerprint is among the inputs."""
    notebooks = {call.notebook for call in papermill_commands(command, contract.folder)}
    files: set[str] = set()
    for name in contract.inputs:
        if name.startswith(FINGERPRINTS.as_posix()) and (root / name).exists():
            lines = (root / name).read_text(encoding="utf-8").split("\n")
            files |= {
                line.split(" ", 2)[2].rpartition(" ")[0]
                for line in lines
                if line.startswith(MODULE_LINE)
            }
            files |= notebooks
    return files


def main(arguments: list[str]) -> int:
    """Run the command of a stage as a shell would (`-c COMMAND`), and check the contract.

    DVC names the stage in `DVC_STAGE`.
    """
    root, command = Path(arguments[0]), arguments[-1]
    stage = os.environ.get("DVC_STAGE", "")
    shell = os.environ.pop("NB_VERIFY_SHELL", "/bin/sh")
    os.environ["SHELL"] = shell
    try:
        declared = _read(root, CONTRACTS)["stages"].get(stage)
    except NbError as error:
        print(f"nb: {error}", file=sys.stderr)
        return 1
    if declared is None:  # the stage that writes the fingerprints
        os.execvp(shell, [shell, *arguments[1:]])
    contract = Contract(**declared)
    traced = trace.run_under_trace([shell, *arguments[1:]], root, cwd=Path.cwd())
    lines = list(violations(stage, contract, traced, command, root))
    report = {"schema": VERIFY_SCHEMA, "stage": stage, "violations": lines, "trace": asdict(traced)}
    path = root / REPORTS / f"{os.getpid()}.json"
    path.write_text(json.dumps(report, indent=2), encoding="utf-8")
    if traced.code:
        return as_exit_code(traced.code)
    for text in traced.unseen:
        print(f"nb: not seen: {text}", flush=True)
    for line in lines:
        print(f"{CONTRACT_ERROR}{line}", flush=True)
    return ExitCode.BROKEN_CONTRACT if lines else ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
