"""The tutorial: each command works, and prints the lines that the page shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import PYTHON_VERSION, TEMPLATE
from tutorial import as_notebook, is_as_shown, run, steps

PAGE = TEMPLATE / "docs/start/first-hour.md"


def test_steps_are_commands_with_output_and_files() -> None:
    page = '```console\n$ one\n1\n$ two\n```\n\n```text title="a/b"\nx\n```\n\n```python\ny\n```\n'
    one, two, file = steps(page)
    assert (one.command, one.shown) == ("one", ["1"])
    assert (two.command, two.shown) == ("two", [])
    assert (file.file, file.content) == ("a/b", "x\n")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["a", "b", "c"], False),
        (["a", "…"], ["a", "b", "c"], True),
        (["…"], [], True),
        (["…", "c"], ["a", "b"], False),
        (["took … s"], ["took 1.5 s"], True),
        (["took … s"], ["took 1.5 min"], False),
        ([], ["a"], False),
    ],
)
def test_output_is_compared_but_for_what_is_left_out(
    shown: list[str], printed: list[str], same: bool
) -> None:
    assert is_as_shown(shown, printed) == same


def test_a_failing_command_fails(tmp_path: Path) -> None:
    (step,) = steps("```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match="false"):
        list(run([step], tmp_path, os.environ))


def test_a_notebook_is_written_as_cells() -> None:
    text = as_notebook("# %% [markdown]\n# # Title\n# %%\nx = 1\n")
    assert '"# Title"' in text and '"x = 1"' in text


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    todo = list(steps(PAGE.read_text(encoding="utf-8")))
    assert len(todo) > 30
    for step in todo:
        step.command = step.command.replace(
            "gh:org/template", f"{TEMPLATE} python_version={PYTHON_VERSION}"
        )
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "TERM": "dumb"}
    for name in [name for name in environment if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))]:
        del environment[name]
    for step, printed in zip(todo, run(todo, tmp_path, environment), strict=True):
        assert is_as_shown(step.shown, printed), "\n".join([f"$ {step.command}", *printed])
