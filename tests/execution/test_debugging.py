"""Notebooks as scripts for a debugger: what the script holds, and how it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cells import notebook
from click.testing import CliRunner
from conftest import TEMPLATE
from nb.cli import main

TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"
NAME = "notebooks/production/20-features.ipynb"
PARAMETERS = "# parameters\nseed: int = 1\nname: str = 'a'"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tools/nb").mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/20-features.yaml").write_text("seed: 7\nname: b\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    return tmp_path


def write_notebook(root: Path, *cells: str) -> None:
    """Write the notebook of these cells; the first is the parameters cell."""
    content = json.loads(notebook(*cells))
    content["cells"][0]["metadata"]["tags"] = ["parameters"]
    (root / NAME).parent.mkdir(parents=True)
    (root / NAME).write_text(json.dumps(content))


def debug(root: Path, *cells: str) -> subprocess.CompletedProcess[str]:
    """Run `nb debug` on a notebook of these cells."""
    write_notebook(root, *cells)
    command = [sys.executable, "-m", "nb.cli", "debug", "20-features"]
    environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)


def test_a_notebook_runs_with_the_values_of_its_config_file(root: Path) -> None:
    done = debug(root, PARAMETERS, "print(seed + 1, name)")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "8 b\n"
    script = (root / ".nb/debug/20-features.py").read_text()
    assert (
        script.index("breakpoint()") < script.index("# %% code cell 1") < script.index("seed = 7")
    )
    assert script.index("seed = 7") < script.index("# %% code cell 2\nprint(seed + 1, name)")


def test_an_error_shows_the_line_of_the_script_and_no_frame_of_the_tooling(root: Path) -> None:
    done = debug(root, PARAMETERS, "1 / 0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "nb: ZeroDivisionError in .nb/debug/20-features.py"
    assert "1 / 0" in done.stderr
    assert "runpy" not in done.stderr and "debugging.py" not in done.stderr


def test_leaving_the_debugger_is_no_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONBREAKPOINT")
    done = debug(root, PARAMETERS, "print('reached')")  # standard input is at its end
    assert done.returncode == 0, done.stderr
    assert "reached" not in done.stdout.replace("-> print('reached')", "")
    assert "Traceback" not in done.stderr


def test_values_that_do_not_fit_are_one_line_and_run_nothing(root: Path) -> None:
    (root / "config/20-features.yaml").write_text("sede: 7\n")
    write_notebook(root, PARAMETERS, "print('ran')")
    result = CliRunner().invoke(main, ["debug", "20-features"])
    assert result.exit_code == 2
    assert "sede" in result.output and "ran" not in result.output
