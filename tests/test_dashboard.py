"""The dashboards, served as `make app` serves them and looked at in Chromium."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import browsing
import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Project
from cookiecutter.main import cookiecutter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PROGRAMS = {
    "Streamlit": ("streamlit", "run", "app/dashboard.py", "--server.headless=true"),
    "Voila": ("voila", "--no-browser"),
}
PORTS = {"Streamlit": "--server.port", "Voila": "--port"}
PACKAGES = {"Streamlit": "streamlit", "Voila": "voila"}
NOTHING = "There is nothing to show yet"
# Patience with kernels, on a machine that has other things to do.
PATIENCE = 120_000


@dataclass
class App:
    """A dashboard that is served.

    Attributes:
        kind: the answer to the question `dashboard`.
        project: the project that it is of; its pipeline has run.
        address: where it is.
        server: the process.
    """

    kind: str
    project: Project
    address: str
    server: subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serve(kind: str, project: Project) -> Iterator[App]:
    """Serve a project's dashboard on a port of its own."""
    port = free_port()
    program, *arguments = PROGRAMS[kind]
    command = [f"{project.path}/.venv/bin/{program}", *arguments, f"{PORTS[kind]}={port}"]
    with subprocess.Popen(command, cwd=project.path) as server:
        try:
            for _ in range(600):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert server.poll() is None, f"{program} ended"
                time.sleep(0.2)
            yield App(kind, project, f"http://127.0.0.1:{port}/", server)
        finally:
            server.terminate()


