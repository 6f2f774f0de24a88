"""Traced forks of a warm process: each run shows its files, as runs that start anew show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nb.runtime.traced_forks import shared_imports
from nb.tracing import strace

from tests.cells import notebook
from tests.conftest import Project
from tests.test_trace import PREPARE, WAYS

needs_strace = pytest.mark.skipif(not strace.strace_is_available(), reason="needs strace")
# Runs each text in turn as the notebook: as forks, or anew; prints the traces, and who printed it.
RUNS = """
import json, os, sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from nb.programs import program_environment
from nb.runtime.traced_forks import traced_forks
from nb.tracing.footprint import run_traced

way, *texts = json.loads(sys.argv[1])
root, found = Path.cwd(), []
path = root / "notebooks" / "a.ipynb"
path.write_text(texts[0])
with traced_forks(root, path, Path("/nowhere")) if way == "forks" else nullcontext() as forks:
    for text in texts:
        path.write_text(text)
        done = run_traced(
            root, path, root.parent / "made.ipynb", root, environment=program_environment(),
            forbidden=Path("/nowhere"), forks=forks,
        )
        cells = json.loads((root.parent / "made.ipynb").read_text())["cells"]
        shown = ["".join(o.get("text", "")) for c in cells for o in c.get("outputs", ())]
        found.append({**asdict(done), "shown": shown})
print(json.dumps(found))
"""
# Forks of the warm process have imports that an ordinary start does not have.
IS_FORK = "import sys; print('papermill' in sys.modules)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with nothing but a place for notebooks."""
    folder = tmp_path / "project"
    for name in ("notebooks", "in", "out"):
        (folder / name).mkdir(parents=True)
    return folder


def run(ready: Project, folder: Path, way: str, *texts: str, **variables: str) -> list[Any]:
    """Run notebooks in turn in the folder; return their footprints."""
    python = f"{ready.path}/.venv/bin/python"
    said = ready.run(python, "-c", RUNS, json.dumps([way, *texts]), cwd=folder, **variables)
    found: list[Any] = json.loads(said.splitlines()[-1])
    return found


@needs_strace
def test_forks_show_each_way_of_reading_and_writing_as_runs_that_start_anew(
    ready: Project, folder: Path, libraries: Path
) -> None:
    ready.run(
        f"{ready.path}/.venv/bin/python", "-c", PREPARE, cwd=folder, PYTHONPATH=str(libraries)
    )
    text = notebook(IS_FORK, *(line for way in WAYS.values() for line in way))
    (fork,) = run(ready, folder, "forks", text, PYTHONPATH=str(libraries))
    assert fork["shown"][0] == "True\n"
    for path in (folder / "out").iterdir():
        path.unlink()
    (anew,) = run(ready, folder, "anew", text, PYTHONPATH=str(libraries))
    assert anew["shown"][0] == "False\n"
    assert {access["path"] for access in anew["trace"]["accesses"] if access["reads"]} == {
        f"in/{name}" for name in WAYS
    }
    assert (fork["trace"], fork["problem"]) == (anew["trace"], "")


@needs_strace
def test_each_fork_shows_files_of_its_own_run(ready: Project, folder: Path) -> None:
    (folder / "in" / "a").write_text("text")
    texts = (
        notebook("import pandas; open('in/a').read()", "open('out/first', 'w')", IS_FORK),
        notebook("import pandas", "import subprocess; subprocess.run('> out/second', shell=True)"),
        notebook("import pandas", "1 / 0"),
    )
    first, second, third = run(ready, folder, "forks", *texts)
    assert first["shown"][-1] == "True\n"
    used = [[access["path"] for access in done["trace"]["accesses"]] for done in (first, second)]
    assert used == [["in/a", "out/first"], ["out/second"]]
    assert "code cell 2 failed: ZeroDivisionError" in third["problem"]


@needs_strace
def test_an_import_that_reads_a_file_of_the_project_is_left_to_each_run(
    ready: Project, folder: Path, tmp_path: Path
) -> None:
    (folder / "in" / "settings").write_text("text")
    (tmp_path / "library").mkdir()
    reading = f"text = open({str(folder / 'in/settings')!r}).read()"
    (tmp_path / "library" / "reader.py").write_text(reading)
    text = notebook("import reader", IS_FORK)
    done = run(ready, folder, "forks", text, text, PYTHONPATH=str(tmp_path / "library"))
    assert [each["shown"][-1] for each in done] == ["False\n", "False\n"]
    for each in done:
        assert [access["path"] for access in each["trace"]["accesses"]] == ["in/settings"]


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        (
            "import pandas as pd, json\nfrom numpy import linalg",
            ["numpy", "numpy.linalg", "pandas"],
        ),
        ("import inputs, numpy", ["numpy"]),  # a folder of the project
        ("import reading, numpy", ["numpy"]),  # a module beside the notebook
        ("%%writefile made.py\nx = 1", []),
        ("open('made.py', 'w')\nimport made, numpy", ["numpy"]),
        ("import sys\nsys.path.insert(0, '..')\nimport numpy", None),
        ("import os\nos.environ['A'] = 'b'\nimport numpy", None),
        ("%pip install numpy==1\nimport numpy", None),
    ],
)
def test_modules_that_may_be_imported_before_a_notebook_runs(
    tmp_path: Path, source: str, modules: list[str] | None
) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "a.csv").touch()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "reading.py").touch()
    path = tmp_path / "notebooks" / "a.ipynb"
    path.write_text(notebook(source))
    assert shared_imports(tmp_path, path) == modules


@pytest.mark.parametrize("place", [".", "notebooks"])
def test_settings_of_matplotlib_are_read_by_each_run(tmp_path: Path, place: str) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / place / "matplotlibrc").touch()
    (tmp_path / "notebooks" / "a.ipynb").write_text(notebook("import matplotlib"))
    assert shared_imports(tmp_path, tmp_path / "notebooks" / "a.ipynb") is None
