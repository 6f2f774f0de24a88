"""One environment per contestant, installed from the registry; for ours, a generated project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .. import harness
from ..harness import TEMPLATE

BASE = harness.BASE / "engine"
PROJECT = "project"  # the environment that the generated project makes itself
# The libraries of a generated project, for every contestant: pandas imports pyarrow if it can.
LIBRARIES = ("ipykernel", "matplotlib", "pandas", "pyarrow")
# What would make contestants run otherwise than in a user's shell, or one see another's settings.
DROPPED = (
    "AIRFLOW",
    "CALKIT",
    "CI",
    "DAGSTER",
    "DVC",
    "GIT_",
    "IPYTHON",
    "JUPYTER",
    "MAKE",
    "MFLAGS",
    "MPL",
    "OMP_",
    "OPENBLAS",
    "PLOOMBER",
    "PYTEST",
    "PYTHON",
    "SNAKEMAKE",
    "VIRTUAL_ENV",
    "XDG_",
)


class BenchError(Exception):
    """What kept a contestant from being measured: one sentence, for the table."""


def home(name: str) -> Path:
    """Return the folder where an environment's programs keep settings and caches."""
    return BASE / "home" / name


def programs(name: str) -> Path:
    """Return the folder of an environment's programs."""
    return BASE / "env" / name / (".venv/bin" if name == PROJECT else "bin")


def variables(name: str) -> dict[str, str]:
    """Return the environment variables in which the programs of an environment run."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
    path = [p for p in kept["PATH"].split(os.pathsep) if not Path(p).is_relative_to(TEMPLATE)]
    person = {"NAME": "Bench", "EMAIL": "bench@example.org"}
    return {
        **kept,
        "PATH": os.pathsep.join([str(programs(name)), *path]),
        "HOME": str(home(name)),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "DVC_NO_ANALYTICS": "1",
        "PLOOMBER_STATS_ENABLED": "false",
        "PLOOMBER_VERSION_CHECK_DISABLED": "1",
        "UV_COMPILE_BYTECODE": "1",
        **{f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in person.items()},
    }


def run(*command: str | Path, name: str, cwd: Path = BASE, stdin: str | None = None) -> str:
    """Run a command in an environment and return its output.

    Raises:
        BenchError: if it fails; the last line of its output.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env=variables(name),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise BenchError(f"`{' '.join(words)[:60]}`: {last_line(done.stdout)}")
    return done.stdout


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" │╰─╯╭╮")]
    return lines[-1][:160] if lines else "no message"


def uv() -> str:
    """Return the path of uv.

    Raises:
        BenchError: if it is not installed.
    """
    found = shutil.which(
        "uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if not found:
        raise BenchError("uv is not installed; run make setup")
    return found


def make_environment(name: str, packages: tuple[str, ...]) -> None:
    """Make an environment ready, unless it is: that of a peer, or the generated project.

    Raises:
        BenchError: if something cannot be installed.
    """
    home(name).mkdir(parents=True, exist_ok=True)
    if name == PROJECT:
        make_project()
    else:
        make_peer(name, packages)
    # Matplotlib lists the machine's fonts at its first import: no contestant shall pay for that.
    warm_up = "import matplotlib.pyplot, pandas"
    run(programs(name) / "python", "-c", warm_up, name=name)


def make_peer(name: str, packages: tuple[str, ...]) -> None:
    """Install packages and what the notebooks import into an environment of their own."""
    folder = BASE / "env" / name
    wanted = " ".join([sys.version.split()[0], *packages, *LIBRARIES])
    marker = folder / ".ready"
    if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    run(uv(), "venv", "--quiet", "--python", sys.executable, folder, name=name)
    install = (uv(), "pip", "install", "--quiet", "--python", folder)
    run(*install, *packages, *LIBRARIES, name=name)
    marker.write_text(wanted, encoding="utf-8")


def make_project() -> None:
    """Generate a project without the example and set it up; its environment is kept."""
    folder = BASE / "env" / PROJECT
    fresh = BASE / "generated"
    shutil.rmtree(fresh, ignore_errors=True)
    answers = {
        "project_slug": PROJECT,
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "example": "no",
    }
    words = [f"{question}={answer}" for question, answer in answers.items()]
    generate = (sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", fresh)
    run(*generate, TEMPLATE, *words, name=PROJECT)
    for kept in (".venv", "uv.lock"):
        if (folder / kept).exists():
            (folder / kept).rename(fresh / PROJECT / kept)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    (fresh / PROJECT).rename(folder)
    path = f"PATH={variables(PROJECT)['PATH']}{os.pathsep}{Path(uv()).parent}"
    run("env", path, "make", "setup", name=PROJECT, cwd=folder)
    # What the registry's packages got when they were installed.
    run(programs(PROJECT) / "python", "-m", "compileall", "-q", "tools", name=PROJECT, cwd=folder)


def versions(name: str) -> list[str]:
    """Return what is installed in an environment, as `name==version`."""
    listed = run(uv(), "pip", "freeze", "--python", programs(name) / "python", name=name)
    return [line for line in listed.splitlines() if "==" in line]
