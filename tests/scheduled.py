"""A project with a scheduler for the tests: run from nothing in several ways, and compared."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from conftest import PYTHON_VERSION, TEMPLATE, Project
from cookiecutter.main import cookiecutter

SCREENSHOTS = TEMPLATE / "build" / "screenshots"
# All that a run leaves: Git ignores it, and nothing of it may be there before a run from nothing.
KEPT = (".venv*", "uv.lock", ".nb/dagster", ".nb/airflow")
ARTIFACTS = ("data", "models", "reports/notebooks", "reports/metrics", "reports/plots")
MAKE_ENVIRONMENT = """
import sys
sys.path.insert(0, "orchestration")
import environment
environment.make("uv", sys.argv[1])
"""


@dataclass
class Scheduled(Project):
    """A generated project with a scheduler, and the scheduler's environment."""

    scheduler: str

    def scheduler_run(self, *command: str, **options: Any) -> str:
        """Run a program of the scheduler's environment."""
        programs = self.path / f".venv-{self.scheduler}" / "bin"
        return self.run(str(programs / command[0]), *command[1:], **options)

    def start_anew(self) -> None:
        """Forget every result, those in DVC's cache too, and every change since the commit."""
        self.git("checkout", "--quiet", "--force", "HEAD")
        kept = [word for name in KEPT for word in ("--exclude", name)]
        self.git("clean", "-xdff", "--quiet", *kept)
        shutil.rmtree(self.path / ".dvc" / "cache", ignore_errors=True)
        shutil.rmtree(self.path / ".dvc" / "tmp", ignore_errors=True)

    def results(self) -> dict[str, bytes]:
        """Return `dvc.lock` and all that stages write, by path."""
        found = {"dvc.lock": (self.path / "dvc.lock").read_bytes()}
        for folder in ARTIFACTS:
            for path in sorted((self.path / folder).rglob("*")):
                if path.is_file():
                    found[path.relative_to(self.path).as_posix()] = path.read_bytes()
        return found

    def executed(self) -> dict[str, int]:
        """Return when each executed copy was written."""
        copies = (self.path / "reports/notebooks").glob("*.ipynb")
        return {path.name: path.stat().st_mtime_ns for path in copies}

    def processes(self) -> dict[int, str]:
        """Return the processes that work in the project, by id."""
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "cwd").resolve().is_relative_to(self.path):
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    @contextmanager
    def serving(self, port: int, address: str) -> Iterator[str]:
        """Start the UI with make until its address answers; end it with Ctrl-C after the block."""
        log = self.path / ".nb" / "server.log"
        with log.open("w") as file:
            server = subprocess.Popen(
                ["make", "--no-print-directory", self.scheduler, f"PORT={port}"],
                cwd=self.path,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(url + address) or server.poll() is not None, 240)
            assert server.poll() is None, log.read_text()
            yield url
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                raise


def make_project(folder: Path, scheduler: str) -> Scheduled:
    """Generate the example with a scheduler, make both environments, and commit."""
    answers = {
        "project_name": f"With {scheduler}",
        "package_name": "biopsies",
        "python_version": PYTHON_VERSION,
        "scheduler": scheduler,
    }
    made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    project = Scheduled(Path(made), scheduler.lower())
    project.make("setup")
    project.run(sys.executable, "-c", MAKE_ENVIRONMENT, project.scheduler)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    return project


def answers(url: str) -> bool:
    """Return whether a server answers."""
    try:
        return bool(urlopen(url, timeout=5).status == 200)
    except (URLError, OSError):
        return False


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for a condition and return what it gives."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to it in time"
        time.sleep(0.5)
    return found


def break_notebook(project: Project, name: str) -> None:
    """Let the first code cell of a production notebook fail."""
    path = f"notebooks/production/{name}.ipynb"
    project.edit(path, r'"import pandas as pd\n"', r'"no_such_name\n"')


def sleep(project: Project, name: str) -> None:
    """Let the first code cell of a production notebook leave a file, data/asleep, and sleep."""
    path = f"notebooks/production/{name}.ipynb"
    lines = ["import time", "from pathlib import Path"]
    lines += [f"Path({str(project.path / 'data/asleep')!r}).touch()", "time.sleep(500)"]
    source = ", ".join(json.dumps(f"{line}\n") for line in lines)
    project.edit(path, r'"import pandas as pd\n"', source)
