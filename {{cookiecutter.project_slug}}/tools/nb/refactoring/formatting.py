"""Sources formatted by ruff, with the settings of the project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from nb.notebook.magics import mask
from nb.programs import program_path


def tidied_like(before: str, after: str, path: Path) -> str:
    """Return a cell's source sorted and formatted by ruff, if the old source was so already."""
    old, new = mask(before), mask(after)
    if old is None or new is None or sorted_and_formatted(old.text + "\n", path) != old.text + "\n":
        return after
    return new.unmask(sorted_and_formatted(new.text + "\n", path).rstrip("\n"))


def sorted_and_formatted(text: str, path: Path) -> str:
    return formatted(sorted_imports(text, path), path)


def formatted(text: str, path: Path) -> str:
    return _ruff(["format"], text, path)


def sorted_imports(text: str, path: Path) -> str:
    return _ruff(["check", "--select=I", "--fix", "--exit-zero", "--quiet"], text, path)


def _ruff(command: list[str], text: str, path: Path) -> str:
    """Return ruff's output for a source; the source itself if ruff is missing or fails."""
    ruff = shutil.which(program_path("ruff"))
    if not ruff or not text.strip():
        return text
    name = str(path.with_suffix(".py"))  # ruff finds the project's settings from this path
    done = subprocess.run(
        [ruff, *command, "--no-cache", "--stdin-filename", name, "-"],
        input=text.encode(),
        capture_output=True,
    )
    return done.stdout.decode() if done.returncode == 0 else text
