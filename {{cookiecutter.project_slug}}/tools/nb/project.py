"""Where the project is, what its files are called, how its programs are found.

Standard library only.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

PRODUCTION = Path("notebooks/production")
CONFIG = Path("config")
FINGERPRINTS = Path(".nb/fingerprints")
EXECUTED = Path("reports/notebooks")
SITE = Path("reports/site")
INDEX = SITE / "index.html"


class NbError(Exception):
    """A mistake or a condition that the user can act on: one sentence, no traceback.

    Args:
        message: what is wrong, in which file, and what to do next.
        exit_code: what the command exits with.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def one_line(error: BaseException) -> str:
    """Return an error's message, and that of its cause, without line breaks."""
    cause = f": {error.__cause__}" if error.__cause__ else ""
    return " ".join(f"{error}{cause}".split())


def find_root(start: Path | None = None) -> Path:
    """Find the project's root: the first folder, from `start` upwards, that holds `tools/nb`.

    Raises:
        NbError: if no folder does.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "tools" / "nb").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    raise NbError(f"{start} is not inside a project: no folder above it holds tools/nb.", 2)


def write_whole(path: Path, content: bytes | str, draft: Path | None = None) -> None:
    """Write a file as a whole: who reads meanwhile, or after a kill, has the old or the new one.

    Args:
        path: the file; its folder is made.
        content: what is to be in it.
        draft: where to write first; by default, a hidden file beside it. Whoever may write the same
            file at the same time names one of their own.

    Raises:
        OSError: if that is not possible, the disk full, for example; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft or path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def program_environment() -> dict[str, str]:
    """Return environment variables with which `papermill` and `nb` are found, activated or not."""
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", "")])
    # Containers often set this; every stage would then compile all that it imports anew.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PATH": path}


def program(name: str) -> str:
    """Return the path of a program of the project's environment.

    `python -m` would import what lies in the working directory: a `yaml.py` there would run.
    """
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def module(name: str) -> list[str]:
    """Return the words that run a module of the environment, as `python -P -m` of Python 3.11."""
    code = f"import sys; sys.path[:] = filter(None, sys.path); import runpy; \
runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", code]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
