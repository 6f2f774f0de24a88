"""Programs of the project's environment: their paths, their environment variables, and their runs.

Standard library only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess


# OpenBLAS waits for work in a busy loop: programs that each use all cores take many times as long.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Threads of OpenBLAS that wait for work go to sleep after some 20 µs. By default they keep the
# cores busy for 20 ms, which took half of the CPU time of small models.
_QUIET_THREADS = {"OPENBLAS_THREAD_TIMEOUT": "16"}


def program_environment() -> dict[str, str]:
    """Return environment variables with which `papermill` and `nb` are found, activated or not."""
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", "")])
    # Containers often set this; every stage would then compile all that it imports anew.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # Windows has another encoding for pipes, in which a notebook may print what cannot be written.
    return {**_QUIET_THREADS, **kept, **_caches(), "PATH": path, "PYTHONIOENCODING": "utf-8"}


def side_by_side_environment(count: int) -> dict[str, str]:
    """Return the environment variables of as many programs at a time, which share the cores."""
    environment = program_environment()
    if count > 1 and not any(name in environment for name in THREADS):
        environment |= dict.fromkeys(THREADS, str(max(1, cores() // count)))
    return environment


def _caches() -> dict[str, str]:
    """Return variables that move caches into `.venv` where the home cannot be written.

    Many containers are such: pre-commit would not start, and Matplotlib would share a temporary
    folder among forks that each remove the folder.
    """
    # `Path.expanduser` fails for an account without a home.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    nearest = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if cache.is_absolute() and os.access(nearest, os.W_OK):
        return {}
    own = Path(sys.prefix, "cache")
    return {"XDG_CACHE_HOME": str(own), "MPLCONFIGDIR": str(own / "matplotlib")}


def program_path(name: str) -> str:
    """Return the path of a program of the project's environment.

    `python -m` would import modules of the working directory: a `yaml.py` there would run.
    """
    import shutil  # late: `nb` must start quickly

    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def setup_path(root: Path) -> str:
    """Return the search path of the programs, uv and uvx, that the set-up put into the project."""
    return os.pathsep.join(str(root / ".uv" / folder) for folder in ("bin", "Scripts"))


def uv_programs(root: Path) -> list[str]:
    """Return the paths of uv: that of the machine, then that of the set-up, if there are any."""
    import shutil  # late: `nb` must start quickly

    return list(filter(None, (shutil.which("uv"), shutil.which("uv", path=setup_path(root)))))


def run_program(root: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the project's environment in a folder, to its end; the output is kept."""
    import subprocess  # late: `nb` must start quickly

    return subprocess.run(
        [program_path(name), *arguments],
        cwd=root,
        env=program_environment(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def module_command(name: str) -> list[str]:
    """Return the words that run a module of the environment, as `python -P -m` of Python 3.11."""
    code = f"import sys; sys.path[:] = filter(None, sys.path); import runpy; \
runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", code]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
