"""The help of `nb`: groups, whole sentences, suggestions; and colors as the environment asks."""

from __future__ import annotations

import io
import re
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from nb import terminal
from nb.cli import GROUPS, WHERE, main


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    (tmp_path / "tools/nb").mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.mark.parametrize(
    ("typed", "begun", "completed"),
    [([], "ru", {"run"}), (["run"], "--verb", {"--verbose"}), ([], "no-such", set())],
)
def test_a_shell_completes_commands_and_options(
    typed: list[str], begun: str, completed: set[str]
) -> None:
    complete = ShellComplete(main, {}, "nb", "_NB_COMPLETE")
    assert {item.value for item in complete.get_completions(typed, begun)} == completed


def test_every_command_is_in_a_group_with_a_whole_sentence_on_one_line(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["--help"], terminal_width=80).output
    assert all(f"\n{title}:\n" in shown for title in GROUPS)
    assert max(map(len, shown.splitlines())) <= 80
    lines = {line.split()[0]: line for line in re.findall(r"^  [a-z-]+  .*$", shown, re.M)}
    for command in WHERE:
        assert lines[command].endswith("."), command
        assert not lines[command].endswith("...")
    assert sum(line.startswith("   ") for line in shown.splitlines()) == 3  # the examples
    assert len(re.findall(r"^    nb ", shown, re.M)) == 3


def test_every_command_and_no_other_has_a_help_page(runner: CliRunner) -> None:
    assert sorted(WHERE) == main.list_commands(click.Context(main))
    for command in WHERE:
        page = runner.invoke(main, [command, "--help"])
        assert page.exit_code == 0
        assert page.output.startswith(f"Usage: main {command} ")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("rnu", "did you mean run?"), ("statsu", "did you mean status?"), ("zzz", "nb --help")],
)
def test_a_mistyped_command_is_one_line_with_the_nearest(
    runner: CliRunner, typed: str, hint: str
) -> None:
    result = runner.invoke(main, [typed])
    assert result.exit_code == 2
    assert result.output.startswith(f"nb: there is no command {typed}; ")
    assert hint in result.output
    assert len(result.output.splitlines()) == 1


class _Stream(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("environment", "on_terminal", "in_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_the_environment_decides_about_colors(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    on_terminal: bool,
    in_pipe: bool,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for is_terminal, wanted in ((True, on_terminal), (False, in_pipe)):
        stream = _Stream(is_terminal)
        terminal.echo(terminal.style("x", fg="red"), file=stream, nl=False)
        assert stream.getvalue() == ("\x1b[31mx\x1b[0m" if wanted else "x")
        assert terminal.is_colored(stream) == wanted


def test_without_colors_the_cursor_still_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = _Stream(True)
    terminal.echo(terminal.sequence("\x1b[2A\x1b[J") + terminal.style("x", fg="red"), file=stream)
    assert stream.getvalue() == "\x1b[2A\x1b[Jx\n"
