"""Faults of tools such as ours that people reported, tried through commands in a small project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from merge_shapes import cell, notebook
from nb.cli import main

NOTEBOOK = "notebooks/production/10-a.ipynb"
CONFIG = "config/10-a.yaml"
STAGE = f"""\
stages:
  a:
    cmd: papermill {NOTEBOOK} reports/10-a.ipynb -f {CONFIG}
    deps: [{CONFIG}]
    outs: [data/a.csv]
"""
PARAMETERS = {"tags": ["parameters"]}
Nb = Callable[..., str]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a project with one production notebook, as the working directory."""
    root = tmp_path / "project"
    for folder in ("tools/nb", "src/biopsies", "notebooks/exploratory", "config"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (root / "dvc.yaml").write_text(STAGE)
    (root / CONFIG).write_text("n: 1\n")
    write(root, NOTEBOOK, "n: int = 1")
    monkeypatch.chdir(root)
    return root


def write(root: Path, name: str, *sources: str) -> None:
    """Write a notebook whose first cell holds the parameters."""
    cells = [cell("code", source, f"c{n}") for n, source in enumerate(sources)]
    cells[0]["metadata"] = PARAMETERS
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(json.dumps(notebook(*cells)), encoding="utf-8")


def nb(*arguments: str, code: int = 0) -> str:
    """Run a command as a user does; return what it says. No error but an exit is let through."""
    done = CliRunner().invoke(main, arguments)
    assert isinstance(done.exception, SystemExit | None), repr(done.exception)
    assert done.exit_code == code, done.output
    return done.output


def test_lines_of_a_text_are_no_commands_of_ipython(root: Path) -> None:
    write(root, NOTEBOOK, 'note: str = """first\n%matplotlib\n!ls\nready?\n"""')
    (root / CONFIG).write_text("{}\n")
    (parameter,) = json.loads(nb("params", NOTEBOOK, "--json"))
    assert parameter["default"] == "first\n%matplotlib\n!ls\nready?\n"


@pytest.mark.parametrize(
    ("default", "text", "cure"),
    [
        ('"2020-12-31"', "2026-01-01", 'write "2026-01-01"'),
        ("1", "012", "write 10 or 12"),
        ("1", "12:30", 'write 750 or "12:30"'),
        ("False", "on", 'write true or "on"'),
    ],
)
def test_a_value_that_papermill_and_dvc_read_differently_is_refused_with_its_cure(
    root: Path, default: str, text: str, cure: str
) -> None:
    write(root, NOTEBOOK, f"n = {default}")
    (root / CONFIG).write_text(f"# of the notebook\nn: {text}\n")
    said = nb("params", NOTEBOOK, code=2)
    assert said.startswith(f"nb: {CONFIG}, line 2: parameter n: {text} is ")
    assert cure in said


def test_a_key_that_is_there_twice_is_refused_with_both_lines(root: Path) -> None:
    (root / CONFIG).write_text("n: 1\nn: 2\n")
    said = nb("params", NOTEBOOK, code=2)
    assert f"{CONFIG}, line 2: parameter n is given twice, also in line 1" in said


@pytest.mark.parametrize("output", ["../precious.csv", "data/../../precious.csv"])
def test_an_output_outside_the_project_is_a_finding(root: Path, output: str) -> None:
    (root / "dvc.yaml").write_text(STAGE.replace("data/a.csv", output))
    assert "declares ../precious.csv, which is outside the project" in nb("check", code=1)


def test_one_old_notebook_does_not_end_the_search_for_duplicates(root: Path) -> None:
    function = (
        "def spread(prices):\n    low = min(prices)\n    high = max(prices)\n    return high - low"
    )
    (root / "src/biopsies/prices.py").write_text(f"{function}\n")
    write(root, "notebooks/exploratory/01-a.ipynb", function)
    old = '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}'
    (root / "notebooks/exploratory/02-old.ipynb").write_text(old)
    said = nb("duplicates")
    assert "function spread: 2 places" in said
    assert "notebooks/exploratory/02-old.ipynb" in said


def test_a_long_line_does_not_keep_the_check(root: Path) -> None:
    write(root, NOTEBOOK, "n: int = 1", " " * 100_000 + "?")
    assert f"{NOTEBOOK}: NB201" in nb("check", code=1)


def test_anchors_that_stand_for_billions_are_one_finding(root: Path) -> None:
    anchors = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
    (root / CONFIG).write_text("\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *anchors]))
    assert "aliases stand for more than 100,000 values" in nb("check", code=1)


@pytest.mark.parametrize(("name", "command"), [(CONFIG, "params"), (NOTEBOOK, "show")])
def test_nesting_without_end_is_one_line(root: Path, name: str, command: str) -> None:
    nested = "[" * 3_000 + "]" * 3_000
    (root / name).write_text(f'{{"cells": {nested}}}' if name == NOTEBOOK else f"n: {nested}\n")
    said = nb(command, NOTEBOOK, code=1 if name == NOTEBOOK else 2)
    assert said.startswith(f"nb: {name}") and said.count("\n") == 1


def test_no_control_in_a_file_s_name_reaches_the_terminal(root: Path) -> None:
    write(root, "notebooks/production/20-\x1b[31mred\u202e.ipynb", "n: int = 1")
    said = nb("check", code=1)
    assert "20-\\u001b[31mred\\u202e.ipynb" in said
    assert not {"\x1b", "\u202e"} & set(said)


def test_new_and_promoted_notebooks_are_named_by_one_rule(root: Path) -> None:
    write(root, "notebooks/production/99-last.ipynb", "n: int = 1")
    write(root, "notebooks/exploratory/01-ab-Umsätze.ipynb", "x = 1")
    for command in (
        ("new", "Umsätze", "--production"),
        ("promote", "notebooks/exploratory/01-ab-Umsätze.ipynb", "--yes"),
    ):
        said = nb(*command, code=2)
        assert said.startswith("nb: 99 is the last number;") and "98-umsatze" in said
