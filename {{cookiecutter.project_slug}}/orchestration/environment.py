"""The scheduler's own environment: a dependency group of pyproject.toml, installed apart.

A scheduler and DVC need different versions of the same packages. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
# A second signal is one that comes later than this: make and a terminal may both pass one on.
SAME_SIGNAL_SECONDS = 0.5
sys.path.append(str(ROOT / "tools"))

import bootstrap  # noqa: E402


def make(manager: str, group: str) -> Path:
    """Bring the environment of a group up to date and return the folder of its programs.

    Args:
        manager: what manages the project's environment: uv, pip or conda.
        group: the name of the dependency group; its environment is `.venv-<group>`.
    """
    folder = ROOT / f".venv-{group}"
    ready = folder / ".ready"
    # It may be unfinished, or name its interpreter by a path of before the project was moved.
    if folder.exists() and not (ready.exists() and ready.read_text("utf-8") == str(ROOT)):
        shutil.rmtree(folder)
    bootstrap.surroundings.forget_installers(os.environ)
    if manager == "uv":
        _with_uv(folder, group)
    else:
        _with_pip(folder, group)
    ready.write_text(str(ROOT), encoding="utf-8")
    return folder / bootstrap.SCRIPTS


def _with_uv(folder: Path, group: str) -> None:
    """Install what `uv.lock` says of a group."""
    os.environ["UV_PROJECT_ENVIRONMENT"] = str(folder)
    command = [bootstrap.find_uv(), "sync", "--only-group", group]
    if not folder.exists():
        command += ["--python", _project_python()]
    hint = "uv could not make the environment; its message is above."
    bootstrap.run(*command, hint=hint, hide=" + ")


def _with_pip(folder: Path, group: str) -> None:
    """Install a group, unless nothing changed since, and write its versions down."""
    lock = ROOT / f"requirements-{group}.lock"
    ready, python = folder / ".ready", folder / bootstrap.SCRIPTS / "python"
    sources = [path for path in (ROOT / "pyproject.toml", lock) if path.exists()]
    if ready.exists() and all(ready.stat().st_mtime >= s.stat().st_mtime for s in sources):
        return
    if not folder.exists():
        bootstrap.make_venv(folder, _project_python())
    pip = (python, "-I", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    held = ("--constraint", lock) if lock.exists() else ()
    hint = "pip could not make the environment; its message is above."
    bootstrap.run(*pip, "--upgrade", "pip>=25.1", hint=hint)
    bootstrap.run(*pip, *held, "--group", group, hint=hint)
    bootstrap.write_versions(python, lock)


def _project_python() -> str:
    return str(ROOT / ".venv" / bootstrap.SCRIPTS / "python")


def become(command: list[str], variables: Mapping[str, str]) -> NoReturn:
    """Run a program of the environment at the project's root in the place of this one."""
    os.environ.update(variables)
    os.chdir(ROOT)
    # A shell starts jobs in the background deaf to Ctrl-C, and some are then deaf to SIGTERM, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.name == "nt":  # there, a program cannot take the place of another
        raise SystemExit(subprocess.call(command))
    os.execv(command[0], command)


def attend(command: list[str], variables: Mapping[str, str]) -> NoReturn:
    """Run a program as `become` does, and interrupt it, alone, when this one is to end.

    For one that ends its own parts: from the terminal they would get Ctrl-C, too, and a second
    signal may leave them waiting for ever. The second Ctrl-C kills them all.
    """
    if os.name == "nt":
        become(command, variables)
    signals: list[float] = []
    program: subprocess.Popen[bytes] | None = None

    def end(_number: int, _frame: object) -> None:
        signals.append(time.monotonic())
        if program and len(signals) == 1:
            program.send_signal(signal.SIGINT)
        elif program and signals[-1] - signals[0] > SAME_SIGNAL_SECONDS:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    program = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    if signals:  # it came in between
        program.send_signal(signal.SIGINT)
    raise SystemExit(program.wait())
