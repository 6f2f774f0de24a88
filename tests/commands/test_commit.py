"""The checks of a commit: one process, each finding under the name of its check."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from nb.cli import main

TEMPLATE = Path(__file__).parents[2]
HOOKS = TEMPLATE / "{{cookiecutter.project_slug}}" / ".pre-commit-config.yaml"
NOTEBOOK = "notebooks/production/10-a.ipynb"
KEY = "AKIA" + "QYLPMN5HHH" + "FPZAM2"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose staged notebook has an output, a broken rule and a credential."""
    monkeypatch.chdir(tmp_path)
    cell = {
        "id": "a",
        "cell_type": "code",
        "source": f"get_ipython().system('ls')\nkey = '{KEY}'",
        "metadata": {},
        "execution_count": 1,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}],
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    texts = {
        NOTEBOOK: json.dumps(notebook),
        "dvc.yaml": "stages: {}\n",
        "pyproject.toml": "[project]\nname = 'x'\n",
        ".gitattributes": "*.ipynb filter=nbstripout\n",
    }
    (tmp_path / "tools" / "nb").mkdir(parents=True)
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run(["git", "add", "--all"], check=True)
    return tmp_path


def heads(*names: str) -> list[str]:
    """Run the checks of all staged files; return the headings, those of failed checks."""
    files = names or ("dvc.yaml", "pyproject.toml", NOTEBOOK)
    done = CliRunner().invoke(main, ["commit-checks", *files])
    assert done.exit_code == (1 if done.output else 0), done.output
    return [line for line in done.output.splitlines() if not line.startswith(" ")]


def test_each_check_says_what_it_found(root: Path) -> None:
    assert [line.partition(":")[0] for line in heads()] == ["notebooks", "check", "credentials"]


@pytest.mark.parametrize("name", ["notebooks", "check", "credentials"])
def test_skip_leaves_out_one_check(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIP", f"lint, {name}")
    found = [line.partition(":")[0] for line in heads()]
    assert len(found) == 2 and name not in found


def test_a_check_reads_only_the_files_of_its_kind(root: Path) -> None:
    assert heads(".gitattributes") == []


def test_a_check_that_cannot_run_does_not_keep_the_others_from_it(root: Path) -> None:
    (root / "pyproject.toml").write_text("[tool.nb.check]\nselect = ['NB999']\n")
    lines = CliRunner().invoke(main, ["commit-checks", NOTEBOOK]).output
    assert "NB999" in lines and "AWS Access Key" in lines


def test_python_starts_once_for_our_checks_of_a_commit() -> None:
    entries = [line for line in HOOKS.read_text().splitlines() if "in-env nb" in line]
    assert [entry.split()[-1] for entry in entries] == ["commit-checks", "unpushed"]
