"""Command lines of the documentation: each is understood, and each is run or has a reason."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import click
import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Project
from cookiecutter.main import cookiecutter
from documented import (
    PAGES,
    PROJECT,
    REASONS,
    SCENES,
    TESTS,
    commands,
    documented,
    is_typed,
    parts,
    scene,
    typed,
)
from nb.cli import main
from test_help_examples import prepare
from tutorial import Step, run

# The pages, and the log of changes, whose commands are of their time but exist.
NAMING = [*PAGES, TEMPLATE / "CHANGELOG.md"]


def test_commands_are_found_in_blocks_and_sentences() -> None:
    block = "```console\n$ make lab && nb status\n```\n```mermaid\ngit --> nb\n```\n"
    page = (
        "Type `nb\nrun` or `nb-x`\n\n    nb new x      a notebook\n"
        "    docker run x sh -c 'a && nb y'\n"
        f"\n{block}\nThey\nmake nothing stale. `dvc add x  # y`, and `X=1 nb z`\n"
    )
    assert list(commands(page)) == [
        *(("make lab", True), ("nb status", True), ("nb new x", True)),
        *(("nb run", False), ("dvc add x", False), ("X=1 nb z", False)),
    ]


@pytest.mark.parametrize(
    ("command", "in_block", "line", "same"),
    [
        ("nb run", False, "nb run train", True),
        ("nb run", True, "nb run train", False),
        ("nb run STAGE", True, "nb run train", True),
        ("nb run STAGE", True, "nb run train -f", False),
        ('nb new "NAME"', True, "nb new x", True),
        ("nb promote --yes …", True, "nb promote --yes --as y x", True),
        ("nb run --set STAGE.PARAMETER=VALUE", True, "nb run --set a.b=1", True),
        ("nb run --pull", False, "nb run --push", False),
    ],
)
def test_placeholders_stand_for_words(command: str, in_block: bool, line: str, same: bool) -> None:
    assert is_typed(command, in_block, [line]) == same


def test_every_command_is_run_or_has_a_reason() -> None:
    lines = typed()
    ways = {
        command: (is_typed(command, in_block, lines), command in TESTS, command in REASONS)
        for command, in_block in documented().items()
    }
    assert len(ways) > 250
    assert {command: way for command, way in ways.items() if sum(way) != 1} == {}


def test_no_line_outlives_its_page() -> None:
    pages = documented()
    single = [part for name in SCENES for text, _ in scene(name) for part in parts(text)]
    assert [line for line in (*single, *TESTS, *REASONS) if line not in pages] == []


@pytest.mark.parametrize("command", TESTS)
def test_the_test_of_a_command_types_its_words(command: str) -> None:
    text = (TEMPLATE / "tests" / TESTS[command]).read_text(encoding="utf-8")
    if f'"{command.split()[0]}' not in text:
        text += "git nb make"
    _, *words = command.split()
    names = [word.split("=")[0] for word in words if re.match(r"--|[a-z][a-z-]*$", word)]
    assert [name for name in names if name not in text] == []


def refusal(text: str, in_block: bool) -> str:
    """Return what the command line of `nb` answers to a documented line; empty: it is understood.

    A sentence may name a command without the arguments that it needs.
    """
    words = [re.sub(r"\|.*|[\[\]]", "", word) for word in shlex.split(text)]
    command: click.Command = main
    words = words[words.index("nb") + 1 :]
    while isinstance(command, click.Group) and words and words[0][0] not in "-…":
        name = words.pop(0)
        if name == "COMMAND":
            return ""
        found = command.get_command(click.Context(command), name)
        if found is None:
            return f"no command {name}"
        command = found
    if isinstance(command, click.Group) and not words:
        return ""
    try:
        command.make_context("nb", words, click.Context(main, **main.context_settings))
    except click.exceptions.Exit:  # --help, --version
        return ""
    except click.UsageError as error:
        is_short = isinstance(error, click.MissingParameter) or "requires an arg" in error.message
        return error.format_message() if in_block or not is_short else ""
    return ""


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("nb run --force train", ""),
        ("nb rnu", "no command rnu"),
        ("nb run --no-such", "No such option"),
        ("nb experiments aply 7", "no command aply"),
        ("nb task STAGE", ""),
        ("nb task", "Missing argument"),
        ("nb params a b", "unexpected extra argument"),
    ],
)
def test_what_no_command_takes_is_found(text: str, answer: str) -> None:
    said = refusal(text, in_block=True)
    assert answer in said and bool(answer) == bool(said)


@pytest.mark.parametrize("page", NAMING, ids=lambda path: path.relative_to(TEMPLATE).as_posix())
def test_each_command_of_a_page_is_understood(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = list(commands(page.read_text(encoding="utf-8")))
    found = {text: refusal(text, b) for text, b in lines if re.match(r"([A-Z_]+=\S+ )*nb\b", text)}
    assert {text: said for text, said in found.items() if said} == {}
    files = [TEMPLATE / "Makefile", *PROJECT.glob("Makefile"), *PROJECT.glob("*/*server.py*")]
    makefiles = "".join(path.read_text(encoding="utf-8") for path in files)
    for text in (text for text, _ in lines if text.startswith("make ")):
        words = [word for word in shlex.split(text)[1:] if not word.startswith("-")]
        for word in words:
            name, _, value = word.partition("=")
            known = rf"\b{name}\b" if value else rf"^{name}[^=\n]*:"
            assert re.search(known, makefiles, re.M), text


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a remote, whose results are in its storage."""
    answers = {"project_slug": "helped", "python_version": PYTHON_VERSION}
    folder = tmp_path_factory.mktemp("documented")
    made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    project = Project(Path(made))
    project.make("run-notebooks")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    prepare(project)
    return project


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SCENES)
def test_lines_do_what_their_pages_say(shown: Project, tmp_path: Path, name: str) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "A message" > "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    lines = [Step(line) for _, line in scene(name)]
    programs = f"{shown.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    surroundings = {"PATH": programs, "TERM": "dumb", "BROWSER": "true", "PAGER": "cat"}
    settings = {"GIT_EDITOR": str(editor), "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    try:
        for _ in run(lines, shown.path, os.environ | surroundings | settings):
            pass
    finally:
        shown.git("switch", "--quiet", "--force", "main")
        shown.git("reset", "--quiet", "--hard", "origin/main")
        shown.git("clean", "--quiet", "--force", "-d")
        shown.run("nb", "run", "--pull")
