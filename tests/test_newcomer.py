"""A newcomer and a second member at a real terminal: nothing fails, and nothing is typed twice."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Project

pytest.importorskip("pexpect")
if sys.platform == "win32":
    pytest.skip("needs a terminal of POSIX", allow_module_level=True)

from newcomer import COLUMNS, Terminal, visible, walk

import template_answers


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(tmp_path, os.environ)
    yield started
    started.close()


def test_the_last_state_of_a_line_is_visible() -> None:
    assert [*visible("a\r\nold\rnew\r\n\x1b[31mred\x1b[0m\x1b[K\r\n")] == ["a", "new", "red", ""]


def test_a_wrong_answer_names_the_command_that_goes_on(terminal: Terminal) -> None:
    answers = {"project called?": "It's Ünï", "which e-mail": "nobody", "one sentence": "A $HOME"}
    refused = terminal.type(f"cookiecutter {TEMPLATE}", answers)
    assert refused.code == 1 and refused.questions == 6
    *_, command = (line for line in refused.shown if line.startswith("    cookiecutter "))
    done = terminal.type(command.strip())
    assert done.code == 0
    page = (terminal.folder / "it-s-uni/README.md").read_text(encoding="utf-8")
    assert page.startswith("# It's Ünï\n\nA \\$HOME\n")


def test_nobody_who_is_not_asked_is_told_how_to_go_on(terminal: Terminal) -> None:
    refused = terminal.type(f"cookiecutter --no-input {TEMPLATE} project_slug=a/b")
    assert refused.code == 1
    assert not any("go on" in line for line in refused.shown)


def test_make_says_nothing_but_its_tasks_before_the_set_up(terminal: Terminal) -> None:
    terminal.type(f"cookiecutter --no-input {TEMPLATE} project_name=Fresh")
    terminal.type("cd fresh")
    shown = terminal.type("make").shown
    assert not [line for line in shown if line and not line.startswith("  make ")]


@pytest.mark.parametrize("folder", [TEMPLATE, TEMPLATE / "{{cookiecutter.project_slug}}"])
def test_the_list_of_tasks_fits_a_terminal(folder: Path) -> None:
    makefile = (folder / "Makefile").read_text(encoding="utf-8")
    (width,) = re.findall(r"make \{t:(\d+)\}", makefile)
    tasks = re.findall(r"^([\w-]+):.*?## (.+)$", makefile, re.M)
    assert len(tasks) > 10
    assert [t for t, text in tasks if len(f"  make {t:{width}} {text}") > COLUMNS] == []


@pytest.mark.slow
def test_colors_are_as_the_environment_wants(ready: Project, tmp_path: Path) -> None:
    terminal = Terminal(ready.path, os.environ)
    terminal.type(". .venv/bin/activate")
    color = re.compile(r"\x1b\[[0-9;]*m")
    commands = ("nb status", "nb --help", "nb doctor", "nb check", "nb run", "nb help storage")
    try:
        for command in commands:
            terminal.type("unset NO_COLOR FORCE_COLOR")
            assert not color.search(terminal.type(f"NO_COLOR=1 {command}").raw), command
        assert color.search(terminal.type("nb status").raw)
        assert not color.search(terminal.type("nb status | cat").raw)
        assert color.search(terminal.type("FORCE_COLOR=1 nb status | cat").raw)
        assert not color.search(terminal.type("NO_COLOR=1 FORCE_COLOR=1 nb status").raw)
    finally:
        terminal.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_newcomer_and_a_second_member_walk_through_the_tutorial(tmp_path: Path) -> None:
    typed = list(walk(tmp_path, {"python_version": PYTHON_VERSION}))
    commands = [step.command for step in typed]
    readme = (TEMPLATE / "README.md").read_text(encoding="utf-8")
    for command in re.findall(r"^    (make (?:setup|run-notebooks)) ", readme, re.M):
        assert command in commands
    assert len(typed) < 50  # more would be no hour
    assert sum(step.questions for step in typed) == len(template_answers.QUESTIONS)
    # What other programs print may be wider, and so may names of files.
    ours = [step for step in typed if step.command.startswith(("nb ", "make ", "git commit"))]
    lines = [re.sub(r"\S*/\S*", "", line) for step in ours for line in step.shown]
    assert [line for line in lines if len(line) > COLUMNS] == []
