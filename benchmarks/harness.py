"""Parts that the benchmarks share: the command line, projects to measure in, figures, marked pages.

Projects are copies of a set-up project without its notebooks and results, in whose environment
commands run. Figures come from `engine/measure.py`: CPU is that of all processes of a command.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

TEMPLATE = Path(__file__).resolve().parent.parent
BASE = TEMPLATE / "build/bench"
MEASURE = TEMPLATE / "benchmarks/engine/measure.py"
# Parts of a set-up project that a copy of the project begins without.
LEFT_OUT = (".venv", ".git", ".nb", "cache", "tmp", "runs", "site", "*.ipynb", "dvc.lock")
# Variables that would have a project's programs run otherwise than in a user's shell.
DROPPED = ("PYTHON", "VIRTUAL_ENV")
# The exit code of a shell for a program that Ctrl-C ended.
INTERRUPTED = 130


class CommandFailed(Exception):
    """The failure of a command that was to be measured: the command, and the end of its output."""


@dataclass(frozen=True)
class Figure:
    """The cost of a command: CPU and wall time in seconds, the peak of memory in bytes."""

    cpu: float
    wall: float
    memory: int


def parser(document: str | None, program: str) -> argparse.ArgumentParser:
    """Return a parser whose help is a module's docstring.

    Args:
        document: the docstring, a summary and examples.
        program: the module.
    """
    summary, _, rest = str(document).partition("\n\n")
    return argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def machine() -> dict[str, str]:
    """Return the properties of this machine that figures depend on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }


def machine_line() -> str:
    """Return the properties of this machine in one line."""
    about = machine()
    return f"{about['cores']} cores, {about['system']}, Python {about['python']}"


def write(path: Path, text: str) -> None:
    """Write a text file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def copy_project(project: Path, folder: Path) -> None:
    """Copy a set-up project without notebooks, results and history; the environment is linked."""
    shutil.rmtree(folder, ignore_errors=True)
    left_out = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(project, folder, ignore=left_out, symlinks=True)
    (folder / ".venv").symlink_to(project / ".venv")
    (folder / "data/processed").mkdir(parents=True, exist_ok=True)


def variables(folder: Path) -> dict[str, str]:
    """Return the environment of a project: its programs first, and a name for Git's commits."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
    person = {"NAME": "Bench", "EMAIL": "bench@example.org"}
    roles = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in person.items()}
    path = os.pathsep.join([str(folder / ".venv/bin"), os.environ["PATH"]])
    return {**kept, **roles, "PATH": path, "DVC_NO_ANALYTICS": "1"}


def measured(folder: Path, command: str, limit: float = 3600) -> Figure | None:
    """Run a command of the shell in a project; return the cost, or None if it took too long.

    Raises:
        CommandFailed: if the command fails.
    """
    report, log = folder / ".nb/measured.json", folder / ".nb/measured.log"
    report.parent.mkdir(exist_ok=True)
    words = [str(MEASURE), str(report), str(log), str(limit), "sh", "-e", "-c", command]
    subprocess.run([sys.executable, *words], cwd=folder, env=variables(folder), check=True)
    found = json.loads(report.read_text(encoding="utf-8"))
    if found["late"]:
        return None
    if found["code"] != 0:
        text = log.read_text(encoding="utf-8", errors="replace")
        raise CommandFailed(f"`{command}` failed in {folder.name}:\n{text[-2000:]}")
    return Figure(found["cpu"], found["wall"], found["memory"])


def publish(page: Path, marks: tuple[str, str], content: str) -> None:
    """Write content between two marks of a page.

    Raises:
        SystemExit: if the page lacks a mark.
    """
    begin, end = marks
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page.name} has no place for the figures: write {begin} and {end}")
    write(page, f"{before}{begin}\n\n{content}\n\n{end}{after}")


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


def run(program: Callable[[], int | None]) -> NoReturn:
    """Run a benchmark to the end; Ctrl-C and a command that fails end it as a line, in any step."""
    try:
        sys.exit(program())
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(INTERRUPTED)
    except (CommandFailed, subprocess.CalledProcessError) as error:
        say(str(error))
        sys.exit(1)
