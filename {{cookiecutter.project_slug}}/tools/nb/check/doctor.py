"""Health checks of a clone for `nb doctor`: a diagnosis each; safe repairs, also without make."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nb.git import wiring
from nb.programs import program_path
from nb.project import NbError, text_of, unwritable
from nb.skipped import add_missing
from nb.update.inferred_answers import environment_manager
from nb.update.provenance import read_provenance

from .health.diagnosis import SETUP, WIRE, Diagnosis, HealthCheck, file_repair
from .health.environment import ENVIRONMENT_CHECKS
from .health.pipeline import PIPELINE_CHECKS
from .health.repository import GIT_CHECKS
from .health.skipped import ADD_LINES, skipped_files
from .health.template import template
from .health.tooling import tooling

BOOTSTRAP = "tools/bootstrap.py"
# In an order in which problems can be repaired.
CHECKS: tuple[HealthCheck, ...] = (
    *ENVIRONMENT_CHECKS,
    *GIT_CHECKS,
    *PIPELINE_CHECKS,
    skipped_files,
    tooling,
    template,
)


def examine(root: Path) -> Iterator[Diagnosis]:
    """Yield the finding of every check, in an order in which they can be repaired."""
    for check in CHECKS:
        try:
            finding = check(root)
        except NbError as error:
            cause = str(error)
            finding = Diagnosis(_words(check), cause, repair=file_repair(root, cause) or SETUP)
        except OSError as error:  # a file that may not be read: no command of ours repairs that
            finding = Diagnosis(_words(check), unwritable(error))
        if finding.repair == SETUP:
            finding = replace(finding, repair=typed_setup(root))
        yield finding
        if finding.name == "Git repository" and finding.problem:
            return  # the next checks read the environment


def _words(check: HealthCheck) -> str:
    return check.__name__.strip("_").replace("_", " ")


def repair(root: Path, findings: list[Diagnosis]) -> list[str]:
    """Run the commands that safely repair the findings; return those that were run.

    Raises:
        NbError: if a command fails.
    """
    commands = dict.fromkeys(f.repair for f in findings if f.problem and f.is_safe)
    for command in commands:
        if command == WIRE:
            wiring.wire(root)
        elif command == ADD_LINES:
            add_missing(root)
        elif subprocess.call(portable_command(root, command), cwd=root):
            raise NbError(f"{command} failed; its message is above.")
    return list(commands)


def typed_setup(root: Path) -> str:
    """Return the command that a person types for the set-up.

    A team's own Makefile, which does not name the bootstrap, may have another task `setup`.
    """
    if BOOTSTRAP in text_of(root / "Makefile"):
        return SETUP
    return f"python3 -I {BOOTSTRAP} {_environment_manager(root)}"


def portable_command(root: Path, command: str) -> list[str]:
    """Return the words of a repair, for machines without make."""
    if command not in (SETUP, typed_setup(root)):
        name, *arguments = command.split()
        return [program_path(name), *arguments]
    base = getattr(sys, "_base_executable", sys.executable)
    return [base, "-I", BOOTSTRAP, _environment_manager(root)]


def _environment_manager(root: Path) -> str:
    """Return the program that makes the environment: of the Makefile, else as was answered."""
    if named := environment_manager(root):
        return named
    with suppress(NbError):
        recorded = read_provenance(root)
        return str(recorded.answers.get("environment", "uv")) if recorded else "uv"
    return "uv"
