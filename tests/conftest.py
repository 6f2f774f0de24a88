"""Generated projects for the tests: baked as a user would; one set up and run for all."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import browsing
import pytest
from cookiecutter.main import cookiecutter
from hypothesis import HealthCheck, settings

TEMPLATE = Path(__file__).parent.parent
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# What a program leaves behind in a project; not part of what was generated.
LEFTOVERS = {".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache"}

# What a person's shell, a terminal, CI or the make that runs the tests sets, and commands obey:
# tests that are about a variable set it themselves.
SHELL_SETTINGS = (
    *("CI", "GITHUB_ACTIONS", "GITLAB_CI", "SKIP", "TERM", "COLUMNS", "LINES"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "OMP_NUM_THREADS"),
    *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MPLBACKEND", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"),
    *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS", "PYTHONBREAKPOINT"),
    *("VIRTUAL_ENV", "UV_LOCKED", "COOKIECUTTER_CONFIG", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"),
)

# How long a case takes depends on what else the machine does.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")

# Readers that a generated project does not have; the tests lay them beside its environment.
EXTRA = ("duckdb", "h5py", "polars", "polars-runtime-32")


def recipe(target: str) -> str:
    """Return the commands of a target of the template's Makefile."""
    makefile = (TEMPLATE / "Makefile").read_text(encoding="utf-8")
    (commands,) = re.findall(rf"^{target}:.*\n((?:\t.+\n)+)", makefile, re.M)
    values = dict(re.findall(r"^(\w+) := (.+)$", makefile, re.M))
    return re.sub(r"\$\((\w+)\)", lambda name: values[name[1]], commands)


def load_from_template(pattern: str, target: Path) -> ModuleType:
    """Copy a module of generated projects to a path, as it is, and import the copy."""
    (source,) = (TEMPLATE / "{{cookiecutter.project_slug}}").glob(pattern)
    target.parent.mkdir()
    shutil.copy(source, target)
    spec = importlib.util.spec_from_file_location(f"{target.stem}_of_project", target)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def signal_after(
    seconds: float, number: int, command: Sequence[str], *, cwd: Path, **environment: str
) -> None:
    """Start a command, signal its process group some seconds later, and wait for its end."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait()


@dataclass
class Project:
    """A generated project."""

    path: Path

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text that must be there."""
        text = self.read(name)
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def files(self) -> set[str]:
        """Return the files, relative to the project; what programs leave behind is left out."""
        paths = (path.relative_to(self.path) for path in self.path.rglob("*"))
        return {
            p.as_posix()
            for p in paths
            if (self.path / p).is_file() and not LEFTOVERS & set(p.parts)
        }

    def run(
        self, *command: str, code: int | None = 0, cwd: Path | None = None, **environment: str
    ) -> str:
        """Run a command in the project's environment; return its whole output.

        A PATH that begins with `.venv/bin` stands for the activated environment.
        """
        programs = f"{self.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=cwd or self.path,
            env={**os.environ, "PATH": programs, "TERM": "dumb", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert code is None or done.returncode == code, (
            f"{command} -> {done.returncode}\n{done.stdout}"
        )
        return done.stdout

    def make(self, *targets: str, **options: Any) -> str:
        return self.run("make", "--no-print-directory", *targets, **options)

    def git(self, *arguments: str, **options: Any) -> str:
        return self.run("git", *arguments, **options)

    def restore(self) -> None:
        """Put back what is committed, and the results that belong to it."""
        self.git("reset", "--quiet", "--hard")
        self.git("clean", "--quiet", "--force", "-d")
        self.git("clean", "--quiet", "--force", "-d", "-X", "data", "models")
        self.run("nb", "run")
        assert self.git("status", "--porcelain") == ""


Bake = Callable[..., Project]


def literal(answer: str) -> str:
    """Protect an answer given on the command line, which cookiecutter renders as a template."""
    return f"{{% raw %}}{answer}{{% endraw %}}"


@pytest.fixture
def bake(tmp_path: Path) -> Bake:
    """Return a function that generates a project with the given answers."""

    def generate(**answers: Any) -> Project:
        context = {"python_version": PYTHON_VERSION, **answers}
        made = cookiecutter(
            str(TEMPLATE), no_input=True, extra_context=context, output_dir=str(tmp_path)
        )
        return Project(Path(made))

    return generate


@pytest.fixture(scope="session", autouse=True)
def _isolated() -> Iterator[None]:
    """Keep the settings of the shell, of CI, of Git and of cookiecutter out of the tests."""
    # A shell starts its background jobs deaf to Ctrl-C, and their children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        for name in SHELL_SETTINGS:
            patch.delenv(name, raising=False)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "A Tester")
            patch.setenv(f"GIT_{role}_EMAIL", "tester@example.org")
        yield


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Fail a test that leaves the process otherwise than it was: the next one would be wrong."""
    before = process_state()
    yield
    assert process_state() == before


def process_state() -> dict[str, object]:
    """Return the state of this process that tests share."""
    return {
        "collects garbage": gc.isenabled(),
        "working directory": Path.cwd(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "module path": list(sys.path),
        # pytest's limit of time is SIGALRM's.
        "handlers": {
            number: signal.getsignal(number) for number in signal.valid_signals() - {signal.SIGALRM}
        },
        "disabled messages": logging.root.manager.disable,
    }


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The default project, set up, run once and committed; tests ask for `ready` or `project`.

    It lives where blanks and letters are not what programs expect.
    """
    folder = tmp_path_factory.mktemp("ready") / "Daten für Ärzte"
    folder.mkdir()
    answers = {
        "project_name": "Ready",
        "package_name": "biopsies",
        "python_version": PYTHON_VERSION,
    }
    made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    project = Project(Path(made))
    project.make("run-notebooks")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    return project


@pytest.fixture(scope="module")
def ready(shared: Project) -> Project:
    """The shared project as it was committed, whatever the tests of other modules left behind."""
    shared.restore()
    return shared


@pytest.fixture
def project(ready: Project) -> Iterator[Project]:
    """The shared project, for a test that changes it; it is put back."""
    yield ready
    ready.restore()


@pytest.fixture(scope="session")
def libraries(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the libraries of `EXTRA`, to be named by PYTHONPATH."""
    folder = tmp_path_factory.mktemp("libraries")
    uv = str(Path(sys.prefix) / "bin" / "uv")
    python = f"--python={shared.path}/.venv/bin/python"
    command = [uv, "pip", "install", "--quiet", "--no-deps", python, f"--target={folder}", *EXTRA]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium, driven by Playwright; browsing.py has what tests do with it."""
    if browsing.find_chromium() is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = browsing.launch(playwright)
        yield started
        started.close()
