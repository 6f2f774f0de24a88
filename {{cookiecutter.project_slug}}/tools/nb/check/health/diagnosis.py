"""Diagnosis: the result of a health check, and the repair of a damaged file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nb.declaration.reader import FILE, LOCK
from nb.git.command import git
from nb.project import PYPROJECT, text_of

SETUP = "make setup"
WIRE = "nb setup"
# Files that programs write, each with the repair if the last commit has no other content.
_WRITTEN = {
    LOCK: f"rm {LOCK}",
    "uv.lock": f"rm uv.lock && {SETUP}",
    "requirements.lock": f"rm requirements.lock && {SETUP}",
    "tools/manifest.json": "nb update",
    ".cruft.json": "rm .cruft.json, then nb update --from COMMIT --template ADDRESS",
}
# Files that people write, by words of the messages about them.
_EDITED = {
    "notebooks/dvc.yaml": "notebooks/dvc.yaml",
    FILE: FILE,
    PYPROJECT: PYPROJECT,
    "config file error": ".dvc/config",
}


@dataclass(frozen=True)
class Diagnosis:
    """The result of a health check.

    Attributes:
        name: the thing that was checked.
        problem: the fault, in words; empty if there is none.
        detail: the observation of a check without a problem.
        repair: the command that removes the problem.
        is_safe: whether `nb doctor --fix` may run that command.
    """

    name: str
    problem: str = ""
    detail: str = ""
    repair: str = ""
    is_safe: bool = False


HealthCheck = Callable[[Path], Diagnosis]


def file_repair(root: Path, problem: str) -> str:
    """Return the repair of the damaged file that a problem names; empty if there is none."""
    for name, otherwise in _WRITTEN.items():
        if name in problem:
            stored = git(root, "show", f"HEAD:./{name}", check=False)
            is_other = stored and stored != text_of(root / name)
            return f"git checkout HEAD -- {name}" if is_other else otherwise
    return next((f"edit {name}" for words, name in _EDITED.items() if words in problem), "")