@pytest.fixture(scope="session", params=PROGRAMS)
def dashboard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The answer, and a project with it that was set up, run and committed."""
    answers = {
        "project_name": "Seen",
        "package_name": "biopsies",
        "python_version": PYTHON_VERSION,
        "dashboard": request.param,
    }
    folder = tmp_path_factory.mktemp(request.param)
    made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    project = Project(Path(made))
    project.make("run-notebooks")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    return request.param, project


@pytest.fixture(scope="session")
def app(dashboard: tuple[str, Project]) -> Iterator[App]:
    with serve(*dashboard) as served:
        yield served


Opened = Callable[..., browsing.Visit]


@pytest.fixture
def opened(app: App, browser: Any) -> Iterator[Opened]:
    """A function that opens the dashboard, in one of the looks of browsing.py."""
    contexts = []

    def open_page(look: str = "desktop", wait: str = "What happens to the biopsies") -> Any:
        context = browser.new_context(**browsing.LOOKS[look])
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        seen = browsing.visit(context, app.address)
        seen.page.get_by_text(wait).first.wait_for()
        return seen

    yield open_page
    for context in contexts:
        context.close()


def stretch(page: Any) -> None:
    """Make the window as high as what is in it, which is higher: a picture then shows all of it."""
    height = page.evaluate(
        "Math.max(...[...document.querySelectorAll('html, body, main, [data-testid=stMain]')]"
        ".map(element => element.scrollHeight))"
    )
    assert height > page.viewport_size["height"], "the end of the page cannot be reached"
    page.set_viewport_size({"width": page.viewport_size["width"], "height": min(height, 4000)})
    page.wait_for_timeout(1000)
    drawn(page)


def drawn(page: Any) -> None:
    """Wait until charts and tables are there, whose code Streamlit loads last."""
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")


def figure(page: Any, name: str) -> str:
    """Return one of the figures at the top of the page, such as the recall."""
    text = page.locator("[data-testid=stMetric], .figures p").filter(has_text=name).inner_text()
    return str(text.removeprefix(name).split()[0])


@pytest.mark.parametrize("look", browsing.LOOKS)
def test_the_page_is_quiet_accessible_and_fits(app: App, opened: Opened, look: str) -> None:
    seen = opened(look)
    stretch(seen.page)
    browsing.screenshot(seen.page, f"dashboard-{app.kind.lower()}-{look}")
    assert browsing.fits(seen.page)
    assert browsing.violations(seen.page) == []
    assert seen.events == []
    assert "import " not in seen.page.inner_text("body")


def test_the_control_changes_the_result(app: App, opened: Opened) -> None:
    seen = opened()
    page = seen.page
    before = {name: figure(page, name) for name in ("Threshold", "Missed", "False alarms")}
    slider = page.locator("[role=slider], input[type=range]").first
    slider.focus()
    page.keyboard.press("End")
    page.get_by_text("To let it choose again").wait_for()
    after = {name: figure(page, name) for name in before}
    assert figure(page, "Recall") == "100.0%"
    assert after["Missed"] == "0"
    assert int(after["False alarms"]) > int(before["False alarms"])
    assert float(after["Threshold"]) < float(before["Threshold"])
    drawn(page)
    browsing.screenshot(page, f"dashboard-{app.kind.lower()}-moved")
    page.get_by_text("forest", exact=True).first.click()
    page.wait_for_function(
        "old => !document.body.innerText.replace(/\\s+/g, ' ').includes(old)",
        arg=f"Threshold {after['Threshold']}",
    )
    assert seen.events == []


def test_the_page_says_what_is_missing_and_comes_back(app: App, opened: Opened) -> None:
    seen = opened()
    model = app.project.path / "models" / "forest.joblib"
    aside = model.with_suffix(".aside")
    model.rename(aside)
    try:
        seen.page.get_by_text(NOTHING).wait_for()
        seen.page.get_by_text("make run-notebooks").first.wait_for()
        seen.page.wait_for_timeout(2000)  # what was there before fades
        text = seen.page.inner_text("body")
        assert "models/forest.joblib" in text
        assert "models/logistic.joblib" not in text
        assert browsing.violations(seen.page) == []
        browsing.screenshot(seen.page, f"dashboard-{app.kind.lower()}-missing")
    finally:
        aside.rename(model)
    seen.page.get_by_text("What happens to the biopsies").wait_for()
    assert seen.events == []


def kernels(server: subprocess.Popen[bytes]) -> set[str]:
    """Return the processes that the server has started."""
    return set(subprocess.getoutput(f"ps -o pid= --ppid {server.pid}").split())


def test_a_page_that_is_closed_leaves_no_kernel(app: App, opened: Opened) -> None:
    if app.kind != "Voila":
        pytest.skip("Streamlit has one process for all")
    before = kernels(app.server)
    seen = opened()
    own = kernels(app.server) - before
    assert own
    seen.page.close(run_before_unload=True)
    for _ in range(300):
        if not kernels(app.server) & own:
            break
        time.sleep(0.2)
    assert not kernels(app.server) & own


def test_the_tasks_are_at_ease_with_the_dashboard(dashboard: tuple[str, Project]) -> None:
    _, project = dashboard
    project.make("lint")
    project.make("check")
    assert project.run("nb", "duplicates", code=None).count("dashboard") == 0
    assert not [line for line in project.make("doctor").splitlines() if "app" in line.split()]
    assert project.git("status", "--porcelain") == ""
    for notebook in (project.path / "notebooks").glob("dashboard/*.ipynb"):
        name = notebook.relative_to(project.path).as_posix()
        assert "filter: nbstripout" in project.git("check-attr", "filter", name)


def test_the_tests_of_the_project_pass(dashboard: tuple[str, Project]) -> None:
    _, project = dashboard
    project.make("test")


def test_what_is_not_installed_is_one_line(dashboard: tuple[str, Project]) -> None:
    kind, project = dashboard
    program = project.path / ".venv" / "bin" / PACKAGES[kind]
    aside = program.with_suffix(".aside")
    program.rename(aside)
    try:
        lines = project.make("app", code=2).splitlines()
    finally:
        aside.rename(program)
    said = [line for line in lines if not re.match(r"sh |make", line)]
    assert len(said) == 1
    assert "make setup" in said[0]
