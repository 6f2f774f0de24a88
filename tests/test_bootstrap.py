"""`make setup` before anything is installed: managers that are missing, old or odd, odd shells.

The managers are stand-ins, so no environment is made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE, Bake, Project

# Says which version it is; else notes its arguments and variables, and does what is asked for.
MANAGER = """\
#!/bin/sh
if [ "$1" = --version ]; then echo "{version}"; exit; fi
echo "$0 $@" >> "$LOG"
env >> "$LOG"
{does}
"""
PYTHON = f'mkdir -p .venv/bin && ln -sf "{sys.executable}" .venv/bin/python'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the stand-ins note how they were called."""
    return tmp_path / "log"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with Python and Git, and nothing else that a set-up could use."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("git", "sh", "bash", "env", "mkdir", "ln", "cat", "make"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """What of a generated project the set-up reads before it calls a manager."""
    path = tmp_path / "bare"
    tools = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"
    (path / "tools" / "nb").mkdir(parents=True)
    for name in (
        "bootstrap.py",
        "nb/__init__.py",
        "nb/skipped.py",
        "nb/surroundings.py",
        "nb/wording.py",
    ):
        shutil.copy(tools / name, path / "tools" / name)
    (path / "pyproject.toml").write_text('requires-python = ">=3.10"\n')
    return Project(path)


def put(path: Path, *, version: str = "uv 0.9.2", does: str = "exit 1") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(MANAGER.format(version=version, does=does))
    path.chmod(0o755)


def run(project: Project, programs: Path, *command: str, **variables: str) -> tuple[int, str]:
    """Run a command with nothing but these programs and variables; return its code and output."""
    log = str(programs.parent / "log")
    done = subprocess.run(
        command,
        cwd=project.path,
        env={"PATH": str(programs), "LOG": log, "HOME": str(programs.parent), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def bootstrap(
    project: Project, programs: Path, manager: str = "uv", **variables: str
) -> tuple[int, str]:
    command = ("python3", "-I", "tools/bootstrap.py", manager)
    return run(project, programs, *command, **variables)


LED_AWAY = {
    "UV_PROJECT_ENVIRONMENT": "/elsewhere",
    "UV_NO_DEV": "1",
    "UV_SYSTEM_PYTHON": "1",
    "PIP_TARGET": "/elsewhere",
    "PIP_PREFIX": "/elsewhere",
    "VIRTUAL_ENV": "/elsewhere",
    "PYTHONPATH": "/elsewhere",
    "GIT_DIR": "/elsewhere",
    "GIT_WORK_TREE": "/elsewhere",
}
KEPT = {
    "PIP_INDEX_URL": "https://example.org/simple",
    "UV_INDEX_URL": "https://example.org/simple",
    "UV_PYTHON": "3.12",
    "SSL_CERT_FILE": "/certificates",
}


def test_settings_of_the_shell_do_not_lead_installers_away(
    bare: Project, programs: Path, log: Path
) -> None:
    put(programs / "uv")
    bootstrap(bare, programs, PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1", **LED_AWAY, **KEPT)
    seen = dict(line.split("=", 1) for line in log.read_text().splitlines() if "=" in line)
    assert not LED_AWAY.keys() & seen.keys()
    assert {**seen, **KEPT} == seen
    assert seen["PIP_USER"] == seen["PIP_REQUIRE_VIRTUALENV"] == "0"
    assert "--python" not in log.read_text().splitlines()[0]


@pytest.mark.parametrize("setting", ["", "1"])
def test_the_set_up_compiles_where_python_keeps_no_bytecode(
    bare: Project, programs: Path, log: Path, setting: str
) -> None:
    put(programs / "uv")
    bootstrap(bare, programs, PYTHONDONTWRITEBYTECODE=setting)
    assert ("--compile-bytecode" in log.read_text()) == bool(setting)


@pytest.mark.parametrize("manager", ["uv", "conda"])
@pytest.mark.parametrize("does", ["exit 0", PYTHON])
def test_a_manager_that_ends_well_without_a_python_is_named(
    bare: Project, programs: Path, manager: str, does: str
) -> None:
    put(programs / manager, does=does if manager == "uv" else "exit 0")
    code, said = bootstrap(bare, programs, manager)
    assert code == 1
    assert f"setup: {manager} ended well, but " in said.splitlines()[-1]


def environment(project: Project, recorded: str) -> Path:
    """Make an environment that records a version of Python; return its stand-in of Python."""
    python = project.path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    put(python, does="exit 0")
    put(python.with_name("nb"), does="exit 0")
    project.path.joinpath(".venv/pyvenv.cfg").write_text(f"home = /\nversion_info = {recorded}\n")
    return python


def test_with_nothing_to_do_python_is_started_for_the_command_nb_alone(
    bare: Project, programs: Path, log: Path
) -> None:
    put(programs / "uv", does="exit 0")
    python = environment(bare, "3.12.1")
    code, said = bootstrap(bare, programs)
    assert code == 0, said
    called = [line for line in log.read_text().splitlines() if line.startswith("/")]
    assert called == [f"{programs}/uv sync", f"{python.parent}/nb setup"]


def test_an_environment_of_too_old_a_python_is_made_anew(
    bare: Project, programs: Path, log: Path
) -> None:
    put(programs / "uv", does="exit 0")
    environment(bare, "3.9.1")
    bootstrap(bare, programs)
    assert log.read_text().startswith(f"{programs}/uv sync --python ")


def test_a_uv_that_is_too_old_is_not_used(bare: Project, programs: Path, log: Path) -> None:
    put(programs / "uv", version="uv 0.2.37")
    (bare.path / ".uv").mkdir()
    put(bare.path / ".uv" / "bin" / "uv", version="uv 0.5.3")
    bootstrap(bare, programs)
    assert log.read_text().startswith(f"{bare.path}/.uv/bin/uv sync")


@pytest.mark.slow
def test_a_uv_that_cannot_be_had_is_named(bare: Project, programs: Path, log: Path) -> None:
    put(programs / "uv", version="uv 0.2.37")
    code, said = bootstrap(bare, programs, PIP_NO_INDEX="1")
    assert code == 1
    assert "is no uv 0.5.3 or newer" in said
    assert said.splitlines()[-1].startswith("setup: uv could not be installed; install 0.5.3")
    assert not log.exists()


def test_a_missing_git_is_named_before_anything_is_installed(
    bare: Project, programs: Path, log: Path
) -> None:
    put(programs / "uv")
    (programs / "git").unlink()
    assert bootstrap(bare, programs) == (
        1,
        "setup: git was not found; install it, then run this again.\n",
    )
    assert not log.exists()


def test_a_repository_around_is_named_unless_it_ignores_the_project(
    bare: Project, programs: Path, log: Path
) -> None:
    put(programs / "uv")
    bare.git("init", "--quiet", cwd=bare.path.parent)
    said = bootstrap(bare, programs)[1].splitlines()[0]
    assert f"is a folder of the Git repository {bare.path.parent}, and shares" in said
    assert log.exists()
    (bare.path.parent / ".gitignore").write_text(f"{bare.path.name}\n")
    assert "is a folder of" not in bootstrap(bare, programs)[1]


@pytest.mark.parametrize("variable", ["CONDA_EXE", "MAMBA_EXE"])
def test_conda_is_found_where_the_shell_says(
    bare: Project, programs: Path, log: Path, variable: str
) -> None:
    manager = programs.parent / "miniforge" / "manager"
    put(manager)
    code, said = bootstrap(bare, programs, "conda", **{variable: str(manager)})
    assert code == 1
    assert (
        said.splitlines()[-1]
        == "setup: manager could not make the environment; its message \
is above."
    )
    assert log.read_text().startswith(f"{manager} env create")


@pytest.mark.slow
def test_a_copied_project_leaves_the_environment_before_it_deletes_it(
    bare: Project, programs: Path
) -> None:
    python = str(programs / "python3")
    subprocess.run([python, "-m", "venv", "--without-pip", str(bare.path / ".venv")], check=True)
    bare.write(".venv/.ready", "/where/it/was/copied/from")
    path = f"{bare.path}/.venv/bin{os.pathsep}{programs}"
    code, said = bootstrap(bare, programs, PATH=path, PIP_NO_INDEX="1")
    assert code == 1
    assert "setup: the project was moved" in said
    assert said.splitlines()[-1].startswith("setup: uv could not be installed")
    assert bare.has(".uv/bin/python")


def test_make_repairs_an_environment_that_lost_its_python(
    bake: Bake, programs: Path, log: Path
) -> None:
    project = bake()
    put(programs / "uv")
    (project.path / ".venv" / "bin").mkdir(parents=True)
    (project.path / ".venv" / "bin" / "python").symlink_to("/usr/lib/python-of-last-year")
    project.write(".venv/.ready", os.path.realpath(project.path))
    code, said = run(project, programs, "make", "status")
    assert code == 2
    assert "uv could not make the environment; its message is above." in said
    assert log.exists()
    assert "nb: the project's environment has lost its Python; run: make setup" in in_env(project)


@pytest.mark.parametrize("manager", ["uv", "pip", "conda"])
def test_another_python_in_the_place_of_the_environment_stays_as_it_is(
    bake: Bake, programs: Path, log: Path, manager: str
) -> None:
    project = bake(environment=manager)
    for name in ("uv", "conda"):
        put(programs / name)
    (project.path / ".venv" / "bin").mkdir(parents=True)
    (project.path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    code, said = run(project, programs, "make", "setup")
    assert code == 2
    assert (
        "the Python in .venv is not the project's own: remove .venv, then run this again." in said
    )
    assert not log.exists()


def in_env(project: Project) -> str:
    project.git("init", "--quiet")
    return project.run("sh", "tools/in-env", "nb", "verify", code=127)


def test_make_imports_nothing_from_the_project(bake: Bake, programs: Path) -> None:
    project = bake()
    put(programs / "uv")
    for folder in ("", "tools/"):
        for name in ("re", "subprocess", "shutil", "nb", "pathlib"):
            if folder or name != "nb":
                project.write(f"{folder}{name}.py", "open('imported', 'w')")
    code, said = run(project, programs, "make")
    assert code == 0 and "make run-notebooks" in said
    code, said = run(project, programs, "make", "setup")
    assert "uv could not make the environment" in said
    assert not project.has("imported")


def test_make_lists_the_tasks_and_nothing_else_before_the_set_up(
    bake: Bake, programs: Path
) -> None:
    code, said = run(bake(), programs, "make")
    assert code == 0
    assert all(line.startswith("  make ") for line in said.splitlines())


@pytest.mark.parametrize("minor", [8, 9, 10])
def test_older_pythons_can_set_up(bare: Project, programs: Path, log: Path, minor: int) -> None:
    python = interpreter(f"python3.{minor}")
    if not python:
        pytest.skip(f"needs Python 3.{minor}")
    (programs / "python3").unlink()
    (programs / "python3").symlink_to(python)
    put(programs / "uv")
    assert "uv could not make the environment" in bootstrap(bare, programs)[1]
    assert log.exists()


def interpreter(name: str) -> str:
    """Return the interpreter behind a name, which may be a shim; nothing if there is none."""
    code = "import os, sys; print(os.path.realpath(sys.executable), end='')"
    try:
        return subprocess.run([name, "-c", code], capture_output=True, text=True).stdout
    except FileNotFoundError:
        return ""
