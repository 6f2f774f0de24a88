"""The project that the site is about: name, description and code host."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nb.git.code_host import CodeHost, find_code_host
from nb.project import PYPROJECT, UsageError, pyproject_table, read_pyproject


@dataclass(frozen=True)
class About:
    """The facts that head every page.

    Attributes:
        name: the name of the project, and not of the folder of a clone.
        description: the description in a sentence; may be empty.
        host: the code host; None without a remote.
    """

    name: str
    description: str = ""
    host: CodeHost | None = None


def read_about(root: Path) -> About:
    """Return the facts of a project, from `pyproject.toml` and the remote."""
    try:
        changed = (root / PYPROJECT).stat().st_mtime_ns
    except OSError:
        changed = 0
    return _read_about(root, changed)


@lru_cache(maxsize=1)
def _read_about(root: Path, _changed: int) -> About:
    try:
        project = pyproject_table(read_pyproject(root), "project")
    except UsageError:
        project = {}
    name, description = project.get("name"), project.get("description")
    return About(
        name if isinstance(name, str) and name else root.name,
        description if isinstance(description, str) else "",
        find_code_host(root),
    )
